"""Which routes hear of a lead, and what: group, site's mailbox, webhook. No name, no contact, no health word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.deployment import Deployment
from bot.desk.cards import GROUP, TAG, Cards, cards_for
from bot.desk.letters import site_name
from bot.messages import HOOK, MAIL, SUBSCRIBER, Envelope, lane_of
from bot.store import conversations, outbox, sites
from bot.store.conversations import Kept
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction
from flows.flow import Flow
from flows.speak import speak
from flows.turn import Tell

FEW = 10
"""New leads that may wait in the group's lane as one message each; more are told in one."""
LISTED, BUTTONS = 30, 20
"""Pieces of the list of references, and buttons to claim by, in a digest."""

SUBJECT = "New lead {reference}"
MAIL_LINES = (
    "A new lead waits: {reference}",
    "Trial: {trial}",
    "Site: {site}, {city}",
    "First call by: {due}",
)
OPEN = "Open it here: {link}"
OPEN_CHAT = "Open it in the staff group, or write /queue to the bot."
NO_REPLY = "This mail was written by a program. Details are never sent by mail."
DIGEST = "{number} new leads wait: {references}"
DIGEST_MORE = "Claim one here, or write /queue to the bot for the others."
WAITING = "Waiting for somebody: {references}"
CLAIM = "Claim {reference}"
LINES = (SUBJECT, *MAIL_LINES, OPEN, OPEN_CHAT, NO_REPLY, DIGEST, DIGEST_MORE, WAITING, CLAIM)

EVENTS = {
    "raised": "lead.raised",
    "claimed": "lead.claimed",
    "reassigned": "lead.claimed",
    "close": "lead.closed",
    "withdrawn": "lead.withdrawn",
}
"""What other systems are told that something is called; anything else is ``lead.changed``."""

COPY = ("mail_thanks", "mail_reference", "mail_due", "mail_withdraw", "mail_no_reply")
"""The lines of the frame's that a person gets by mail."""


def raised(db: Transaction, deployment: Deployment, flow: Flow, lead: Lead, now: datetime) -> None:
    """A new lead: staff hear of it by every way there is, and by none of them who it is."""
    _tell_group(db, deployment, flow, lead, now)
    tell_site(db, deployment, flow, lead, now)
    moved(db, deployment, lead, "raised", "", now)


def _tell_group(db: Transaction, deployment: Deployment, flow: Flow, lead: Lead, now: datetime) -> None:
    """One card each, until more than a few wait: from then on they wait together, as one message."""
    channel, group = deployment.staff_channel, deployment.staff_group
    if not group:
        return
    cards = cards_for(deployment, flow, deployment.staff_language, sites.zones(db, flow.trial.slug))
    waiting = outbox.notices(db, channel, group)
    together = len(waiting) >= FEW or any(one.digest for one in waiting)
    if together and conversations.lock_free(db, {lane_of(channel, group)}):  # nobody sends one of them just now
        told = [number for one in waiting for number in one.leads] + [lead["id"]]
        outbox.merge(db, waiting, told, digest(cards, told))
        return
    card, key = cards.notice(lead), f"lead:{lead['id']}:notice"
    outbox.put(db, channel, group, card, key, now, lead_id=lead["id"], priority=outbox.STAFF)


def tell_site(db: Transaction, deployment: Deployment, flow: Flow, lead: Lead, now: datetime) -> None:
    """A mail to the mailbox of the site, once for each lead that goes there."""
    site = sites.now(db, flow, lead["site"])
    if not deployment.mail or not site.email:
        return
    cards = cards_for(deployment, flow, deployment.staff_language)
    values = {
        "reference": reference(lead["id"]),
        "trial": flow.trial.code,
        "site": site_name(cards, site),
        "city": cards.patient.text(f"{flow.trial.slug}.site", site.city),
        "due": cards.words.moment(lead["due_at"].astimezone(site.zone)),
        "link": link(deployment, lead["id"]),
    }
    ways = OPEN if values["link"] else OPEN_CHAT
    text = "\n".join(cards.line(line, **values) for line in (*MAIL_LINES, ways))
    key = f"lead:{lead['id']}:mail:{site.key}"
    envelope = Envelope(f"{text}\n\n{cards.line(NO_REPLY)}", subject=cards.line(SUBJECT, **values), key=key)
    outbox.put(db, MAIL, site.email, envelope, key, now, lead_id=lead["id"], priority=outbox.STAFF)


