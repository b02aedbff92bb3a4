"""Leads, their history, and the staff who work them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, literal, select, update
from sqlalchemy.engine import RowMapping

from bot.store.tables import LeadEvent, LeadRow, Staff
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]
_event = LeadEvent.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]

Lead = RowMapping
"""A row of the lead table, by column name."""


def reference(lead_id: int) -> str:
    """How people name a lead: ``K-0147``."""
    return f"K-{lead_id:04d}"


def get(db: Transaction, lead_id: int) -> Lead | None:
    """A lead, locked until the transaction ends: nobody else moves it meanwhile."""
    return db.execute(select(_lead).where(_lead.c.id == lead_id).with_for_update()).mappings().first()


def open_of(db: Transaction, channel: str, chat: str, trial: str) -> Lead | None:
    """The lead that this person already has open for this trial: there is never a second one."""
    row = {"channel": channel, "chat": chat, "trial": trial}
    return db.at_once(_OPEN_OF, row).mappings().first()


_OPEN_OF = (
    select(_lead)
    .where(
        _lead.c.channel == bindparam("channel"),
        _lead.c.chat == bindparam("chat"),
        _lead.c.trial == bindparam("trial"),
        _lead.c.status.not_in(("closed", "withdrawn")),
    )
    .with_for_update()
)


_FRESH: dict[str, Any] = {
    **{"status": "new", "attempts": 0, "reason": "", "criterion": "", "notice": "", "owner_id": None},
    **{"claimed_at": None, "slot_at": None, "snoozed_until": None, "escalated": 0, "escalate_at": None},
    **{"slipped": 0, "chat_lost": False, "wants_person": False, "merged_into": None},
}


def add(db: Transaction, **values: Any) -> int:
    row = {**_FRESH, **values}
    return int(db.execute(insert(_lead).returning(_lead.c.id), row).scalar_one())


def change(db: Transaction, lead_id: int, now: datetime, **values: Any) -> None:
    db.execute(update(_lead).where(_lead.c.id == lead_id).values(updated_at=now, **values))


def claim(db: Transaction, lead_id: int, staff_id: int, now: datetime) -> bool:
    """One statement decides who was first."""
    where = (_lead.c.id == lead_id, _lead.c.owner_id.is_(None), _lead.c.status == "new")
    values = {
        **{"owner_id": staff_id, "status": "claimed", "claimed_at": now, "updated_at": now},
        **{"escalate_at": None, "snoozed_until": None},
    }
    return db.execute(update(_lead).where(*where).values(**values)).rowcount == 1


def record(
    db: Transaction,
    lead_id: int,
    what: str,
    now: datetime,
    staff_id: int | None = None,
    detail: str = "",
    before: dict[str, Any] | None = None,
) -> None:
    """Adds to the history of a lead; ``before`` holds the columns as they were, where it may be undone."""
    row = {"lead_id": lead_id, "staff_id": staff_id, "what": what, "detail": detail, "before": before, "at": now}
    db.execute(insert(_event), row)


def last_event(db: Transaction, lead_id: int) -> RowMapping | None:
    newest = select(_event).where(_event.c.lead_id == lead_id).order_by(_event.c.id.desc()).limit(1)
    return db.execute(newest).mappings().first()


def history(db: Transaction, lead_id: int) -> list[RowMapping]:
    rows = db.execute(
        select(_event, _staff.c.name)
        .join(_staff, _staff.c.id == _event.c.staff_id, isouter=True)
        .where(_event.c.lead_id == lead_id)
        .order_by(_event.c.id)
    )
    return list(rows.mappings())


def queue(db: Transaction, *, closed: bool = False, owner_id: int | None = None) -> list[Lead]:
    """Leads by due time, the most urgent first, each with its owner's name."""
    query = select(_lead, _staff.c.name.label("owner")).join(_staff, _staff.c.id == _lead.c.owner_id, isouter=True)
    if not closed:
        query = query.where(_lead.c.status.not_in(("closed", "withdrawn")))
    if owner_id is not None:
        query = query.where(_lead.c.owner_id == owner_id)
    return list(db.execute(query.order_by(_lead.c.due_at, _lead.c.id)).mappings())


def leave(db: Transaction, conversation_id: int) -> None:
    """A request that is over leaves its conversation to the next one that comes from there."""
    db.execute(update(_lead).where(_lead.c.conversation_id == conversation_id).values(conversation_id=None))


def lose_chat(db: Transaction, channel: str, chat: str, now: datetime, *, lost: bool = True) -> None:
    """The person can, or can no more, be written to: so say their open leads."""
    where = (_lead.c.channel == channel, _lead.c.chat == chat, _lead.c.status.not_in(("closed", "withdrawn")))
    values = {"chat_lost": lost, "updated_at": now}
    db.execute(update(_lead).where(*where, _lead.c.chat_lost != lost).values(**values))


def of_chat(db: Transaction, channel: str, chat: str) -> list[Lead]:
    where = (_lead.c.channel == channel, _lead.c.chat == chat)
    return list(db.execute(select(_lead).where(*where).order_by(_lead.c.id).with_for_update()).mappings())


def merged_into(db: Transaction, lead_id: int, among: Collection[int]) -> list[int]:
    """Those of some leads that are merged into this one."""
    where = (_lead.c.id.in_(among), _lead.c.merged_into == lead_id)
    return list(db.execute(select(_lead.c.id).where(*where).order_by(_lead.c.id)).scalars())


def unowned(db: Transaction, site_ids: Sequence[str], most: int) -> list[int]:
    """The most urgent leads that nobody has claimed, of these sites; of any where none is given."""
    query = select(_lead.c.id).where(_lead.c.status == "new").order_by(_lead.c.due_at, _lead.c.id).limit(most)
    if site_ids:
        query = query.where(_lead.c.site.in_(site_ids))
    return list(db.execute(query).scalars())


def unclaimed(db: Transaction) -> int:
    return int(db.execute(select(func.count()).select_from(_lead).where(_lead.c.status == "new")).scalar_one())


def noticed(db: Transaction, lead_ids: Collection[int], now: datetime, notice: str = "") -> None:
    """A notice of these leads was delivered; ``notice`` is what its card can be edited by, if it can."""
    first = func.coalesce(_lead.c.noticed_at, literal(now, _lead.c.noticed_at.type))
    values: dict[str, Any] = {"noticed_at": first}
    values |= {"notice": notice} if notice else {}
    db.execute(update(_lead).where(_lead.c.id.in_(lead_ids)).values(**values))


def unnoticed(db: Transaction, before: datetime) -> int:
    """How many leads older than ``before`` nobody was told of, because no notice has got through by any way."""
    nobody = _lead.c.noticed_at.is_(None) & (_lead.c.notice == "")  # the release before notes only the card
    where = (nobody, _lead.c.status == "new", _lead.c.created_at < before)
    return int(db.execute(select(func.count()).select_from(_lead).where(*where)).scalar_one())
