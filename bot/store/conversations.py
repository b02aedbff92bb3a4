"""Receipts, conversations, answers and transcripts, as the turn reads and writes them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import String, Update, bindparam, cast, delete, exists, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from bot.messages import Inbound, lane_of
from bot.store import carries, counts, vault
from bot.store.tables import (
    AnswerRow,
    Attempt,
    ConsentRow,
    ConversationRow,
    DataKeyRow,
    Heartbeat,
    Interest,
    LeadRow,
    MessageRow,
    OutboxRow,
    Quarantine,
    Receipt,
    Staff,
)
from bot.store.transaction import Transaction
from flows.answer import Answer, StepId, value_to_json
from flows.conversation import Conversation
from flows.flow import CONSENT

_receipt = Receipt.__table__  # type: ignore[attr-defined]
_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_answer = AnswerRow.__table__  # type: ignore[attr-defined]
_message = MessageRow.__table__  # type: ignore[attr-defined]
_outbox = OutboxRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]
_heartbeat = Heartbeat.__table__  # type: ignore[attr-defined]
_quarantine = Quarantine.__table__  # type: ignore[attr-defined]
_interest = Interest.__table__  # type: ignore[attr-defined]
_consent = ConsentRow.__table__  # type: ignore[attr-defined]
_attempt = Attempt.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]
_data_key = DataKeyRow.__table__  # type: ignore[attr-defined]

_OPEN = insert(_conversation).returning(_conversation.c.id)
_ADD_ANSWER, _ADD_MESSAGE = insert(_answer), insert(_message)
_SAVE = (
    update(_conversation)
    .where(_conversation.c.id == bindparam("of"), _conversation.c.revision == bindparam("was"))
    .values(
        {
            name: bindparam(name)
            for name in (
                *("flow", "locale", "state", "step", "life", "updated_at"),
                *("pressed", "question", "revision", "reachable", "agreed"),
            )
        }
    )
)
_QUESTION = (
    update(_conversation).where(_conversation.c.id == bindparam("of")).values(question=bindparam("question"))
)


_WRITING = select(cast(_staff.c.telegram_id, String)).where(_staff.c.writes)
"""The accounts of staff who talk to somebody just now: so few that they are read along with a conversation."""
_WITH_KEY = (_conversation, _data_key.c.master, _data_key.c.wrapped)
_AND_KEY = _conversation.join(_data_key, _data_key.c.id == _conversation.c.key_id, isouter=True)
_IN_LANES = (
    select(*_WITH_KEY, _conversation.c.chat.in_(_WRITING).label("writes"))
    .select_from(_AND_KEY)
    .where(_conversation.c.lane.in_(bindparam("lanes", expanding=True)))
)
_ALL = select(*_WITH_KEY).select_from(_AND_KEY)
_TAKE_RECEIPTS = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(_receipt)
    .on_conflict_do_nothing()
    .returning(_receipt.c.channel, _receipt.c.external_id)
    for dialect in (sqlite, postgresql)
}


class Conflict(Exception):
    """Somebody else moved the conversation on; the whole transaction is to be tried again."""


@dataclass(slots=True)
class Kept:
    """A conversation as it is stored."""

    id: int
    tag: str
    channel: str
    chat: str
    conversation: Conversation
    revision: int
    updated_at: datetime
    key: vault.DataKey
    """The person's, under which all of it is sealed."""
    source: str = ""
    question: str = ""
    pressed: str = ""
    reachable: bool = True
    held_by: int | None = None
    """The member of staff who talks here."""
    reborn: bool = False
    """Begun after all that came before was erased."""
    writes: bool = False
    """Whose chat this is talks as staff to some other person."""

    @property
    def lane(self) -> str:
        return lane_of(self.channel, self.chat)


# What the transaction knows is kept by lane, and by receipt.


def foresee(db: Transaction, inbounds: Sequence[Inbound], now: datetime) -> None:
    """Takes the receipts and reads the conversations of a whole batch, one statement each."""
    lanes = sorted({inbound.lane for inbound in inbounds})
    lock(db, lanes)
    keys = dict.fromkeys((inbound.channel, inbound.external_id) for inbound in inbounds)
    rows = [{"channel": channel, "external_id": external_id, "at": now} for channel, external_id in keys]
    fresh = db.execute(_TAKE_RECEIPTS["postgresql" if db.server else "sqlite"], rows)
    db.known.update((("receipt", *key), False) for key in keys)
    db.known.update((("receipt", *row), True) for row in fresh)
    found = db.execute(_IN_LANES, {"lanes": lanes}).mappings()
    kept = {row["lane"]: _kept(db, row) for row in list(found)}
    db.known.update((lane, kept.get(lane)) for lane in lanes)


