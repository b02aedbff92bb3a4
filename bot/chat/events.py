"""What comes to a chat by itself, as server-sent events: resumed where the last one ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bot.channels.web import NAME
from bot.chat.room import Room, chat_here, room_of
from bot.chat.talk import news
from bot.chat.view import View, see
from bot.store import chats

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks for everybody who watches here. Wake-ups are only a hurry."""
BEAT = 15.0
"""Seconds after which an idle connection shows that it is there."""
WINDOWS, MOST = 6, 2000
"""Open connections of one chat, and of all here: whoever comes later looks by reloading."""


async def events(request: Request) -> Response:
    room, chat = room_of(request), chat_here(request)
    if not chat or room.web.looks(chat) >= WINDOWS or len(room.web.watched) >= MOST:
        return Response(status_code=204)  # a browser does not come again after this
    since = request.headers.get("last-event-id", "") or request.query_params.get("since", "")
    flow = _flow(request, room, chat, int(since) if since.isdecimal() else 0)
    return StreamingResponse(flow, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _flow(request: Request, room: Room, chat: str, since: int) -> AsyncIterator[str]:
    turn: int | None = None
    yield "retry: 2000\n\n"
    with room.web.watch(chat) as woken:
        _keep_looking(request.app.state, room)
        while not room.stop.is_set():
            woken.clear()
            view = await _view(room, chat)
            if view is not None and (view.last > since or (turn is not None and view.turn != turn)):
                yield f"id: {view.last}\ndata: {json.dumps(news(request, view, since))}\n\n"
                since = view.last
            if view is None and turn is not None:
                yield f"data: {json.dumps({'reload': True})}\n\n"
                return
            turn = view.turn if view is not None else turn
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_first(woken, room.stop), BEAT)
                continue
            yield ": here\n\n"


async def _view(room: Room, chat: str) -> View | None:
    return await room.look(lambda db: see(db, room, chat))


async def _first(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _keep_looking(state: object, room: Room) -> None:
    """One look a second for all who watch in this process; it ends when nobody does."""
    looking: asyncio.Task[None] | None = getattr(state, "looking", None)
    if looking is None or looking.done():
        state.looking = asyncio.create_task(_look(room))  # type: ignore[attr-defined]


async def _look(room: Room) -> None:
    known: dict[str, int] = {}
    while room.web.watched and not room.stop.is_set():
        watched = room.web.watched
        try:
            found = await room.look(lambda db, watched=watched: chats.newest(db, NAME, watched))  # type: ignore[misc]
        except Exception as error:
            log.warning("chats cannot be looked at now: %s", type(error).__name__)
            await asyncio.sleep(LOOK)
            continue
        for chat in watched:
            now = found.get(chat, 0)
            if known.get(chat, now) != now:
                room.web.wake(chat)
            known[chat] = now
        known = {chat: number for chat, number in known.items() if chat in watched}
        await asyncio.sleep(LOOK)


routes = [Route("/chat/events", events)]
