"""Takes one raw update, whichever way it came: read it, commit its turn, or set it aside; nothing is dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from sqlalchemy.exc import OperationalError

from bot.messages import Inbound

log = logging.getLogger(__name__)

TRIES = 5
"""How often an update that fails by itself is tried before it is set aside, so that the others go on."""

Fate = Literal["done", "failed", "unstorable"]
"""done: its turn is committed, or it is set aside. failed: worth another try. unstorable: nothing can be
stored now, which is no fault of the update."""


class Intake:
    """The one door for updates. ``take`` commits a turn; ``set_aside`` keeps an update that cannot be taken."""

    def __init__(
        self,
        parse: Callable[[Mapping[str, Any]], Inbound | None],
        take: Callable[[Inbound], Awaitable[None]],
        set_aside: Callable[[Mapping[str, Any], Inbound | None], Awaitable[None]],
        acknowledge: Callable[[str], Awaitable[None]],
    ) -> None:
        self.parse, self.take, self.set_aside, self.acknowledge = parse, take, set_aside, acknowledge
        self._background: set[asyncio.Task[None]] = set()

    async def one(self, update: Mapping[str, Any], tries: int) -> Fate:
        """``tries`` is how often this update failed before."""
        inbound = None
        try:
            inbound = self.parse(update)
            if inbound is None:
                return "done"
            if inbound.callback and tries == 0:
                self._acknowledge(inbound.callback)
            await self.take(inbound)
        except OperationalError as error:
            log.error("nothing can be stored now, try %s: %s", tries + 1, type(error).__name__)
            return "unstorable"
        except Exception as error:
            log.error("a turn failed, try %s of %s: %s", tries + 1, TRIES, type(error).__name__)
            if inbound is not None and tries + 1 < TRIES:
                return "failed"
            return await self.aside(update, inbound)
        return "done"

    async def aside(self, update: Mapping[str, Any], inbound: Inbound | None = None) -> Fate:
        try:
            await self.set_aside(update, inbound)
        except Exception as error:
            log.critical("a failed update cannot be set aside: %s", type(error).__name__)
            return "unstorable"
        log.critical("an update was set aside; see the quarantine table")
        return "done"

    def _acknowledge(self, callback: str) -> None:
        """The button's waiting sign stops at once; whether that arrives does not matter."""

        async def say() -> None:
            await self.acknowledge(callback)

        task = asyncio.create_task(say())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
