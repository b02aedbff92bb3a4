"""How long each kind of data is kept, and its end: a few rows at a time, people reduced to counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.deployment import Deployment
from bot.store import audit, conversations, details, leads, marks, outbox, tombstones
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

FEW, MANY = 20, 5000
"""People, and rows, that one step removes: everybody else waits meanwhile."""

DAYS: Mapping[str, int] = {
    "unfinished": 30, "ruled_out": 30, "leads": 365, "quarantine": 7, "receipts": 7, "outbox": 7, "tombstones": 35,
}  # fmt: skip
"""The classes, each with its days where nobody says otherwise. ``leads`` counts from the day one was closed.

``tombstones`` must be kept as long as any copy of the database is: without them an old copy would bring back what
was erased.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of data: how many have had their time, and the end of some of them."""

    count: Callable[[Transaction, datetime], int]
    remove: Callable[[Transaction, datetime, int], int]
    """Given the moment before which they are old, and how many at most; returns how many went."""
    most: int


def periods(deployment: Deployment) -> Mapping[str, timedelta]:
    """How long each class is kept: as the trial's file says, then as the deployment does, then by default."""
    said = deployment.library.newest(deployment.trial).retention
    mine = {"unfinished": deployment.keep_days, "ruled_out": deployment.keep_days}
    days = {**DAYS, **mine, **said}
    days["ruled_out"] = min(days["ruled_out"], days["unfinished"])
    return {name: timedelta(days=number) for name, number in days.items()}


def due(db: Transaction, deployment: Deployment, now: datetime) -> Mapping[str, int]:
    """How many of each class have had their time."""
    kept = periods(deployment)
    return {name: kind.count(db, now - kept[name]) for name, kind in KINDS.items()}


def enforce(db: Transaction, deployment: Deployment, now: datetime) -> Mapping[str, int]:
    """Removes some of each class; returns how many. A class that gave ``most`` of its kind may have more."""
    kept = periods(deployment)
    gone = {name: kind.remove(db, now - kept[name], kind.most) for name, kind in KINDS.items()}
    marks.forget_begun(db, now - timedelta(days=2), MANY)
    for name in ("unfinished", "ruled_out", "leads"):
        if gone[name]:
            log.info("%s of %s had their time and were erased", gone[name], name)
            audit.record(db, "retention", detail=f"{name} {gone[name]}")
    return gone


def more(gone: Mapping[str, int]) -> bool:
    """Whether another step would find something, as far as that can be told."""
    return any(number >= KINDS[name].most for name, number in gone.items())


# ---------------------------------------------------------------------- people


def _forget(ruled_out: bool) -> Kind:
    """People without a lead whose last word is old: their answers go, and are counted."""

    def remove(db: Transaction, before: datetime, most: int) -> int:
        old = conversations.forgotten(db, before, most, ruled_out=ruled_out)
        for channel, chat in old:
            conversations.erase(db, channel, chat, wishes=False)
        return len(old)

    return Kind(lambda db, before: len(conversations.forgotten(db, before, None, ruled_out=ruled_out)), remove, FEW)


def _leads() -> Kind:
    """Closed leads lose all that names or describes a person, and their chat goes with the last of them."""

    def remove(db: Transaction, before: datetime, most: int) -> int:
        old = leads.closed_since(db, before, most)
        for lead in old:
            leads.change(db, lead["id"], db.at, **leads.BLANK)
            leads.record(db, lead["id"], "forgotten", db.at)
            details.forget(db, lead["id"])
            if all(other["chat"] == "" for other in leads.of_chat(db, lead["channel"], lead["chat"])):
                conversations.erase(db, lead["channel"], lead["chat"], wishes=False)
        return len(old)

    return Kind(lambda db, before: len(leads.closed_since(db, before, None)), remove, FEW)


KINDS: Mapping[str, Kind] = {
    "leads": _leads(),
    "ruled_out": _forget(True),
    "unfinished": _forget(False),
    "quarantine": Kind(conversations.old_quarantine, conversations.forget_quarantine, MANY),
    "receipts": Kind(conversations.old_receipts, conversations.forget_receipts, MANY),
    "outbox": Kind(outbox.old, outbox.forget, MANY),
    "tombstones": Kind(tombstones.old, tombstones.forget, MANY),
}
