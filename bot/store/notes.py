"""What staff wrote on leads. A private note is its writer's alone: every statement here asks who reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from bot.store import vault
from bot.store.tables import Note, Staff
from bot.store.transaction import Transaction

_note = Note.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]


def add(db: Transaction, lead_id: int, staff_id: int, now: datetime, **values: Any) -> int:
    """Adds a note: ``text``, ``private``, ``about``, ``marked``. Returns its id."""
    row = {"lead_id": lead_id, "staff_id": staff_id, "at": now}
    row |= vault.sealed(vault.of_lead(db, lead_id), "note", values)
    return int(db.execute(insert(_note).returning(_note.c.id), row).scalar_one())


def of(db: Transaction, lead_id: int, reader: int) -> list[dict[str, Any]]:
    """The notes on a lead that this member of staff may read, the oldest first, each with its writer's ``name``."""
    rows = (
        select(_note, _staff.c.name)
        .join(_staff, _staff.c.id == _note.c.staff_id)
        .where(_note.c.lead_id == lead_id, ~_note.c.private | (_note.c.staff_id == reader))
        .order_by(_note.c.id)
    )
    return vault.opened(db, "note", db.execute(rows).mappings())


def take_away(db: Transaction, lead_id: int, note_id: int, writer: int) -> bool:
    """Removes a note by its writer. Returns whether there was such a one."""
    where = (_note.c.id == note_id, _note.c.lead_id == lead_id, _note.c.staff_id == writer)
    return db.execute(delete(_note).where(*where)).rowcount == 1


def forget(db: Transaction, lead_id: int) -> None:
    """All notes on a lead, whoever wrote them: the person withdrew."""
    db.execute(delete(_note).where(_note.c.lead_id == lead_id))
