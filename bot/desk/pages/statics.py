"""Files that never change under their address: style, script, and nothing that a browser must ask for twice."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from bot.desk.pages.room import ROOT, STATIC, render, static

router = APIRouter()
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@router.get("/static/{mark}/{name}")
async def file(request: Request, mark: str, name: str) -> Response:
    path = STATIC / name
    if path.suffix not in KINDS or path.parent != STATIC or not path.is_file():
        return render(request, "trouble.html", 404, what="not_there")
    fresh = static(name) == f"{ROOT}/static/{mark}/{name}"
    keep = "public, max-age=31536000, immutable" if fresh else "no-store"
    return FileResponse(path, media_type=KINDS[path.suffix], headers={"cache-control": keep})
