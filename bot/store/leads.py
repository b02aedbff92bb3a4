"""Leads, their history, and the staff who work them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, literal, select, update

from bot.messages import lane_of
from bot.store import audit, vault
from bot.store.tables import LeadEvent, LeadRow, Staff
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]
_event = LeadEvent.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]

TELLING = ("close", "note")
"""Steps whose detail names a criterion; it is sealed."""

Lead = Mapping[str, Any]
"""A row of the lead table, by column name, with what is sealed in it opened."""


def reference(lead_id: int) -> str:
    """How people name a lead: ``K-0147``."""
    return f"K-{lead_id:04d}"


def get(db: Transaction, lead_id: int) -> Lead | None:
    """A lead, locked until the transaction ends: nobody else moves it meanwhile."""
    row = db.execute(select(_lead).where(_lead.c.id == lead_id).with_for_update()).mappings().first()
    return vault.opened_one(db, "lead", row)


def open_of(db: Transaction, channel: str, chat: str, trial: str) -> Lead | None:
    """The lead that this person already has open for this trial: there is never a second one."""
    row = {"channel": channel, "chat": chat, "trial": trial}
    return vault.opened_one(db, "lead", db.at_once(_OPEN_OF, row).mappings().first())


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


BLANK: Mapping[str, Any] = {
    **{"contact": {}, "flags": [], "chat": "", "conversation_id": None, "outcome": None, "eligible_from": None},
    **{"slot_at": None, "escalate_at": None, "wants_person": False, "criterion": ""},
}
"""A lead of which nothing is left but that there was one."""

_FRESH: dict[str, Any] = {
    **{"status": "new", "attempts": 0, "reason": "", "criterion": "", "notice": "", "owner_id": None},
    **{"claimed_at": None, "slot_at": None, "snoozed_until": None, "escalated": 0, "escalate_at": None},
    **{"slipped": 0, "chat_lost": False, "wants_person": False, "merged_into": None},
}


def add(db: Transaction, **values: Any) -> int:
    key = vault.person(db, lane_of(values["channel"], values["chat"])) if values["chat"] else vault.house(db)
    row = {**_FRESH, "key_id": key.number, **vault.sealed(key, "lead", values)}
    return int(db.execute(insert(_lead).returning(_lead.c.id), row).scalar_one())


def change(db: Transaction, lead_id: int, now: datetime, **values: Any) -> None:
    if values.keys() & vault.SEALED["lead"].keys():
        values = vault.sealed(vault.of_lead(db, lead_id), "lead", values)
    gone: set[int] = set()
    if values.get("contact") == {}:  # nothing of the person stays
        gone = set(db.execute(select(_lead.c.key_id).where(_lead.c.id == lead_id)).scalars()) - {None}
        vault.is_of(db, "lead", lead_id, None)
        values["key_id"] = None
    db.execute(update(_lead).where(_lead.c.id == lead_id).values(updated_at=now, **values))
    if gone:
        vault.release(db, gone)


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
    """Adds to the history of a lead; ``before`` holds the columns as they were, where it may be undone.

    The history is what staff see; the audit has every step of it, too, and cannot be changed.
    """
    said = detail if what not in TELLING else detail.partition(".")[0] if what == "close" else ""
    audit.record(db, f"lead.{what}", staff_id, lead_id, said)
    row = {"lead_id": lead_id, "staff_id": staff_id, "what": what, "at": now}
    told = {"detail": detail, "before": before}
    if before is not None or what in TELLING:
        told = vault.sealed(vault.of_lead(db, lead_id), "lead_event", told)
    db.execute(insert(_event), {**row, **told})


def last_event(db: Transaction, lead_id: int) -> Mapping[str, Any] | None:
    newest = select(_event).where(_event.c.lead_id == lead_id).order_by(_event.c.id.desc()).limit(1)
    row = db.execute(newest).mappings().first()
    return None if row is None else _told(db, [row])[0]


def history(db: Transaction, lead_id: int) -> list[Mapping[str, Any]]:
    rows = db.execute(
        select(_event, _staff.c.name)
        .join(_staff, _staff.c.id == _event.c.staff_id, isouter=True)
        .where(_event.c.lead_id == lead_id)
        .order_by(_event.c.id)
    )
    return _told(db, rows.mappings())


def _told(db: Transaction, rows: Iterable[Mapping[Any, Any]]) -> list[Mapping[str, Any]]:
    """Steps with their details: only of some are those sealed."""
    return [
        row if row["what"] not in TELLING and row["before"] is None else vault.opened(db, "lead_event", [row])[0]
        for row in rows
    ]


def queue(db: Transaction, *, closed: bool = False, owner_id: int | None = None) -> list[Lead]:
    """Leads by due time, the most urgent first, each with its owner's name."""
    query = select(_lead, _staff.c.name.label("owner")).join(_staff, _staff.c.id == _lead.c.owner_id, isouter=True)
    if not closed:
        query = query.where(_lead.c.status.not_in(("closed", "withdrawn")))
    if owner_id is not None:
        query = query.where(_lead.c.owner_id == owner_id)
    return _opened(db, db.execute(query.order_by(_lead.c.due_at, _lead.c.id)).mappings())


def _opened(db: Transaction, rows: Iterable[Mapping[Any, Any]]) -> list[Lead]:
    return list(vault.opened(db, "lead", rows))


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
    return _opened(db, db.execute(select(_lead).where(*where).order_by(_lead.c.id).with_for_update()).mappings())


def raised_between(db: Transaction, after: datetime, until: datetime) -> int:
    where = (_lead.c.created_at > after, _lead.c.created_at <= until)
    return int(db.execute(select(func.count()).select_from(_lead).where(*where)).scalar_one())


def closed_since(db: Transaction, before: datetime, most: int | None) -> Sequence[Lead]:
    """Leads that were closed before, and still hold something of a person; the oldest first."""
    where = (_lead.c.status == "closed", _lead.c.updated_at < before, _lead.c.chat != "")
    rows = db.execute(select(_lead).where(*where).order_by(_lead.c.updated_at).limit(most))
    return vault.opened(db, "lead", rows.mappings())


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
