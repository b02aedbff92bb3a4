"""The poll loop: an update is confirmed to Telegram only after its turn is committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from sqlalchemy.exc import OperationalError

from bot.messages import Inbound

log = logging.getLogger(__name__)

TRIES = 5
"""How often an update that fails by itself is tried before it is set aside, so that the others go on."""
LONGEST_PAUSE = 30.0


class Source(Protocol):
    async def updates(self, offset: int | None) -> list[dict[str, Any]]: ...

    async def acknowledge(self, callback: str) -> None: ...


class Poller:
    """Reads updates and takes each in order. ``offset`` moves past an update only when it is done with."""

    def __init__(
        self,
        source: Source,
        parse: Callable[[Mapping[str, Any]], Inbound | None],
        take: Callable[[Inbound], Awaitable[None]],
        set_aside: Callable[[Mapping[str, Any], Inbound | None], Awaitable[None]],
    ) -> None:
        """``take`` commits a turn; ``set_aside`` keeps an update that cannot be taken."""
        self.source, self.parse, self.take, self.set_aside = source, parse, take, set_aside
        self.offset: int | None = None
        self._background: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        pause = 1.0
        while not stop.is_set():
            polling = asyncio.create_task(self.source.updates(self.offset))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not polling.done():
                polling.cancel()
                return
            try:
                updates = polling.result()
            except Exception as error:  # the network, Telegram, or a second poller: wait, and ask again
                log.warning("cannot read updates: %s", _told(error))
                await _sleep(stop, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = 1.0
            await self.batch(updates, stop)

    async def batch(self, updates: list[dict[str, Any]], stop: asyncio.Event) -> None:
        """In order. What cannot be stored now is tried until it can; what fails by itself is set aside."""
        for update in updates:
            tries = 0
            while not await self._one(update, tries):
                tries += 1
                await _sleep(stop, min(0.2 * tries, LONGEST_PAUSE))
                if stop.is_set():
                    return  # not confirmed: Telegram sends it again after the restart
            number = update.get("update_id")
            if isinstance(number, int):
                self.offset = number + 1

    async def _one(self, update: dict[str, Any], tries: int) -> bool:
        """Whether the update is done with."""
        inbound = None
        try:
            inbound = self.parse(update)
            if inbound is None:
                return True
            if inbound.callback and tries == 0:
                self._acknowledge(inbound.callback)
            await self.take(inbound)
        except OperationalError as error:
            log.error("nothing can be stored now, try %s: %s", tries + 1, type(error).__name__)
            return False
        except Exception as error:
            log.error("a turn failed, try %s of %s: %s", tries + 1, TRIES, type(error).__name__)
            if inbound is not None and tries + 1 < TRIES:
                return False
            return await self._aside(update, inbound)
        return True

    async def _aside(self, update: dict[str, Any], inbound: Inbound | None) -> bool:
        try:
            await self.set_aside(update, inbound)
        except Exception as error:
            log.critical("a failed update cannot be set aside: %s", type(error).__name__)
            return False
        log.critical("an update was set aside; see the quarantine table")
        return True

    def _acknowledge(self, callback: str) -> None:
        task = asyncio.create_task(self.source.acknowledge(callback))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _told(error: Exception) -> str:
    """The kind of error and the cure where there is one; never its text, which may hold an address."""
    if type(error).__name__ == "Conflict":
        return "another process polls for this bot, or a webhook is set (409). Stop the other one."
    return type(error).__name__


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
