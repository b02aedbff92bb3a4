"""Who gets in: sessions, and forms that only our pages can send."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.desk import sign_in
from bot.desk.pages.room import COOKIE, ROOT, WISH, Caller, go, origin_of, render, room_of, same
from bot.shield import SAFE, is_ours
from bot.store import sessions

log = logging.getLogger(__name__)

QUIET = "x-quiet"
"""The header of what a page asks for by itself, which keeps no session awake."""
TOUCH = timedelta(seconds=30)


class SignInFirst(Exception):
    """Nobody is signed in, or no longer."""


class NotOurs(Exception):
    """The form did not come from a page of ours, or from another session's."""


async def outside(request: Request) -> None:
    """For every page: who is there, if anybody; and whether what is posted came from a page of ours."""
    room = room_of(request)
    token = request.cookies.get(COOKIE, "")[:100]
    found = await room.look(lambda db: sign_in.signed_in(db, token, room.clock())) if token else None
    request.state.caller = Caller(found[0], token, room.csrf(token)) if found else None
    request.state.seen_at = found[1] if found else None
    if request.method not in SAFE and not is_ours(request, origin_of(room.deployment.desk_url)):
        raise NotOurs


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
