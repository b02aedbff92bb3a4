"""Who looked at what, signed in, exported, agreed or changed a setting: rows are only added, in the same commit.

It names people and leads by their numbers. What a patient wrote, and how to reach them, is never in it. Each row is
signed together with the one before it in its chain, with a key that the database does not hold; ``verify`` finds
whatever was changed, taken out, moved or cut off.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from bot.store import marks
from bot.store.tables import AuditRow, AuditTip, LeadRow, Staff
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

_audit = AuditRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]
_tip = AuditTip.__table__  # type: ignore[attr-defined]
_staff = Staff.__table__  # type: ignore[attr-defined]

DETAIL = 500
"""Characters of a detail that are kept."""
HOUSE = "house"
"""The chain of all that is about no lead and no conversation."""
HEADS = timedelta(minutes=5)
"""How often the ends of the chains that grew are written down, and told to the log."""
NAMED = 100
"""Chains that one head record names."""
SIGNED = ("chain", "seq", "what", "staff_id", "lead_id", "detail", "at")
"""The columns that a row's ``mac`` is over, after the ``mac`` of the row before."""
BROKEN = "audit.broken"
"""What a row says that follows an end of a chain which is not as it was signed."""


@dataclass(frozen=True, slots=True)
class _Row:
    chain: str
    what: str
    staff_id: int | None
    lead_id: int | None
    detail: str


def record(
    db: Transaction,
    what: str,
    staff_id: int | None = None,
    lead_id: int | None = None,
    detail: str = "",
    *,
    conversation: str = "",
) -> None:
    """Adds one row, at the transaction's time. ``what`` is a short name: ``lead.opened``, ``export``.

    ``staff_id`` is None for what nobody of the staff did, such as somebody who opened a shared link.
    ``detail`` may hold codes, numbers, and a reason that staff typed; nothing of a patient's.
    ``conversation`` is the tag of the conversation it belongs to, if it is about one and not about a lead.

    The row is written at the end of the transaction: the end of a chain is locked for no longer than it takes to
    commit, and after everything else, so that nobody waits for anybody in a ring.
    """
    chain = f"lead:{lead_id}" if lead_id is not None else f"conversation:{conversation}" if conversation else HOUSE
    _add(db, _Row(chain, what, staff_id, lead_id, detail[:DETAIL]))


def _add(db: Transaction, row: _Row) -> None:
    waiting = db.known.setdefault("audit", [])
    if _seal not in db.last:
        db.last.append(_seal)
    waiting.append(row)


# ---------------------------------------------------------------------- the chain


def _seal(db: Transaction) -> None:
    """Writes what waits, each row behind the last one of its chain."""
    waiting: list[_Row] = db.known.pop("audit", [])
    if not waiting:
        return
    tips = _ends(db, {row.chain for row in waiting})
    rows: list[dict[str, Any]] = []
    for chain, (_, _, well) in tips.items():
        if not well:
            log.critical("the audit is not as it was signed: run `prescreen audit verify`")
            _link(db, tips, rows, _Row(chain, BROKEN, None, None, ""))
    for row in waiting:
        _link(db, tips, rows, row)
    db.execute(_WRITE, rows)
    ends = [
        {"of": chain, "to": seq, "last": mac, "signed": _sign(db.key, "tip", chain, seq, mac)}
        for chain, (seq, mac, _) in tips.items()
    ]
    db.execute(_MOVE, ends)


def _link(db: Transaction, tips: dict[str, tuple[int, str, bool]], rows: list[dict[str, Any]], row: _Row) -> None:
    seq, before, well = tips[row.chain]
    values = {"chain": row.chain, "seq": seq + 1, "what": row.what, "staff_id": row.staff_id}
    values |= {"lead_id": row.lead_id, "detail": row.detail, "at": db.at.astimezone(UTC)}
    mac = _mac(db.key, before, *(values[name] for name in SIGNED))
    rows.append({**values, "mac": mac})
    tips[row.chain] = seq + 1, mac, well


def _ends(db: Transaction, chains: set[str]) -> dict[str, tuple[int, str, bool]]:
    """The number and the mac of the last row of each chain, locked, and whether that is as it was signed."""
    first = [{"chain": chain, "seq": 0, "mac": "", "seal": "", "told": 0} for chain in _in_order(chains)]
    db.execute((postgresql if db.server else sqlite).insert(_tip).on_conflict_do_nothing(), first)
    tips = db.execute(_LOCK, {"chains": list(chains)}).mappings().all()
    there = dict(list(map(tuple, db.execute(_LAST, {"chains": list(chains)}))))
    ends = {}
    for tip in tips:
        chain, seq, mac = tip["chain"], tip["seq"], tip["mac"]
        last = there.get(chain, 0)
        well = _is_sealed(db.key, tip) and seq == last
        ends[chain] = (seq, mac, True) if well else (max(seq, last), mac, False)
    return {chain: ends[chain] for chain in _in_order(chains)}


