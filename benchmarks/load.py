"""Drives any bot with phones and says how fast it was: in a closed loop, or with arrivals at random."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.phones import Act, Phone, Switchboard

FEWEST = 3
"""Turns in one measurement at least, however slow."""
LONGEST = 60.0
"""Seconds beyond its time after which a run is given up."""


class Bot(Protocol):
    """What is measured. ``take`` returns when the update is dealt with, and stored where the bot stores."""

    sends: int | None
    """How many messages answer each act; None: as the script says."""

    async def take(self, body: bytes) -> None: ...

    def measured(self, on: bool) -> None:
        """Told when the measuring begins and ends: outside of it the bot need not be honest."""


class Load:
    """``patients`` conversations are open; whoever ends theirs leaves their place to the next person."""

    def __init__(self, bot: Bot, board: Switchboard, script: Sequence[Act], patients: int) -> None:
        self.bot, self.board, self.script = bot, board, script
        self.idle: deque[Phone] = deque(board.phone(script) for _ in range(patients))
        self.taken: list[float] = []
        """Seconds of every turn."""
        self.late = 0
        """Arrivals for which nobody was idle."""
        self.ended = 0.0

    async def scatter(self) -> None:
        """Lets everybody come as far as chance would have it, so that not all do the same at once."""

        async def walk(phone: Phone, turns: int) -> None:
            for _ in range(turns):
                await self._turn(phone)

        phones = list(self.idle)
        places = [number * len(self.script) // len(phones) for number in range(len(phones))]
        await asyncio.gather(*(walk(phone, place) for phone, place in zip(phones, places, strict=True)))
        random.Random(7).shuffle(self.idle)

    async def closed(self, at_once: int, seconds: float) -> None:
        """``at_once`` turns are always under way."""
        over = time.perf_counter() + seconds

        async def work() -> None:
            while not self.ended:
                phone = self.idle.popleft()
                began = time.perf_counter()
                await asyncio.sleep(0)  # it stands in line with the others, also before a bot that never waits
                await self._turn(phone)
                now = time.perf_counter()
                if not self.ended:
                    self.taken.append(now - began)
                    if now > over and len(self.taken) >= FEWEST:
                        self._end(now)
                self._back(phone)

        async with asyncio.timeout(seconds + LONGEST):
            await asyncio.gather(*(work() for _ in range(at_once)))

    async def arrivals(self, rate: float, seconds: float) -> None:
        """Turns begin at random, whether or not those before them have ended; timed from when they were due."""
        loop, under_way = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        async def one(due: float) -> None:
            if self.idle:
                phone = self.idle.popleft()
            else:
                self.late += 1
                phone = self.board.phone(self.script)
            await self._turn(phone)
            self.taken.append(time.perf_counter() - due)
            self._back(phone)

        def begin(due: float) -> None:
            task = loop.create_task(one(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

        def feed() -> None:
            """A thread, as the loop's own timers are only good to a millisecond."""
            chance, due = random.Random(11), time.perf_counter()
            over = due + seconds
            while (due := due + chance.expovariate(rate)) < over:
                if (wait := due - time.perf_counter()) > 0:
                    time.sleep(wait)
                loop.call_soon_threadsafe(begin, due)

        feeder = threading.Thread(target=feed)
        feeder.start()
        async with asyncio.timeout(seconds + LONGEST):
            while feeder.is_alive() or under_way:
                await asyncio.sleep(0.02)
        self._end(time.perf_counter())

    async def _turn(self, phone: Phone) -> None:
        await self.bot.take(phone.acts(self.bot.sends))
        await phone.waits()

    def _back(self, phone: Phone) -> None:
        if phone.at == len(self.script):
            self.board.leave(phone)
            phone = self.board.phone(self.script)
        self.idle.append(phone)

    def _end(self, now: float) -> None:
        """What is still under way does not count, and need not be waited for honestly."""
        self.ended = now
        self.bot.measured(False)


async def measure(
    bot: Bot,
    board: Switchboard,
    script: Sequence[Act],
    *,
    patients: int,
    at_once: int,
    seconds: float,
    rate: float = 0.0,
) -> dict[str, Any]:
    """What one run came to, as numbers for a line of JSON."""
    load = Load(bot, board, script, max(patients, at_once))
    await load.scatter()
    bot.measured(True)
    calls, cpu, began = board.calls, time.process_time(), time.perf_counter()
    if rate:
        await load.arrivals(rate, seconds)
    else:
        await load.closed(at_once, seconds)
    took, burnt = load.ended - began, time.process_time() - cpu
    turns = sorted(load.taken)
    return {
        "turns": len(turns),
        "turns_per_s": round(len(turns) / took, 2),
        "p50_ms": _at(turns, 0.50),
        "p95_ms": _at(turns, 0.95),
        "p99_ms": _at(turns, 0.99),
        "cpu_us": round(burnt / len(turns) * 1e6, 1),
        "calls_per_turn": round((board.calls - calls) / len(turns), 2),
        "peak_mb": peak(),
        **({"rate": rate, "nobody_idle": load.late} if rate else {}),
    }


def peak() -> float:
    """The most memory this process ever had resident, in MB: its own, not what it was forked from."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _at(seconds: Sequence[float], share: float) -> float:
    """A percentile, in milliseconds."""
    return round(seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1e3, 3)
