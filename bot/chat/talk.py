"""The chat itself: the page, what is said in it, and the small things around it. No script is needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.channels.web import NAME, chat_of, parse
from bot.chat.room import (
    LOOK,
    SIZES,
    SOURCES,
    THEMES,
    Tongue,
    chat_here,
    common,
    environment,
    go,
    is_framed,
    language_of,
    new_token,
    remember,
    render,
    room_of,
    same,
    token_of,
)
from bot.chat.view import View, draft_of, see
from bot.messages import Inbound
from bot.shield import is_ours
from bot.store import carries, conversations
from flows.flow import CONSENT

log = logging.getLogger(__name__)

SCRIPT = "x-chat"
"""The header of our script: it gets what is new, not a page."""
QUICK = {"Retry-After": "2"}


def tongue_for(request: Request, tag: str = "") -> Tongue:
    """The words for somebody whose chat is not at hand."""
    room = room_of(request)
    return Tongue(room.flow(), room.deployment.languages.patient(tag or language_of(request)))


async def page(request: Request) -> Response:
    """The chat as it is; the first question for somebody new, of whom nothing is kept until they answer it."""
    room, chat = room_of(request), chat_here(request)
    view = await room.look(lambda db: see(db, room, chat)) if chat else None
    if view is not None:
        return drawn(request, view)
    went = await room.look(lambda db: carries.went(db, NAME, chat)) if chat else ""
    if went:
        return render(request, "went.html", tongue_for(request), telegram=room.telegram_name)
    return first(request)


def first(request: Request, status: int = 200, trouble: str = "") -> Response:
    room, tongue = room_of(request), tongue_for(request)
    source = request.query_params.get("s", "")
    step = room.flow().steps[0]
    hello = tongue.words.text(step.context, step.text)
    title = tongue.words.text(f"{room.flow().trial.slug}.trial", room.flow().trial.short_title)
    values = {
        "hello": hello.replace("{short_title}", title),
        "languages": room.deployment.languages.names,
        "source": source if SOURCES.fullmatch(source) else "",
        "cookies": request.query_params.get("new") == "1",
        "trouble": trouble,
    }
    return render(request, "first.html", tongue, status, **values)


async def start(request: Request) -> Response:
    """Begins a chat: only now a browser gets a token, and only its hash is stored."""
    room = room_of(request)
    if not is_ours(request, room.origin):
        return first(request, 403, "web_too_old")
    chat = chat_here(request)
    if chat and await room.look(lambda db: conversations.current(db, NAME, chat)) is not None:
        return go(request, "/chat")  # pressed twice, or in two windows
    if room.births.wait(address_of(request), time.monotonic()) > 0:
        return first(request, 429, "web_too_fast")
    form = await request.form()
    tag, source = _field(form, "language"), _field(form, "source")
    tag = tag if tag in room.deployment.languages.names else language_of(request)
    token = new_token()
    chat = chat_of(token)
    source = source if SOURCES.fullmatch(source) else ""
    try:
        await room.take(Inbound(NAME, f"{chat}:start", chat, chat, "start", text=source, language=tag))
        chosen = room.deployment.languages.names[tag]
        await room.take(Inbound(NAME, f"{chat}:language", chat, chat, "text", text=chosen, language=tag))
    except Exception as error:
        log.error("a chat could not begin: %s", type(error).__name__)
        return first(request, 503, "web_trouble")
    here = {"new": "1", "lang": tag} | ({"s": source} if source else {})  # for a browser that keeps no cookie
    answer = go(request, f"/chat?{urlencode(here)}")
    remember(request, answer, token)
    return answer


async def say(request: Request) -> Response:
    """Takes an answer. It is committed before anything is answered, and the same one counts once."""
    room, token, chat = room_of(request), token_of(request), chat_here(request)
    form = await request.form()
    if not token or not is_ours(request, room.origin) or not same(_field(form, "csrf"), room.csrf(token)):
        return refused(request)
    before = await room.look(lambda db: see(db, room, chat))
    if before is None:
        return _gone(request)
    now = time.monotonic()
    wait = max(room.pace.wait(chat, now), room.crowd.wait(address_of(request), now))
    if wait > 0:
        return _not_taken(request, before, form, 429, "web_too_fast")
    try:
        inbound = parse(chat, _fields(form), language_of(request))
    except ValueError:
        return refused(request)
    if inbound is not None:
        try:
            await room.take(inbound)
        except Exception as error:
            log.error("an answer could not be taken: %s", type(error).__name__)
            return _not_taken(request, before, form, 503, "web_trouble")
        room.web.wake(chat)
    after = await room.look(lambda db: see(db, room, chat))
    if after is None:
        consented = CONSENT in before.kept.conversation.answers
        return _gone(request, "deleted" if consented else "declined", before.tongue.words.locale)
    if SCRIPT not in request.headers:
        return go(request, f"/chat#m{after.now}")
    since = _field(form, "since")
    return JSONResponse(news(request, after, int(since) if since.isdecimal() else 0, _field(form, "lang")))


def news(request: Request, view: View, since: int, lang: str = "") -> dict[str, Any]:
    """What is new since a message, as our script puts it into the page."""
    if lang and lang != view.tongue.lang:
        return {"reload": True}
    values = {**common(request, view.tongue), "view": view}
    items = environment().get_template("_items.html")
    return {
        "items": items.render({**values, "messages": [m for m in view.messages if m.id > since]}),
        "open": environment().get_template("_open.html").render(values),
        "turn": view.turn,
        "last": view.last,
        "now": view.now,
    }


def drawn(request: Request, view: View, status: int = 200, trouble: str = "", draft: str = "") -> Response:
    """The whole page. ``draft`` is what was typed and not taken."""
    telegram = room_of(request).telegram_name
    values = {"view": view, "messages": view.messages, "trouble": trouble, "draft": draft, "telegram": telegram}
    return render(request, "chat.html", view.tongue, status, **values)


def _not_taken(request: Request, view: View, form: FormData, status: int, line: str) -> Response:
    if SCRIPT in request.headers:
        return JSONResponse({"trouble": view.tongue(line)}, status, headers=QUICK)
    answer = drawn(request, view, status, line, draft_of(form))
    answer.headers.update(QUICK)
    return answer


def _gone(request: Request, what: str = "", tag: str = "") -> Response:
    """The chat is not there any more: the browser forgets it, too, and is told so once."""
    answer = go(request, f"/chat/bye?what={what}&lang={tag}" if what else "/chat")
    if SCRIPT in request.headers:
        answer = JSONResponse({"go": answer.headers["location"]})
    if what:
        remember(request, answer, "")
    return answer


async def bye(request: Request) -> Response:
    """The last words, which nothing is kept of."""
    tongue = tongue_for(request)
    said = tongue("web_deleted")
    if request.query_params.get("what") == "declined":
        said = tongue.words.text("ends", room_of(request).flow().ends["declined"])
    return render(request, "bye.html", tongue, said=said)


def refused(request: Request) -> Response:
    """A form that is not ours, or too old. Our script opens the page anew."""
    if SCRIPT in request.headers:
        return JSONResponse({"reload": True}, 403)
    return render(request, "trouble.html", tongue_for(request), 403, line="web_too_old")


async def look(request: Request) -> Response:
    """Remembers how somebody likes to read, in their browser only."""
    if not is_ours(request, room_of(request).origin):
        return refused(request)
    form = await request.form()
    theme, size = _field(form, "theme"), _field(form, "size")
    theme, size = theme if theme in THEMES else "auto", size if size in SIZES else "1"
    back = _field(form, "back")
    answer = go(request, back if back in ("/", "/chat", "/chat/copy") else "/chat")
    how = "SameSite=None; Partitioned" if is_framed(request) else "SameSite=Lax"
    answer.headers.append("set-cookie", f"{LOOK}={theme}.{size}; Path=/; Max-Age=31536000; Secure; HttpOnly; {how}")
    return answer


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _fields(form: FormData) -> Mapping[str, list[str]]:
    return {name: [value for value in form.getlist(name) if isinstance(value, str)] for name in form}


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


routes = [
    Route("/chat", page),
    Route("/chat/start", start, methods=["POST"]),
    Route("/chat/say", say, methods=["POST"]),
    Route("/chat/look", look, methods=["POST"]),
    Route("/chat/bye", bye),
]
