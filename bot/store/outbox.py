"""The outbox: written inside the turn's transaction, drained after it, in order within a lane."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.engine import RowMapping

from bot.messages import Envelope, lane_of
from bot.store import vault
from bot.store.tables import ConversationRow, OutboxRow
from bot.store.transaction import Transaction

_outbox = OutboxRow.__table__  # type: ignore[attr-defined]
_earlier, _later = _outbox.alias("earlier"), _outbox.alias("later")
_conversation = ConversationRow.__table__  # type: ignore[attr-defined]

REPLY, STAFF, REMINDER = 0, 1, 2
"""What goes first when not everything may go at once."""

LONGEST_WAIT = timedelta(hours=1)
"""Nothing is ever put off for longer: a row that seems to be was written before the clock was set back."""

CALLS = "prescreen_outbox"
"""The name under which PostgreSQL passes the wake-up on."""

_NOTHING = Envelope("").to_json()
_GONE = Envelope("")
_DONE = {"lane": None, "envelope": _NOTHING}
"""What becomes of a row that is done with. The words are not kept here: the transcript has them."""

_PUT = insert(_outbox)
_SENDING = (
    update(_outbox).where(_outbox.c.id == bindparam("of")).values(state="sending", attempts=_outbox.c.attempts + 1)
)
_SENT = (
    update(_outbox)
    .where(_outbox.c.id == bindparam("of"))
    .values(state="sent", provider_id=bindparam("provider_id"), sent_at=bindparam("sent_at"), **_DONE)
)
_SEEN = (
    update(_outbox)
    .where(
        _outbox.c.lane == bindparam("in_lane"),
        _outbox.c.conversation_id == bindparam("conversation"),
        _outbox.c.state == "sending",
        _outbox.c.question,
    )
    .values(state="sent", **_DONE)
)


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose turn it is in its lane."""

    id: int
    channel: str
    chat: str
    envelope: Envelope
    conversation_id: int | None
    lead_id: int | None
    digest: tuple[int, ...]
    sheet_of: int | None
    question: bool
    priority: int
    attempts: int
    last: str
    """The provider's id of the question that is on the screen, "" if none."""
    overtaken: bool
    """A question that was never sent, and behind which another one of its conversation waits already."""

    @property
    def lane(self) -> str:
        return lane_of(self.channel, self.chat)


def put(
    db: Transaction,
    channel: str,
    chat: str,
    envelope: Envelope,
    dedupe_key: str,
    now: datetime,
    *,
    conversation_id: int | None = None,
    lead_id: int | None = None,
    question: bool = False,
    priority: int = REPLY,
    sheet_of: int | None = None,
) -> None:
    lane = lane_of(channel, chat)
    key = _key(db, lane, conversation_id, sheet_of)
    row = {
        "channel": channel,
        "chat": chat,
        "lane": lane,
        "dedupe_key": dedupe_key,
        "conversation_id": conversation_id,
        "lead_id": lead_id,
        "sheet_of": sheet_of,
        "envelope": key.seal("outbox.envelope", envelope.to_json()),
        "question": question,
        "priority": priority,
        "state": "due",
        "attempts": 0,
        "unsure": 0,
        "not_before": now,
        "provider_id": "",
        "created_at": now,
        "sent_at": None,
    }
    db.gather(_PUT, row)
    db.known["envelope", dedupe_key] = envelope
    db.lanes.add(lane)


def _key(db: Transaction, lane: str, conversation_id: int | None, sheet_of: int | None) -> vault.DataKey:
    """The key of the person whom a message is about, who need not be the one it goes to; else the house's."""
    if sheet_of is not None:
        return vault.of_lead(db, sheet_of)
    if conversation_id is not None:
        return vault.of_conversation(db, conversation_id)
    return vault.of_lane(db, lane) or vault.house(db)


def heads(db: Transaction, now: datetime | None = None, lanes: Collection[str] = (), most: int = 200) -> list[Due]:
    """The first unsent message of every lane, the most urgent first; at most ``most``.

    ``now``: only those whose time has come. ``lanes``: only of these, where any are given.
    """
    when = now or datetime.max.replace(tzinfo=UTC) - LONGEST_WAIT
    values: dict[str, Any] = {"now": when, "far": when + LONGEST_WAIT, "most": most}
    if lanes:
        values["lanes"] = list(lanes)
    rows = db.execute(_HEADS_IN if lanes else _HEADS, values).mappings().all()
    stored = [row for row in rows if ("envelope", row["dedupe_key"]) not in db.known]
    for row in vault.opened(db, "outbox", stored):
        db.known["envelope", row["dedupe_key"]] = Envelope.from_json(row["envelope"]) if row["envelope"] else _GONE
    return [_due(row, db) for row in rows]


