"""Staff of several sites and roles, who act on the desk of a test; and people who send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

from bot.desk import duplicates
from bot.desk.actions import Acting
from bot.store import leads, staff
from bot.store.staff import Member
from bot.store.transaction import Transaction
from tests.shell.conftest import Desk, Somebody

T = TypeVar("T")
_KEYS = count()

CONTACT = {
    "town": "Suzhou", "site": "north", "first_name": "Rosa", "last_name": "Example", "phone": "+34612345678",
    "email": "rosa@example.org", "call_days": ["mon"], "call_time": "morning",
}  # fmt: skip
FLAG = {
    "criterion": "E18", "status": "REVIEW", "until": None, "because": ["mri.fragments"], "note": "", "noted": None,
    "said": ["a bit of metal from the mill, I think"],
}  # fmt: skip


def member(desk: Desk, name: str, role: str = "coordinator", sites: Sequence[str] = ()) -> Member:
    with desk.store.begin() as db:
        found = staff.by_id(db, staff.add(db, name, email=f"{name.lower()}@site.example", role=role, sites=sites))
    assert found is not None
    return found


def acts(desk: Desk, who: Member, what: Callable[[Acting], T]) -> T:
    """One act in a transaction of its own, at the desk's time."""
    with desk.store.begin(desk.now) as db:
        return what(Acting(db, desk.deployment, who, desk.now, f"act{next(_KEYS)}"))


def looks(desk: Desk, what: Callable[[Transaction], T]) -> T:
    with desk.store.begin(desk.now) as db:
        return what(db)


def has_lead(desk: Desk, chat: str = "501", site: str = "north", **values: Any) -> int:
    """A lead as ``lead_raised`` writes it, without the conversation before it. Returns its number."""
    contact = values.pop("contact", CONTACT)
    row = {
        "channel": "telegram", "chat": chat, "trial": "nct06570291", "site": site, "locale": "en",
        "outcome": "needs_review", "eligible_from": None, "flags": [FLAG], "helper": False, "changed": False,
        "text_version": "2024-08-23", "source": "", "conversation_id": None, "created_at": desk.now,
        "updated_at": desk.now, "due_at": desk.now + timedelta(days=1), **values,
    }  # fmt: skip
    with desk.store.begin(desk.now) as db:
        lead_id = leads.add(db, contact=contact, **row)
        leads.record(db, lead_id, "raised", desk.now)
        keys = duplicates.keys_of(desk.deployment, row["channel"], chat, contact)
        duplicates.note_keys(db, lead_id, keys)
    return lead_id


def sends(desk: Desk, chat: str, **other: str) -> int:
    """Somebody answers everything in a chat and sends. Returns the number of the lead."""
    source = other.pop("source", "")
    Somebody(desk, chat).starts(source).walks_to("check", **other).sends()
    return int(desk.one("SELECT max(id) FROM lead WHERE chat = :chat", chat=chat))
