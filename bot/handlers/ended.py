"""Ended, Deleted and SafetyShown: what is kept, and what is not."""

import logging

from bot.desk import lead as life
from bot.handlers.happening import Happening
from bot.messages import Envelope
from bot.store import conversations, details, leads, outbox, staff
from bot.store.transaction import Transaction
from flows.turn import Deleted, Ended, SafetyShown

log = logging.getLogger(__name__)


def ended(db: Transaction, happening: Happening, event: Ended) -> None:
    """Somebody who declined is not kept at all; any other end waits for the retention sweep."""
    if event.end == "declined":
        conversations.erase(db, happening.kept.channel, happening.kept.chat)


def deleted(db: Transaction, happening: Happening, event: Deleted) -> None:
    """Everything goes, also from a lead that staff already have; they see that it was withdrawn."""
    kept, now = happening.kept, happening.now
    for lead in leads.of_chat(db, kept.channel, kept.chat):
        if lead["status"] == "withdrawn":
            continue
        leads.change(
            db,
            lead["id"],
            now,
            status=life.after(lead["status"], "withdraw"),
            reason="withdrawn",
            contact={},
            flags=[],
            chat="",
            outcome=None,
            eligible_from=None,
        )
        leads.record(db, lead["id"], "withdrawn", now)
        details.forget(db, lead["id"])
        if lead["merged_into"] is not None:  # who works the other one should know before they call
            leads.record(db, lead["merged_into"], "duplicate_withdrawn", now)
        _tell_staff(db, happening, lead["id"], lead["owner_id"])
    conversations.erase(db, kept.channel, kept.chat)


def _tell_staff(db: Transaction, happening: Happening, lead_id: int, owner_id: int | None) -> None:
    """The card says so, the group and the owner are told, and the call sheets are taken back."""
    deployment, now = happening.deployment, happening.now
    channel, group, cards = deployment.staff_channel, deployment.staff_group, happening.cards()
    lead = leads.get(db, lead_id)
    owner = staff.by_id(db, owner_id)
    sheets = outbox.take_back_sheets(db, lead_id)
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
    """Only that a message was shown is noted; what was written is not."""
    log.info("safety message %s shown", event.sign)