_OVERTAKEN = (
    select(_later.c.id)
    .where(
        _later.c.lane == _outbox.c.lane,
        _later.c.id > _outbox.c.id,
        _later.c.created_at > _outbox.c.created_at,  # by a later turn: one turn may show a page and ask
        _later.c.conversation_id == _outbox.c.conversation_id,
        _later.c.question,
    )
    .exists()
)
_HEADS = (
    select(_outbox, _conversation.c.question.label("last"), _OVERTAKEN.label("overtaken"))
    .join(_conversation, _conversation.c.id == _outbox.c.conversation_id, isouter=True)
    .where(
        _outbox.c.lane.is_not(None),
        ~select(_earlier.c.id).where(_earlier.c.lane == _outbox.c.lane, _earlier.c.id < _outbox.c.id).exists(),
        or_(
            _outbox.c.not_before <= bindparam("now", type_=_outbox.c.not_before.type),
            _outbox.c.not_before > bindparam("far", type_=_outbox.c.not_before.type),
        ),
    )
    .order_by(_outbox.c.priority, _outbox.c.id)
    .limit(bindparam("most", type_=Integer))
)
_HEADS_IN = _HEADS.where(_outbox.c.lane.in_(bindparam("lanes", expanding=True)))


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that tells of new leads, and was never tried yet."""

    id: int
    dedupe_key: str
    leads: tuple[int, ...]
    digest: bool
    """It tells of several, in one message."""


def notices(db: Transaction, channel: str, chat: str) -> list[Notice]:
    """The notices of new leads that wait in a lane and were never tried, the oldest first."""
    untried = (_outbox.c.lane == lane_of(channel, chat), _outbox.c.state == "due", _outbox.c.attempts == 0)
    tells = or_(_outbox.c.lead_id.is_not(None), _outbox.c.digest.is_not(None))
    rows = db.execute(select(_outbox).where(*untried, tells).order_by(_outbox.c.id)).mappings()
    return [
        Notice(row["id"], row["dedupe_key"], tuple(row["digest"] or (row["lead_id"],)), bool(row["digest"]))
        for row in rows
    ]


def merge(db: Transaction, notices: Sequence[Notice], leads: Sequence[int], envelope: Envelope) -> None:
    """Puts one digest in the place of several notices: where the first of them stood, so that it is not put off."""
    first, *others = notices
    sealed = vault.house(db).seal("outbox.envelope", envelope.to_json())
    _set(db, _outbox.c.id == first.id, lead_id=None, digest=list(leads), envelope=sealed)
    db.known["envelope", first.dedupe_key] = envelope
    if others:
        db.execute(delete(_outbox).where(_outbox.c.id.in_([other.id for other in others])))


def drop_notice(db: Transaction, channel: str, chat: str, lead_id: int) -> None:
    """Takes the notice of one lead out of a lane, where it was never tried: something newer takes its place."""
    waits = (_outbox.c.lane == lane_of(channel, chat), _outbox.c.state == "due", _outbox.c.attempts == 0)
    db.execute(delete(_outbox).where(*waits, _outbox.c.lead_id == lead_id))


def waiting(db: Transaction) -> int:
    return int(
        db.execute(select(func.count()).select_from(_outbox).where(_outbox.c.lane.is_not(None))).scalar_one()
    )


def _due(row: RowMapping, db: Transaction) -> Due:
    return Due(
        id=row["id"],
        channel=row["channel"],
        chat=row["chat"],
        envelope=db.known["envelope", row["dedupe_key"]],
        conversation_id=row["conversation_id"],
        lead_id=row["lead_id"],
        digest=tuple(row["digest"] or ()),
        sheet_of=row["sheet_of"],
        question=row["question"],
        priority=row["priority"],
        attempts=row["attempts"],
        last=row["last"] or "",
        overtaken=bool(row["question"] and row["overtaken"] and row["attempts"] == 0) or _gone(db, row),
    )


def _gone(db: Transaction, row: RowMapping) -> bool:
    """Whether the key of what it says was destroyed: there is nothing to send any more."""
    return db.known["envelope", row["dedupe_key"]] is _GONE


def call(db: Transaction) -> None:
    """Wakes the process that sends, if it is another one. Only a hurry: it looks by itself, too."""
    if db.server:
        db.execute(_CALL)


_CALL = text(f"SELECT pg_notify('{CALLS}', '')")


def oldest(db: Transaction, channel: str = "") -> datetime:
    """Since when the message that has waited longest could have gone; the end of time if none waits.

    ``channel``: only of this one, where one is given.
    """
    waiting = select(func.min(_outbox.c.not_before)).where(_outbox.c.lane.is_not(None))
    if channel:
        waiting = waiting.where(_outbox.c.channel == channel)
    found: datetime | None = db.execute(waiting).scalar()
    return found or datetime.max.replace(tzinfo=UTC)


def sending(db: Transaction, due: Due) -> None:
    """The intent to send, committed before the call."""
    db.gather(_SENDING, {"of": due.id})


def sent(db: Transaction, due: Due, provider_id: str, now: datetime) -> None:
    db.gather(_SENT, {"of": due.id, "provider_id": provider_id, "sent_at": now})


def later(db: Transaction, due: Due, now: datetime, wait: float, *, unsure: bool = False) -> None:
    extra = {"unsure": _outbox.c.unsure + 1} if unsure else {}
    until = now + min(timedelta(seconds=wait), LONGEST_WAIT)
    waits = (_outbox.c.id == due.id) & _outbox.c.lane.is_not(None)  # an answer may have proved that it arrived
    _set(db, waits, state="due", not_before=until, **extra)


def dead(db: Transaction, due: Due) -> None:
    _set(db, _outbox.c.id == due.id, state="dead", **_DONE)


def was_seen(db: Transaction, lane: str, conversation_id: int) -> None:
    """A question that was answered was delivered, even if a crash kept us from hearing so: it is not sent again."""
    db.gather(_SEEN, {"in_lane": lane, "conversation": conversation_id})


def take_back_mail(db: Transaction, channel: str, conversation_id: int) -> None:
    """Drops what waits to go out to a person by another way than their chat."""
    mine = (_outbox.c.conversation_id == conversation_id, _outbox.c.channel == channel)
    db.execute(delete(_outbox).where(*mine, _outbox.c.lane.is_not(None)))


def take_back_sheets(db: Transaction, lead_id: int) -> dict[str, list[str]]:
    """Drops a lead's call sheets, sent or not; returns the sent ones by chat, so that they can be deleted."""
    where = _outbox.c.sheet_of == lead_id
    shown: dict[str, list[str]] = {}
    for chat, number in db.execute(
        select(_outbox.c.chat, _outbox.c.provider_id).where(where).order_by(_outbox.c.id)
    ):
        shown.setdefault(chat, [])
        if number and number not in shown[chat]:
            shown[chat].append(number)
    db.execute(delete(_outbox).where(where))
    return shown


