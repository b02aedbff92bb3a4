"""The queue as the inbox reads it: pages of leads by due time, and one lead, without a lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select, text
from sqlalchemy.engine import RowMapping

from bot.store import vault
from bot.store.leads import Lead
from bot.store.tables import LeadRow, Staff
from bot.store.transaction import Transaction

_lead = LeadRow.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]

TO_CALL = ("new", "claimed", "attempt_1", "attempt_2", "attempt_3", "call_later")
"""Waiting for a call; what is due then is late afterwards."""
GOING_ON = ("reached", "considering", "scheduled", "consented")
ENROLLED = "enrolled"
DONE = ("closed", "withdrawn")
PAGE, MANY = 50, 100

_OPEN = text("lead.status NOT IN ('closed', 'withdrawn')")
"""Word for word the condition of the index, or the database would not see that it may use it."""
_SITE: ColumnElement[str] = literal_column("+lead.site", _lead.c.site.type)
"""To SQLite, which keeps no statistics, one site of a few seems worth an index and a sort of all that is there.
By the sign the order by due time stays the index that is read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for among the leads they may see."""

    sites: Sequence[str] | None
    """None for every site."""
    status: str = "to_call"
    """to_call, going_on, open, snoozed, done, or one status."""
    locale: str = ""
    owner_id: int | None = None


def one(db: Transaction, lead_id: int) -> Lead | None:
    """A lead with its owner's name."""
    return vault.opened_one(db, "lead", db.execute(_select().where(_lead.c.id == lead_id)).mappings().first())


def page(db: Transaction, wanted: Wanted, now: datetime, after: tuple[datetime, int] | None = None) -> list[Lead]:
    """The most urgent first, after the lead with that due time and id; what is done the newest first.

    One more than ``PAGE`` where there are more.
    """
    order: tuple[Any, ...] = (_lead.c.due_at, _lead.c.id)
    keyset = (
        or_(_lead.c.due_at > after[0], and_(_lead.c.due_at == after[0], _lead.c.id > after[1])) if after else None
    )
    if wanted.status == "done" or wanted.status in DONE:
        order = (_lead.c.created_at.desc(), _lead.c.id.desc())
        before = _lead.c.created_at
        keyset = or_(before < after[0], and_(before == after[0], _lead.c.id < after[1])) if after else None
    query = _select().where(*_where(db, wanted, now)).order_by(*order).limit(PAGE + 1)
    if keyset is not None:
        query = query.where(keyset)
    return list(vault.opened(db, "lead", db.execute(query).mappings()))


def late(db: Transaction, wanted: Wanted, now: datetime) -> int:
    """How many of them should have been called by now; counted up to ``MANY``."""
    if wanted.status not in ("to_call", "open", *TO_CALL):
        return 0
    some = select(_lead.c.id).where(*_where(db, wanted, now), _lead.c.due_at < now)
    if wanted.status == "open":
        some = some.where(_lead.c.status.not_in((*GOING_ON, ENROLLED)))
    return int(db.execute(select(func.count()).select_from(some.limit(MANY).subquery())).scalar_one())


def counts(db: Transaction, sites: Sequence[str] | None) -> list[RowMapping]:
    """How many leads each site has in each status: site, status, number."""
    query = select(_lead.c.site, _lead.c.status, func.count().label("number")).group_by(
        _lead.c.site, _lead.c.status
    )
    if sites is not None:
        query = query.where(_lead.c.site.in_(sites))
    return list(db.execute(query.order_by(_lead.c.site, _lead.c.status)).mappings())


def is_late(lead: Mapping[Any, Any], now: datetime) -> bool:
    return bool(lead["status"] in TO_CALL and lead["due_at"] < now)


def _select() -> Any:
    return select(_lead, _staff.c.name.label("owner")).join(_staff, _staff.c.id == _lead.c.owner_id, isouter=True)


def _where(db: Transaction, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    where: list[Any] = []
    status = wanted.status
    if status == "done" or status in DONE:
        where.append(_lead.c.status.in_(DONE if status == "done" else (status,)))
    else:
        where.append(_OPEN)
        asleep = and_(_lead.c.snoozed_until.is_not(None), _lead.c.snoozed_until > now)
        if status == "snoozed":
            where.append(asleep)
        else:
            # A group by what it is not: many leads are in it, and the index by due time must not be passed over.
            groups = {"to_call": (*GOING_ON, ENROLLED), "going_on": (*TO_CALL, ENROLLED), "open": ()}
            if status not in groups:
                where.append(_lead.c.status == status)
            elif groups[status]:
                where.append(_lead.c.status.not_in(groups[status]))
            where.append(~asleep if status in groups else text("1 = 1"))
    if wanted.sites is not None:
        where.append((_lead.c.site if db.server else _SITE).in_(wanted.sites))
    if wanted.locale:
        where.append(_lead.c.locale == wanted.locale)
    if wanted.owner_id is not None:
        where.append(_lead.c.owner_id == wanted.owner_id)
    return where
