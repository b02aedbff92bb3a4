"""Drains the outbox after the commit: in order within a chat, at least once, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

from bot.messages import Channel, Sent
from bot.store import Store, conversations, leads, outbox
from bot.store.outbox import Due

log = logging.getLogger(__name__)


class Delivery:
    """Sends what is due through the channels, lane by lane."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], clock: Callable[[], datetime]) -> None:
        self.store, self.channels, self.clock = store, channels, clock
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``: sends what is due; the wake-up is only a hurry, the second's look is the truth."""
        while not stop.is_set():
            self.wake.clear()
            if not await self.drain():
                await _first(self.wake.wait(), stop.wait(), timeout=1.0)

    async def drain(self) -> int:
        """Sends the first message of every lane that is due, all lanes at once. Returns how many."""
        due = [item for item in await asyncio.to_thread(self._ready) if item.channel in self.channels]
        await asyncio.gather(*(self.send(item) for item in due))
        return len(due)

    async def drain_all(self) -> None:
        """Until nothing is due any more."""
        while await self.drain():
            pass

    async def send(self, due: Due) -> None:
        """Intent, call, result: a crash between them sends again, and never loses."""
        last = await asyncio.to_thread(self._intend, due)
        sent = await self.channels[due.channel].send(due.chat, due.envelope, last)
        await asyncio.to_thread(self._result, due, sent)

    def _ready(self) -> list[Due]:
        with self.store.begin() as db:
            return outbox.ready(db, self.clock())

    def _intend(self, due: Due) -> str:
        with self.store.begin() as db:
            outbox.sending(db, due)
            kept = conversations.by_id(db, due.conversation_id) if due.conversation_id else None
            return kept.question if kept else ""

    def _result(self, due: Due, sent: Sent) -> None:
        now = self.clock()
        with self.store.begin() as db:
            match sent.fate:
                case "sent":
                    outbox.sent(db, due, sent.provider_id, now)
                    if due.question and due.conversation_id:
                        conversations.note(db, due.conversation_id, question=sent.provider_id)
                    if due.lead_id:
                        leads.change(db, due.lead_id, now, notice=sent.provider_id)
                case "moved":
                    log.warning("a chat has a new id; if it is the staff group, change STAFF_GROUP")
                    outbox.move_lane(db, due.channel, due.chat, sent.provider_id)
                case "gone":
                    outbox.stop_lane(db, due.channel, due.chat)
                    if due.conversation_id:
                        conversations.note(db, due.conversation_id, reachable=False)
                case "refused":
                    log.error("a message was refused for good: outbox row %s", due.id)
                    outbox.dead(db, due)
                case "later" | "unsure":
                    outbox.later(db, due, now, sent.wait, unsure=sent.fate == "unsure")


async def _first(*waits: Coroutine[Any, Any, Any], timeout: float) -> None:
    """Until the first of them is done, or the time is over."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
