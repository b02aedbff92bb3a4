"""ReminderWished and NoticesWished: what the person asked to hear of later."""

from sqlalchemy import Connection

from bot.handlers.happening import Happening
from bot.store import conversations
from flows.turn import NoticesWished, ReminderWished


def reminder_wished(db: Connection, happening: Happening, event: ReminderWished) -> None:
    conversations.note(db, happening.kept.id, remind_on=event.verdict.eligible_from)


def notices_wished(db: Connection, happening: Happening, event: NoticesWished) -> None:
    kept = happening.kept
    conversations.add_interest(db, kept.channel, kept.chat, happening.after.locale, happening.now)
