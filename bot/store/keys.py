"""Keyed hashes of the ways to reach the person of a lead: what is equal can be found, and nothing can be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, insert, select

from bot.store import vault
from bot.store.leads import Lead
from bot.store.tables import LeadKey, LeadRow
from bot.store.transaction import Transaction

_key = LeadKey.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]


def note(db: Transaction, lead_id: int, keys: Sequence[tuple[str, str]]) -> None:
    """These are the keys of a lead now, each a kind and a hash; those it had before are gone."""
    forget(db, lead_id)
    rows = [{"lead_id": lead_id, "kind": kind, "hash": hashed} for kind, hashed in dict.fromkeys(keys)]
    if rows:
        db.execute(insert(_key), rows)


def forget(db: Transaction, lead_id: int) -> None:
    db.execute(delete(_key).where(_key.c.lead_id == lead_id))


def of(db: Transaction, lead_id: int) -> dict[str, str]:
    """The keys of a lead: the kind of each hash."""
    rows = db.execute(select(_key.c.hash, _key.c.kind).where(_key.c.lead_id == lead_id))
    return {row.hash: row.kind for row in rows}


def accounts(db: Transaction, lead_id: int, kind: str) -> int:
    """How many accounts raised leads that share a key of this kind with this one, this one's own among them."""
    mine = select(_key.c.hash).where(_key.c.lead_id == lead_id, _key.c.kind == kind)
    account = _key.alias("account")
    others = (
        select(func.count(account.c.hash.distinct()))
        .select_from(_key)
        .join(account, account.c.lead_id == _key.c.lead_id)
        .where(_key.c.hash.in_(mine), account.c.kind == "account")
    )
    return int(db.execute(others).scalar_one())


def found(db: Transaction, trial: str, hashes: Collection[str], most: int = 50) -> list[tuple[Lead, str]]:
    """The newest leads of a trial that have one of these keys, each with the hash, once per key."""
    rows = db.execute(
        select(_lead, _key.c.hash)
        .join(_key, _key.c.lead_id == _lead.c.id)
        .where(_key.c.hash.in_(hashes), _lead.c.trial == trial)
        .order_by(_lead.c.id.desc())
        .limit(most)
    )
    return [(row, row["hash"]) for row in vault.opened(db, "lead", rows.mappings())]
