"""Two leads of one person become one, because a member of staff says so: both histories stay, each in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desk import lead as life
from bot.desk import rights
from bot.desk.actions import HAS_IT, Acting, NotThere, Refused
from bot.desk.duplicates import pair
from bot.store import audit, leads, marks, staff
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction

MERGED = "{reference} was merged into {into}."
SAME = "A lead cannot be merged with itself."
GONE = "{reference} was withdrawn. It cannot be merged."
LINES = (MERGED, SAME, GONE)


def merge(acting: Acting, lead_id: int, into: int) -> Lead:
    """Closes a lead as a duplicate of another one, whose contact and flags stay as they are. Returns the latter.

    Both must be of one trial and visible to the member, or NotThere is raised. Refused when one of them was merged
    or withdrawn before, or when the one to close belongs to somebody else. It can be undone like a step.
    """
    lead, kept = _both(acting, lead_id, into)
    for one in (lead, kept):
        if one["merged_into"] is not None:
            raise Refused(MERGED, reference=reference(one["id"]), into=reference(one["merged_into"]))
        if one["status"] == "withdrawn":
            raise Refused(GONE, reference=reference(one["id"]))
    owner = staff.by_id(acting.db, lead["owner_id"])
    others = owner is not None and owner["id"] != acting.member["id"]
    if owner is not None and others and not rights.may(acting.member, "lead_site"):
        raise Refused(HAS_IT, owner=owner["name"], reference=reference(lead_id))
    changes: dict[str, object] = {"merged_into": into}
    if lead["status"] != "closed":  # how a closed one ended stays what it was
        changes |= {"status": life.after(lead["status"], "close"), "reason": "duplicate", "criterion": ""}
        changes |= {"escalate_at": None, "snoozed_until": None}
    leads.record(acting.db, into, "merged_from", acting.now, acting.member["id"], reference(lead_id))
    acting.done(lead, "merged", detail=reference(into), **changes)
    audit.record(acting.db, "lead.merged", acting.member["id"], lead_id, reference(into))
    return _again(acting.db, into)


def different(acting: Acting, one: int, other: int) -> None:
    """Remembers that two leads are of different people: they are not suggested again. Raises NotThere."""
    _both(acting, one, other)
    if marks.once(acting.db, pair(one, other), acting.now, {"staff": acting.member["id"]}):
        for mine, theirs in ((one, other), (other, one)):
            leads.record(acting.db, mine, "different_people", acting.now, acting.member["id"], reference(theirs))
        audit.record(acting.db, "lead.different", acting.member["id"], one, reference(other))


def history(db: Transaction, lead_id: int) -> list[Mapping[str, Any]]:
    """The history of a lead and of all that were merged into it, as one, each row with its ``lead_id``."""
    rows = leads.history(db, lead_id)
    named = {int(row["detail"].removeprefix("K-")) for row in rows if row["what"] == "merged_from"}
    for number in leads.merged_into(db, lead_id, named):  # not those that were taken apart again
        rows += history(db, number)
    return sorted(rows, key=lambda row: (row["at"], row["id"]))


def _both(acting: Acting, one: int, other: int) -> tuple[Lead, Lead]:
    """Both leads, locked in the order of their numbers, so that nobody waits in a ring."""
    if one == other:
        raise Refused(SAME)
    found = {number: acting.lead(number) for number in sorted((one, other))}
    if found[one]["trial"] != found[other]["trial"]:
        raise NotThere
    return found[one], found[other]


def _again(db: Transaction, lead_id: int) -> Lead:
    lead = leads.get(db, lead_id)
    assert lead is not None
    return lead
