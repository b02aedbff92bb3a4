"""What people were promised, and when: slots that are taken, leads nobody has, calls that did not come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, or_, select, text

from bot.store import vault
from bot.store.leads import Lead
from bot.store.tables import LeadEvent, LeadRow
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]
_event = LeadEvent.__table__  # type: ignore[attr-defined]
_slip = _event.alias("slip")

OVER = ("closed", "withdrawn")


def booked(db: Transaction, trial: str, site: str, since: datetime, but: int | None = None) -> Counter[datetime]:
    """How many open leads of a site hold each slot from ``since`` on, the lead ``but`` not counted."""
    where = [_lead.c.trial == trial, _lead.c.site == site, _lead.c.slot_at >= since, _lead.c.status.not_in(OVER)]
    if but is not None:
        where.append(_lead.c.id != but)
    rows = db.execute(select(_lead.c.slot_at, func.count()).where(*where).group_by(_lead.c.slot_at))
    return Counter({row[0]: row[1] for row in rows})


CONTACT = ("no_answer", "reached")
"""What the history of a lead calls a call, made or tried."""
WAITING = ("new", "claimed", "attempt_1", "attempt_2", "attempt_3", "call_later")
"""Statuses in which somebody waits for a call."""

_OPEN = text("lead.status NOT IN ('closed', 'withdrawn')")
"""Word for word the condition of the index, or the database would not see that it may use it."""


def alarms(db: Transaction, trial: str, site: str, now: datetime, most: int) -> list[Lead]:
    """Leads of a site whose alarm is due, locked; those that somebody else works on just now come later."""
    of_it = (_lead.c.trial == trial, _lead.c.site == site, _lead.c.escalate_at <= now)
    first = select(_lead).where(*of_it).order_by(_lead.c.escalate_at, _lead.c.id).limit(most)
    return list(vault.opened(db, "lead", db.execute(first.with_for_update(skip_locked=True)).mappings()))


def slipping(db: Transaction, trial: str, site: str, before: datetime, slips: int, most: int) -> list[int]:
    """Open leads of a site that were due before then and that nobody has tried to call since they were promised it.

    Those with so many ``slips`` already are left out.
    """
    where = (
        *(_OPEN, _lead.c.due_at <= before, _lead.c.trial == trial, _lead.c.site == site),
        *(
            _lead.c.status.in_(WAITING),
            _lead.c.slipped < slips,
            ~_called(_promised()),
        ),
    )
    return list(
        db.execute(select(_lead.c.id).where(*where).order_by(_lead.c.due_at, _lead.c.id).limit(most)).scalars()
    )


def called_since(db: Transaction, lead_id: int, since: datetime) -> bool:
    where = (_event.c.lead_id == lead_id, _event.c.what.in_(CONTACT), _event.c.at >= since)
    return db.execute(select(_event.c.id).where(*where).limit(1)).first() is not None


def waiting_since(db: Transaction, trial: str, site: str, now: datetime) -> tuple[int, datetime | None]:
    """How many leads of a site wait for a call, and since when the oldest does; what was put off is not counted."""
    where = (
        *(_OPEN, _lead.c.trial == trial, _lead.c.site == site, _lead.c.status.in_(WAITING)),
        or_(_lead.c.snoozed_until.is_(None), _lead.c.snoozed_until <= now),
    )
    number, oldest = db.execute(select(func.count(), func.min(_lead.c.created_at)).where(*where)).one()
    return int(number), oldest


def load(db: Transaction, trial: str) -> Counter[int]:
    """How many open leads each member of staff has."""
    where = (_OPEN, _lead.c.trial == trial, _lead.c.owner_id.is_not(None))
    rows = db.execute(select(_lead.c.owner_id, func.count()).where(*where).group_by(_lead.c.owner_id))
    return Counter({row[0]: row[1] for row in rows})


def given_back_by(db: Transaction, lead_id: int) -> set[int]:
    """Who had this lead and gave it back."""
    where = (_event.c.lead_id == lead_id, _event.c.what == "release", _event.c.staff_id.is_not(None))
    return set(db.execute(select(_event.c.staff_id).where(*where)).scalars())


def happened(db: Transaction, trial: str, site: str, what: Sequence[str], since: datetime, until: datetime) -> int:
    """How many leads of a site saw one of these in their history in that time."""
    where = (
        *(_lead.c.trial == trial, _lead.c.site == site, _event.c.what.in_(what)),
        *(_event.c.at >= since, _event.c.at < until),
    )
    found = select(func.count(_event.c.lead_id.distinct())).join(_lead, _lead.c.id == _event.c.lead_id)
    return int(db.execute(found.where(*where)).scalar_one())


def created(db: Transaction, trial: str, site: str, since: datetime, until: datetime) -> int:
    where = (_lead.c.trial == trial, _lead.c.site == site, _lead.c.created_at >= since, _lead.c.created_at < until)
    return int(db.execute(select(func.count()).select_from(_lead).where(*where)).scalar_one())


def coming_back(db: Transaction, trial: str, site: str, since: datetime, until: datetime) -> int:
    """How many open leads that were put off come back in that time."""
    when = (_lead.c.snoozed_until >= since, _lead.c.snoozed_until < until)
    where = (_OPEN, _lead.c.trial == trial, _lead.c.site == site, *when)
    return int(db.execute(select(func.count()).select_from(_lead).where(*where)).scalar_one())


def late(db: Transaction, trial: str, site: str, now: datetime) -> list[int]:
    """Leads that wait for a call and whose promise is broken: due before now, or moved on since."""
    broken = or_(_lead.c.due_at < now, _lead.c.slipped > 0)
    return _waiting(db, trial, site, broken, ~_called(_promised()))


def unowned(db: Transaction, trial: str, site: str, escalated: int) -> list[int]:
    """Leads that nobody has although every step of the alarm was taken."""
    return _waiting(db, trial, site, _lead.c.owner_id.is_(None), _lead.c.escalated >= escalated)


def unreached(db: Transaction, trial: str, site: str, before: datetime) -> list[int]:
    """Leads with all their calls in vain, none of them since then."""
    return _waiting(db, trial, site, _lead.c.status == "attempt_3", ~_called(before))


def _promised() -> ColumnElement[datetime]:
    """Since when a call counts: the slot, else the last time that the person got a new promise, else the lead."""
    again = select(func.max(_slip.c.at)).where(_slip.c.lead_id == _lead.c.id, _slip.c.what == "slipped")
    return func.coalesce(_lead.c.slot_at, again.scalar_subquery(), _lead.c.created_at)


def _called(since: Any) -> ColumnElement[bool]:
    at = literal(since, _event.c.at.type) if isinstance(since, datetime) else since
    return exists().where(_event.c.lead_id == _lead.c.id, _event.c.what.in_(CONTACT), _event.c.at >= at)


def _waiting(db: Transaction, trial: str, site: str, *where: ColumnElement[bool]) -> list[int]:
    of_it = (_OPEN, _lead.c.trial == trial, _lead.c.site == site, _lead.c.status.in_(WAITING))
    order = (_lead.c.created_at, _lead.c.id)
    return list(db.execute(select(_lead.c.id).where(*of_it, *where).order_by(*order)).scalars())
