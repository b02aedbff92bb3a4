"""Everything that is kept of one person, as plain data: what they are owed when they ask for a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select

from bot.messages import lane_of
from bot.store import leads, vault
from bot.store.tables import (
    AnswerRow,
    ConsentRow,
    ConversationRow,
    Interest,
    LeadEvent,
    LeadRow,
    MessageRow,
    Note,
    OutboxRow,
)
from bot.store.transaction import Transaction

_ANSWER = ("step", "value", "said", "cleared", "at")
_MESSAGE = ("outgoing", "text", "step", "at")
_CONVERSATION = ("flow", "locale", "outcome", "findings", "source", "remind_on", "created_at", "updated_at")
_LEAD = ("trial", "site", "locale", "outcome", "eligible_from", "flags", "contact", "helper", "changed", "status",
         "slot_at", "due_at", "created_at", "updated_at")  # fmt: skip
_CONSENT = ("kind", "version", "hash", "locale", "at", "withdrawn_at")


def copy_of(db: Transaction, channel: str, chat: str) -> dict[str, Any]:
    """What the database holds of the person in a chat: texts, numbers, lists and moments, by name.

    What staff wrote about them is in it, too, but for the notes that a member keeps to themselves. There is nothing
    but the chat itself where nobody is known.
    """
    mine = {"channel": channel, "chat": chat}
    talks, requests = _rows(db, ConversationRow, **mine), _rows(db, LeadRow, **mine)
    return {
        "chat": lane_of(channel, chat),
        "consents": [_only(row, _CONSENT) for row in _rows(db, ConsentRow, **mine)],
        "conversations": [
            {
                **_only(talk, _CONVERSATION),
                "answers": [_only(row, _ANSWER) for row in _rows(db, AnswerRow, conversation_id=talk["id"])],
                "messages": [_only(row, _MESSAGE) for row in _rows(db, MessageRow, conversation_id=talk["id"])],
            }
            for talk in talks
        ],
        "requests": [
            {
                "reference": leads.reference(lead["id"]),
                **_only(lead, _LEAD),
                "history": [_only(row, ("what", "at")) for row in _rows(db, LeadEvent, lead_id=lead["id"])],
                "notes": [
                    _only(row, ("text", "about", "marked", "at"))
                    for row in _rows(db, Note, lead_id=lead["id"], private=False)
                ],
            }
            for lead in requests
        ],
        "wishes": [_only(row, ("locale", "at")) for row in _rows(db, Interest, **mine)],
        "waiting": [
            _only(row, ("state", "created_at")) for row in _rows(db, OutboxRow, lane=lane_of(channel, chat))
        ],
    }


def where_is(db: Transaction, reference: str) -> tuple[str, str] | None:
    """The channel and the chat that a lead's reference, or ``channel:chat``, names; None if it names nobody."""
    if reference.upper().startswith("K-") and reference[2:].isdecimal() and len(reference) < 12:
        found = [lead for lead in _rows(db, LeadRow, id=int(reference[2:])) if lead["chat"]]
        return (found[0]["channel"], found[0]["chat"]) if found else None
    channel, colon, chat = reference.partition(":")
    return (channel, chat) if colon and _rows(db, ConversationRow, channel=channel, chat=chat) else None


def _rows(db: Transaction, model: Any, **where: Any) -> list[Mapping[str, Any]]:
    table: Table = model.__table__
    found = select(table).where(*(table.c[name] == value for name, value in where.items())).order_by(table.c.id)
    rows = [dict(row) for row in db.execute(found).mappings()]
    return list(_opened(db, table.name, rows))


def _opened(db: Transaction, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if table == "lead_event" or table not in vault.SEALED:  # of a history, only what is told of it is in a copy
        return rows
    return vault.opened(db, table, rows)


def _only(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}