def _in_order(chains: set[str]) -> list[str]:
    """One order for all, the house last: it is the one that most wait for."""
    return sorted(chains, key=lambda chain: (chain == HOUSE, chain))


def _is_sealed(key: bytes, tip: RowMapping) -> bool:
    if tip["seq"] == 0:
        return str(tip["mac"]) == str(tip["seal"]) == ""
    return hmac.compare_digest(tip["seal"], _sign(key, "tip", tip["chain"], tip["seq"], tip["mac"]))


def _mac(key: bytes, before: str, *signed: Any) -> str:
    """``signed`` are the values of SIGNED, in that order; the time in UTC."""
    return _sign(key, "row", before, *signed)


def _sign(key: bytes, *values: Any) -> str:
    return hmac.digest(key, orjson.dumps(values), "sha256").hex()


_WRITE = insert(_audit)
_MOVE = (
    update(_tip)
    .where(_tip.c.chain == bindparam("of"))
    .values(seq=bindparam("to"), mac=bindparam("last"), seal=bindparam("signed"))
)
_LOCK = (
    select(_tip)
    .where(_tip.c.chain.in_(bindparam("chains", expanding=True)))
    .order_by(_tip.c.chain == HOUSE, _tip.c.chain)
    .with_for_update()
)
_LAST = (
    select(_audit.c.chain, func.max(_audit.c.seq))
    .where(_audit.c.chain.in_(bindparam("chains", expanding=True)))
    .group_by(_audit.c.chain)
)


# ---------------------------------------------------------------------- heads


def head(db: Transaction) -> str:
    """Writes down where the chains end that grew since the last time, every five minutes; "" when it is not time.

    Returns the end of the house's chain before it, ``number:mac``: kept elsewhere, as the log is, it proves later
    that nothing up to there was taken out.
    """
    last = db.execute(select(_tip).where(_tip.c.chain == HOUSE)).mappings().first()
    before = marks.get(db, "audit.head")
    if before is not None and db.at - before["at"] < HEADS:
        return ""
    grew = (
        select(_tip)
        .where(_tip.c.seq > _tip.c.told, _tip.c.chain != HOUSE)
        .order_by(_tip.c.chain)
        .limit(NAMED)
        .with_for_update()
    )
    tips = db.execute(grew).mappings().all()
    if not tips and (last is None or last["seq"] == last["told"]):
        return ""
    named = [[tip["chain"], tip["seq"], tip["mac"]] for tip in tips]
    marks.put(db, "audit.head", db.at, None)
    _add(db, _Row(HOUSE, "audit.head", None, None, orjson.dumps(named).decode()))
    for tip in tips:
        db.execute(update(_tip).where(_tip.c.chain == tip["chain"]).values(told=tip["seq"]))
    mine = (last["seq"] if last is not None else 0) + 1
    db.execute(update(_tip).where(_tip.c.chain == HOUSE).values(told=mine))
    return f"{last['seq']}:{last['mac']}" if last is not None else "0:"


# ---------------------------------------------------------------------- whether it is as it was written


@dataclass(slots=True)
class Verdict:
    """What ``verify`` found."""

    rows: int = 0
    chains: int = 0
    problems: list[str] = field(default_factory=list)
    """One line each, with the chain and the row's number; no more than ``MOST``."""
    end: str = ""
    """Where the house's chain ends: ``number:mac``."""

    @property
    def well(self) -> bool:
        return not self.problems

    def finds(self, problem: str) -> None:
        if len(self.problems) < MOST:
            self.problems.append(problem)


MOST = 100
"""Problems that are listed."""


