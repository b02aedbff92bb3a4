"""Drains the outbox after the commit: in order within a chat, at least once, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from bot import crash
from bot.limits import Limits
from bot.messages import Channel, Envelope, Sent
from bot.store import conversations, leads, outbox, unstorable
from bot.store.outbox import Due
from bot.store.transaction import Transaction
from bot.writer import Writer

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks into the outbox when nobody calls."""
SHORTEST = 0.2
"""Seconds between two looks while the limits hold something back: it is not looked through for every message."""
MOST = 200
"""Messages that one look may start."""
OUT = Sent("later", wait=15.0, longest=300.0)
"""When what waits for a chat that the bot was put out of is tried again."""
LAST_SENDS = 8.0
"""Seconds that sends already under way get when the process stops."""


class Delivery:
    """Sends what is due through the channels, lane by lane. A lane has one message under way at most."""

    def __init__(
        self,
        writer: Writer,
        channels: Mapping[str, Channel],
        limits: Mapping[str, Limits] | None = None,
        on_gone: Callable[[Transaction, Due, datetime], bool] | None = None,
    ) -> None:
        """``limits`` by the name of the channel, where it has any; this is then the one sender there.

        ``on_gone`` hears, inside the transaction, that somebody cannot be written to; it returns whether what is
        for them waits all the same, until they can be again.
        """
        self.writer, self.channels, self.limits, self.on_gone = writer, channels, limits or {}, on_gone
        writer.sender = self
        self.token = ""
        """Shown before each claim, where several processes could be the one that sends."""
        self.leads = True
        """Whether this process is the one that sends."""
        self.wake = asyncio.Event()
        self._paused = True  # until the first look knows better
        self._pause = LOOK
        self._busy: set[str] = set()
        self._claimed: dict[int, Due] = {}
        """What was claimed, and is not called for yet."""
        self._called: dict[int, Due] = {}
        self._void: set[int] = set()
        """What of both is about somebody who was erased meanwhile."""
        self._sends: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``: sends what is due. The wake-up is only a hurry; the look every second is the truth."""
        self.leads = True
        while not stop.is_set():
            self.wake.clear()
            try:
                await self.look()
            except Exception as error:
                if not unstorable(error):
                    raise
                log.error("the outbox cannot be read now: %s", type(error).__name__)
            held_back = SHORTEST if self._pause < LOOK else 0.0
            if held_back:
                await _first(stop.wait(), timeout=held_back)
            await _first(self.wake.wait(), stop.wait(), timeout=max(0.0, self._pause - held_back))
        self.leads = False
        if self._sends:
            await asyncio.wait(self._sends, timeout=LAST_SENDS)

    async def drain(self) -> None:
        """Until nothing is due any more."""
        while await self.look() or self._sends:
            if self._sends:
                await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)

    async def look(self) -> int:
        """Starts everything that may go now; returns how many that were."""
        self._pause = LOOK
        return await self.writer.write(self._look)

    # ------------------------------------------------------------------ in the writer's thread

    def _look(self, db: Transaction) -> int:
        self._paused = self._is_paused(db)
        if not self._sends_for(db):
            return 0
        before = len(db.claimed)
        self._claim(db)
        return len(db.claimed) - before

    def _sends_for(self, db: Transaction) -> bool:
        """Whether it is for this process to send, now that others can no longer change that."""
        if not self.leads or self._paused:
            return False
        if not db.server:  # one process, by the lock on its file
            return True
        house = conversations.heartbeat(db)
        return house is None or house["leader"] == self.token

    def _is_paused(self, db: Transaction) -> bool:
        """Whether a person still has to say that sending may begin."""
        house = conversations.heartbeat(db)
        return house is not None and bool(house["paused"])

    def claim(self, db: Transaction) -> None:
        """What may go now because of this transaction is marked as under way in the same commit."""
        if db.lanes and not self.leads:
            outbox.call(db)
            return
        lanes = db.lanes - (self._busy - db.freed)
        if lanes and self._sends_for(db):
            self._claim(db, lanes)

    def _claim(self, db: Transaction, lanes: Collection[str] = ()) -> None:
        """Claims what may go now, of these lanes or of all. After an outage only the last question is asked."""
        taken = (self._busy - db.freed) | {item.lane for item in db.claimed}
        overtaken = set()
        due = outbox.heads(db, db.at, lanes, most=len(lanes) or MOST)
        free = conversations.lock_free(db, {item.lane for item in due})
        for item in due:
            if item.lane in taken or item.lane not in free or item.channel not in self.channels:
                continue
            if item.overtaken:
                outbox.dead(db, item)
                overtaken.add(item.lane)
            elif not self._too_fast(item):
                outbox.sending(db, item)
                db.claimed.append(item)
        if overtaken:
            self._claim(db, overtaken)

    def committed(self, db: Transaction) -> None:
        """From now on these lanes are busy, and no sooner."""
        self._busy -= db.freed
        self._busy |= {due.lane for due in db.claimed}
        if db.gone:
            under_way = [*self._claimed.values(), *self._called.values()]
            self._void |= {due.id for due in under_way if db.gone & _about(due)}
        self._claimed |= {due.id: due for due in db.claimed}

    def _too_fast(self, item: Due) -> bool:
        """Whether the channel would refuse it now; if not, it is counted as sent."""
        limits = self.limits.get(item.channel)
        if limits is None:
            return False
        at = time.monotonic()
        wait = limits.wait(item.chat, at)
        if wait > 0:
            self._pause = min(self._pause, wait)
            return True
        limits.take(item.chat, at)
        return False

    def _result(self, due: Due, sent: Sent | None, db: Transaction) -> None:
        """``sent`` is None for what was not sent after all, since its person was erased."""
        now = db.at
        db.freed.add(due.lane)
        db.lanes.add(due.lane)
        if sent is None:
            return
        if due.id in self._void and sent.fate == "sent" and sent.provider_id:  # too late to stop, not to take back
            outbox.put(db, due.channel, due.chat, Envelope("", deletes=(sent.provider_id,)), f"late:{due.id}", now)
        db.counts["sends", sent.fate] += 1
        if sent.code:
            db.counts[f"{due.channel}_errors", sent.code] += 1
        match sent.fate:
            case "sent":
                outbox.sent(db, due, sent.provider_id, now)
                crash.point("result_written")
                if due.question and due.conversation_id:
                    conversations.asked(db, due.lane, due.conversation_id, sent.provider_id)
                if told := due.digest or ((due.lead_id,) if due.lead_id else ()):
                    leads.noticed(db, told, now, sent.provider_id if due.lead_id else "")
            case "moved":
                log.warning("a chat has a new id; if it is the staff group, change STAFF_GROUP")
                outbox.move_lane(db, due.channel, due.chat, sent.provider_id)
            case "gone":
                if self.on_gone is not None and self.on_gone(db, due, now):
                    outbox.later(db, due, now, _pause_after(due.attempts, OUT))
                else:
                    outbox.stop_lane(db, due.channel, due.chat)
                if due.conversation_id:
                    conversations.note(db, due.conversation_id, reachable=False)
            case "refused":
                log.error("a message was refused for good: outbox row %s", due.id)
                outbox.dead(db, due)
            case "later" | "unsure":
                if sent.limited and due.channel in self.limits:
                    self.limits[due.channel].refused(due.chat, sent.wait, time.monotonic())
                outbox.later(db, due, now, _pause_after(due.attempts, sent), unsure=sent.fate == "unsure")

    # ------------------------------------------------------------------ in the event loop

    def go(self, claimed: list[Due]) -> None:
        if self._pause < LOOK:  # something may not go yet: it is looked for again in time
            self.wake.set()
        for due in claimed:
            task = asyncio.create_task(self._send(due))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def _send(self, due: Due) -> None:
        """The intent is committed. Call, then result: a crash between them sends again, and never loses."""
        crash.point("sending")
        self._called[due.id] = self._claimed.pop(due.id, due)
        sent: Sent | None = None
        try:
            if due.id not in self._void:
                sent = await self.channels[due.channel].send(due.chat, due.envelope, due.last)
        except Exception as error:  # the channel itself is at a loss: the message stays, and is tried again
            log.error("a send failed and will be tried again: %s", type(error).__name__)
            sent = Sent("later", wait=LOOK)
        crash.point("sent")
        pause = 0.1
        while True:
            try:
                await self.writer.write(partial(self._result, due, sent), lane=due.lane, lazy=True)
            except Exception as error:  # it was sent: this must be written, or it would be sent again
                log.error("a result cannot be stored now: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                crash.point("result_stored")
                self._called.pop(due.id, None)
                self._void.discard(due.id)
                return


def _about(due: Due) -> set[str]:
    """Whom a message is to, and whom it is about, as ``Transaction.gone`` names them."""
    return {due.lane, f"conversation:{due.conversation_id}", f"lead:{due.sheet_of}"}


def _pause_after(tries: int, sent: Sent) -> float:
    """Seconds until the next try, after so many before this one."""
    return min(sent.wait * 2 ** min(tries, 30), sent.longest) if sent.longest else sent.wait


async def _first(*waits: Coroutine[Any, Any, Any], timeout: float) -> None:
    """Until the first of them is done, or the time is over."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
