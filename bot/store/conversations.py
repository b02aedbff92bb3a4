"""Receipts, conversations, answers and transcripts, as the turn reads and writes them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.messages import Inbound
from bot.store import ERASED
from bot.store.tables import (
    AnswerRow,
    ConversationRow,
    Heartbeat,
    Interest,
    LeadRow,
    MessageRow,
    OutboxRow,
    Quarantine,
    Receipt,
)
from flows.answer import Answer, StepId, value_to_json
from flows.conversation import Conversation

_receipt = Receipt.__table__  # type: ignore[attr-defined]
_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_answer = AnswerRow.__table__  # type: ignore[attr-defined]
_message = MessageRow.__table__  # type: ignore[attr-defined]
_outbox = OutboxRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]
_heartbeat = Heartbeat.__table__  # type: ignore[attr-defined]
_quarantine = Quarantine.__table__  # type: ignore[attr-defined]
_interest = Interest.__table__  # type: ignore[attr-defined]


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
    source: str = ""
    question: str = ""
    pressed: str = ""


def take_receipt(db: Connection, inbound: Inbound, now: datetime) -> bool:
    """Whether this update is new. The database's unique keys are the judge."""
    try:
        with db.begin_nested():
            db.execute(insert(_receipt).values(channel=inbound.channel, external_id=inbound.external_id, at=now))
    except IntegrityError:
        return False
    return True


def current(db: Connection, channel: str, chat: str) -> Kept | None:
    where = (_conversation.c.channel == channel, _conversation.c.chat == chat, _conversation.c.current)
    row = db.execute(select(_conversation).where(*where)).mappings().first()
    return None if row is None else _kept(row)


def by_id(db: Connection, conversation_id: int) -> Kept | None:
    row = db.execute(select(_conversation).where(_conversation.c.id == conversation_id)).mappings().first()
    return None if row is None else _kept(row)


def _kept(row: Any) -> Kept:
    return Kept(
        id=row["id"],
        tag=row["tag"],
        channel=row["channel"],
        chat=row["chat"],
        conversation=Conversation.from_json(row["state"]),
        revision=row["revision"],
        updated_at=row["updated_at"],
        source=row["source"],
        question=row["question"],
        pressed=row["pressed"],
    )


def open_new(
    db: Connection, channel: str, chat: str, conversation: Conversation, source: str, now: datetime
) -> Kept:
    """Starts a conversation; the one before it, if any, is kept but no longer current."""
    where = (_conversation.c.channel == channel, _conversation.c.chat == chat, _conversation.c.current)
    db.execute(update(_conversation).where(*where).values(current=False))
    tag = secrets.token_urlsafe(5)[:6]
    values = {
        "tag": tag,
        "channel": channel,
        "chat": chat,
        "current": True,
        "source": source,
        "reachable": True,
        "question": "",
        "pressed": "",
        "revision": 0,
        "created_at": now,
        **_columns(conversation, now),
    }
    key = db.execute(insert(_conversation).values(**values)).inserted_primary_key
    assert key is not None
    return Kept(key[0], tag, channel, chat, conversation, 0, now, source)


def save(db: Connection, kept: Kept, conversation: Conversation, now: datetime) -> None:
    """Compare-and-set on the revision: raises Conflict if somebody was faster."""
    where = (_conversation.c.id == kept.id, _conversation.c.revision == kept.revision)
    values = {**_columns(conversation, now), "revision": kept.revision + 1, "reachable": True}
    if db.execute(update(_conversation).where(*where).values(**values)).rowcount != 1:
        raise Conflict
    kept.conversation, kept.revision = conversation, kept.revision + 1


def _columns(conversation: Conversation, now: datetime) -> dict[str, Any]:
    return {
        "flow": conversation.flow,
        "locale": conversation.locale,
        "state": conversation.to_json(),
        "step": conversation.step,
        "life": conversation.life,
        "updated_at": now,
    }


def note(db: Connection, conversation_id: int, **values: Any) -> None:
    """Sets columns that serve queries: outcome, remind_on, reachable, question."""
    db.execute(update(_conversation).where(_conversation.c.id == conversation_id).values(**values))


