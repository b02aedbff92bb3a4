"""The door: ask for a link, open it, sign in by password and code, sign out."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import passwords, sign_in
from bot.desk.pages import lines
from bot.desk.pages.guard import drop, keep
from bot.desk.pages.room import COOKIE, WISH, Room, caller_of, go, render, room_of
from bot.store import audit, sessions, staff
from bot.store.transaction import Transaction

router = APIRouter()
leaving = APIRouter()
"""What only somebody who is inside can do."""

_slowly = asyncio.Semaphore(2)
"""So many passwords are checked at once: each takes 64 MiB."""

Typed = Annotated[str, Form(max_length=320)]
Secret = Annotated[str, Form(max_length=1000)]


@router.get("/sign-in")
async def door(request: Request) -> Response:
    if request.state.caller is not None:
        return go("/")
    return render(request, "sign_in.html", said="", alarm="", email="")


@router.post("/sign-in/link")
async def ask(request: Request, email: Typed = "") -> Response:
    """The same answer whether there is such a member or not."""
    room = room_of(request)
    keys = _keys(room, email, request)

    def send(db: Transaction) -> bool:
        if not sign_in.try_it(db, keys, db.at):
            return False
        member = staff.by_email(db, email) if email.strip() else None
        if member is not None:
            sign_in.send_link(db, room.deployment, member, db.at)
        return True

    if not await room.writer.write(send):
        return render(request, "sign_in.html", 429, said="", alarm=lines.TOO_OFTEN, email=email)
    return render(request, "sign_in.html", said=lines.SENT, alarm="", email=email)


@router.get("/link/{token}")
async def arrive(request: Request, token: str) -> Response:
    """Only a button: what looks at a link by itself, such as a preview, does not use it up."""
    return render(request, "link.html", token=token[:100])


@router.post("/link")
async def enter(request: Request, token: Secret = "") -> Response:
    room = room_of(request)
    old = request.cookies.get(COOKIE, "")

    def let_in(db: Transaction) -> str:
        member = sign_in.by_link(db, token, db.at)
        if member is None:
            audit.record(db, "sign_in.refused", detail=f"by_link {_keys(room, '', request)[1][:12]}")
            return ""
        sessions.end(db, sign_in.hashed(old))
        keys = _keys(room, member["email"] or "", request)
        return sign_in.let_in(db, member, keys, "by_link", db.at)

    fresh = await room.writer.write(let_in)
    if not fresh:
        return render(request, "sign_in.html", 403, said="", alarm=lines.OLD_LINK, email="")
    return _welcome(request, fresh)


@router.post("/sign-in")
async def by_password(request: Request, email: Typed = "", password: Secret = "", code: Typed = "") -> Response:
    """Takes as long, and says the same, for an address that nobody has."""
    room = room_of(request)
    keys, old = _keys(room, email, request), request.cookies.get(COOKIE, "")

    def begin(db: Transaction) -> str | None:
        if not sign_in.try_it(db, keys, db.at):
            audit.record(db, "sign_in.too_often", detail=keys[1][:12])
            return None
        member = staff.by_email(db, email) if email.strip() else None
        return str(member["password"]) if member else ""

    kept = await room.writer.write(begin)
    if kept is None:
        return render(request, "sign_in.html", 429, said="", alarm=lines.TOO_OFTEN, email=email)
    async with _slowly:
        right = await asyncio.to_thread(passwords.fits, kept, password)

    def let_in(db: Transaction) -> str:
        member = sign_in.by_password(db, email, kept, right, code, db.at)
        if member is None:
            tried = staff.by_email(db, email) if email.strip() else None
            told = f"by_password {keys[1][:12]}"
            audit.record(db, "sign_in.refused", tried["id"] if tried else None, detail=told)
            return ""
        sessions.end(db, sign_in.hashed(old))
        return sign_in.let_in(db, member, keys, "by_password", db.at)

    fresh = await room.writer.write(let_in)
    if not fresh:
        return render(request, "sign_in.html", 403, said="", alarm=lines.NOT_RIGHT, email=email)
    return _welcome(request, fresh)


@leaving.post("/sign-out")
async def leave(request: Request, everywhere: Typed = "") -> Response:
    room, caller = room_of(request), caller_of(request)

    def end(db: Transaction) -> None:
        if everywhere:
            sessions.end_all(db, caller.member["id"])
        sessions.end(db, sign_in.hashed(caller.token))
        audit.record(db, "sign_out", caller.member["id"], detail="everywhere" if everywhere else "")

    await room.writer.write(end)
    answer = go("/sign-in")
    drop(answer, COOKIE)
    return answer


def _welcome(request: Request, token: str) -> Response:
    wish = request.cookies.get(WISH, "")
    answer = go(f"/{wish}" if re.fullmatch(r"leads/K-\d{1,12}", wish) else "/")
    keep(answer, COOKIE, token)
    if wish:
        drop(answer, WISH)
    return answer


def _keys(room: Room, account: str, request: Request) -> tuple[str, ...]:
    address = request.client.host if request.client else ""
    return sign_in.keys_of(room.deployment, account, address)
