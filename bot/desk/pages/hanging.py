"""What is done with notes, shared links and duplicates from a lead's page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import duplicates, merging, notes, rights, shares
from bot.desk.actions import Acting, NotThere, Refused
from bot.desk.cards import CLOSING, FINDING, FIT, STATUS, Cards
from bot.desk.duplicates import MATCH, Line
from bot.desk.pages import lines
from bot.desk.pages.lead import key, number_of, page
from bot.desk.pages.room import ROOT, Room, Tongue, caller_of, go, render, room_of, tongue_of
from bot.store import audit, queue, staff
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction

T = TypeVar("T")
router = APIRouter()
_slowly = asyncio.Semaphore(2)
"""So many passcodes are hashed at once: each takes 64 MiB."""

Text = Annotated[str, Form(max_length=4000)]
Typed = Annotated[str, Form(max_length=100)]


@router.post("/leads/{name}/notes")
async def write(
    request: Request, name: str, text: Text = "", private: Typed = "", about: Typed = "", marked: Text = ""
) -> Response:
    def add(acting: Acting, lead_id: int) -> int:
        return notes.add(acting, lead_id, text, private == "yes", about, marked.strip())

    return await _act(request, name, add, "notes")


@router.post("/leads/{name}/notes/{note_id}/delete")
async def take_away(request: Request, name: str, note_id: int) -> Response:
    return await _act(request, name, lambda acting, lead_id: notes.take_away(acting, lead_id, note_id), "notes")


@router.post("/leads/{name}/share")
async def share(request: Request, name: str, hours: int = Form(24)) -> Response:
    """The link and its passcode, on a page that is shown this once."""
    room, lead_id = room_of(request), number_of(name)
    await _do(request, lambda acting: acting.lead(lead_id))  # nothing is hashed for who may not
    async with _slowly:
        made = await asyncio.to_thread(shares.fresh)
    try:
        expires = await _do(request, lambda acting: shares.make(acting, lead_id, hours, made))
    except Refused as refused:
        return await page(request, lead_id, tongue_of(request)(refused.line, **refused.values), 409)
    tongue = tongue_of(request)
    until = tongue.moment(expires, room.zone(await room.look(lambda db: _seen(db, lead_id, request))))
    link = f"{room.deployment.desk_url}{ROOT}/shared/{made.token}"
    passcode = f"{made.passcode[:4]} {made.passcode[4:]}"
    return render(request, "share.html", reference=name, link=link, passcode=passcode, until=until)


@router.post("/leads/{name}/shares/{share_id}/revoke")
async def revoke(request: Request, name: str, share_id: int) -> Response:
    return await _act(request, name, lambda acting, _lead_id: shares.revoke(acting, share_id), "shares")


@router.get("/leads/{name}/compare/{other}")
async def compare(request: Request, name: str, other: str) -> Response:
    return await _compared(request, number_of(name), number_of(other))


@router.post("/leads/{name}/merge")
async def merge(request: Request, name: str, into: Typed = "") -> Response:
    """Closes this lead as a duplicate, and shows it: there the step can be undone."""
    lead_id, kept = number_of(name), number_of(into)
    try:
        await _do(request, lambda acting: merging.merge(acting, lead_id, kept))
    except Refused as refused:
        told = tongue_of(request)(refused.line, **refused.values)
        if lead_id == kept:
            return await page(request, lead_id, told, 409)
        return await _compared(request, kept, lead_id, told, 409)
    return go(f"/leads/{name}")


@router.post("/leads/{name}/different")
async def different(request: Request, name: str, other: Typed = "") -> Response:
    theirs = number_of(other)
    return await _act(request, name, lambda acting, lead_id: merging.different(acting, lead_id, theirs), "history")


# ---------------------------------------------------------------------- what it rests on


async def _act(request: Request, name: str, do: Callable[[Acting, int], object], part: str) -> Response:
    """Does it and goes back to that part of the page; what is refused is said above it."""
    lead_id = number_of(name)
    try:
        await _do(request, lambda acting: do(acting, lead_id))
    except Refused as refused:
        return await page(request, lead_id, tongue_of(request)(refused.line, **refused.values), 409)
    return go(f"/leads/{name}#{part}")


async def _do(request: Request, do: Callable[[Acting], T]) -> T:
    """In one transaction, by the member as they are now."""
    room, caller = room_of(request), caller_of(request)

    def act(db: Transaction) -> T:
        member = staff.by_id(db, caller.member["id"])
        if member is None or not rights.may(member, "work"):
            raise NotThere
        return do(Acting(db, room.deployment, member, db.at, key()))

    return await room.writer.write(act)


def _seen(db: Transaction, lead_id: int, request: Request) -> Lead:
    lead = queue.one(db, lead_id)
    if lead is None or not rights.sees(caller_of(request).member, lead):
        raise NotThere
    return lead


async def _compared(request: Request, one: int, other: int, alarm: str = "", status: int = 200) -> Response:
    """Two leads side by side. Both openings are in the audit before anything is shown."""
    room, caller, tongue = room_of(request), caller_of(request), tongue_of(request)
    if one == other:
        raise NotThere

    def look(db: Transaction) -> tuple[Lead, Lead, tuple[str, ...]]:
        mine, theirs = _seen(db, one, request), _seen(db, other, request)
        alike = duplicates.suggested(db, mine, caller.member)
        return mine, theirs, next((found.kinds for found in alike if found.lead["id"] == other), ())

    mine, theirs, kinds = await room.look(look)

    def note(db: Transaction) -> None:
        for number in (one, other):
            audit.record(db, "lead.opened", caller.member["id"], number, "compare")

    await room.writer.write(note)
    cards = [room.cards(lead, caller.member["language"]) for lead in (mine, theirs)]
    return render(
        request,
        "compare.html",
        status,
        alarm=alarm,
        one=reference(one),
        other=reference(other),
        kinds=[tongue(MATCH[kind]) for kind in kinds],
        merged=any(lead["merged_into"] is not None or lead["status"] == "withdrawn" for lead in (mine, theirs)),
        table=_lines(room, tongue, cards, mine, theirs),
    )


def _lines(
    room: Room, tongue: Tongue, cards: list[Cards], mine: Lead, theirs: Lead
) -> list[tuple[str, str, str, bool]]:
    """Label, both values, and whether they are the same; what is empty on both sides is left out."""
    contacts = [
        {label: value for label, value, _ in c.sheet(lead).contact}
        for c, lead in zip(cards, (mine, theirs), strict=True)
    ]
    told = []
    for label in dict.fromkeys((*contacts[0], *contacts[1])):
        given, other = contacts[0].get(label, ""), contacts[1].get(label, "")
        told.append((label, given, other, given == other))
    for line in duplicates.compare(mine, theirs):
        if line.what.startswith("contact."):
            continue
        values = tuple(
            _value(room, tongue, cards[at], lead, line, value)
            for at, (lead, value) in enumerate(((mine, line.one), (theirs, line.other)))
        )
        label = (
            line.what.removeprefix("flag.") if line.what.startswith("flag.") else tongue(lines.COLUMN[line.what])
        )
        if any(values):
            told.append((label, values[0], values[1], line.same))
    return told


def _value(room: Room, tongue: Tongue, cards: Cards, lead: Lead, line: Line, value: Any) -> str:
    if line.what == "outcome":
        return tongue(FIT[value])
    if value is None or value == "":
        return ""
    if line.what.startswith("flag."):
        return tongue(FINDING.get(value, value))
    match line.what:
        case "status":
            return tongue(STATUS[value])
        case "reason":
            return tongue(CLOSING[value])
        case "site":
            return cards.site(lead)
        case "locale":
            return room.deployment.languages.every.get(value, str(value))
        case "owner_id":
            return str(lead["owner"] or "")
        case "helper" | "changed":
            return tongue(lines.YES if value else lines.NO)
        case "created_at" | "claimed_at" | "due_at" | "slot_at":
            return tongue.moment(value, room.zone(lead))
    return str(value)
