"""Screened: the outcome is kept for counting, and an open lead learns of a changed verdict."""

from sqlalchemy import Connection

from bot.handlers.happening import Happening
from bot.handlers.lead_raised import flags_of, tell_changed
from bot.store import conversations, leads
from flows.turn import Screened


def screened(db: Connection, happening: Happening, event: Screened) -> None:
    verdict = event.verdict
    conversations.note(db, happening.kept.id, outcome=verdict.outcome, remind_on=None)
    trial = happening.flow.trial.slug
    lead = leads.open_of(db, happening.kept.channel, happening.kept.chat, trial)
    if lead is None or not happening.after.raised:
        return
    leads.change(
        db,
        lead["id"],
        happening.now,
        outcome=verdict.outcome,
        eligible_from=verdict.eligible_from,
        flags=flags_of(verdict, happening.after),
        changed=True,
    )
    tell_changed(db, happening, lead["id"])
