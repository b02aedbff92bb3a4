"""Who looked at what, signed in, exported or changed a setting: rows are only ever added, in the same commit.

It names people and leads by their numbers. What a patient wrote, and how to reach them, is never in it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.engine import RowMapping

from bot.store.tables import AuditRow, Staff
from bot.store.transaction import Transaction

_audit = AuditRow.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]

DETAIL = 500
"""Characters of a detail that are kept."""


def record(
    db: Transaction, what: str, staff_id: int | None = None, lead_id: int | None = None, detail: str = ""
) -> None:
    """Writes one row, at the transaction's time. ``what`` is a short name: ``lead.opened``, ``export``.

    ``staff_id`` is None for what nobody of the staff did, such as somebody who opened a shared link.
    ``detail`` may hold codes, numbers, and a reason that staff typed; nothing of a patient's.
    """
    row = {"what": what, "staff_id": staff_id, "lead_id": lead_id, "detail": detail[:DETAIL], "at": db.at}
    db.execute(insert(_audit), row)


def page(
    db: Transaction,
    *,
    most: int = 100,
    before: int | None = None,
    lead_id: int | None = None,
    staff_id: int | None = None,
    what: str = "",
    since: datetime | None = None,
) -> list[RowMapping]:
    """The newest rows first, each with the ``name`` of who did it (None for nobody of the staff).

    ``before`` is the ``id`` of the last row of the page before; ``what`` also takes a family: ``share`` is
    ``share.made``, ``share.opened`` and so on.
    """
    where: list[ColumnElement[bool]] = []
    if before is not None:
        where.append(_audit.c.id < before)
    if lead_id is not None:
        where.append(_audit.c.lead_id == lead_id)
    if staff_id is not None:
        where.append(_audit.c.staff_id == staff_id)
    if what:
        where.append((_audit.c.what == what) | _audit.c.what.startswith(f"{what}.", autoescape=True))
    if since is not None:
        where.append(_audit.c.at >= since)
    rows = (
        select(_audit, _staff.c.name)
        .join(_staff, _staff.c.id == _audit.c.staff_id, isouter=True)
        .where(*where)
        .order_by(_audit.c.id.desc())
        .limit(most)
    )
    return list(db.execute(rows).mappings())
