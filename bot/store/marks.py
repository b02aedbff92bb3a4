"""What is remembered under a name: that something was done once and for all, or a count as it stood."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from bot.store.tables import Mark
from bot.store.transaction import Transaction

_mark = Mark.__table__  # type: ignore[attr-defined]


BEGUN = "begun:"
"""How the names begin under which it is noted how often somebody began on one day."""


def forget_begun(db: Transaction, before: datetime, most: int) -> int:
    """Of the days before, nobody asks any more."""
    old = select(_mark.c.key).where(_mark.c.key.startswith(BEGUN), _mark.c.at < before).limit(most)
    return db.execute(delete(_mark).where(_mark.c.key.in_(old))).rowcount


def once(db: Transaction, key: str, now: datetime, data: Any = None) -> bool:
    """Remembers it. Returns whether it is new: of two who say so at once, one hears True."""
    made = (postgresql if db.server else sqlite).insert(_mark).values(key=key, data=data, at=now)
    return db.execute(made.on_conflict_do_nothing().returning(_mark.c.key)).first() is not None


def put(db: Transaction, key: str, now: datetime, data: Any) -> None:
    """Remembers it in the place of what was there."""
    made = (postgresql if db.server else sqlite).insert(_mark).values(key=key, data=data, at=now)
    db.execute(made.on_conflict_do_update(index_elements=["key"], set_={"data": data, "at": now}))


def get(db: Transaction, key: str) -> RowMapping | None:
    return db.execute(select(_mark).where(_mark.c.key == key)).mappings().first()


def known(db: Transaction, keys: Sequence[str]) -> set[str]:
    """Those of these names under which something is remembered."""
    return set(db.execute(select(_mark.c.key).where(_mark.c.key.in_(keys))).scalars())


def drop(db: Transaction, key: str) -> None:
    db.execute(delete(_mark).where(_mark.c.key == key))
