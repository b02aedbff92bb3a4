"""A shared lead, for who has its link and its passcode: redacted, to read only. To others it says nothing."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import shares
from bot.desk.cards import FINDING, FIT
from bot.desk.pages import lines
from bot.desk.pages.room import Tongue, render, room_of

router = APIRouter()
_slowly = asyncio.Semaphore(2)
"""So many passcodes are checked at once: each takes 64 MiB."""


@router.get("/shared/{token}")
async def ask(request: Request, token: str) -> Response:
    """Only the form: whether there is such a link, nobody learns from it."""
    return render(request, "shared_door.html", alarm="", token=token[:100])


@router.post("/shared/{token}")
async def enter(request: Request, token: str, passcode: Annotated[str, Form(max_length=100)] = "") -> Response:
    room = room_of(request)
    door = await room.writer.write(lambda db: shares.knock(db, token, db.at))
    async with _slowly:
        fit = await asyncio.to_thread(shares.fits, door, passcode)
    seen = await room.writer.write(lambda db: shares.enter(db, door, fit, db.at)) if door is not None else None
    if seen is None:
        return render(request, "shared_door.html", 403, alarm=lines.NOT_OPENED, token=token[:100])
    flow = room.deployment.library.newest(seen.trial)

    def points(tongue: Tongue) -> list[tuple[str, str, str, str, str]]:
        titles = {one.id: one.title for one in flow.criteria}
        return [
            (
                point["criterion"],
                tongue.words.text(f"{flow.trial.slug}.{point['criterion']}", titles.get(point["criterion"], "")),
                tongue(FINDING[point["status"]]) if point["status"] in FINDING else "",
                point["until"] or "",
                ", ".join(point["because"]),
            )
            for point in seen.points
        ]

    return render(request, "shared.html", seen=seen, fit=FIT[seen.outcome], trial=flow.trial, points=points)
