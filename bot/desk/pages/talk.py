"""Staff write to the person in their chat, from the lead's page: own words, or an approved phrase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import rights, talking
from bot.desk.actions import Acting, NotThere, Refused
from bot.desk.pages.lead import key, number_of, page
from bot.desk.pages.room import caller_of, go, room_of, tongue_of
from bot.store import staff
from bot.store.leads import reference
from bot.store.transaction import Transaction

router = APIRouter()

Text = Annotated[str, Form(max_length=8000)]
Typed = Annotated[str, Form(max_length=100)]


@router.post("/leads/{name}/say")
async def say(request: Request, name: str, text: Text = "", phrase: Typed = "") -> Response:
    """Sends it, and keeps the bot silent until the chat is handed back."""
    return await _act(request, name, lambda acting, lead_id: talking.say(acting, lead_id, text, phrase))


@router.post("/leads/{name}/hand-back")
async def hand_back(request: Request, name: str) -> Response:
    return await _act(request, name, talking.hand_back)


async def _act(request: Request, name: str, do: Callable[[Acting, int], object]) -> Response:
    room, caller, lead_id = room_of(request), caller_of(request), number_of(name)

    def act(db: Transaction) -> None:
        member = staff.by_id(db, caller.member["id"])
        if member is None or not rights.may(member, "work"):
            raise NotThere
        do(Acting(db, room.deployment, member, db.at, key()), lead_id)

    try:
        await room.writer.write(act)
    except Refused as refused:
        return await page(request, lead_id, tongue_of(request)(refused.line, **refused.values), 409)
    return go(f"/leads/{reference(lead_id)}#talk")
