"""What a person said yes to: to which words, in which language, when, and when they took it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import RowMapping

from bot.store import audit
from bot.store.tables import ConsentRow
from bot.store.transaction import Transaction

_consent = ConsentRow.__table__  # type: ignore[attr-defined]

KINDS = ("health", "send", "reminder", "notices")
"""To health questions; to passing answers and contact details on; to one reminder; to news of other trials."""


def give(db: Transaction, now: datetime, **values: Any) -> None:
    """One yes. ``values`` are the columns of the table but the times; a yes given again takes the place of none."""
    db.execute(insert(_consent), {**values, "at": now, "withdrawn_at": None})
    told = f"{values['kind']} {values['version']} {values['locale']} {values['hash']}"
    audit.record(db, "consent.given", detail=told, conversation=values["tag"])


def take_back(db: Transaction, channel: str, chat: str, kind: str, now: datetime) -> int:
    """Takes every open yes of this kind back. Returns how many there were."""
    where = (_consent.c.channel == channel, _consent.c.chat == chat, _consent.c.kind == kind)
    taken = (
        update(_consent)
        .where(*where, _consent.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
        .returning(_consent.c.tag)
    )
    tags = list(db.execute(taken).scalars())
    for tag in tags:
        audit.record(db, "consent.withdrawn", detail=kind, conversation=tag)
    return len(tags)


def of_chat(db: Transaction, channel: str, chat: str) -> list[RowMapping]:
    """Every yes of a chat, the first one first."""
    where = (_consent.c.channel == channel, _consent.c.chat == chat)
    return list(db.execute(select(_consent).where(*where).order_by(_consent.c.id)).mappings())
