"""What each event of a turn does to the rows, inside the turn's own transaction. One file per event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.handlers import answers, consents, ended, lead_raised, request, screened, wishes
from bot.handlers.happening import Happening
from bot.store.transaction import Transaction
from flows import turn

Handler = Callable[[Transaction, Happening, Any], Mapping[str, str] | None]

HANDLERS: Mapping[type, Handler] = {
    turn.Answered: answers.answered,
    turn.Cleared: answers.cleared,
    turn.Screened: screened.screened,
    turn.LeadRaised: lead_raised.lead_raised,
    turn.ReminderWished: wishes.reminder_wished,
    turn.NoticesWished: wishes.notices_wished,
    turn.StatusWished: request.status_wished,
    turn.TimesWished: request.times_wished,
    turn.SlotPicked: request.slot_picked,
    turn.ConsentsWished: consents.wished,
    turn.ConsentTakenBack: consents.taken_back,
    turn.PersonWished: request.person_wished,
    turn.CarryWished: wishes.carry_wished,
    turn.Withdrawn: request.withdrawn,
    turn.SafetyShown: ended.safety_shown,
    turn.Ended: ended.ended,
    turn.Deleted: ended.deleted,
}


def handle(db: Transaction, happening: Happening, event: turn.Event) -> Mapping[str, str]:
    """Applies one event; returns what the words to the person may mention because of it."""
    return HANDLERS[type(event)](db, happening, event) or {}
