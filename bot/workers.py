"""Several processes that serve from one PostgreSQL: started together, replaced when one dies, ended together."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that workers get to end in good order."""
LONGEST_PAUSE = 30.0


def keep(count: int, work: Callable[[], None]) -> None:
    """Keeps ``count`` processes at ``work`` until SIGTERM or SIGINT. ``work`` ends on SIGTERM."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, stop)

    def begin() -> None:
        for told in (signal.SIGTERM, signal.SIGINT):
            signal.signal(told, signal.SIG_DFL)
        work()

    forking = multiprocessing.get_context("fork")  # what is read once is shared by all
    workers: dict[int, BaseProcess] = {}
    pause = dict.fromkeys(range(count), 0.5)
    begun = dict.fromkeys(range(count), 0.0)
    while not stopping:
        for number in range(count):
            if number not in workers and time.monotonic() >= begun[number] + pause[number]:
                workers[number] = forking.Process(target=begin, name=f"worker-{number}", daemon=True)
                begun[number] = time.monotonic()
                workers[number].start()
        wait([worker.sentinel for worker in workers.values()], timeout=0.2)
        for number, worker in list(workers.items()):
            if worker.exitcode is None:
                continue
            log.error("worker %s ended with code %s; another one takes its place", number, worker.exitcode)
            lived = time.monotonic() - begun[number]
            pause[number] = 0.5 if lived > LONGEST_PAUSE else min(pause[number] * 2, LONGEST_PAUSE)
            del workers[number]
    _end(list(workers.values()))


def _end(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + GRACE
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
        if worker.exitcode is None:
            log.critical("a worker did not end in %s seconds and is killed; nothing taken is lost", GRACE)
            worker.kill()
            worker.join()
