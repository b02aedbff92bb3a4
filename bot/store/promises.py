"""What people were promised, and when: slots that are taken, leads nobody has, calls that did not come."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import func, select

from bot.store.tables import LeadRow
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]

OVER = ("closed", "withdrawn")


def booked(db: Transaction, trial: str, site: str, since: datetime, but: int | None = None) -> Counter[datetime]:
    """How many open leads of a site hold each slot from ``since`` on, the lead ``but`` not counted."""
    where = [_lead.c.trial == trial, _lead.c.site == site, _lead.c.slot_at >= since, _lead.c.status.not_in(OVER)]
    if but is not None:
        where.append(_lead.c.id != but)
    rows = db.execute(select(_lead.c.slot_at, func.count()).where(*where).group_by(_lead.c.slot_at))
    return Counter({row[0]: row[1] for row in rows})
