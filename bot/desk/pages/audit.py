"""Who opened, exported, shared or changed what: the audit, for an admin. It can be read here, and not changed."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from bot.desk.pages import lines
from bot.desk.pages.people import admins
from bot.desk.pages.room import ROOT, caller_of, render, room_of, tongue_of
from bot.store import audit, leads, staff
from bot.store.transaction import Transaction

router = APIRouter(dependencies=[Depends(admins)])

PAGE = 50


@router.get("/audit")
async def show(request: Request) -> Response:
    """The newest first; by family, by lead and by who it was. What makes no sense asks for nothing."""
    room, tongue, given = room_of(request), tongue_of(request), request.query_params
    family = given.get("what", "") if given.get("what", "") in lines.FAMILIES else ""
    sites = list(caller_of(request).member["sites"]) or None
    named = re.fullmatch(r"[Kk]-?(\d{1,9})", given.get("lead", "").strip())
    lead_id = int(named[1]) if named else None
    who, before = _number(given.get("who", "")), _number(given.get("before", ""))

    def found(db: Transaction) -> Any:
        return audit.page(db, most=PAGE + 1, before=before, what=family, sites=sites, lead_id=lead_id, staff_id=who)

    def look(db: Transaction) -> tuple[list[Any], list[Any]]:
        return list(found(db)), list(staff.every(db))

    rows, members = await room.look(look)
    zone = ZoneInfo(room.deployment.library.newest(room.deployment.trial).trial.timezone)
    asked = {"what": family, "lead": leads.reference(lead_id) if lead_id is not None else "", "who": who or ""}

    def address(**more: Any) -> str:
        return "?" + urlencode({name: value for name, value in (asked | more).items() if value})

    shown = rows[:PAGE]
    return render(
        request,
        "audit.html",
        rows=[
            {
                "when": tongue.words.moment(row["at"].astimezone(zone)),
                "who": row["name"] or "",
                "what": tongue(lines.AUDITED.get(row["what"], row["what"])),
                "lead": leads.reference(row["lead_id"]) if row["lead_id"] is not None else "",
                "detail": row["detail"],
            }
            for row in shown
        ],
        zone=tongue.zone(tongue.now.astimezone(zone)),
        families=lines.FAMILIES,
        members=members,
        asked=asked,
        more=f"{ROOT}/audit{address(before=shown[-1]['id'])}" if len(rows) > PAGE else "",
        first=f"{ROOT}/audit{address()}" if before is not None else "",
        per_page=PAGE,
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None
