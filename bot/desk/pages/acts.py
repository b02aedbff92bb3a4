"""What is done with a lead from its page: every form of it ends here, and in ``Acting``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import lead as life
from bot.desk import rights
from bot.desk.actions import Acting, NotThere, Refused
from bot.desk.pages import lines
from bot.desk.pages.lead import ASLEEP, key, number_of, page
from bot.desk.pages.room import caller_of, go, room_of, tongue_of
from bot.store import leads, staff
from bot.store.leads import reference
from bot.store.transaction import Transaction

router = APIRouter()

Typed = Annotated[str, Form(max_length=100)]
STEPS = ("reached", "no_answer", "call_later", "considering", "scheduled", "consented", "enrolled", "release")
MORNING = 9
"""The hour of the site's day at which a lead that was put off for days comes back."""


@router.post("/leads/{name}/claim")
async def claim(request: Request, name: str) -> Response:
    return await _act(request, name, lambda acting, lead_id: acting.claim(lead_id))


@router.post("/leads/{name}/step")
async def step(request: Request, name: str, verb: Typed = "", at: Typed = "") -> Response:
    if verb not in STEPS:
        raise NotThere
    return await _act(request, name, lambda acting, lead_id: acting.step(lead_id, verb), at)


@router.post("/leads/{name}/close")
async def close(request: Request, name: str, reason: Typed = "", criterion: Typed = "", at: Typed = "") -> Response:
    about = criterion if reason in life.WITH_CRITERION else ""
    if reason not in life.CLOSINGS or bool(about) != (reason in life.WITH_CRITERION):
        alarm = tongue_of(request)(lines.NO_REASON)
        return await page(request, number_of(name), alarm, 400)
    return await _act(request, name, lambda acting, lead_id: acting.close(lead_id, reason, about), at)


@router.post("/leads/{name}/reassign")
async def reassign(request: Request, name: str, to: Typed = "", at: Typed = "") -> Response:
    heir = int(to) if to.isascii() and to.isdigit() and len(to) < 10 else 0
    return await _act(request, name, lambda acting, lead_id: acting.reassign(lead_id, heir), at)


@router.post("/leads/{name}/snooze")
async def snooze(request: Request, name: str, until: Typed = "", day: Typed = "", at: Typed = "") -> Response:
    """By one press, or until a time that was typed: both in the time zone of the site."""
    room = room_of(request)
    now = room.clock()

    def put_off(acting: Acting, lead_id: int) -> object:
        zone = room.zone(acting.lead(lead_id))
        if until in ASLEEP:
            moment = now + ASLEEP[until]
            if ASLEEP[until] >= timedelta(days=1):
                moment = moment.astimezone(zone).replace(hour=MORNING, minute=0, second=0, microsecond=0)
        else:
            try:
                moment = datetime.fromisoformat(day).replace(tzinfo=zone)
            except ValueError:
                raise Refused(lines.NO_TIME) from None
            if not now < moment < now + timedelta(days=366):
                raise Refused(lines.NO_TIME)
        return acting.snooze(lead_id, moment.astimezone(now.tzinfo))

    return await _act(request, name, put_off, at)


@router.post("/leads/{name}/undo")
async def undo(request: Request, name: str, at: Typed = "") -> Response:
    return await _act(request, name, lambda acting, lead_id: acting.undo(lead_id), at)


async def _act(request: Request, name: str, do: Callable[[Acting, int], object], at: str | None = None) -> Response:
    """Does it, and shows the lead as it is then. ``at`` is the last step that the page showed.

    A second press of the same button, or a page that stood open too long, changes nothing.
    """
    room, caller, lead_id = room_of(request), caller_of(request), number_of(name)

    def act(db: Transaction) -> None:
        member = staff.by_id(db, caller.member["id"])
        if member is None or not rights.may(member, "work"):
            raise NotThere
        acting = Acting(db, room.deployment, member, db.at, key())
        acting.lead(lead_id)
        if at is not None:
            last = leads.last_event(db, lead_id)
            if at != str(last["id"] if last else 0):
                raise Refused(lines.CHANGED, reference=reference(lead_id))
        do(acting, lead_id)

    try:
        await room.writer.write(act)
    except Refused as refused:
        return await page(request, lead_id, tongue_of(request)(refused.line, **refused.values), 409)
    return go(f"/leads/{reference(lead_id)}")
