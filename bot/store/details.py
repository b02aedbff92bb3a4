"""What hangs on a lead and goes with its details: notes, shared links, and the keys by which it is found."""

from __future__ import annotations

from bot.store import keys, notes, shares
from bot.store.transaction import Transaction


def forget(db: Transaction, lead_id: int) -> None:
    """To be called wherever the contact and the flags of a lead are taken away."""
    for table in (notes, shares, keys):
        table.forget(db, lead_id)
    db.erased = True
