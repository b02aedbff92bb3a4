"""ReminderWished and NoticesWished: what the person asked to hear of later."""

from bot.handlers.happening import Happening
from bot.store import conversations
from bot.store.transaction import Transaction
from flows.turn import NoticesWished, ReminderWished


def reminder_wished(db: Transaction, happening: Happening, event: ReminderWished) -> None:
    conversations.note(db, happening.kept.id, remind_on=event.verdict.eligible_from)


def notices_wished(db: Transaction, happening: Happening, event: NoticesWished) -> None:
    kept = happening.kept
    conversations.add_interest(db, kept.channel, kept.chat, happening.after.locale, happening.now)
