"""Links by which somebody without an account reads one lead: known by the hash of their secret."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import RowMapping

from bot.store.tables import Share, Staff
from bot.store.transaction import Transaction

_share = Share.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]


def add(
    db: Transaction, lead_id: int, staff_id: int, token: str, passcode: str, made_at: datetime, expires_at: datetime
) -> int:
    """Adds a link; ``token`` and ``passcode`` are hashes. Returns its id."""
    row = {"lead_id": lead_id, "staff_id": staff_id, "token": token, "passcode": passcode, "tries": 0, "opened": 0}
    row |= {"made_at": made_at, "expires_at": expires_at, "revoked_at": None}
    return int(db.execute(insert(_share).returning(_share.c.id), row).scalar_one())


def knock(db: Transaction, token: str, most: int, now: datetime) -> RowMapping | None:
    """A link that is alive, by the hash of its secret; a try is counted before anybody knows whether it is right.

    None for a link that never was, ended, or was tried ``most`` times in a row.
    """
    alive = (
        _share.c.token == token,
        _share.c.revoked_at.is_(None),
        _share.c.expires_at > now,
        _share.c.tries < most,
    )
    counted = update(_share).where(*alive).values(tries=_share.c.tries + 1).returning(_share)
    return db.execute(counted).mappings().first()


def by_id(db: Transaction, share_id: int) -> RowMapping | None:
    return db.execute(select(_share).where(_share.c.id == share_id).with_for_update()).mappings().first()


def of(db: Transaction, lead_id: int) -> list[RowMapping]:
    """The links of a lead, the newest first, each with the ``name`` of who made it."""
    rows = (
        select(_share, _staff.c.name)
        .join(_staff, _staff.c.id == _share.c.staff_id)
        .where(_share.c.lead_id == lead_id)
        .order_by(_share.c.id.desc())
    )
    return list(db.execute(rows).mappings())


def opened(db: Transaction, share_id: int) -> None:
    """Counts an opening; the wrong tries before it are forgiven. A link that is dead meanwhile stays dead."""
    values = {"opened": _share.c.opened + 1, "tries": 0}
    db.execute(update(_share).where(_share.c.id == share_id).values(values))


def revoke(db: Transaction, share_id: int, now: datetime) -> bool:
    """Ends a link. Returns whether it was alive."""
    where = (_share.c.id == share_id, _share.c.revoked_at.is_(None))
    return db.execute(update(_share).where(*where).values(revoked_at=now)).rowcount == 1


def forget(db: Transaction, lead_id: int) -> None:
    """All links of a lead: the person withdrew."""
    db.execute(delete(_share).where(_share.c.lead_id == lead_id))
