"""Answered and Cleared: one more revision of an answer."""

from sqlalchemy import Connection

from bot.handlers.happening import Happening
from bot.store import conversations, outbox
from flows.turn import Answered, Cleared


def answered(db: Connection, happening: Happening, event: Answered) -> None:
    conversations.add_answer(db, happening.kept.id, event.step, event.answer, happening.now)
    outbox.was_seen(db, happening.kept.id)


def cleared(db: Connection, happening: Happening, event: Cleared) -> None:
    conversations.add_answer(db, happening.kept.id, event.step, None, happening.now)
