"""Leads as a file: without names, or with them for a reason that is kept."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import export
from bot.desk.actions import NotThere, Refused
from bot.desk.pages import lines
from bot.desk.pages.room import caller_of, render, room_of, tongue_of
from bot.store import staff
from bot.store.transaction import Transaction

router = APIRouter()


@router.get("/export")
async def show(request: Request) -> Response:
    return _page(request)


@router.post("/export")
async def give(
    request: Request,
    form: Annotated[str, Form(max_length=30)] = "csv",
    identified: Annotated[str, Form(max_length=3)] = "",
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """The file; that it was given is in the audit before the first byte of it is."""
    room, caller = room_of(request), caller_of(request)
    wanted = next((known for known in export.FORMS if known == form), None)
    if wanted is None:
        raise NotThere
    named = identified == "yes"

    def begin(db: Transaction) -> list[str]:
        member = staff.by_id(db, caller.member["id"])  # as their rights are now
        if member is None:
            raise NotThere
        export.begin(db, room.deployment, member, wanted, reason, identified=named)
        return list(member["sites"])

    try:
        sites = await room.writer.write(begin)
    except Refused as refused:
        return _page(request, tongue_of(request)(refused.line, **refused.values), reason, wanted, 400)

    def write() -> bytes:
        with room.store.look(room.clock()) as db:
            pieces = export.written(db, room.deployment, wanted, sites, identified=named)
            return "".join(pieces).encode()

    ending = export.ENDING[wanted]
    name = f"prescreen-{wanted}{'-identified' if named else ''}-{room.clock():%Y-%m-%d}.{ending}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(await asyncio.to_thread(write), media_type=export.MEDIA[ending], headers=headers)


def _page(request: Request, alarm: str = "", reason: str = "", form: str = "csv", status: int = 200) -> Response:
    if not caller_of(request).may("lead_site"):
        raise NotThere
    return render(
        request,
        "export.html",
        status,
        alarm=alarm,
        reason=reason,
        chosen=form,
        forms=lines.EXPORT_FORM,
        longest=export.REASON[-1],
    )
