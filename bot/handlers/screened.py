"""Screened: the outcome is kept for counting, and staff who have a lead learn that an answer changed."""

from bot.handlers.happening import Happening
from bot.handlers.lead_raised import tell_changed
from bot.store import conversations, leads
from bot.store.transaction import Transaction
from flows.turn import Screened

WORSE = ("REVIEW", "WAIT", "OUT")


def screened(db: Transaction, happening: Happening, event: Screened) -> None:
    """What changed stays with the person until they tap Send again; that it changed does not."""
    found = " ".join(f"{one.criterion}:{one.status}" for one in event.verdict.findings if one.status in WORSE)
    conversations.note(db, happening.kept.id, outcome=event.verdict.outcome, findings=found, remind_on=None)
    db.counts["completed", ""] += 1
    db.counts["outcomes", event.verdict.outcome or "open"] += 1
    trial = happening.flow.trial.slug
    lead = leads.open_of(db, happening.kept.channel, happening.kept.chat, trial)
    if lead is None or not happening.after.raised:
        return
    leads.change(db, lead["id"], happening.now, changed=True)
    tell_changed(db, happening, lead["id"])
