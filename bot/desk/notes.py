"""Notes on a lead: shared ones for all who see it, private ones for their writer alone, not even for an admin."""

from __future__ import annotations

from typing import Any

from bot.desk import rights
from bot.desk.actions import Acting, NotThere, Refused
from bot.store import leads, notes
from bot.store.leads import Lead
from bot.store.staff import Member
from bot.store.transaction import Transaction
from flows.kinds.text import clean

LONGEST, LONGEST_MARK, MOST = 2000, 300, 200
"""Characters of a note and of what it marks; notes on one lead."""

EMPTY = "Write something first."
TOO_LONG = "This note is too long. Use up to {most} characters."
TOO_MANY = "This lead has too many notes. Delete one first."
NOT_SAID = "These words are not among the person's answers. Mark them again."
WITHDRAWN = "The person withdrew. Notes cannot be added."
LINES = (EMPTY, TOO_LONG, TOO_MANY, NOT_SAID, WITHDRAWN)


def add(acting: Acting, lead_id: int, text: str, private: bool, about: str = "", marked: str = "") -> int:
    """Adds a note, on the whole lead or on ``about``: a criterion or a step of its answers. Returns its id.

    ``marked`` are words of the person's there, exactly as they were said. Raises NotThere and Refused.
    """
    lead = acting.lead(lead_id)
    text = clean(text)
    if lead["status"] == "withdrawn":
        raise Refused(WITHDRAWN)
    if not text:
        raise Refused(EMPTY)
    if len(text) > LONGEST:
        raise Refused(TOO_LONG, most=str(LONGEST))
    if (about or marked) and not _said(lead, about, marked):
        raise Refused(NOT_SAID)
    if len(notes.of(acting.db, lead_id, acting.member["id"])) >= MOST:
        raise Refused(TOO_MANY)
    values = {"text": text, "private": private, "about": about, "marked": marked}
    made = notes.add(acting.db, lead_id, acting.member["id"], acting.now, **values)
    if not private:  # that somebody wrote a private one is theirs alone, too
        leads.record(acting.db, lead_id, "note", acting.now, acting.member["id"], about)
    return made


def listed(db: Transaction, lead: Lead, member: Member) -> list[dict[str, Any]]:
    """The notes that this member may read, the oldest first. Raises NotThere."""
    if not rights.sees(member, lead):
        raise NotThere
    return notes.of(db, lead["id"], member["id"])


def take_away(acting: Acting, lead_id: int, note_id: int) -> None:
    """Deletes one's own note. Raises NotThere for any other."""
    acting.lead(lead_id)
    if not notes.take_away(acting.db, lead_id, note_id, acting.member["id"]):
        raise NotThere
    acting.db.erased = True


def _said(lead: Lead, about: str, marked: str) -> bool:
    """Whether the lead has such a point, and the marked words occur in what the person said there."""
    flags: list[dict[str, Any]] = [flag for flag in lead["flags"] if about in ("", *_places(flag))]
    if not flags or len(marked) > LONGEST_MARK:
        return False
    return not marked or (bool(marked.strip()) and any(marked in said for flag in flags for said in flag["said"]))


def _places(flag: dict[str, Any]) -> tuple[str, ...]:
    """The criterion of a point, and the steps whose answers are behind it."""
    return (flag["criterion"], *(code.rpartition(".")[0] or code for code in flag["because"]))
