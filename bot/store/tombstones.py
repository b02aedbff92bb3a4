"""What was erased, known by keyed hashes alone: what comes late, or back with an old copy, revives nothing."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.messages import Inbound, lane_of
from bot.store import audit, conversations, details, leads
from bot.store.tables import ConsentRow, ConversationRow, Interest, LeadRow, Quarantine, Receipt, Tombstone
from bot.store.transaction import Transaction

_tombstone = Tombstone.__table__  # type: ignore[attr-defined]
_receipt = Receipt.__table__  # type: ignore[attr-defined]
_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]
_interest = Interest.__table__  # type: ignore[attr-defined]
_consent = ConsentRow.__table__  # type: ignore[attr-defined]
_quarantine = Quarantine.__table__  # type: ignore[attr-defined]

CHAT, RECEIPT = "chat", "receipt"

Stone = tuple[str, str, datetime]
"""Hash, kind and time."""


def hash_of(db: Transaction, kind: str, *words: str) -> str:
    """Nobody can go back from it without the key, which the database does not hold."""
    said = "\0".join((kind, *words)).encode("utf-8", "surrogatepass")
    return hmac.digest(db.key, said, "sha256").hex()


def reference(hashed: str) -> str:
    """How a person and the house name one erasure: ``D-3F9A-27C1``."""
    return f"D-{hashed[:4]}-{hashed[4:8]}".upper()


def bury(db: Transaction, channel: str, chat: str, now: datetime) -> str:
    """Remembers that all of a chat was erased, and what it had sent by then. Returns the tombstone's hash.

    The receipts themselves go, since they name the chat.
    """
    hashed = hash_of(db, CHAT, lane_of(channel, chat))
    taken = _of(channel, chat)
    ids = db.execute(select(_receipt.c.external_id).where(*taken)).scalars().all()
    put(db, [(hashed, CHAT, now), *((hash_of(db, RECEIPT, channel, one), RECEIPT, now) for one in ids)])
    db.execute(delete(_receipt).where(*taken))
    return hashed


def put(db: Transaction, stones: Iterable[Stone]) -> None:
    """Adds what is not known yet; a chat that was erased again was erased at the later time."""
    rows = [dict(zip(("hash", "kind", "at"), stone, strict=True)) for stone in stones]
    if rows:
        made = (postgresql if db.server else sqlite).insert(_tombstone)
        at, before = made.excluded.at, _tombstone.c.at
        again = made.on_conflict_do_update(index_elements=["hash"], set_={"at": at}, where=at > before)
        db.execute(again, rows)


def _of(channel: str, chat: str) -> tuple[ColumnElement[bool], ...]:
    """The receipts that name a chat: of what came from it, or what happened to it."""
    starts = (f"m:{chat}:", f"s:{chat}:", f"{chat}:")
    ranges = [
        (_receipt.c.external_id > start) & (_receipt.c.external_id < f"{start[:-1]};")  # the one after the colon
        for start in starts
    ]
    return (_receipt.c.channel == channel, or_(*ranges))


def met(db: Transaction, inbound: Inbound) -> tuple[bool, bool]:
    """Whether this chat was erased, and whether this very thing was taken before it was."""
    chat = hash_of(db, CHAT, inbound.lane)
    receipt = hash_of(db, RECEIPT, inbound.channel, inbound.external_id)
    found = set(db.execute(select(_tombstone.c.hash).where(_tombstone.c.hash.in_([chat, receipt]))).scalars())
    return chat in found, receipt in found


def every(db: Transaction) -> list[Stone]:
    """All that is remembered: hash, kind and time."""
    return [(row.hash, row.kind, row.at) for row in db.execute(select(_tombstone).order_by(_tombstone.c.at))]


def buried(db: Transaction, lanes: Collection[str]) -> dict[str, datetime]:
    """When each of these lanes was erased, if it was."""
    by_hash = {hash_of(db, CHAT, lane): lane for lane in lanes}
    where = (_tombstone.c.hash.in_(list(by_hash)), _tombstone.c.kind == CHAT)
    return {by_hash[row.hash]: row.at for row in db.execute(select(_tombstone).where(*where))}


def apply(db: Transaction, stones: Iterable[Stone] = ()) -> int:
    """After an old copy was brought back: erases again whom it holds although they were erased since.

    ``stones`` are those that are known from elsewhere; they stay. Returns how many people that were. Somebody who
    began anew after that is left alone.
    """
    put(db, stones)
    since: dict[tuple[str, str], datetime] = {}
    for table, at in _PEOPLE:
        first = select(table.c.channel, table.c.chat, func.min(table.c[at])).where(table.c.chat != "")
        for channel, chat, began in db.execute(first.group_by(table.c.channel, table.c.chat)):
            since[channel, chat] = min(began, since.get((channel, chat), began))
    by_lane = {lane_of(*where): where for where in since}
    gone = [by_lane[lane] for lane, at in buried(db, by_lane).items() if since[by_lane[lane]] <= at]
    for channel, chat in gone:
        for lead in leads.of_chat(db, channel, chat):
            leads.change(db, lead["id"], db.at, **leads.BLANK, status="withdrawn", reason="withdrawn")
            leads.record(db, lead["id"], "withdrawn", db.at)
            details.forget(db, lead["id"])
        conversations.erase(db, channel, chat)
        bury(db, channel, chat, db.at)
        audit.record(db, "erased", detail="again, after a restore")
    return len(gone)


def said_in(text: str) -> list[Stone]:
    """The tombstones that a log tells of, or any other text with lines such as ``erased <hash> at <time>``."""
    return [(found[1], CHAT, datetime.fromisoformat(found[2])) for found in _SAID.finditer(text)]


_SAID = re.compile(r"erased ([0-9a-f]{64}) at (\d{4}-\d\d-\d\dT[0-9:.]+\+00:00)")
_PEOPLE = (
    (_conversation, "created_at"),
    (_lead, "created_at"),
    (_interest, "at"),
    (_consent, "at"),
    (_quarantine, "at"),
)


def old(db: Transaction, before: datetime) -> int:
    return int(db.execute(select(func.count()).where(_tombstone.c.at < before)).scalar_one())


def forget(db: Transaction, before: datetime, most: int) -> int:
    """Removes those that no copy of the database is old enough to need. Returns how many."""
    old = select(_tombstone.c.hash).where(_tombstone.c.at < before).limit(most)
    return db.execute(delete(_tombstone).where(_tombstone.c.hash.in_(old))).rowcount
