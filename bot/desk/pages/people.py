"""Staff, for an admin: who is there, with which role and sites; every change is in the audit."""

from __future__ import annotations

from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from bot.desk.actions import NotThere
from bot.desk.pages import lines
from bot.desk.pages.queue import sites_of
from bot.desk.pages.room import caller_of, go, render, room_of, tongue_of
from bot.store import audit, sessions, staff
from bot.store.transaction import Transaction
from bot.words import SOURCE
from flows.kinds.text import clean

LONGEST = 60
"""Characters of a name: patients read it."""
BIGGEST = 2**52
"""No account of Telegram has a larger number."""


async def admins(request: Request) -> None:
    if not caller_of(request).may("administer"):
        raise NotThere


router = APIRouter(dependencies=[Depends(admins)])

Typed = Annotated[str, Form(max_length=320)]
Several = Annotated[list[str] | None, Form(max_length=50)]


class Wrong(Exception):
    """A form cannot be taken, for a reason that is told in a line."""


@router.get("/staff")
async def show(request: Request) -> Response:
    return await _page(request)


@router.post("/staff")
async def add(
    request: Request,
    name: Typed = "",
    telegram: Typed = "",
    email: Typed = "",
    role: Typed = "coordinator",
    language: Typed = "en",
    sites: Several = None,
) -> Response:
    room, caller = room_of(request), caller_of(request)
    typed = {"name": name, "telegram": telegram, "email": email, "role": role, "language": language}
    try:
        account, address = account_of(telegram), address_of(email)
        name = " ".join(clean(name).split())
        if not name:
            raise Wrong(lines.NO_NAME)
        if account is None and address is None:
            raise Wrong(lines.NO_WAY)

        def write(db: Transaction) -> None:
            where, known = _sites(request, sites), _role(role)
            spoken = _language(request, language)
            try:
                made = staff.add(
                    db, name[:LONGEST].rstrip(), account, spoken, email=address, role=known, sites=where
                )
            except LookupError:
                raise Wrong(lines.TAKEN) from None
            if made == caller.member["id"] and role != "admin":
                raise Wrong(lines.NOT_YOURSELF)
            audit.record(db, "staff.added", caller.member["id"], detail=f"{made} {role} {','.join(where)}")

        await room.writer.write(write)
    except Wrong as wrong:
        return await _page(request, tongue_of(request)(str(wrong)), typed)
    return go("/staff?saved=1")


@router.post("/staff/{number}")
async def change(
    request: Request, number: int, role: Typed = "", language: Typed = "", sites: Several = None, active: Typed = ""
) -> Response:
    """Role, sites and language; or ``active`` 0 and 1 for the right itself, which ends all sessions."""
    room, caller = room_of(request), caller_of(request)

    def write(db: Transaction) -> None:
        if staff.by_id(db, number) is None:
            raise NotThere
        if number == caller.member["id"] and (active == "0" or (not active and role != "admin")):
            raise Wrong(lines.NOT_YOURSELF)
        if active:
            staff.change(db, number, active=active == "1")
            what = "staff.enabled" if active == "1" else "staff.disabled"
            audit.record(db, what, caller.member["id"], detail=str(number))
        else:
            spoken = _language(request, language)
            values = {"role": _role(role), "sites": _sites(request, sites), "language": spoken}
            staff.change(db, number, **values)
            told = f"{number} {values['role']} {','.join(values['sites'])}"
            audit.record(db, "staff.changed", caller.member["id"], detail=told)
        if active == "0":
            sessions.end_all(db, number)

    try:
        await room.writer.write(write)
    except Wrong as wrong:
        return await _page(request, tongue_of(request)(str(wrong)))
    return go("/staff?saved=1")


def account_of(typed: str) -> int | None:
    """The number of a Telegram account, if one was given. Raises Wrong."""
    if not typed.strip():
        return None
    digits = typed.strip()
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:20]) < BIGGEST):
        raise Wrong(lines.NOT_A_NUMBER)
    return int(digits)


def address_of(typed: str) -> str | None:
    """A mail address, if one was given. Raises Wrong."""
    if not typed.strip():
        return None
    try:
        return validate_email(typed.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise Wrong(lines.NOT_AN_ADDRESS) from None


def _role(given: str) -> str:
    if given not in staff.ROLES:
        raise NotThere
    return given


def _language(request: Request, given: str) -> str:
    return given if given in room_of(request).deployment.languages.of_staff else SOURCE


def _sites(request: Request, given: list[str] | None) -> list[str]:
    """Of the sites that there are; none of them is all of them, and the study desk."""
    room = room_of(request)
    flow = room.deployment.library.newest(room.deployment.trial)
    return [site.id for site in flow.sites if site.id in (given or ())]


async def _page(request: Request, alarm: str = "", typed: dict[str, Any] | None = None) -> Response:
    room, caller, tongue = room_of(request), caller_of(request), tongue_of(request)
    sites = sites_of(room, caller, tongue)
    return render(
        request,
        "staff.html",
        400 if alarm else 200,
        members=await room.look(staff.every),
        roles=lines.ROLE,
        languages=room.deployment.languages.of_staff,
        sites={key: name for key, name in sites.items() if key != "desk"},
        alarm=alarm,
        saved=tongue(lines.SAVED) if "saved" in request.query_params and not alarm else "",
        typed={"name": "", "telegram": "", "email": "", "role": "coordinator", "language": "en"} | (typed or {}),
    )
