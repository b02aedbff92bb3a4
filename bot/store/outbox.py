"""The outbox: written inside the turn's transaction, drained after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bot.messages import Envelope
from bot.store.tables import OutboxRow

_outbox = OutboxRow.__table__  # type: ignore[attr-defined]


REPLY, STAFF, REMINDER = 0, 1, 2
"""What goes first when not everything may go at once."""


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose turn it is in its lane."""

    id: int
    channel: str
    chat: str
    envelope: Envelope
    conversation_id: int | None
    lead_id: int | None
    sheet_of: int | None
    question: bool
    priority: int
    attempts: int


def put(
    db: Connection,
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
    db.execute(
        insert(_outbox).values(
            channel=channel,
            chat=chat,
            dedupe_key=dedupe_key,
            conversation_id=conversation_id,
            lead_id=lead_id,
            sheet_of=sheet_of,
            envelope=envelope.to_json(),
            question=question,
            priority=priority,
            state="due",
            attempts=0,
            unsure=0,
            not_before=now,
            provider_id="",
            created_at=now,
        )
    )


def heads(db: Connection, now: datetime | None = None) -> list[Due]:
    """The first unsent message of every lane, the most urgent first. ``now``: only those whose time has come."""
    waiting = _outbox.c.state.in_(("due", "sending"))
    first = select(func.min(_outbox.c.id)).where(waiting).group_by(_outbox.c.channel, _outbox.c.chat)
    query = select(_outbox).where(_outbox.c.id.in_(first)).order_by(_outbox.c.priority, _outbox.c.id)
    if now is not None:
        query = query.where(_outbox.c.not_before <= now)
    return [_due(row) for row in db.execute(query).mappings()]


def oldest(db: Connection) -> datetime:
    """Since when the message that has waited longest could have gone; the end of time if none waits."""
    waiting = select(func.min(_outbox.c.not_before)).where(_outbox.c.state.in_(("due", "sending")))
    found: datetime | None = db.execute(waiting).scalar()
    return found or datetime.max.replace(tzinfo=UTC)


def _due(row: Any) -> Due:
    return Due(
        id=row["id"],
        channel=row["channel"],
        chat=row["chat"],
        envelope=Envelope.from_json(row["envelope"]),
        conversation_id=row["conversation_id"],
        lead_id=row["lead_id"],
        sheet_of=row["sheet_of"],
        question=row["question"],
        priority=row["priority"],
        attempts=row["attempts"],
    )


def sending(db: Connection, due: Due) -> None:
    """The intent to send, committed before the call."""
    _set(db, due, state="sending", attempts=due.attempts + 1)


def sent(db: Connection, due: Due, provider_id: str, now: datetime) -> None:
    """Done. The words are not kept here: the transcript has them."""
    _set(db, due, state="sent", provider_id=provider_id, sent_at=now, envelope=Envelope("").to_json())


def later(db: Connection, due: Due, now: datetime, wait: float, *, unsure: bool = False) -> None:
    extra = {"unsure": _outbox.c.unsure + 1} if unsure else {}
    _set(db, due, state="due", not_before=now + timedelta(seconds=wait), **extra)


def dead(db: Connection, due: Due) -> None:
    _set(db, due, state="dead", envelope=Envelope("").to_json())


def was_seen(db: Connection, conversation_id: int) -> None:
    """A question that was answered was delivered, even if a crash kept us from hearing so: it is not sent again."""
    where = (_outbox.c.conversation_id == conversation_id, _outbox.c.state == "sending", _outbox.c.question)
    db.execute(update(_outbox).where(*where).values(state="sent", envelope=Envelope("").to_json()))


def take_back_sheets(db: Connection, lead_id: int) -> dict[str, list[str]]:
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


def stop_lane(db: Connection, channel: str, chat: str) -> None:
    """Nothing more can be sent there."""
    where = (_outbox.c.channel == channel, _outbox.c.chat == chat, _outbox.c.state.in_(("due", "sending")))
    db.execute(update(_outbox).where(*where).values(state="dead", envelope=Envelope("").to_json()))


def move_lane(db: Connection, channel: str, chat: str, to: str) -> None:
    where = (_outbox.c.channel == channel, _outbox.c.chat == chat, _outbox.c.state.in_(("due", "sending")))
    db.execute(update(_outbox).where(*where).values(chat=to, state="due"))


def _set(db: Connection, due: Due, **values: Any) -> None:
    db.execute(update(_outbox).where(_outbox.c.id == due.id).values(**values))