def verify(db: Transaction, heads: Sequence[str] = ()) -> Verdict:
    """Reads the whole audit. ``heads`` are ends of the house's chain, ``number:mac``, that were kept elsewhere."""
    if db.server:
        db.execute(text("SET LOCAL statement_timeout = 0"))
    found = Verdict()
    tips = {tip["chain"]: tip for tip in db.execute(select(_tip)).mappings()}
    kept: dict[tuple[str, int], str] = {}
    for said in heads:
        number, _, mac = said.partition(":")
        if not number.isdecimal():
            found.finds(f"not a head: {said[:100]}")
        elif number != "0":
            kept[HOUSE, int(number)] = mac
    house = _audit.c.chain == HOUSE
    for where in (house, ~house):  # what the house says of the other chains comes first
        _walk(db, where, tips, kept, found)
    for chain, tip in tips.items():
        if tip["seq"] > 0 or not _is_sealed(db.key, tip):
            found.finds(f"{chain}: all rows are gone, up to {tip['seq']}")
    for chain, seq in kept:
        found.finds(f"{chain}: row {seq} is gone, which a head names")
    return found


def _walk(
    db: Transaction,
    where: ColumnElement[bool],
    tips: dict[str, RowMapping],
    kept: dict[tuple[str, int], str],
    found: Verdict,
) -> None:
    """Follows every chain from its first row to its tip; takes out of ``tips`` and ``kept`` what it has met."""
    chain, seq, mac = "", 0, ""
    for row in _rows(db, where):
        found.rows += 1
        if row.chain != chain:
            _end(db, chain, seq, mac, tips, found)
            chain, seq, mac = row.chain, 0, ""
            found.chains += 1
        if not row.chain:
            found.finds(f"row {row.seq} is not signed")
            continue
        if row.seq != seq + 1:
            found.finds(f"{chain}: {row.seq - seq - 1} rows are gone before row {row.seq}")
        if row.mac != _mac(db.key, mac, *row[:-1]):
            found.finds(f"{chain}: row {row.seq} is not as it was written")
        if row.what == BROKEN:
            found.finds(f"{chain}: before row {row.seq} the chain was not as it was signed")
        if row.what == "audit.head" and chain == HOUSE:
            _note_heads(row, kept, found)
        if (named := kept.pop((chain, row.seq), None)) is not None and named != row.mac:
            found.finds(f"{chain}: row {row.seq} is another than a head names")
        seq, mac = row.seq, row.mac
    _end(db, chain, seq, mac, tips, found)


def _note_heads(row: Any, kept: dict[tuple[str, int], str], found: Verdict) -> None:
    try:
        kept.update({(of, number): mac for of, number, mac in orjson.loads(row.detail)})
    except ValueError:
        found.finds(f"{row.chain}: row {row.seq} names no heads")


def _end(db: Transaction, chain: str, seq: int, mac: str, tips: dict[str, RowMapping], found: Verdict) -> None:
    if not chain:
        return
    tip = tips.pop(chain, None)
    if tip is None or not _is_sealed(db.key, tip):
        found.finds(f"{chain}: its end is not signed")
    elif tip["seq"] != seq:
        found.finds(f"{chain}: it ends at row {seq}, and should at {tip['seq']}")
    elif tip["mac"] != mac:
        found.finds(f"{chain}: its last row is another than was signed")
    if chain == HOUSE:
        found.end = f"{seq}:{mac}"


def _rows(db: Transaction, where: ColumnElement[bool]) -> Iterator[Any]:
    columns = (_audit.c[name] for name in (*SIGNED, "mac"))
    rows = select(*columns).where(where).order_by(_audit.c.chain, _audit.c.seq)
    db.flush()
    yield from db.connection.execute(rows, execution_options={"yield_per": 5000})


# ---------------------------------------------------------------------- reading


def page(
    db: Transaction,
    *,
    most: int = 100,
    before: int | None = None,
    lead_id: int | None = None,
    staff_id: int | None = None,
    what: str = "",
    since: datetime | None = None,
    sites: Sequence[str] | None = None,
) -> list[RowMapping]:
    """The newest rows first, each with the ``name`` of who did it (None for nobody of the staff).

    ``before`` is the ``id`` of the last row of the page before; ``what`` also takes a family: ``share`` is
    ``share.made``, ``share.opened`` and so on. ``sites``: of leads only those at these sites.
    """
    _seal(db)
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
    if sites is not None:
        there = select(_lead.c.id).where(_lead.c.site.in_(sites))
        where.append(_audit.c.lead_id.is_(None) | _audit.c.lead_id.in_(there))
    rows = (
        select(_audit, _staff.c.name)
        .join(_staff, _staff.c.id == _audit.c.staff_id, isouter=True)
        .where(*where)
        .order_by(_audit.c.id.desc())
        .limit(most)
    )
    return list(db.execute(rows).mappings())
