"""What looks like abuse is told to staff with the reason, and never silently refused."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.deployment import Deployment
from bot.desk.cards import cards_for
from bot.messages import Envelope
from bot.store import audit, keys, leads, marks, outbox
from bot.store.leads import Lead
from bot.store.transaction import Transaction

ACCOUNTS = 3
"""Accounts that may have one phone number: a family shares one. More are looked at by a person."""
TIMES, FEWEST = 3, 10
"""So many times the usual number of new leads in an hour is an alarm, and never fewer than so many."""
WEEK = timedelta(days=7)

MANY_ACCOUNTS = "{reference}: more than {number} accounts gave this phone number. Please make sure who it is."
MANY_LEADS = "{number} new leads came within an hour, usually it is {usual}. Please look whether they are real."
LINES = (MANY_ACCOUNTS, MANY_LEADS)


def shared_number(db: Transaction, deployment: Deployment, lead: Lead, now: datetime) -> None:
    """Staff hear once of each lead whose number came with too many accounts. It stays a lead like any other."""
    if keys.accounts(db, lead["id"], "phone") <= ACCOUNTS:
        return
    if not marks.once(db, f"shared number:{lead['id']}", now):
        return
    leads.record(db, lead["id"], "number_shared", now)
    values = {"reference": leads.reference(lead["id"]), "number": str(ACCOUNTS)}
    _tell(db, deployment, MANY_ACCOUNTS, values, f"lead:{lead['id']}:shared", now)


def surge(db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Whether far more leads come than usual: told once an hour, to the staff group and in the audit."""
    since = now - timedelta(hours=1)
    new = leads.raised_between(db, since, now)
    if new < FEWEST:
        return False
    usual = leads.raised_between(db, since - WEEK, since) / (WEEK / timedelta(hours=1))
    key = f"surge:{now:%Y-%m-%dT%H}"
    if new < TIMES * usual or not marks.once(db, key, now):
        return False
    audit.record(db, "leads.surge", detail=str(new))
    _tell(db, deployment, MANY_LEADS, {"number": str(new), "usual": f"{usual:.1f}"}, key, now)
    return True


def _tell(
    db: Transaction, deployment: Deployment, line: str, values: dict[str, str], key: str, now: datetime
) -> None:
    if not deployment.staff_group:
        return
    cards = cards_for(deployment, deployment.library.newest(deployment.trial), deployment.staff_language)
    told = Envelope(cards.line(line, **values))
    outbox.put(db, deployment.staff_channel, deployment.staff_group, told, key, now, priority=outbox.STAFF)
