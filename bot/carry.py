"""A conversation goes on in another place, with all that hangs on it: by a code, once, in one transaction."""

from __future__ import annotations

from datetime import datetime

from bot.deployment import Deployment
from bot.desk.telling import tell
from bot.messages import WEB, Envelope, lane_of
from bot.store import carries, conversations, leads, outbox
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from flows.engine import again
from flows.turn import Say, Tell

PREFIX = "on-"
"""How the payload of a start link begins that carries a conversation over."""


def on(db: Transaction, deployment: Deployment, code: str, channel: str, chat: str, now: datetime) -> Kept | None:
    """Moves the conversation behind a code to this chat, and asks there what is open. None if the code is no good.

    Nothing is lost and nothing doubled: answers, transcript, leads, who of the staff talks here, and what waits to
    be sent all go along. The old place is told where it went on.
    """
    lane, to = carries.lane_behind(db, code, now), lane_of(channel, chat)
    if not lane or lane == to:
        return None
    conversations.lock(db, {lane, to})
    here, _, old = lane.partition(":")
    kept = conversations.current(db, here, old)
    if kept is None or _both_sent(db, deployment, kept, channel, chat) or not carries.take(db, code, to):
        return None
    if here == WEB:
        outbox.stop_lane(db, here, old)  # its page has shown all of it
    else:
        outbox.carry(db, lane, channel, chat)
    conversations.move(db, kept, channel, chat, now)
    flow = deployment.library.flow(kept.conversation.flow)
    said: list[Say] = [Tell("carried")]
    said += again(flow, kept.conversation, now) if kept.held_by is None else ()
    tell(db, deployment, kept, said, f"carry:{kept.tag}:{kept.revision}", now)
    if here != WEB:
        words = deployment.languages.patient(kept.conversation.locale)
        gone = Envelope(words.text("say.carried_away", flow.says["carried_away"]))
        outbox.put(db, here, old, gone, f"carry:{kept.tag}:{kept.revision}:away", now)
    return kept


def _both_sent(db: Transaction, deployment: Deployment, kept: Kept, channel: str, chat: str) -> bool:
    """Whether there is a request in both places: a person has one for a trial, and staff put two together."""
    slug = deployment.library.flow(kept.conversation.flow).trial.slug
    return all(leads.open_of(db, *where, slug) for where in ((kept.channel, kept.chat), (channel, chat)))