def add_answer(db: Connection, conversation_id: int, step: StepId, answer: Answer | None, now: datetime) -> None:
    """One more revision of an answer; None when it was taken back."""
    where = (_answer.c.conversation_id == conversation_id, _answer.c.step == step)
    last = db.execute(select(func.max(_answer.c.revision)).where(*where)).scalar()
    db.execute(
        insert(_answer).values(
            conversation_id=conversation_id,
            step=step,
            revision=(last or 0) + 1,
            value=None if answer is None else value_to_json(answer.value),
            said="" if answer is None else answer.said,
            cleared=answer is None,
            at=now,
        )
    )


def add_message(
    db: Connection, conversation_id: int, text: str, now: datetime, *, outgoing: bool, step: str | None
) -> None:
    db.execute(
        insert(_message).values(conversation_id=conversation_id, text=text, outgoing=outgoing, step=step, at=now)
    )


def erase(db: Connection, channel: str, chat: str, *, wishes: bool = True) -> None:
    """Removes everything this chat told us: conversations, answers, transcript, messages not yet sent.

    ``wishes`` also takes the wish to hear of other trials, which has a life of its own.
    """
    mine = (_conversation.c.channel == channel, _conversation.c.chat == chat)
    for table in (_outbox, _quarantine):
        db.execute(delete(table).where(table.c.channel == channel, table.c.chat == chat))
    if wishes:
        db.execute(delete(_interest).where(_interest.c.channel == channel, _interest.c.chat == chat))
    ids = select(_conversation.c.id).where(*mine)
    for table in (_answer, _message):
        db.execute(delete(table).where(table.c.conversation_id.in_(ids)))
    db.execute(update(_lead).where(_lead.c.conversation_id.in_(ids)).values(conversation_id=None))
    db.execute(delete(_conversation).where(*mine))
    db.info[ERASED] = True


def reminders_due(db: Connection, today: date) -> list[Kept]:
    where = (_conversation.c.remind_on <= today, _conversation.c.current, _conversation.c.reachable)
    return [_kept(row) for row in db.execute(select(_conversation).where(*where)).mappings()]


def forgotten(db: Connection, before: datetime) -> list[tuple[str, str]]:
    """Chats whose last word is older than ``before``, that raised no lead and wait for no reminder."""
    has_lead = exists().where(
        _lead.c.channel == _conversation.c.channel,
        _lead.c.chat == _conversation.c.chat,
        _lead.c.status != "withdrawn",
    )
    where = (
        _conversation.c.updated_at < before,
        _conversation.c.remind_on.is_(None),
        ~has_lead,
        _conversation.c.current,
    )
    rows = db.execute(select(_conversation.c.channel, _conversation.c.chat).where(*where))
    return [(channel, chat) for channel, chat in rows]


def messages_of(db: Connection, channel: str, chat: str, since: datetime) -> list[str]:
    """The provider's ids of what was said in this chat, by both sides, so that it can be taken back."""
    sent = select(_outbox.c.provider_id).where(
        _outbox.c.channel == channel, _outbox.c.chat == chat, _outbox.c.sent_at >= since
    )
    prefix = f"m:{chat}:"
    received = select(_receipt.c.external_id).where(
        _receipt.c.channel == channel, _receipt.c.external_id.startswith(prefix), _receipt.c.at >= since
    )
    ids = [row[0] for row in db.execute(sent)]
    ids += [row[0].removeprefix(prefix) for row in db.execute(received)]
    return sorted({number for number in ids if number.isdigit()}, key=int)


def forget_receipts(db: Connection, before: datetime) -> None:
    """Telegram sends nothing again after a day."""
    db.execute(delete(_receipt).where(_receipt.c.at < before))


def add_interest(db: Connection, channel: str, chat: str, locale: str, now: datetime) -> None:
    where = (_interest.c.channel == channel, _interest.c.chat == chat)
    if db.execute(select(_interest.c.id).where(*where)).first() is None:
        db.execute(insert(_interest).values(channel=channel, chat=chat, locale=locale, at=now))


def beat(db: Connection, now: datetime) -> None:
    """A real write: it fails when the disk is full or the file cannot be written."""
    if db.execute(update(_heartbeat).values(at=now)).rowcount == 0:
        db.execute(insert(_heartbeat).values(id=1, at=now))


def set_aside(db: Connection, channel: str, chat: str, payload: Any, now: datetime) -> None:
    """Keeps an update that could not be taken; ``chat`` is "" where not even that could be read."""
    db.execute(insert(_quarantine).values(channel=channel, chat=chat, payload=payload, at=now))
