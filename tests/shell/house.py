"""A whole house around one store: writer, outbox, delivery and sweep, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest

import bot.store
from bot.buttons import Buttons
from bot.deployment import Deployment
from bot.house import House
from bot.limits import Limits
from bot.messages import Came, Channel, Envelope, Inbound, Sent
from bot.pace import Pace
from bot.store import Store, staff
from bot.surroundings import Steady
from tests.patient import LANGUAGES, NOW
from tests.shell.conftest import ANA, GROUP, LI, LIBRARY, Desk

T = TypeVar("T")
NUMBERS = count(1)
"""Of updates: no two houses on one store hear the same one, unless a test says so."""
SECONDS = 60.0
"""How long anything may take before it hangs. No test measures with it."""


def hurries(patch: pytest.MonkeyPatch) -> None:
    """For what is not about the power or the pace of this machine: nobody waits for the disk, or for company."""
    patch.setitem(bot.store.PRAGMAS, "synchronous", 0)
    patch.setitem(bot.store.SERVER, "synchronous_commit", "off")
    patch.setattr("bot.writer.LAZY", 0.0)


class Time:
    """The wall's clock and the one nobody can set, side by side."""

    def __init__(self, wall: datetime = NOW) -> None:
        self.wall, self.even = wall, 1000.0

    def passes(self, **time: float) -> None:
        """Both go on."""
        gone = timedelta(**time)
        self.wall, self.even = self.wall + gone, self.even + gone.total_seconds()

    def is_set(self, **by: float) -> None:
        """Somebody moves the hands of the clock on the wall."""
        self.wall += timedelta(**by)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.even

    def rules(self, patch: pytest.MonkeyPatch) -> None:
        """Delivery's limits go by this clock, too."""
        patch.setattr("bot.deliver.time", self)


class Wire:
    """What lies between delivery and the people: it notes what was tried and what arrived, and fails as told.

    ``beyond`` is the real channel, if there is one; without it, everything that is not told to fail arrives.
    """

    name = "telegram"

    def __init__(self, beyond: Channel | None = None) -> None:
        self.beyond = beyond
        self.fate: Callable[[str, Envelope], tuple[Sent | None, bool]] = lambda chat, envelope: (None, True)
        """What the next send is told, None for the truth, and whether it arrives."""
        self.calls: list[tuple[str, str]] = []
        """Chat and text of everything that was tried."""
        self.arrived: defaultdict[str, list[Envelope]] = defaultdict(list)
        self.unsure: Counter[str] = Counter()
        """Sends of which nobody was told whether they arrived, by chat."""
        self.crowded: set[str] = set()
        """Chats that had two messages under way at once."""
        self._under_way: Counter[str] = Counter()
        self._number = 0

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        self.calls.append((chat, envelope.text))
        self._under_way[chat] += 1
        if self._under_way[chat] > 1:
            self.crowded.add(chat)
        try:
            await asyncio.sleep(0)
            told, arrives = self.fate(chat, envelope)
            sent = told
            if self.beyond is not None:
                sent = await self.beyond.send(chat, envelope, last)
                arrives = sent.fate == "sent"
            if arrives:
                self.arrived[chat].append(envelope)
            if sent is None:
                self._number += 1
                sent = Sent("sent", str(self._number))
            self.unsure[chat] += sent.fate == "unsure"
            return sent
        finally:
            self._under_way[chat] -= 1

    def texts(self, chat: str) -> list[str]:
        return [envelope.text for envelope in self.arrived[chat]]


class Housed(Desk):
    """A desk where everything goes through the house, from the intake's door to the wire."""

    def __init__(
        self,
        store: Store,
        wire: Wire | None = None,
        time: Time | None = None,
        limits: Limits | None = None,
        *,
        hires: bool = True,
        **deployed: Any,
    ) -> None:
        self.store, self.time, self.wire = store, time or Time(), wire or Wire()
        self._count = 0
        made = Deployment(LIBRARY, LANGUAGES, Buttons(b"a key"), "nct06570291", 30, staff_group=GROUP)
        self.deployment = replace(made, **deployed)
        self.runner = asyncio.Runner()
        self._limits = {"telegram": limits} if limits else None
        self.opens()
        if hires:
            with store.begin() as db:
                staff.add(db, "Ana", ANA, "en")
                staff.add(db, "Li", LI, "zh_Hans")

    def opens(self) -> None:
        """Another process begins, on the same store."""
        self.house = House(self.store, self.deployment, self.channels(), self._limits, self.time.now)
        self.house.pace = Pace(100_000)  # these people type fast
        self.house._steady = Steady(self.time.now(), self.time.monotonic)

    def channels(self) -> dict[str, Channel]:
        return {"telegram": self.wire}

    def ends(self) -> None:
        """The process ends; the store stays."""
        self.house.close()

    def closes(self) -> None:
        self.ends()
        self.runner.close()
        self.store.close()

    def runs(self, coroutine: Coroutine[Any, Any, T]) -> T:
        async def within() -> T:
            async with asyncio.timeout(SECONDS):
                return await coroutine

        return self.runner.run(within())

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return self.time.wall

    def take(self, kind: Came, chat: str = "501", key: str = "", **values: Any) -> bool:
        values.setdefault("sender", chat)
        inbound = Inbound("telegram", key or f"h{next(NUMBERS)}", chat, kind=kind, **values)

        async def taken() -> None:
            await self.house.take(inbound)
            await self.house.delivery.drain()

        self.runs(taken())
        return True

    def drains(self) -> None:
        """Sends what may go now."""
        self.runs(self.house.delivery.drain())

    def sweeps(self) -> int:
        self.runs(self.house.sweep())
        self.drains()
        return 0

    def sent(self, chat: str = "501") -> list[Envelope]:
        return self.wire.arrived[chat]

    def waits(self, **time: float) -> None:
        self.time.passes(**time)
