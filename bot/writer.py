"""Everything that is written goes through here: one thread, and all that waits goes into one transaction."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from bot import crash, metrics
from bot.messages import Inbound
from bot.store import Store, broken, conversations, unstorable, worth_another_try
from bot.store.outbox import Due
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST = 256
"""Jobs in one transaction. More gain nothing, and make the first of them wait."""
LAZY = 0.02
"""Seconds that a job which nobody waits for may lie, so that it shares the next commit."""
TRIES = 5
"""How often a transaction is tried that others were in the way of."""


@dataclass(slots=True)
class Job:
    """One piece of work inside a transaction, and who waits for it."""

    do: Callable[[Transaction], Any]
    inbound: Inbound | None
    lane: str
    """The chat it changes, locked for it; "" if none."""
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Sender(Protocol):
    """Who sends what a transaction put into the outbox."""

    def claim(self, db: Transaction) -> None:
        """Called at the end of a transaction: adds to ``db.claimed`` what is sent as soon as it is committed."""

    def committed(self, db: Transaction) -> None:
        """Called in the writer's thread after the commit."""

    def go(self, claimed: list[Due]) -> None:
        """Called in the event loop after the commit."""


class Writer:
    """Runs jobs in the order they came. A job that fails is alone in failing: the others are run without it."""

    def __init__(self, store: Store, clock: Callable[[], datetime], sender: Sender | None = None) -> None:
        self.store, self.clock, self.sender = store, clock, sender
        self.broken: BaseException | None = None
        """The error after which nothing more is written: the process must start anew."""
        self._waiting: queue.SimpleQueue[Job | Literal["hurry", "end"]] = queue.SimpleQueue()
        self._lazy: deque[Job] = deque()
        self._thread: threading.Thread | None = None

    async def write(
        self,
        do: Callable[[Transaction], T],
        inbound: Inbound | None = None,
        *,
        lane: str = "",
        lazy: bool = False,
    ) -> T:
        """Runs ``do`` in a transaction and returns once it is committed. Raises what ``do`` or the database raised.

        ``inbound`` is locked, and its receipt and conversation are read, together with those of the others.
        A ``lazy`` job waits a moment for company.
        """
        loop = asyncio.get_running_loop()
        job = Job(do, inbound, inbound.lane if inbound else lane, loop, loop.create_future())
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()
        if lazy:
            self._lazy.append(job)
            if len(self._lazy) == 1:
                loop.call_later(LAZY, self._waiting.put, "hurry")
        else:
            self._waiting.put(job)
        result: T = await job.future
        return result

    def close(self) -> None:
        """Ends after what was asked so far."""
        if self._thread is not None:
            self._waiting.put("end")
            self._thread.join()
            self._thread = None

    # ------------------------------------------------------------------ in the writer's thread

    def _run(self) -> None:
        ending = False
        while not ending:
            came = [self._waiting.get()]
            while len(came) < MOST and not self._waiting.empty():
                came.append(self._waiting.get())
            ending = "end" in came
            jobs = [self._lazy.popleft() for _ in range(len(self._lazy))]
            jobs += [job for job in came if isinstance(job, Job)]
            if jobs:
                self._take(jobs)

    def _take(self, jobs: list[Job]) -> None:
        try:
            self._settle(jobs, self._together(jobs))
            return
        except Exception as error:
            if not worth_another_try(error) and (len(jobs) == 1 or unstorable(error)):
                self._fail(jobs, error)
                return
        for job in jobs:
            try:
                claimed = self._patiently(job)
            except Exception as error:
                self._fail([job], error)
            else:
                self._settle([job], claimed)

    def _patiently(self, job: Job) -> list[Due]:
        for attempt in range(1, TRIES):
            try:
                return self._together([job])
            except Exception as error:
                if not worth_another_try(error):
                    raise
                time.sleep(0.01 * attempt)
        return self._together([job])

    def _together(self, jobs: Sequence[Job]) -> list[Due]:
        if self.broken is not None:
            raise self.broken
        with self.store.begin(self.clock()) as db:
            crash.point("begun")
            conversations.lock(db, {job.lane for job in jobs if job.lane})
            inbounds = [job.inbound for job in jobs if job.inbound is not None]
            if inbounds:
                conversations.foresee(db, inbounds, db.at)
                crash.point("foreseen")
            for job in jobs:
                job.result = job.do(db)
            crash.point("turned")
            if self.sender is not None:
                self.sender.claim(db)
            crash.point("claimed")
        crash.point("committed")
        metrics.count(db.counts)
        for name, seconds in db.spans:
            metrics.span(name, seconds)
        if self.sender is not None:
            self.sender.committed(db)
        return db.claimed

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        if broken(error) and self.broken is None:
            log.critical("the database can no longer be trusted to keep what it is given: %s", type(error).__name__)
            self.broken = error
        for job in jobs:
            job.error = error
        self._settle(jobs, [])

    def _settle(self, jobs: list[Job], claimed: list[Due]) -> None:
        jobs[0].loop.call_soon_threadsafe(self._tell, jobs, claimed)

    # ------------------------------------------------------------------ in the event loop

    def _tell(self, jobs: list[Job], claimed: list[Due]) -> None:
        crash.point("told")
        if self.sender is not None:
            self.sender.go(claimed)
        for job in jobs:
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
