"""Puts the pages of the chat together, behind a shield."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot import pictures
from bot.chat import carrying, copying, events, front, talk
from bot.chat.room import STATIC, Room, render, static
from bot.shield import Shield

log = logging.getLogger(__name__)

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def file(request: Request) -> Response:
    """Style, script and icon: they never change under their address."""
    mark, name = request.path_params["mark"], request.path_params["name"]
    path = STATIC / name
    if path.suffix not in KINDS or path.parent != STATIC or not path.is_file():
        raise HTTPException(404)
    keep = "public, max-age=31536000, immutable" if static(name).split("/")[3] == mark else "no-store"
    return FileResponse(path, media_type=KINDS[path.suffix], headers={"cache-control": keep})


async def picture(request: Request) -> Response:
    """A drawing of a trial's. Its words stand in the chat."""
    found = pictures.svg(f"{request.path_params['trial']}/{request.path_params['name']}")
    if found is None:
        raise HTTPException(404)
    headers = {"cache-control": "public, max-age=86400", "content-security-policy": "default-src 'none'"}
    return Response(found, media_type="image/svg+xml", headers=headers)


async def not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return render(request, "trouble.html", talk.tongue_for(request), status, line="web_not_there")


async def failed(request: Request, error: Exception) -> Response:
    log.error("a page of the chat failed: %s", type(error).__name__)
    return render(request, "trouble.html", talk.tongue_for(request), 503, line="web_trouble")


def make(room: Room) -> ASGIApp:
    """The trial's page at ``/`` and the chat at ``/chat``, to be mounted last of all."""
    parts = (front, talk, events, copying, carrying)
    files = (Route("/chat/static/{mark}/{name}", file), Route("/chat/picture/{trial}/{name}", picture))
    routes = [*(route for part in parts for route in part.routes), *files]
    pages = Starlette(routes=routes, exception_handlers={HTTPException: not_there, Exception: failed})
    pages.state.room = room
    return Shield(pages, https=room.public_url.startswith("https:"), framed_by=room.embed_sites)
