"""The poll loop: an update is confirmed to Telegram only after its turn is committed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from bot import crash
from bot.intake import Came, Intake

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.1, 30.0
HIGHEST = 2**53
"""Beyond it there are no numbers of updates, and an offset could confirm what was never seen."""


class Source(Protocol):
    async def updates(self, offset: int | None) -> list[dict[str, Any]]:
        """The updates from ``offset`` on; asking confirms everything below it."""


class Poller:
    """Reads updates and takes each in order. ``offset`` moves past an update only when it is done with."""

    def __init__(self, source: Source, intake: Intake) -> None:
        self.source, self.intake = source, intake
        self.offset: int | None = None

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
            before = self.offset
            await self.batch(updates, stop)
            if updates and self.offset == before and not stop.is_set():
                log.error("%s updates cannot be confirmed: none of them has a number", len(updates))
                await _sleep(stop, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause = 1.0

    async def batch(self, updates: list[dict[str, Any]], stop: asyncio.Event) -> None:
        """In order within a chat, all chats at once; confirmed as a whole, when nothing of it is left to do."""
        lanes: dict[object, list[Came]] = {}
        for place, update in enumerate(updates):
            came = self.intake.read(update)
            lanes.setdefault(came.lane or place, []).append(came)
        if not all(await asyncio.gather(*(self._lane(lane, stop) for lane in lanes.values()))):
            return  # not confirmed: Telegram sends it again after the restart
        for update in updates:
            number = update.get("update_id") if isinstance(update, dict) else None
            if type(number) is int and 0 <= number < HIGHEST:
                self.offset = number + 1
        crash.point("offset_moved")

    async def _lane(self, lane: list[Came], stop: asyncio.Event) -> bool:
        """What cannot be stored now is tried until it can; what fails by itself is set aside."""
        for came in lane:
            tries = 0
            while await self.intake.one(came, tries) != "done":
                tries += 1
                await _sleep(stop, min(PAUSE * tries, LONGEST_PAUSE))
                if stop.is_set():
                    return False
        return True


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