def lock(db: Transaction, lanes: Collection[str]) -> None:
    """Nobody else moves these chats until the transaction ends. In one order, so that nobody waits in a ring."""
    new = set(lanes) - db.locked
    if db.server and new:
        db.execute(_LOCK, {"keys": sorted(_key(lane) for lane in new)})
        db.locked |= new


def lock_free(db: Transaction, lanes: Collection[str]) -> set[str]:
    """Locks those of these chats that nobody else moves just now, and returns them; it waits for none."""
    new = {_key(lane): lane for lane in set(lanes) - db.locked}
    if db.server and new:
        free = db.execute(_TRY_LOCK, {"keys": list(new)})
        db.locked |= {new[key] for key, got in free if got}
    return set(lanes) & db.locked if db.server else set(lanes)


def _key(lane: str) -> int:
    return int.from_bytes(hashlib.blake2b(lane.encode(), digest_size=8).digest(), "big", signed=True)


_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
_TRY_LOCK = text("SELECT key, pg_try_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def take_receipt(db: Transaction, inbound: Inbound, now: datetime) -> bool:
    """Whether this update is new. The database's unique key is the judge."""
    key = ("receipt", inbound.channel, inbound.external_id)
    if key not in db.known:
        foresee(db, [inbound], now)
    fresh: bool = db.known[key]
    db.known[key] = False
    return fresh


def drop_receipt(db: Transaction, inbound: Inbound) -> None:
    """It is known by something else that this was taken."""
    mine = (_receipt.c.channel == inbound.channel, _receipt.c.external_id == inbound.external_id)
    db.execute(delete(_receipt).where(*mine))


def current(db: Transaction, channel: str, chat: str) -> Kept | None:
    lane = lane_of(channel, chat)
    if lane not in db.known:
        row = db.execute(_IN_LANES, {"lanes": [lane]}).mappings().first()
        db.known[lane] = None if row is None else _kept(db, row)
    kept: Kept | None = db.known[lane]
    return kept


def by_id(db: Transaction, conversation_id: int) -> Kept | None:
    row = db.execute(_ALL.where(_conversation.c.id == conversation_id)).mappings().first()
    return None if row is None else _kept(db, row)


def _kept(db: Transaction, row: RowMapping) -> Kept:
    key = vault.of_row(db, row["key_id"], row["master"], row["wrapped"])
    vault.is_of(db, "conversation", row["id"], key)
    if row["lane"] is not None:
        db.known["key", row["lane"]] = key
    return Kept(
        id=row["id"],
        tag=row["tag"],
        channel=row["channel"],
        chat=row["chat"],
        conversation=Conversation.from_json(key.open("conversation.state", row["state"])),
        revision=row["revision"],
        updated_at=row["updated_at"],
        key=key,
        source=row["source"],
        question=row["question"],
        pressed=row["pressed"],
        reachable=row["reachable"],
        held_by=row["held_by"],
        reborn=row["reborn"],
        writes=bool(row.get("writes")),
    )


def open_new(
    db: Transaction,
    channel: str,
    chat: str,
    conversation: Conversation,
    source: str,
    now: datetime,
    *,
    reborn: bool = False,
) -> Kept:
    """Starts a conversation; the one before it, if any, is kept but no longer current.

    ``reborn``: all that this person had told us before was erased, not long ago.
    """
    lane = lane_of(channel, chat)
    if current(db, channel, chat) is not None:
        db.execute(update(_conversation).where(_conversation.c.lane == lane).values(lane=None))
    tag, owner = secrets.token_urlsafe(5)[:6], vault.person(db, lane)
    values = {
        "tag": tag,
        "channel": channel,
        "chat": chat,
        "lane": lane,
        "source": source,
        "reachable": True,
        "reborn": reborn,
        "findings": "",
        "question": "",
        "pressed": "",
        "revision": 0,
        "created_at": now,
        "key_id": owner.number,
        **_columns(owner, conversation, now),
    }
    key = db.at_once(_OPEN, values).scalar_one()
    vault.is_of(db, "conversation", key, owner)
    kept = Kept(key, tag, channel, chat, conversation, 0, now, owner, source, reborn=reborn)
    db.known[lane] = kept
    return kept


def save(db: Transaction, kept: Kept, conversation: Conversation, now: datetime) -> None:
    """Compare-and-set on the revision: raises Conflict, at the latest with the commit, if somebody was faster."""
    row = {
        "of": kept.id,
        "was": kept.revision,
        **_columns(kept.key, conversation, now),
        "pressed": kept.pressed,
        "question": kept.question,
        "revision": kept.revision + 1,
        "reachable": True,
    }
    db.gather(_SAVE, row, every=Conflict())
    kept.conversation, kept.revision = conversation, kept.revision + 1


def _columns(key: vault.DataKey, conversation: Conversation, now: datetime) -> dict[str, Any]:
    agreed = conversation.answers.get(CONSENT)
    return {
        "flow": conversation.flow,
        "locale": conversation.locale,
        "state": key.seal("conversation.state", conversation.to_json()),
        "agreed": agreed is not None and agreed.value != "no",
        "step": conversation.step,
        "life": conversation.life,
        "updated_at": now,
    }


def note(db: Transaction, conversation_id: int, **values: Any) -> None:
    """Sets columns that serve queries: outcome, findings, remind_on, reachable."""
    if values.get("findings"):
        values = vault.sealed(vault.of_conversation(db, conversation_id), "conversation", values)
    db.gather(_note(tuple(sorted(values))), {"of": conversation_id, **values})


@lru_cache
def _note(names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(_conversation).where(_conversation.c.id == bindparam("of")).values(values)


def asked(db: Transaction, lane: str, conversation_id: int, question: str) -> None:
    """The provider's id of the question that is now on the screen."""
    kept = db.known.get(lane)
    if kept is not None and kept.id == conversation_id:
        kept.question = question
    db.gather(_QUESTION, {"of": conversation_id, "question": question})


def add_answer(db: Transaction, kept: Kept, step: StepId, answer: Answer | None, now: datetime) -> None:
    """One more revision of an answer, numbered by the turn that gave it; None when it was taken back."""
    row = {
        "conversation_id": kept.id,
        "step": step,
        "revision": kept.revision,
        "value": kept.key.seal("answer.value", None if answer is None else value_to_json(answer.value)),
        "said": kept.key.seal("answer.said", answer.said) if answer is not None and answer.said else "",
        "cleared": answer is None,
        "at": now,
    }
    db.gather(_ADD_ANSWER, row)


def add_message(
    db: Transaction,
    conversation_id: int,
    text: str,
    now: datetime,
    *,
    outgoing: bool,
    step: str | None,
    staff_id: int | None = None,
    page: Mapping[str, Any] | None = None,
) -> None:
    """``page``: what a page of ours draws around the text."""
    words = vault.sealed(vault.of_conversation(db, conversation_id), "message", {"text": text, "page": page})
    row = {"conversation_id": conversation_id, "outgoing": outgoing, "step": step, "at": now}
    db.gather(_ADD_MESSAGE, {**row, "staff_id": staff_id, **words})


def hold(db: Transaction, kept: Kept, staff_id: int | None) -> None:
    """From now on this member of staff talks here; None for the bot."""
    for member, writes in ((kept.held_by, False), (staff_id, True)):
        if member is not None:
            db.execute(update(_staff).where(_staff.c.id == member).values(writes=writes))
    db.execute(update(_conversation).where(_conversation.c.id == kept.id).values(held_by=staff_id))
    kept.held_by = staff_id
    known = db.known.get(kept.lane)
    if known is not None and known.id == kept.id:
        known.held_by = staff_id


def held(db: Transaction, staff_id: int | None = None) -> list[Kept]:
    """The conversations in which staff talk, or this member."""
    mine = _conversation.c.held_by == staff_id if staff_id is not None else _conversation.c.held_by.is_not(None)
    rows = db.execute(_ALL.where(mine).order_by(_conversation.c.id)).mappings()
    return [_kept(db, row) for row in rows]


def is_writing(db: Transaction, chat: str) -> bool:
    """Whether the member of staff whose chat this is talks to somebody just now."""
    return bool(db.execute(select(literal(chat).in_(_WRITING))).scalar())


def talk(db: Transaction, channel: str, chat: str, since: datetime) -> list[dict[str, Any]]:
    """What this person and staff wrote to each other, in order: text, outgoing, at, and the name of the member."""
    found = (
        select(_message.c.id, _message.c.text, _message.c.outgoing, _message.c.at, _staff.c.name)
        .join(_conversation, _conversation.c.id == _message.c.conversation_id)
        .join(_staff, _staff.c.id == _message.c.staff_id)
        .where(_conversation.c.channel == channel, _conversation.c.chat == chat, _message.c.at >= since)
        .order_by(_message.c.id)
    )
    return vault.opened(db, "message", db.execute(found).mappings())


def last_talk(db: Transaction, conversation_id: int) -> datetime | None:
    """When staff last wrote here."""
    newest = select(func.max(_message.c.at)).where(
        _message.c.conversation_id == conversation_id, _message.c.outgoing, _message.c.staff_id.is_not(None)
    )
    at: datetime | None = db.execute(newest).scalar()
    return at


def erase(db: Transaction, channel: str, chat: str, *, wishes: bool = True) -> None:
    """Removes everything this chat told us: conversations, answers, transcript, messages not yet sent.

    How far it came is counted before.

    ``wishes`` also takes the wish to hear of other trials, which has a life of its own.
    """
    counts.keep(db, channel, chat)
    mine = (_conversation.c.channel == channel, _conversation.c.chat == chat)
    for table in (_outbox, _quarantine):
        db.execute(delete(table).where(table.c.channel == channel, table.c.chat == chat))
    other = () if wishes else (_consent.c.kind != "notices",)
    db.execute(delete(_consent).where(_consent.c.channel == channel, _consent.c.chat == chat, *other))
    if wishes:
        db.execute(delete(_interest).where(_interest.c.channel == channel, _interest.c.chat == chat))
    ids = list(db.execute(select(_conversation.c.id).where(*mine)).scalars())
    db.gone |= {lane_of(channel, chat), *(f"conversation:{one}" for one in ids)}
    db.execute(delete(_outbox).where(_outbox.c.conversation_id.in_(ids)))  # by mail, say
    for table in (_answer, _message):
        db.execute(delete(table).where(table.c.conversation_id.in_(ids)))
    keys = set(db.execute(select(_conversation.c.key_id).where(*mine)).scalars()) - {None}
    db.execute(update(_lead).where(_lead.c.conversation_id.in_(ids)).values(conversation_id=None))
    db.execute(delete(_conversation).where(*mine))
    vault.release(db, keys, lane_of(channel, chat))
    carries.forget(db, channel, chat)
    db.known[lane_of(channel, chat)] = None
    db.erased = True


def move(db: Transaction, kept: Kept, channel: str, chat: str, now: datetime) -> None:
    """The conversation, and all that hangs on its chat, is in another chat from now on.

    What was current there is kept, and no longer current.
    """
    old, new = kept.lane, lane_of(channel, chat)
    here, there = {"channel": kept.channel, "chat": kept.chat}, {"channel": channel, "chat": chat}
    db.execute(update(_conversation).where(_conversation.c.lane == new).values(lane=None))
    db.execute(delete(_interest).where(_interest.c.channel == channel, _interest.c.chat == chat))
    for table in (_conversation, _lead, _interest, _quarantine, _consent):
        mine = (table.c.channel == here["channel"], table.c.chat == here["chat"])
        db.execute(update(table).where(*mine).values(there))
    fresh = {"lane": new, "question": "", "pressed": ""}
    db.execute(update(_conversation).where(_conversation.c.id == kept.id).values(fresh))
    kept.channel, kept.chat, kept.question, kept.pressed = channel, chat, "", ""
    db.known[old], db.known[new] = None, kept
    vault.move(db, old, new)
    save(db, kept, kept.conversation, now)


def reminders_due(db: Transaction, today: date) -> list[Kept]:
    where = (
        _conversation.c.remind_on <= today,
        _conversation.c.lane.is_not(None),
        _conversation.c.reachable,
        _conversation.c.held_by.is_(None),
    )
    return [_kept(db, row) for row in db.execute(_ALL.where(*where)).mappings()]


def forgotten(
    db: Transaction, before: datetime, most: int | None, *, ruled_out: bool = False
) -> list[tuple[str, str]]:
    """Some of the chats whose last word is older than ``before``, that raised no lead and wait for no reminder.

    ``ruled_out``: only those of people for whom the trial is no good fit.
    """
    has_lead = exists().where(
        _lead.c.channel == _conversation.c.channel,
        _lead.c.chat == _conversation.c.chat,
        _lead.c.status != "withdrawn",
    )
    where = (
        _conversation.c.updated_at < before,
        _conversation.c.remind_on.is_(None),
        ~has_lead,
        _conversation.c.lane.is_not(None),
        *((_conversation.c.outcome == "ruled_out",) if ruled_out else ()),
    )
    rows = db.execute(select(_conversation.c.channel, _conversation.c.chat).where(*where).limit(most))
    return [(channel, chat) for channel, chat in rows]


def messages_of(db: Transaction, channel: str, chat: str, since: datetime) -> list[str]:
    """The provider's ids of what was said in this chat, by both sides, so that it can be taken back."""
    sent = select(_outbox.c.provider_id).where(
        _outbox.c.channel == channel, _outbox.c.chat == chat, _outbox.c.sent_at >= since
    )
    prefix = f"m:{chat}:"
    received = select(_receipt.c.external_id).where(
        _receipt.c.channel == channel,
        _receipt.c.external_id > prefix,
        _receipt.c.external_id < f"m:{chat};",  # the character after the colon
        _receipt.c.at >= since,
    )
    ids = [row[0] for row in db.execute(sent)]
    ids += [row[0].removeprefix(prefix) for row in db.execute(received)]
    return sorted({number for number in ids if number.isdigit()}, key=int)


def old_receipts(db: Transaction, before: datetime) -> int:
    return int(db.execute(select(func.count()).where(_receipt.c.at < before)).scalar_one())


def forget_receipts(db: Transaction, before: datetime, most: int) -> int:
    """Telegram sends nothing again after a day. Receipts lie in the order of time: only the old ones are read."""
    lowest = db.execute(select(func.min(_receipt.c.id))).scalar()
    if lowest is not None:
        old = (_receipt.c.id < lowest + most, _receipt.c.at < before)
        return db.execute(delete(_receipt).where(*old)).rowcount
    return 0


def add_interest(db: Transaction, channel: str, chat: str, locale: str, now: datetime) -> None:
    where = (_interest.c.channel == channel, _interest.c.chat == chat)
    if db.execute(select(_interest.c.id).where(*where)).first() is None:
        db.execute(insert(_interest).values(channel=channel, chat=chat, locale=locale, at=now))


def drop_interest(db: Transaction, channel: str, chat: str) -> None:
    """The person wants to hear of other trials no more."""
    db.execute(delete(_interest).where(_interest.c.channel == channel, _interest.c.chat == chat))


def beat(db: Transaction, now: datetime, **values: Any) -> None:
    """A real write: it fails when the disk is full or the file cannot be written."""
    if db.execute(update(_heartbeat).values(at=now, **values)).rowcount == 0:
        row = {"id": 1, "at": now, "running": False, "leader": "", "paused": False, **values}
        db.execute(insert(_heartbeat), row)


def heartbeat(db: Transaction, *, to_change: bool = False) -> RowMapping | None:
    """The row about the whole house; None in a new one. Nobody else changes it until the transaction ends."""
    return db.execute(_CHANGE_HEARTBEAT if to_change else _READ_HEARTBEAT).mappings().first()


_READ_HEARTBEAT = select(_heartbeat).with_for_update(read=True)
_CHANGE_HEARTBEAT = select(_heartbeat).with_for_update()


def count_attempt(db: Transaction, key: str) -> int:
    """How often this was begun before, counting this time from now on."""
    made = (postgresql if db.server else sqlite).insert(_attempt).values(key=key, tries=1)
    counted = made.on_conflict_do_update(index_elements=["key"], set_={"tries": _attempt.c.tries + 1})
    return int(db.execute(counted.returning(_attempt.c.tries)).scalar_one()) - 1


def forget_attempts(db: Transaction) -> None:
    db.execute(delete(_attempt))


def quarantined(db: Transaction) -> int:
    return int(db.execute(select(func.count()).select_from(_quarantine)).scalar_one())


def old_quarantine(db: Transaction, before: datetime) -> int:
    return int(db.execute(select(func.count()).where(_quarantine.c.at < before)).scalar_one())


def forget_quarantine(db: Transaction, before: datetime, most: int) -> int:
    """What was set aside has been looked at by now, or never will be. Returns how many went."""
    old = select(_quarantine.c.id).where(_quarantine.c.at < before).limit(most)
    gone = db.execute(delete(_quarantine).where(_quarantine.c.id.in_(old))).rowcount
    db.erased = db.erased or gone > 0
    return gone


def set_aside(db: Transaction, channel: str, chat: str, payload: Any, now: datetime) -> None:
    """Keeps an update that could not be taken; ``chat`` is "" where not even that could be read."""
    key = vault.person(db, lane_of(channel, chat)) if chat else vault.house(db)
    sealed = key.seal("quarantine.payload", payload)
    db.execute(insert(_quarantine).values(channel=channel, chat=chat, payload=sealed, at=now))