def waiting_for(db: Transaction, channel: str, chat: str) -> list[Envelope]:
    """What has not gone to a chat yet, in order."""
    rows = db.execute(select(_outbox).where(_outbox.c.lane == lane_of(channel, chat)).order_by(_outbox.c.id))
    opened = vault.opened(db, "outbox", rows.mappings().all())
    return [Envelope.from_json(row["envelope"]) for row in opened if row["envelope"]]


def stop_lane(db: Transaction, channel: str, chat: str) -> None:
    """Nothing more can be sent there."""
    _set(db, _outbox.c.lane == lane_of(channel, chat), state="dead", **_DONE)


def move_lane(db: Transaction, channel: str, chat: str, to: str) -> None:
    """The chat has another number now."""
    lane = lane_of(channel, to)
    _set(db, _outbox.c.lane == lane_of(channel, chat), chat=to, lane=lane, state="due")
    db.lanes.add(lane)


def carry(db: Transaction, lane: str, channel: str, chat: str) -> None:
    """What waits in a lane goes to another chat, without its buttons: they are good in the old one only.

    What is asked is dropped, as it is asked again there.
    """
    waits = (_outbox.c.lane == lane, _outbox.c.state == "due")
    db.execute(delete(_outbox).where(*waits, _outbox.c.question))
    for row in vault.opened(db, "outbox", db.execute(select(_outbox).where(*waits)).mappings().all()):
        plain = {**row["envelope"], "rows": [], "again": False, "share_phone": "", "edits": "", "deletes": []}
        sealed = _key(db, lane, row["conversation_id"], row["sheet_of"]).seal("outbox.envelope", plain)
        to = {"channel": channel, "chat": chat, "lane": lane_of(channel, chat), "envelope": sealed}
        _set(db, _outbox.c.id == row["id"], **to)
        db.known.pop(("envelope", row["dedupe_key"]), None)
    db.lanes.add(lane_of(channel, chat))


def old(db: Transaction, before: datetime) -> int:
    where = (_outbox.c.created_at < before, _outbox.c.lane.is_(None))
    return int(db.execute(select(func.count()).select_from(_outbox).where(*where)).scalar_one())


def forget(db: Transaction, before: datetime, most: int) -> int:
    """What is done with goes in the end; rows lie in the order of time, so only the old ones are read."""
    lowest = db.execute(select(func.min(_outbox.c.id)).where(_outbox.c.lane.is_(None))).scalar()
    if lowest is not None:
        old = (_outbox.c.id < lowest + most, _outbox.c.created_at < before, _outbox.c.lane.is_(None))
        return db.execute(delete(_outbox).where(*old)).rowcount
    return 0


def _set(db: Transaction, where: Any, **values: Any) -> None:
    db.execute(update(_outbox).where(where).values(**values))
