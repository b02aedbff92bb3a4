"""Answered and Cleared: one more revision of an answer."""

from bot.handlers import consents
from bot.handlers.happening import Happening
from bot.store import consents as given
from bot.store import conversations, outbox
from bot.store.transaction import Transaction
from flows.flow import CONSENT
from flows.turn import Answered, Cleared


def answered(db: Transaction, happening: Happening, event: Answered) -> None:
    conversations.add_answer(db, happening.kept, event.step, event.answer, happening.now)
    db.counts["answers", event.step] += 1
    if event.answer.value is None:
        db.counts["not_sure", event.step] += 1
    if event.step == CONSENT and event.answer.value != "no":
        consents.given(db, happening, "health", happening.flow.step_by_id[event.step])
    outbox.was_seen(db, happening.kept.lane, happening.kept.id)


def cleared(db: Transaction, happening: Happening, event: Cleared) -> None:
    conversations.add_answer(db, happening.kept, event.step, None, happening.now)
    if event.step == CONSENT:
        given.take_back(db, happening.kept.channel, happening.kept.chat, "health", happening.now)
