"""The demo's one page. It signs its visitor in as staff, so that it may only ever be mounted in the demo."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.chat.room import COOKIE as CHAT
from bot.desk import sign_in
from bot.desk.pages.guard import drop, keep
from bot.desk.pages.room import COOKIE, Room
from bot.shield import Shield
from bot.store import staff
from bot.store.transaction import Transaction

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def make(room: Room) -> ASGIApp:
    """The page at ``/demo``."""
    pages = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)

    async def show(request: Request) -> Response:
        who = request.query_params.get("as", "")[:40]
        if not request.url.path.endswith("/"):
            return RedirectResponse("/demo/")
        if "new" in request.query_params:
            anew = RedirectResponse(f"/demo/?{urlencode({'as': who})}")
            drop(anew, CHAT)
            return anew
        members = await room.look(staff.every)
        member = next((one for one in members if one["name"] == who), members[0])
        token = await room.writer.write(lambda db: _let_in(db, member["id"]))
        languages = room.deployment.languages.names
        text = pages.get_template("page.html").render(members=members, member=member, languages=languages)
        answer = HTMLResponse(text, headers={"content-security-policy": POLICY})
        keep(answer, COOKIE, token)
        return answer

    def _let_in(db: Transaction, staff_id: int) -> str:
        member = staff.by_id(db, staff_id)
        assert member is not None
        return sign_in.let_in(db, member, (), "demo", db.at)

    async def style(_request: Request) -> Response:
        return FileResponse(HERE / "page.css", media_type="text/css")

    routes = [Route("/", show), Route("/page.css", style)]
    return Shield(Starlette(routes=routes), https=False)
