"""Codes by which a conversation goes on in another place: stored hashed, good once and for minutes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select, update

from bot.messages import lane_of
from bot.store.tables import Carry
from bot.store.transaction import Transaction

_carry = Carry.__table__  # type: ignore[attr-defined]

LASTS = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""So long the old place says where it went on."""


def make(db: Transaction, channel: str, chat: str, now: datetime) -> str:
    """A new code for this chat; the one before it is good no more. 144 random bits."""
    db.execute(delete(_carry).where(_carry.c.made_at < now - KEPT))
    code, lane = secrets.token_urlsafe(18), lane_of(channel, chat)
    db.execute(delete(_carry).where(_carry.c.lane == lane, _carry.c.taken_by == ""))
    db.execute(insert(_carry).values(code=_hashed(code), lane=lane, made_at=now, taken_by=""))
    return code


def lane_behind(db: Transaction, code: str, now: datetime) -> str:
    """Where the conversation of a code is, while the code is good; "" once it is not."""
    good = (_carry.c.code == _hashed(code), _carry.c.taken_by == "", _carry.c.made_at > now - LASTS)
    return db.execute(select(_carry.c.lane).where(*good)).scalar() or ""


def take(db: Transaction, code: str, to: str) -> bool:
    """Uses the code up for a lane. False if somebody was faster."""
    mine = (_carry.c.code == _hashed(code), _carry.c.taken_by == "")
    return db.execute(update(_carry).where(*mine).values(taken_by=to)).rowcount == 1


def went(db: Transaction, channel: str, chat: str) -> str:
    """The channel where the conversation of this chat went on last; "" if it did not."""
    taken = (_carry.c.lane == lane_of(channel, chat), _carry.c.taken_by != "")
    to = db.execute(select(_carry.c.taken_by).where(*taken).order_by(_carry.c.id.desc()).limit(1)).scalar()
    return str(to or "").partition(":")[0]


def forget(db: Transaction, channel: str, chat: str) -> None:
    """Everything about this chat, also where it came from."""
    lane = lane_of(channel, chat)
    db.execute(delete(_carry).where(or_(_carry.c.lane == lane, _carry.c.taken_by == lane)))


def _hashed(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
