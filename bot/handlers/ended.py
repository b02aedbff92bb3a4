"""Ended, Deleted and SafetyShown: what is kept, and what is not."""

import logging

from bot.desk import lead as life
from bot.desk import notices
from bot.desk.telling import ALARMED, STOPPED, tell_holder
from bot.handlers.happening import Happening
from bot.messages import MAIL, Envelope
from bot.store import audit, consents, conversations, details, leads, outbox, staff, tombstones
from bot.store.leads import Lead
from bot.store.transaction import Transaction
from flows.turn import Deleted, Ended, SafetyShown

log = logging.getLogger(__name__)


def ended(db: Transaction, happening: Happening, event: Ended) -> None:
    """Somebody who declined is not kept at all; any other end waits for the retention sweep."""
    kept = happening.kept
    if event.end == "declined":
        conversations.erase(db, kept.channel, kept.chat)
    elif kept.held_by is not None:
        holder = kept.held_by
        conversations.hold(db, kept, None)
        lead = leads.open_of(db, kept.channel, kept.chat, happening.flow.trial.slug)
        if lead is not None:
            leads.record(db, lead["id"], "handed_back", happening.now)
            tell_holder(db, happening.deployment, lead, holder, STOPPED, _name(happening), happening.now)


def deleted(db: Transaction, happening: Happening, event: Deleted) -> dict[str, str]:
    """Everything goes, also from a lead that staff already have; they see that it was withdrawn.

    What is left is a keyed hash, by which a late update, a webhook that comes again or an old copy of the database
    is known. The person gets a reference to it.
    """
    kept, told = happening.kept, False
    for lead in leads.of_chat(db, kept.channel, kept.chat):
        if lead["status"] != "withdrawn":
            withdraw(db, happening, lead)
            told = True
    audit.record(db, "erased", conversation=kept.tag)
    conversations.erase(db, kept.channel, kept.chat)
    stone = tombstones.bury(db, kept.channel, kept.chat, happening.now)
    log.info("erased %s at %s", stone, happening.now.isoformat())  # known from here after an old copy was restored
    return {"receipt": tombstones.reference(stone), **({"told_site": "yes"} if told else {})}


def withdraw(db: Transaction, happening: Happening, lead: Lead) -> None:
    """Nothing of the person stays in a lead, and staff hear of it. Who talked with them does so no more."""
    kept, now = happening.kept, happening.now
    conversations.hold(db, kept, None)
    leads.change(
        db,
        lead["id"],
        now,
        status=life.after(lead["status"], "withdraw"),
        reason="withdrawn",
        **leads.BLANK,
    )
    leads.record(db, lead["id"], "withdrawn", now)
    details.forget(db, lead["id"])
    if lead["merged_into"] is not None:  # who works the other one should know before they call
        leads.record(db, lead["merged_into"], "duplicate_withdrawn", now)
    if lead["conversation_id"] is not None:
        outbox.take_back_mail(db, MAIL, lead["conversation_id"])
    consents.take_back(db, kept.channel, kept.chat, "send", now)
    _tell_staff(db, happening, lead["id"], lead["owner_id"])


def _tell_staff(db: Transaction, happening: Happening, lead_id: int, owner_id: int | None) -> None:
    """The card says so, the group and the owner are told, and the call sheets are taken back."""
    deployment, now = happening.deployment, happening.now
    channel, group, cards = deployment.staff_channel, deployment.staff_group, happening.cards()
    lead = leads.get(db, lead_id)
    owner = staff.by_id(db, owner_id)
    sheets = outbox.take_back_sheets(db, lead_id)
    if lead is not None:
        notices.moved(db, deployment, lead, "withdrawn", _name(happening), now)
    if lead is not None and lead["notice"] and group:
        card = Envelope(cards.notice(lead).text, edits=lead["notice"])
        outbox.put(db, channel, group, card, f"lead:{lead_id}:card", now, priority=outbox.STAFF)
    line = cards.line(
        "{reference} was withdrawn by the person. All details are deleted. Please delete what you noted.",
        reference=leads.reference(lead_id),
    )
    for chat in sorted({group, str(owner["telegram_id"]) if owner else "", *sheets} - {""}):
        told = Envelope(line, deletes=tuple(sheets.get(chat, ())))
        key = f"lead:{lead_id}:withdrawn:{chat}"
        outbox.put(db, channel, chat, told, key, now, priority=outbox.STAFF)


def safety_shown(db: Transaction, happening: Happening, event: SafetyShown) -> None:
    """Only that a message was shown is noted; what was written is not. Who talks with the person is told that."""
    log.info("safety message %s shown", event.sign)
    kept = happening.kept
    if kept.held_by is None:
        return
    lead = leads.open_of(db, kept.channel, kept.chat, happening.flow.trial.slug)
    if lead is not None:
        tell_holder(db, happening.deployment, lead, kept.held_by, ALARMED, _name(happening), happening.now)


def _name(happening: Happening) -> str:
    """What no other turn is called."""
    return f"{happening.kept.tag}:{happening.kept.revision}"
