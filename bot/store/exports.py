"""Leads for an export, one after the other, with the moments of their history that an export names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text

from bot.store import vault
from bot.store.tables import LeadEvent, LeadRow
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]
_event = LeadEvent.__table__  # type: ignore[attr-defined]

_FIRST = {"first_claimed_at": ("claimed", "reassigned"), "first_called_at": ("no_answer", "reached")}


def leads(db: Transaction, trial: str, sites: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The leads of a trial in the order they were raised, those of some sites or all; none that was withdrawn."""
    if db.server:
        db.execute(text("SET LOCAL statement_timeout = '300s'"))
    moments = [
        select(func.min(_event.c.at))
        .where(_event.c.lead_id == _lead.c.id, _event.c.what.in_(steps))
        .scalar_subquery()
        .label(name)
        for name, steps in _FIRST.items()
    ]
    query = select(_lead, *moments).where(_lead.c.trial == trial, _lead.c.status != "withdrawn")
    if sites:
        query = query.where(_lead.c.site.in_(sites))
    rows = db.connection.execute(query.order_by(_lead.c.id), execution_options={"yield_per": 500})
    for some in rows.mappings().partitions():
        yield from vault.opened(db, "lead", some)
