"""The small web face: Telegram's webhook, and whether an update could be stored now. Loopback unless told."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from bot import crash
from bot.intake import Fate, Intake

log = logging.getLogger(__name__)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 (the header's name, not a secret)
BIGGEST = 1_000_000
"""Bytes of one update. Telegram's are far smaller."""
MOST = 200
"""Updates in hand at once; above it Telegram is asked to wait, which is true back-pressure."""
COME_BACK = {"Retry-After": "5"}
PATH, DESK, DEMO = "/telegram", "/desk", "/demo"
LAST_CALLS = 3
"""Seconds that calls already under way get when the process stops. One may never be sent to its end."""

Probe = Callable[[], Awaitable[None]]


def make(
    probe: Probe,
    ready: Probe,
    measure: Callable[[], Awaitable[bytes]],
    intake: Intake | None,
    secret: str,
    desk: ASGIApp | None = None,
    chat: ASGIApp | None = None,
    demo: ASGIApp | None = None,
) -> Starlette:
    """``intake`` and ``secret`` for the webhook; without them only the pages for those who run it are there.

    ``probe`` and ``ready`` raise when the answer is no; ``measure`` gives the page of the metrics. ``desk`` are
    the pages of the staff, ``chat`` those of the people, ``demo`` shows both at once.
    """

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(await measure(), media_type="text/plain; version=0.0.4; charset=utf-8")

    routes: list[BaseRoute] = [
        Route("/healthz", _asks(probe)),
        Route("/readyz", _asks(ready)),
        Route("/metrics", metrics),
    ]
    if intake is not None:
        routes.append(Route(PATH, Webhook(intake, secret).take, methods=["POST"]))
    if desk is not None:
        routes.append(Mount(DESK, desk))
    if demo is not None:
        routes.append(Mount(DEMO, demo))
    if chat is not None:
        routes.append(Mount("/", chat))
    return Starlette(routes=routes)


def _asks(probe: Probe) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        try:
            await probe()
        except Exception as error:
            log.error("not well: %s", type(error).__name__)
            return PlainTextResponse("no\n", 503)
        return PlainTextResponse("ok\n")

    return answer


class Webhook:
    """Takes updates by POST. The answer 200 is given after the commit, and never before."""

    def __init__(self, intake: Intake, secret: str) -> None:
        self._intake, self._secret = intake, secret.encode()
        self._in_hand = 0

    async def take(self, request: Request) -> Response:
        told = request.headers.get(SECRET_HEADER, "").encode()
        if not hmac.compare_digest(told, self._secret):
            return Response(status_code=403)
        if self._in_hand >= MOST:
            return Response(status_code=503, headers=COME_BACK)
        self._in_hand += 1
        try:
            body = await _read(request)
            return Response(status_code=413) if body is None else await self._commit(body)
        finally:
            self._in_hand -= 1

    async def _commit(self, body: bytes) -> Response:
        update = _update(body)
        if update is None:  # an error would be sent again for a day, and block that chat
            fate = await self._intake.aside({"unreadable": body.decode("utf-8", "replace")})
        else:
            fate = await self._patiently(update)
        crash.point("answered")
        return Response(status_code=200) if fate == "done" else Response(status_code=503, headers=COME_BACK)

    async def _patiently(self, update: dict[str, Any]) -> Fate:
        """Telegram keeps the order within a chat, so that only this chat waits."""
        came, tries = self._intake.read(update), 0
        while (fate := await self._intake.one(came, tries)) == "failed":
            tries += 1
            await asyncio.sleep(0.1 * tries)
        return fate


async def _read(request: Request) -> bytes | None:
    """The body, or None if it is too big; no more of it is read than that takes."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BIGGEST:
            return None
    return body


def _update(body: bytes) -> dict[str, Any] | None:
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return update if isinstance(update, dict) else None


class _Server(uvicorn.Server):
    """Leaves the signals to the process, which stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listener(address: str) -> socket.socket:
    """Takes ``host:port``. Raises OSError when the port is in use.

    What it accepts sends at once, too: otherwise the end of each answer would wait 40 ms for the other side to
    confirm its beginning. asyncio sees to that only for sockets that name their protocol, which these do not.
    """
    host, _, port = address.rpartition(":")
    found = socket.create_server((host, int(port)))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


async def serve(application: Starlette, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answers on a port that was taken, until ``stop``."""
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=LAST_CALLS,
    )
    server = _Server(config)
    log.info("listening on port %s", listening.getsockname()[1])
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await stop.wait()
    server.should_exit = True
    await serving
