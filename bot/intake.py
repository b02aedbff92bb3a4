"""Takes one raw update, whichever way it came: read it, commit its turn, or set it aside; nothing is dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot import crash
from bot.messages import Inbound
from bot.store import unstorable

log = logging.getLogger(__name__)

TRIES = 5
"""How often an update that fails by itself is tried before it is set aside, so that the others go on."""
CAREFUL = 300.0
"""Seconds after an unclean stop in which attempts are counted before the work."""

Fate = Literal["done", "failed", "unstorable"]
"""done: its turn is committed, or it is set aside. failed: worth another try. unstorable: nothing can be
stored now, which is no fault of the update."""


@dataclass(frozen=True, slots=True)
class Came:
    """A raw update, and what it means: nothing at all, or nothing that can be read."""

    update: Mapping[str, Any]
    inbound: Inbound | None = None
    readable: bool = True

    @property
    def lane(self) -> str:
        """What must be taken in order; "" where there is no order to keep."""
        return self.inbound.lane if self.inbound else ""


class Intake:
    """The one door for updates. ``take`` commits a turn; ``set_aside`` keeps an update that cannot be taken."""

    def __init__(
        self,
        parse: Callable[[Mapping[str, Any]], Inbound | None],
        take: Callable[[Inbound], Awaitable[None]],
        set_aside: Callable[[Mapping[str, Any], Inbound | None], Awaitable[None]],
        acknowledge: Callable[[str], Awaitable[None]],
        count: Callable[[str], Awaitable[int]] | None = None,
    ) -> None:
        """``count`` where the last process ended without a word: it counts an attempt and returns those before."""
        self.parse, self.take, self.set_aside, self.acknowledge = parse, take, set_aside, acknowledge
        self._count = count
        self._careful_until = time.monotonic() + CAREFUL
        self._alone = asyncio.Lock()
        self._begun: dict[str, bool] = {}
        """What was counted by this process, and whether it must be what ended those before."""
        self._background: set[asyncio.Task[None]] = set()

    def read(self, update: Mapping[str, Any]) -> Came:
        try:
            if not isinstance(update, dict):
                raise TypeError
            return Came(update, self.parse(update))
        except Exception as error:
            log.error("an update cannot be read: %s", type(error).__name__)
            return Came(update, readable=False)

    async def one(self, came: Came, tries: int) -> Fate:
        """``tries`` is how often this update failed before."""
        crash.point("received")
        inbound = came.inbound
        if not came.readable:
            return await self.aside(came.update)
        if inbound is None:
            return "done"
        try:
            if inbound.callback and tries == 0:
                self._acknowledge(inbound.callback)
            if not await self._taken(came, inbound):
                return await self.aside(came.update, inbound)
        except Exception as error:
            if unstorable(error):
                log.error("nothing can be stored now, try %s: %s", tries + 1, type(error).__name__)
                return "unstorable"
            log.error("a turn failed, try %s of %s: %s", tries + 1, TRIES, type(error).__name__)
            return "failed" if tries + 1 < TRIES else await self.aside(came.update, inbound)
        return "done"

    async def _taken(self, came: Came, inbound: Inbound) -> bool:
        """False for an update that was begun so often, and never ended, that it must be what ends the process."""
        if self._count is None:
            await self.take(inbound)
            return True
        async with self._alone:  # those that share its transaction would be blamed with it
            if self._count is not None and not await self._is_harmless(str(came.update.get("update_id"))):
                return False
            await self.take(inbound)
        return True

    async def _is_harmless(self, key: str) -> bool:
        """Counts it once: what this process lived through was not what ended it, however often it comes again."""
        if time.monotonic() > self._careful_until or self._count is None:
            self._count, self._begun = None, {}
            return True
        if key not in self._begun:
            self._begun[key] = await self._count(key) >= TRIES
            crash.point("attempt_counted")
        return not self._begun[key]

    async def aside(self, update: Mapping[str, Any], inbound: Inbound | None = None) -> Fate:
        try:
            await self._keep(update, inbound)
        except Exception as error:
            log.critical("a failed update cannot be set aside: %s", type(error).__name__)
            return "unstorable"
        crash.point("set_aside")
        log.critical("an update was set aside; see the quarantine table")
        return "done"

    async def _keep(self, update: Mapping[str, Any], inbound: Inbound | None) -> None:
        """As it came; or, where no database takes that, as text: an id may hold half a character or a zero byte."""
        try:
            await self.set_aside(update, inbound)
        except Exception as error:
            if unstorable(error):
                raise
            log.error("an update can be kept as text only: %s", type(error).__name__)
            await self.set_aside({"unreadable": _as_text(update)}, None)

    def _acknowledge(self, callback: str) -> None:
        """The button's waiting sign stops at once; whether that arrives does not matter."""

        async def say() -> None:
            await self.acknowledge(callback)

        task = asyncio.create_task(say())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _as_text(update: Mapping[str, Any]) -> str:
    try:
        return ascii(update)
    except RecursionError:
        return f"nested too deeply to be kept: {list(update)!a}"
