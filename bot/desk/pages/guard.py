"""Who gets in: headers that give a page no more than it needs, sessions, and forms that only our pages can send."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.desk import sign_in
from bot.desk.pages.room import COOKIE, ROOT, WISH, Caller, go, origin_of, render, room_of, same
from bot.store import sessions

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
A_YEAR = "max-age=31536000; includeSubDomains"
BIGGEST = 64 * 1024
"""Bytes of a form."""
SAFE = ("GET", "HEAD", "OPTIONS")
QUIET = "x-quiet"
"""The header of what a page asks for by itself, which keeps no session awake."""
TOUCH = timedelta(seconds=30)


class SignInFirst(Exception):
    """Nobody is signed in, or no longer."""


class NotOurs(Exception):
    """The form did not come from a page of ours, or from another session's."""


class Shell:
    """Around all pages: headers on every answer, no body above ``BIGGEST``, and no stack to anybody."""

    def __init__(self, pages: ASGIApp, *, https: bool) -> None:
        self._pages, self._https = pages, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                if self._https:
                    headers["strict-transport-security"] = A_YEAR
            await send(message)

        if not _small(scope):
            await PlainTextResponse("too large\n", 413)(scope, receive, sending)
            return
        try:
            await self._pages(scope, receive, sending)
        except Exception as error:
            log.error("a page of the desk failed: %s", type(error).__name__)
            if not begun:
                await PlainTextResponse("something went wrong\n", 500)(scope, receive, sending)


def _small(scope: Scope) -> bool:
    """A body says how long it is: browsers do, and what streams without an end is none of theirs."""
    if scope["method"] in SAFE:
        return True
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) <= BIGGEST


async def outside(request: Request) -> None:
    """For every page: who is there, if anybody; and whether what is posted came from a page of ours."""
    room = room_of(request)
    token = request.cookies.get(COOKIE, "")[:100]
    found = await room.look(lambda db: sign_in.signed_in(db, token, room.clock())) if token else None
    request.state.caller = Caller(found[0], token, room.csrf(token)) if found else None
    request.state.seen_at = found[1] if found else None
    if request.method not in SAFE and not _ours(request, room.deployment.desk_url):
        raise NotOurs


def _ours(request: Request, address: str) -> bool:
    """By Sec-Fetch-Site, which no page can forge; a browser that is too old for it sends the Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin", "") == origin_of(address)


async def inside(request: Request) -> None:
    """For every page but those to sign in. Raises SignInFirst or NotOurs."""
    caller: Caller | None = request.state.caller
    if caller is None:
        raise SignInFirst
    if request.method not in SAFE:
        form = await request.form()
        brought = request.headers.get("x-csrf") or form.get("csrf")
        if not isinstance(brought, str) or not same(brought, caller.csrf):
            raise NotOurs
    room = room_of(request)
    now = room.clock()
    if QUIET not in request.headers and now - request.state.seen_at > TOUCH:
        await room.writer.write(lambda db: sessions.touch(db, sign_in.hashed(caller.token), now))


# ---------------------------------------------------------------------- what is answered then


async def to_sign_in(request: Request, _error: Exception) -> Response:
    """To the door; a lead that was asked for is opened afterwards."""
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": f"{ROOT}/sign-in"})
    answer = go("/sign-in")
    path = request.url.path.removeprefix(ROOT)
    if request.method == "GET" and path.startswith("/leads/K-"):
        keep(answer, WISH, path[1:30], 600)
    return answer


async def refused(request: Request, _error: Exception) -> Response:
    return render(request, "trouble.html", 403, what="forbidden")


async def not_there(request: Request, _error: Exception) -> Response:
    """What does not exist, and what does not exist for you."""
    return render(request, "trouble.html", 404, what="not_there")


async def unreadable(request: Request, _error: Exception) -> Response:
    return render(request, "trouble.html", 400, what="unreadable")


async def failed(request: Request, error: Exception) -> Response:
    log.error("a page of the desk failed: %s", type(error).__name__)
    return render(request, "trouble.html", 503, what="failed")


def keep(answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Sets a cookie that goes nowhere else, and that no script can read."""
    how: dict[str, Any] = {"path": "/", "secure": True, "httponly": True, "samesite": "lax"}
    answer.set_cookie(name, value, max_age=seconds, **how)


def drop(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
