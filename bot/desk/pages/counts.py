"""How many, never who: what a sponsor sees. Groups of fewer than five people are not shown as a number."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from bot.desk.actions import NotThere
from bot.desk.cards import STATUS
from bot.desk.pages.queue import sites_of
from bot.desk.pages.room import caller_of, render, room_of, tongue_of
from bot.store import queue

router = APIRouter()
FEW = 5


@router.get("/counts")
async def show(request: Request) -> Response:
    room, caller, tongue = room_of(request), caller_of(request), tongue_of(request)
    if not caller.may("counts"):
        raise NotThere
    found = await room.look(lambda db: queue.counts(db, list(caller.member["sites"]) or None))
    number = {(row["site"] or "desk", row["status"]): row["number"] for row in found}
    sites = sites_of(room, caller, tongue)
    table = [
        (tongue(name), [_told(number.get((site, status), 0)) for site in sites]) for status, name in STATUS.items()
    ]
    return render(request, "counts.html", table=table, sites=list(sites.values()), few=FEW)


def _told(number: int) -> str:
    return str(number) if number == 0 or number >= FEW else f"<{FEW}"
