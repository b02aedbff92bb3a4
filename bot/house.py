"""The two doors of the shell: what patients and staff do goes in, what is due goes out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from bot import metrics, sweep
from bot.deliver import Delivery
from bot.deployment import Deployment
from bot.desk import digest, escalation, insight, letters, talking, watch
from bot.desk.work import hand_back, take_staff
from bot.limits import Limits
from bot.messages import Channel, Envelope, Inbound
from bot.pace import Fate, Pace
from bot.store import Store, audit, clock_of, conversations, leads, outbox
from bot.store.outbox import Due
from bot.store.transaction import Transaction
from bot.surroundings import Room, Steady
from bot.turns import take_turn
from bot.words import SOURCE
from bot.writer import Writer

log = logging.getLogger(__name__)

T = TypeVar("T")

UNNOTICED = timedelta(minutes=5)
"""After this long a lead that staff could not be told of is an alarm."""
STUCK = timedelta(minutes=10)
"""After this long something due to be sent is not late but stuck."""
PROVEN = timedelta(days=1)
"""For so long it is believed that the audit is as it was written. A process that starts believes nothing."""


def now() -> datetime:
    return datetime.now(UTC)


class House:
    """One process's way to the database, and out of it to the channels."""

    def __init__(
        self,
        store: Store,
        deployed: Deployment,
        channels: Mapping[str, Channel],
        limits: Mapping[str, Limits] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.store, self.deployed, self.clock = store, deployed, clock
        self.writer = Writer(store, clock)
        self.room = Room(store)
        self.pace = Pace()
        self._steady = Steady(clock())
        self._proven_at: datetime | None = None
        self.delivery = Delivery(self.writer, channels, limits, self._gone)

    def close(self) -> None:
        self.writer.close()

    def _gone(self, db: Transaction, due: Due, at: datetime) -> bool:
        """Whether what is for them waits all the same: the staff group's notices do, until the bot is back."""
        if due.channel == self.deployed.staff_channel and due.chat.startswith("-"):  # a group
            log.critical("the bot may not write to the staff group; what is for the group waits, see STAFF_GROUP")
            return True
        letters.by_mail_instead(db, self.deployed, due, at)
        hand_back(db, self.deployed, due, at)
        leads.lose_chat(db, due.channel, due.chat, at)
        return False

    async def take(self, inbound: Inbound) -> None:
        """Commits what somebody did. Raises when nothing could be written; it is then sent again."""
        self.room.check()
        began = time.perf_counter()
        fate: Fate = "well" if inbound.group else self.pace.count(inbound.lane, inbound.at or self.clock())
        take = self._take if fate in ("well", "slow") else self._note_flood
        await self.writer.write(partial(take, inbound, fate), inbound)
        metrics.span("handling", time.perf_counter() - began)

    def _take(self, inbound: Inbound, fate: Fate, db: Transaction) -> None:
        if not take_staff(inbound, db, self.deployed, db.at):
            take_turn(inbound, db, self.deployed, db.at, slow=fate == "slow")

    def _note_flood(self, inbound: Inbound, fate: Fate, db: Transaction) -> None:
        """Only that it came is stored. The person is told once, and the audit says so."""
        if not conversations.take_receipt(db, inbound, db.at):
            return
        db.counts["updates", "over"] += 1
        if fate == "first":
            kept = conversations.current(db, inbound.channel, inbound.chat)
            audit.record(db, "flood", conversation=kept.tag if kept is not None else "")
            self._say(db, inbound, "too_fast", f"flood:{inbound.channel}:{inbound.external_id}")

    async def set_aside(self, update: Mapping[str, Any], inbound: Inbound | None) -> None:
        """Keeps an update that cannot be taken, and tells the person that it is not their fault."""
        await self.writer.write(partial(self._set_aside, update, inbound))

    def _set_aside(self, update: Mapping[str, Any], inbound: Inbound | None, db: Transaction) -> None:
        at = db.at
        db.counts["set_aside", ""] += 1
        chat = inbound.chat if inbound else _chat_in(update)
        conversations.set_aside(db, self.deployed.staff_channel, chat, update, at)
        if inbound is None or inbound.group:
            return
        key = f"trouble:{inbound.channel}:{inbound.external_id}:{at.isoformat()}"  # it may fail again
        self._say(db, inbound, "trouble", key)

    def _say(self, db: Transaction, inbound: Inbound, line: str, key: str) -> None:
        """One line of the product's own, in the language of the person's app."""
        flow = self.deployed.library.newest(self.deployed.trial)
        tag = self.deployed.languages.resolve(inbound.language) or SOURCE
        text = self.deployed.languages.patient(tag).text(f"say.{line}", flow.says[line])
        outbox.put(db, inbound.channel, inbound.chat, Envelope(text), key, db.at)

    async def count(self, key: str) -> int:
        return await self.writer.write(lambda db: conversations.count_attempt(db, key))

    async def begin(self) -> bool:
        """Notes that a process runs. Returns whether the one before it ended without a word."""

        def note(db: Transaction) -> bool:
            house = conversations.heartbeat(db, to_change=True)
            conversations.beat(db, db.at, running=True)
            trial = self.deployed.library.newest(self.deployed.trial)
            audit.record(db, "serving", detail=f"{trial.name} {trial.trial.text_version}")
            return house is not None and bool(house["running"])

        return await self.writer.write(note)

    async def end(self) -> None:
        """Notes that this process stopped in good order."""

        def note(db: Transaction) -> None:
            conversations.beat(db, db.at, running=False)
            conversations.forget_attempts(db)

        await self.writer.write(note)

    async def lead(self, token: str) -> None:
        """From now on this process sends, and no other one."""
        await self.writer.write(lambda db: conversations.beat(db, db.at, leader=token))
        self.delivery.token = token

    async def probe(self) -> None:
        """Raises unless an update could be stored now."""
        await self.writer.write(lambda db: conversations.beat(db, db.at))

    async def ready(self) -> None:
        """Raises unless updates can be stored and nothing has waited to be sent for too long."""

        def look(db: Transaction) -> None:
            conversations.beat(db, db.at)
            if outbox.oldest(db, self.deployed.staff_channel) < db.at - STUCK:  # a mail server may be down
                raise RuntimeError("the outbox is stuck")

        await self.writer.write(look)

    async def measure(self) -> bytes:
        """The page for Prometheus."""
        metrics.show(**await self.writer.write(self._measure))
        return metrics.page()

    def _measure(self, db: Transaction) -> dict[str, float]:
        at = db.at
        return {
            "leads_unclaimed": leads.unclaimed(db),
            "leads_unnoticed": leads.unnoticed(db, at - UNNOTICED),
            "outbox_waiting": outbox.waiting(db),
            "outbox_seconds": max(0.0, (at - outbox.oldest(db)).total_seconds()),
            "quarantine": conversations.quarantined(db),
        }

    async def sweep(self) -> None:
        """Takes every step that is due. Each is idempotent, and one that fails stops no other."""
        at, deployed = await self.writer.write(self._time), self.deployed
        unnoticed = await self.writer.write(lambda db: leads.unnoticed(db, at - UNNOTICED))
        if unnoticed and not deployed.demo:
            log.critical("%s leads wait, and no notice of them has got through; see `prescreen leads`", unnoticed)
        if not self._steady.holds(at):
            log.critical("the clock was moved; nothing is reminded of or expires until it is steady for an hour")
            return
        for reminder in await self.writer.write(partial(sweep.reminders, deployment=deployed, now=at)):
            try:
                await self.writer.write(partial(sweep.remind, reminder, deployment=deployed, now=at), reminder)
            except Exception as error:
                log.error("a reminder failed and will be tried again: %s", type(error).__name__)
        await self._look_after(at)
        while await self.writer.write(partial(sweep.forget, deployment=deployed, now=at)):
            pass
        if await self._step(partial(watch.surge, deployment=deployed, now=at)):
            log.critical("far more leads came within an hour than usual")
        if ended := await self._step(audit.head):
            log.info("the audit ends at %s", ended)
        await self._prove(at)
        if await self.writer.write(lambda db: insight.due(db, deployed.trial, at)):
            counted = await asyncio.to_thread(self._count, at)
            await self.writer.write(lambda db: insight.keep(db, deployed.trial, counted, at))

    def _count(self, at: datetime) -> dict[str, Any]:
        """Counts on a look of its own: turns are taken meanwhile."""
        with self.store.look(at) as db:
            return insight.count(db, self.deployed, at)

    async def _prove(self, at: datetime) -> None:
        """Verifies the whole audit when this process begins to sweep (so after a restore, too), and daily."""
        if self._proven_at is not None and at < self._proven_at + PROVEN:
            return
        self._proven_at = at

        def verify() -> audit.Verdict:
            with self.store.look(at) as db:
                return audit.verify(db)

        found = await asyncio.to_thread(verify)
        if found.well:
            log.info("the audit is as it was written: %s rows", found.rows)
        else:
            log.critical("the audit is NOT as it was written: run `prescreen audit verify`")

    async def _look_after(self, at: datetime) -> None:
        """What is due at each site, in its hours: alarms, promises that slip, silence and the digest."""
        deployed = self.deployed
        for place in escalation.places(deployed):
            while await self._step(partial(escalation.alarm, place, deployment=deployed, now=at)):
                pass
            late = await self._step(partial(escalation.slips, place, deployment=deployed, now=at)) or []
            few = len(late) <= escalation.CARDS
            for lead_id in late:
                await self._step(partial(escalation.slip, lead_id, deployment=deployed, now=at, cards=few))
            await self._step(partial(escalation.silence, place, deployment=deployed, now=at))
            await self._step(partial(digest.digest, place, deployment=deployed, now=at))
        await self._step(partial(talking.hand_back_idle, deployment=deployed, now=at))

    async def _step(self, do: Callable[[Transaction], T]) -> T | None:
        """One step of its own; if it fails it is tried again with the next sweep, and the others are taken."""
        try:
            return await self.writer.write(do)
        except Exception as error:
            log.error("a step of the sweep failed and will be tried again: %s", type(error).__name__)
            return None

    def _time(self, db: Transaction) -> datetime:
        """The database's own clock, which all processes share."""
        return clock_of(db) or db.at


def _chat_in(update: Any) -> str:
    """Whose an update is that nobody could read: it is kept under their key, and goes with it; or ""."""
    waiting = [update]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            for name in ("chat", "from"):
                found = one.get(name)
                if isinstance(found, Mapping) and isinstance(found.get("id"), int | str):
                    return str(found["id"])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return ""
