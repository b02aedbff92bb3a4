"""What the page of a chat shows: read here, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import func, select

from bot.store import vault
from bot.store.tables import ConversationRow, MessageRow
from bot.store.transaction import Transaction

_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_message = MessageRow.__table__  # type: ignore[attr-defined]

LONGEST = 300
"""Messages of one chat that its page shows: the newest."""


def transcript(db: Transaction, channel: str, chat: str, after: int = 0) -> list[dict[str, Any]]:
    """What was said in a chat, in order: id, conversation_id, outgoing, text, step, page and at."""
    said = (
        select(
            *(_message.c.id, _message.c.conversation_id, _message.c.outgoing, _message.c.text),
            *(_message.c.step, _message.c.page, _message.c.at),
        )
        .join(_conversation, _conversation.c.id == _message.c.conversation_id)
        .where(_conversation.c.channel == channel, _conversation.c.chat == chat, _message.c.id > after)
        .order_by(_message.c.id.desc())
        .limit(LONGEST)
    )
    return vault.opened(db, "message", reversed(list(db.execute(said).mappings())))


def newest(db: Transaction, channel: str, chats: Collection[str]) -> Mapping[str, int]:
    """The id of the last message of each of these chats; a chat without any is not there."""
    last = (
        select(_conversation.c.chat, func.max(_message.c.id))
        .join(_message, _message.c.conversation_id == _conversation.c.id)
        .where(_conversation.c.channel == channel, _conversation.c.chat.in_(list(chats)))
        .group_by(_conversation.c.chat)
    )
    return dict(list(map(tuple, db.execute(last))))
