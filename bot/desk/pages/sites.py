"""How each site works now: hours, holidays, phone, capacity, and whether it takes leads. For those who lead it."""

from __future__ import annotations

from typing import Annotated, Any

import phonenumbers
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import rights
from bot.desk.actions import NotThere
from bot.desk.hours import BadHours
from bot.desk.pages import lines
from bot.desk.pages.people import Wrong, address_of
from bot.desk.pages.queue import sites_of
from bot.desk.pages.room import Caller, caller_of, go, render, room_of, tongue_of
from bot.store import audit, sites
from bot.store.transaction import Transaction
from flows.kinds.text import clean

router = APIRouter()

Typed = Annotated[str, Form(max_length=200)]


@router.get("/sites")
async def show(request: Request) -> Response:
    return await _page(request)


@router.post("/sites/{key}/status")
async def status(request: Request, key: str, status: Typed = "") -> Response:
    """Pause, resume, full: what patients are told changes with it."""
    if status not in sites.STATUSES:
        raise NotThere
    return await _change(request, key, {"status": status})


@router.post("/sites/{key}")
async def change(
    request: Request,
    key: str,
    hours: Typed = "",
    timezone: Typed = "",
    holidays: Typed = "",
    phone: Typed = "",
    email: Typed = "",
    capacity: Typed = "",
) -> Response:
    try:
        values = {
            "hours": clean(hours),
            "timezone": clean(timezone),
            "holidays": clean(holidays).upper(),
            "phone": _phone(phone),
            "email": address_of(email) or "",
            "capacity": _capacity(capacity),
        }
    except Wrong as wrong:
        return await _page(request, tongue_of(request)(str(wrong)))
    return await _change(request, key, values)


async def _change(request: Request, key: str, values: dict[str, Any]) -> Response:
    room, caller = room_of(request), caller_of(request)
    flow = room.deployment.library.newest(room.deployment.trial)
    _leads(caller, key, {site.id for site in flow.sites})

    def write(db: Transaction) -> None:
        old = sites.now(db, flow, key)
        sites.change(db, flow, key, db.at, **values)
        moved = [name for name, value in values.items() if getattr(old, name) != value]
        told = [f"{name}={values[name]}" if name in ("status", "hours", "capacity") else name for name in moved]
        audit.record(db, "site.changed", caller.member["id"], detail=f"{key} {' '.join(told)}")

    try:
        await room.writer.write(write)
    except BadHours as bad:
        return await _page(request, tongue_of(request)(bad.line, **bad.values))
    return go("/sites?saved=1")


def _leads(caller: Caller, key: str, known: set[str]) -> None:
    """Raises NotThere for a site that is not theirs to change, and for none."""
    if key not in known or not (caller.may("lead_site") and rights.at_site(caller.member, key)):
        raise NotThere


def _phone(typed: str) -> str:
    if not typed.strip():
        return ""
    try:
        number = phonenumbers.parse(typed)
    except phonenumbers.NumberParseException:
        raise Wrong(lines.BAD_PHONE) from None
    if not phonenumbers.is_possible_number(number):
        raise Wrong(lines.BAD_PHONE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _capacity(typed: str) -> int:
    digits = typed.strip()
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits[:4]) <= 100):
        raise Wrong(lines.BAD_CAPACITY)
    return int(digits)


async def _page(request: Request, alarm: str = "") -> Response:
    room, caller, tongue = room_of(request), caller_of(request), tongue_of(request)
    if not caller.may("lead_site"):
        raise NotThere
    flow = room.deployment.library.newest(room.deployment.trial)
    names = sites_of(room, caller, tongue)
    found = [site for site in await room.look(lambda db: sites.every(db, flow)) if site.key in names]
    saved = tongue(lines.SAVED) if "saved" in request.query_params and not alarm else ""
    told = {"names": names, "statuses": lines.SITE_STATUS, "alarm": alarm, "saved": saved}
    return render(request, "sites.html", 400 if alarm else 200, found=found, **told)
