"""Who is signed in, the links to sign in by, and the tries to: every secret is kept as its hash alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import RowMapping

from bot.store.tables import Session, SignIn, SignInTry
from bot.store.transaction import Transaction

_session = Session.__table__  # type: ignore[attr-defined]
_link = SignIn.__table__  # type: ignore[attr-defined]
_try = SignInTry.__table__  # type: ignore[attr-defined]

IDLE, ABSOLUTE = timedelta(minutes=15), timedelta(hours=8)
"""How long a session lasts without anything done in it, and at most."""
LINK = timedelta(minutes=10)
"""How long a link can be used."""
WINDOW, TRIES = timedelta(minutes=15), 5
"""So many tries in so long are refused further ones."""


def begin(db: Transaction, staff_id: int, token: str, now: datetime) -> None:
    """``token`` is a hash, here and below."""
    db.execute(insert(_session), {"staff_id": staff_id, "token": token, "made_at": now, "seen_at": now})


def live(db: Transaction, token: str, now: datetime) -> RowMapping | None:
    """The session with this token, if it is neither idle nor old."""
    where = (_session.c.token == token, _session.c.seen_at > now - IDLE, _session.c.made_at > now - ABSOLUTE)
    return db.execute(select(_session).where(*where)).mappings().first()


def touch(db: Transaction, token: str, now: datetime) -> None:
    """Something was done in it. A session that ended meanwhile stays ended."""
    where = (_session.c.token == token, _session.c.seen_at > now - IDLE)
    db.execute(update(_session).where(*where).values(seen_at=now))


def end(db: Transaction, token: str) -> None:
    db.execute(delete(_session).where(_session.c.token == token))


def end_all(db: Transaction, staff_id: int, *, but: str = "") -> None:
    """Ends every session of a member, except the one with the token ``but``; and their unused links."""
    db.execute(delete(_session).where(_session.c.staff_id == staff_id, _session.c.token != but))
    db.execute(delete(_link).where(_link.c.staff_id == staff_id))


def add_link(db: Transaction, staff_id: int, token: str, now: datetime) -> None:
    """A new link takes the place of the one before it."""
    db.execute(delete(_link).where(_link.c.staff_id == staff_id))
    db.execute(insert(_link), {"staff_id": staff_id, "token": token, "made_at": now})


def use_link(db: Transaction, token: str, now: datetime) -> int | None:
    """Whose link it is, once: of two who open it at the same time one gets None, as for an old one."""
    used = delete(_link).where(_link.c.token == token).returning(_link.c.staff_id, _link.c.made_at)
    row = db.execute(used).first()
    return int(row[0]) if row is not None and now - row[1] <= LINK else None


def tries(db: Transaction, who: str, now: datetime) -> int:
    """How many tries count against an account or address, by its keyed hash."""
    where = (_try.c.who == who, _try.c.at > now - WINDOW)
    return int(db.execute(select(func.count()).select_from(_try).where(*where)).scalar_one())


def note_try(db: Transaction, who: str, now: datetime) -> None:
    db.execute(insert(_try), {"who": who, "at": now})


def forget_tries(db: Transaction, who: str) -> None:
    db.execute(delete(_try).where(_try.c.who == who))


def forget(db: Transaction, now: datetime) -> None:
    """Removes what has had its time."""
    for old in (_session.c.made_at < now - ABSOLUTE, _session.c.seen_at < now - IDLE):
        db.execute(delete(_session).where(old))
    db.execute(delete(_link).where(_link.c.made_at < now - LINK))
    db.execute(delete(_try).where(_try.c.at < now - WINDOW))
