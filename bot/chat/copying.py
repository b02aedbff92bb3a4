"""A copy of one's own answers, to print or to keep."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.channels.web import NAME
from bot.chat.room import Room, Tongue, chat_here, go, render, room_of
from bot.store import conversations
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from flows.engine import today_of
from flows.speak import summary


async def copy(request: Request) -> Response:
    room, chat = room_of(request), chat_here(request)
    kept = await room.look(lambda db: _kept(db, chat)) if chat else None
    if kept is None:
        return go(request, "/chat")
    flow = room.deployment.library.flow(kept.conversation.flow)
    tongue = Tongue(flow, room.deployment.languages.patient(kept.conversation.locale))
    day = tongue.words.day(today_of(flow, room.clock()))
    return render(request, "copy.html", tongue, lines=_lines(room, kept, tongue), day=day)


def _kept(db: Transaction, chat: str) -> Kept | None:
    return conversations.current(db, NAME, chat)


def _lines(room: Room, kept: Kept, tongue: Tongue) -> list[tuple[str, str]]:
    """Each answer by its short name, contact details too."""
    return summary(tongue.flow, kept.conversation, tongue.words)


routes = [Route("/chat/copy", copy)]
