"""One lead for somebody without an account: a link that ends, a passcode, no identity, every opening in the audit.

The link and the passcode are shown once; what is kept of them is a hash. Hashing a passcode takes long and is done
outside of the transactions: ``fresh`` before ``make``, and ``fits`` between ``knock`` and ``enter``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import RowMapping

from bot.desk import passwords
from bot.desk.actions import Acting, NotThere, Refused
from bot.store import audit, leads, shares
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction

SHORTEST, LONGEST = 1, 72
"""Hours that a link may be good for."""
TRIES = 5
"""Wrong passcodes until a link is dead."""
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""What is not mistaken for something else when it is read aloud."""
LONG = 8
TOKEN = 32
"""Bytes of a link's secret."""

HOURS = "A link is good for {low} to {high} hours."
WITHDRAWN = "The person withdrew. There is nothing left to share."
LINES = (HOURS, WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Fresh:
    """The secrets of a new link. They can be shown this once."""

    token: str
    passcode: str
    hashed: str
    """The argon2 hash of the passcode."""


@dataclass(frozen=True, slots=True)
class Door:
    """A link at which somebody knocked."""

    share_id: int
    lead_id: int
    tries: int
    hashed: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """What a shared link shows of a lead: codes and dates, no word of the person's, no way to reach them."""

    reference: str
    trial: str
    outcome: str | None
    eligible_from: date | None
    text_version: str
    helper: bool
    changed: bool
    sent_on: date
    points: tuple[Mapping[str, Any], ...]
    """criterion, status, until (a day or None), because (the coded answers) of each point for staff."""


def fresh() -> Fresh:
    """Takes long."""
    passcode = "".join(secrets.choice(ALPHABET) for _ in range(LONG))
    return Fresh(secrets.token_urlsafe(TOKEN), passcode, passwords.keep(passcode))


def make(acting: Acting, lead_id: int, hours: int, made: Fresh) -> datetime:
    """Makes a link to a lead, good for 1 to 72 hours. Returns when it ends. Raises NotThere and Refused."""
    lead = acting.lead(lead_id)
    if not SHORTEST <= hours <= LONGEST:
        raise Refused(HOURS, low=str(SHORTEST), high=str(LONGEST))
    if lead["status"] == "withdrawn":
        raise Refused(WITHDRAWN)
    expires, me = acting.now + timedelta(hours=hours), acting.member["id"]
    number = shares.add(acting.db, lead_id, me, _hash(made.token), made.hashed, acting.now, expires)
    _tell(acting.db, "made", lead_id, number, acting.now, me)
    return expires


def revoke(acting: Acting, share_id: int) -> None:
    """Ends a link at once; whoever sees the lead may. Raises NotThere."""
    share = shares.by_id(acting.db, share_id)
    if share is None:
        raise NotThere
    acting.lead(share["lead_id"])
    if shares.revoke(acting.db, share_id, acting.now):
        _tell(acting.db, "revoked", share["lead_id"], share_id, acting.now, acting.member["id"])


def listed(acting: Acting, lead_id: int) -> list[RowMapping]:
    """The links of a lead, the newest first. Raises NotThere."""
    acting.lead(lead_id)
    return shares.of(acting.db, lead_id)


def alive(share: Mapping[Any, Any], now: datetime) -> bool:
    return share["revoked_at"] is None and now < share["expires_at"]


def knock(db: Transaction, token: str, now: datetime) -> Door | None:
    """Somebody with a link wants in: a try is counted. None for a link that never was, ended, or is tried out."""
    share = shares.knock(db, _hash(token), TRIES, now)
    return None if share is None else Door(share["id"], share["lead_id"], share["tries"], share["passcode"])


def fits(door: Door | None, passcode: str) -> bool:
    """Whether it is the passcode, however it was typed: in small letters, with blanks or hyphens.

    Takes long, and as long where there is no door.
    """
    typed = "".join(letter for letter in passcode[:64].upper() if letter.isalnum())
    return passwords.fits("" if door is None else door.hashed, typed)


def enter(db: Transaction, door: Door, fit: bool, now: datetime) -> Redacted | None:
    """The redacted lead, if the passcode fits. Each opening and each wrong try is in the audit."""
    lead, share = leads.get(db, door.lead_id), shares.by_id(db, door.share_id)
    if lead is None or share is None or not alive(share, now) or lead["status"] == "withdrawn":
        return None
    if not fit:
        audit.record(db, "share.refused", None, door.lead_id, str(door.share_id))
        if door.tries >= TRIES and shares.revoke(db, door.share_id, now):
            _tell(db, "revoked", door.lead_id, door.share_id, now, None)
        return None
    shares.opened(db, door.share_id)
    _tell(db, "opened", door.lead_id, door.share_id, now, None)
    return redacted(lead)


def redacted(lead: Lead) -> Redacted:
    """Without name, number, address, town, site, language, source, or anything the person typed."""
    points = tuple(
        {name: flag[name] for name in ("criterion", "status", "until")} | {"because": tuple(flag["because"])}
        for flag in lead["flags"]
    )
    return Redacted(
        reference=reference(lead["id"]),
        trial=lead["trial"],
        outcome=lead["outcome"],
        eligible_from=lead["eligible_from"],
        text_version=lead["text_version"],
        helper=lead["helper"],
        changed=lead["changed"],
        sent_on=lead["created_at"].date(),
        points=points,
    )


def _tell(db: Transaction, what: str, lead_id: int, share_id: int, now: datetime, staff_id: int | None) -> None:
    """In the audit and in the lead's history."""
    audit.record(db, f"share.{what}", staff_id, lead_id, str(share_id))
    leads.record(db, lead_id, f"share_{what}", now, staff_id, str(share_id))


def _hash(token: str) -> str:
    return hashlib.sha256(token[:256].encode(errors="replace")).hexdigest()
