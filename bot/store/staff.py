"""The people of the sites and of the sponsor: who they are, and how they are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import RowMapping

from bot.store import vault
from bot.store.tables import Staff
from bot.store.transaction import Transaction

_staff = Staff.__table__  # type: ignore[attr-defined]

Member = RowMapping
"""A row of the staff table, by column name."""

ROLES = ("coordinator", "site_lead", "sponsor", "admin")


def by_telegram(db: Transaction, telegram_id: str) -> Member | None:
    """The active member of staff with this Telegram account. Being in the group is not enough."""
    if not telegram_id.lstrip("-").isdigit():
        return None
    return db.at_once(_BY_TELEGRAM, {"telegram_id": int(telegram_id)}).mappings().first()


_BY_TELEGRAM = select(_staff).where(_staff.c.telegram_id == bindparam("telegram_id"), _staff.c.active)


def by_email(db: Transaction, email: str) -> Member | None:
    """The active member of staff with this address, however it is capitalised."""
    where = (_staff.c.email == email.strip().lower(), _staff.c.active)
    return db.execute(select(_staff).where(*where)).mappings().first()


def by_id(db: Transaction, staff_id: int | None) -> Member | None:
    """Whoever that is or was, active or not."""
    return db.execute(select(_staff).where(_staff.c.id == staff_id)).mappings().first()


def add(
    db: Transaction,
    name: str,
    telegram_id: int | None = None,
    language: str = "en",
    *,
    email: str | None = None,
    role: str = "coordinator",
    sites: Sequence[str] = (),
) -> int:
    """Adds a member of staff, or brings one back as they are given now. Returns their id.

    Raises LookupError when account and address belong to two different people.
    """
    email = email.strip().lower() if email else None
    known = set()
    for column, value in ((_staff.c.telegram_id, telegram_id), (_staff.c.email, email)):
        if value is not None:
            known |= set(db.execute(select(_staff.c.id).where(column == value)).scalars())
    if len(known) > 1:
        raise LookupError("the account and the address belong to two people")
    values: dict[str, Any] = {
        "name": name,
        "language": language,
        "role": role,
        "sites": list(sites),
        "active": True,
    }
    values |= {"telegram_id": telegram_id} if telegram_id is not None else {}
    values |= {"email": email} if email is not None else {}
    if known:
        found = known.pop()
        db.execute(update(_staff).where(_staff.c.id == found).values(**values))
        return int(found)
    fresh = {"telegram_id": None, "email": None, "password": "", "totp": "", "writes": False, **values}
    return int(db.execute(insert(_staff).returning(_staff.c.id), fresh).scalar_one())


def change(db: Transaction, staff_id: int, **values: Any) -> None:
    if values.get("totp"):
        values = vault.sealed(vault.house(db), "staff", values)
    db.execute(update(_staff).where(_staff.c.id == staff_id).values(**values))


def second_factor(db: Transaction, member: Member) -> str:
    """The secret of the member's second factor, which is sealed in their row; "" where they have none."""
    secret: str = vault.opened(db, "staff", [member])[0]["totp"]
    return secret


def every(db: Transaction) -> list[Member]:
    return list(db.execute(select(_staff).order_by(_staff.c.name)).mappings())


def active(db: Transaction, site: str, *roles: str) -> list[Member]:
    """The active staff who see this site's leads, of these roles or of any; those of the site itself first."""
    query = select(_staff).where(_staff.c.active).order_by(_staff.c.id)
    found = [row for row in db.execute(query).mappings() if not row["sites"] or site in row["sites"]]
    if roles:
        found = [row for row in found if row["role"] in roles]
    return sorted(found, key=lambda row: site not in row["sites"])


def disable(db: Transaction, *, telegram_id: int | None = None, email: str | None = None) -> bool:
    """Takes the right away. Returns whether there was such a member."""
    where = _staff.c.email == (email or "").strip().lower() if email else _staff.c.telegram_id == telegram_id
    return db.execute(update(_staff).where(where).values(active=False)).rowcount == 1
