"""What a person is told of their lead between their own turns: in their chat and language, and kept with it."""

from __future__ import annotations

from datetime import datetime

from bot.deployment import Deployment
from bot.messages import Envelope
from bot.store import conversations, outbox
from bot.store.leads import Lead
from bot.store.transaction import Transaction
from flows.speak import speak
from flows.turn import Tell


def tell_person(
    db: Transaction, deployment: Deployment, lead: Lead, line: str, key: str, now: datetime, **values: str
) -> bool:
    """Tells a line of the frame's. ``key`` names what it follows from: the same is told once.

    False if there is nobody to tell: the chat or the conversation is gone.
    """
    kept = conversations.by_id(db, lead["conversation_id"]) if lead["conversation_id"] is not None else None
    if kept is None or not lead["chat"]:
        return False
    flow = deployment.library.flow(kept.conversation.flow)
    words = deployment.languages.patient(kept.conversation.locale)
    for number, speech in enumerate(speak(flow, kept.conversation, [Tell(line, values)], words)):
        name = f"lead:{lead['id']}:{line}:{key}:{number}"
        outbox.put(db, lead["channel"], lead["chat"], Envelope(speech.text), name, now)
        step = kept.conversation.step
        conversations.add_message(db, kept.id, speech.text, now, outgoing=True, step=step)
    return True
