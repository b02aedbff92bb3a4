"""Drains the outbox after the commit: in order within a chat, at least once, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bot.limits import Limits
from bot.messages import Channel, Sent
from bot.store import Store, conversations, leads, outbox
from bot.store.outbox import Due

log = logging.getLogger(__name__)


LOOK = 1.0
"""Seconds between two looks into the outbox when nobody calls."""
LAST_SENDS = 8.0
"""Seconds that sends already under way get when the process stops."""


class Delivery:
    """Sends what is due through the channels, lane by lane."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        clock: Callable[[], datetime],
        limits: Limits | None = None,
        on_gone: Callable[[Connection, Due, datetime], None] | None = None,
    ) -> None:
        """``limits`` where the messenger has any; this is then the one sender for its bot.

        ``on_gone`` hears, inside the transaction, that somebody cannot be written to.
        """
        self.store, self.channels, self.clock, self.limits = store, channels, clock, limits
        self.on_gone = on_gone
        self._pause = LOOK
        self.wake = asyncio.Event()
        self._lanes: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``: sends what is due. The wake-up is only a hurry; the look every second is the truth."""
        while not stop.is_set():
            self.wake.clear()
            try:
                await self._start_lanes()
            except OperationalError as error:
                log.error("the outbox cannot be read now: %s", type(error).__name__)
            await _first(self.wake.wait(), stop.wait(), timeout=self._pause)
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=LAST_SENDS)

    async def drain(self) -> None:
        """Until nothing is due any more."""
        busy = True
        while busy:
            busy = bool(self._lanes)
            busy = await self._start_lanes() > 0 or busy
            if self._lanes:
                await asyncio.wait(self._lanes.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _start_lanes(self) -> int:
        """One message at a time per lane; a slow lane holds up no other. Returns how many were started."""
        busy = {*self._lanes}  # one that ends while we look was read before its result was written
        due = await asyncio.to_thread(self._ready)
        due = [d for d in due if d.channel in self.channels and (d.channel, d.chat) not in busy]
        self._pause = LOOK
        started = 0
        for item in due:
            if self._too_fast(item.chat):
                continue
            started += 1
            task = asyncio.create_task(self._send_safely(item))
            self._lanes[item.channel, item.chat] = task
            task.add_done_callback(partial(self._lane_ended, (item.channel, item.chat)))
        return started

    def _too_fast(self, chat: str) -> bool:
        """Whether the messenger would refuse it now; if not, it is counted as sent."""
        if self.limits is None:
            return False
        at = time.monotonic()
        wait = self.limits.wait(chat, at)
        if wait > 0:
            self._pause = min(self._pause, wait)
            return True
        self.limits.take(chat, at)
        return False

    def _lane_ended(self, lane: tuple[str, str], _task: asyncio.Task[None]) -> None:
        del self._lanes[lane]
        self.wake.set()

    async def _send_safely(self, due: Due) -> None:
        try:
            await self.send(due)
        except Exception as error:  # the row stays due, and its lane is tried again
            log.error("a send failed and will be tried again: %s", type(error).__name__)
            await asyncio.sleep(1.0)

    async def send(self, due: Due) -> None:
        """Intent, call, result: a crash between them sends again, and never loses."""
        last = await asyncio.to_thread(self._intend, due)
        sent = await self.channels[due.channel].send(due.chat, due.envelope, last)
        await asyncio.to_thread(self._result, due, sent)

    def _ready(self) -> list[Due]:
        with self.store.begin() as db:
            return outbox.heads(db, self.clock())

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
                    if self.on_gone is not None:
                        self.on_gone(db, due, now)
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