def moved(db: Transaction, deployment: Deployment, lead: Lead, what: str, key: str, now: datetime) -> None:
    """Another system hears what became of a lead. ``key`` is what no other step of this lead is called."""
    if not deployment.hook:
        return
    event = {
        "type": EVENTS.get(what, "lead.changed"),
        "timestamp": now.isoformat(),
        "data": {
            "reference": reference(lead["id"]),
            "trial": deployment.library.newest(lead["trial"]).trial.code,
            "site": lead["site"],
            "status": lead["status"],
            "outcome": lead["outcome"],
            "source": lead["source"],
            "link": link(deployment, lead["id"]),
        },
    }
    name = f"lead:{lead['id']}:event:{what}:{key}"
    envelope = Envelope(json.dumps(event, ensure_ascii=False), key=name)
    outbox.put(db, HOOK, SUBSCRIBER, envelope, name, now, priority=outbox.STAFF)


def link(deployment: Deployment, lead_id: int) -> str:
    """Where a lead is found in the web inbox, behind its sign-in; "" where there is none."""
    return f"{deployment.desk_url}/desk/leads/{reference(lead_id)}" if deployment.desk_url else ""


# ---------------------------------------------------------------------- several at once


def digest(cards: Cards, lead_ids: Sequence[int]) -> Envelope:
    """Several new leads in one message for the group, with buttons to claim the first of them."""
    number = cards.words.number(len(lead_ids))
    head = cards.line(DIGEST, number=number, references=_listed(lead_ids))
    more = [cards.line(DIGEST_MORE)] if len(lead_ids) > BUTTONS else []
    return Envelope("\n".join([head, *more]), _claims(cards, lead_ids, GROUP))


def waiting(cards: Cards, lead_ids: Sequence[int], chat: str) -> Envelope:
    """Leads that nobody owns, for a member of staff in their own chat."""
    return Envelope(cards.line(WAITING, references=_listed(lead_ids)), _claims(cards, lead_ids, chat))


def _claims(cards: Cards, lead_ids: Sequence[int], chat: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    buttons = [
        (cards.line(CLAIM, reference=reference(number)), cards.buttons.seal(TAG, chat, f"{number}.claim.digest"))
        for number in lead_ids[:BUTTONS]
    ]
    return tuple(tuple(buttons[at : at + 2]) for at in range(0, len(buttons), 2))


def _listed(lead_ids: Sequence[int]) -> str:
    """References in order, those in a row by the first and the last: K-0001–K-0011, K-0013."""
    runs: list[list[int]] = []
    for number in sorted(lead_ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    said = [reference(first) if first == last else f"{reference(first)}–{reference(last)}" for first, last in runs]
    return ", ".join([*said[:LISTED], *(["…"] if len(said) > LISTED else [])])


# ---------------------------------------------------------------------- the person


def copy_to_person(
    db: Transaction,
    deployment: Deployment,
    flow: Flow,
    kept: Kept,
    lead: Lead,
    facts: Mapping[str, str],
    now: datetime,
) -> bool:
    """Where the request went, by mail to the address that the person gave. Returns whether one goes.

    ``facts`` are what the chat tells, too: reference, due day, phone. What was answered is in no mail.
    """
    address = lead["contact"].get("email")
    if not deployment.mail or not isinstance(address, str) or "@" not in address:
        return False
    words = deployment.languages.patient(lead["locale"])
    told = [Tell(line, {"site": lead["site"]}) for line in ("mail_subject", *COPY)]
    subject, *lines = (one.text for one in speak(flow, kept.conversation, told, words, facts))
    key = f"lead:{lead['id']}:copy:{kept.tag}:{kept.revision}"
    envelope = Envelope("\n\n".join(lines), to=address, subject=subject, key=key)
    outbox.put(db, MAIL, f"lead-{lead['id']}", envelope, key, now, conversation_id=kept.id)
    return True
