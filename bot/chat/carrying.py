"""From the browser into Telegram, and from there into the browser: one-time codes, and what to do with them."""

from __future__ import annotations

import logging
import time
from functools import partial

import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot import carry
from bot.channels.web import NAME, chat_of
from bot.chat.room import chat_here, go, new_token, remember, render, room_of, same, token_of
from bot.chat.talk import address_of, first, refused, tongue_for
from bot.chat.view import see
from bot.shield import is_ours
from bot.store import carries

log = logging.getLogger(__name__)


async def away(request: Request) -> Response:
    """A link into Telegram, good for minutes and once. It is shown here, and kept as a hash only."""
    room, token, chat = room_of(request), token_of(request), chat_here(request)
    form = await request.form()
    brought = form.get("csrf")
    if not token or not isinstance(brought, str) or not same(brought, room.csrf(token)):
        return refused(request)
    if not is_ours(request, room.origin) or not room.telegram_name:
        return refused(request)
    view = await room.look(lambda db: see(db, room, chat))
    if view is None:
        return go(request, "/chat")
    if room.births.wait(address_of(request), time.monotonic()) > 0:
        return first(request, 429, "web_too_fast")
    code = await room.write(lambda db: carries.make(db, NAME, chat, room.clock()))
    link = f"https://t.me/{room.telegram_name}?start={carry.PREFIX}{code}"
    picture = segno.make(link).svg_data_uri(border=0, scale=4)
    return render(request, "carry.html", view.tongue, link=link, qr=picture)


async def door(request: Request) -> Response:
    """Opening a link moves nothing yet: messengers open links by themselves to show what is there."""
    return render(request, "door.html", tongue_for(request), code=request.path_params["code"])


async def here(request: Request) -> Response:
    """The conversation goes on in this browser."""
    room = room_of(request)
    if not is_ours(request, room.origin):
        return refused(request)
    if room.births.wait(address_of(request), time.monotonic()) > 0:
        return first(request, 429, "web_too_fast")
    token = token_of(request) or new_token()
    code, chat = request.path_params["code"], chat_of(token)
    moving = partial(carry.on, deployment=room.deployment, code=code, channel=NAME, chat=chat, now=room.clock())
    if await room.write(moving) is None:
        return render(request, "trouble.html", tongue_for(request), 410, line="carry_stale")
    answer = go(request, "/chat?new=1")
    remember(request, answer, token)
    return answer


async def anew(request: Request) -> Response:
    """Forgets a chat that went on elsewhere, to begin a new one in this browser."""
    room = room_of(request)
    if not is_ours(request, room.origin):
        return refused(request)
    answer = go(request, "/chat")
    remember(request, answer, "")
    return answer


routes = [
    Route("/chat/carry", away, methods=["POST"]),
    Route("/chat/carry/{code}", door),
    Route("/chat/carry/{code}", here, methods=["POST"]),
    Route("/chat/new", anew, methods=["POST"]),
]
