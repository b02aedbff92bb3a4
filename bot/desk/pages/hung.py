"""What hangs on a lead's page: notes, shared links, and other leads that may be of the same person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import RowMapping

from bot.desk import duplicates, notes, shares
from bot.desk.cards import STATUS
from bot.desk.duplicates import MATCH, Alike
from bot.desk.pages import lines
from bot.desk.pages.room import Tongue
from bot.store import shares as kept_shares
from bot.store.leads import Lead, reference
from bot.store.staff import Member
from bot.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Hung:
    """As it was read in one look, for one member."""

    notes: list[dict[str, Any]]
    shares: list[RowMapping]
    alike: list[Alike]


def look(db: Transaction, lead: Lead, member: Member) -> Hung:
    """Raises NotThere where the lead is not this member's to see."""
    found = notes.listed(db, lead, member)
    return Hung(found, kept_shares.of(db, lead["id"]), duplicates.suggested(db, lead, member))


def shown(hung: Hung, lead: Lead, member: Member, tongue: Tongue, zone: ZoneInfo) -> dict[str, Any]:
    """The values of ``_hung.html``."""
    return {
        "notes": [
            {
                "id": row["id"], "text": row["text"], "private": row["private"], "about": row["about"],
                "marked": row["marked"], "name": row["name"], "when": tongue.moment(row["at"], zone),
                "mine": row["staff_id"] == member["id"],
            }
            for row in hung.notes
        ],
        "shares": [
            {
                "id": row["id"], "name": row["name"], "opened": row["opened"],
                "alive": shares.alive(row, tongue.now), "state": _state(row, tongue, zone),
            }
            for row in hung.shares
        ],
        "alike": [
            {
                "reference": reference(one.lead["id"]), "status": tongue(STATUS[one.lead["status"]]),
                "kinds": tongue.words.listed([tongue(MATCH[kind]) for kind in one.kinds]),
            }
            for one in hung.alike
        ],
        "markable": [(flag["criterion"], said) for flag in lead["flags"] for said in flag["said"]],
        "points": [flag["criterion"] for flag in lead["flags"]],
        "longest": notes.LONGEST,
        "hours": {1: "1", 8: "8", 24: "24", 72: "72"},
    }  # fmt: skip


def _state(share: RowMapping, tongue: Tongue, zone: ZoneInfo) -> str:
    if share["revoked_at"] is not None:
        return tongue(lines.REVOKED)
    line = lines.ALIVE if shares.alive(share, tongue.now) else lines.OVER
    return tongue(line, time=tongue.moment(share["expires_at"], zone))
