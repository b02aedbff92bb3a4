"""One's own page: language, a password with a second factor, and signing out everywhere."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import passwords, sign_in
from bot.desk.pages import lines
from bot.desk.pages.room import Caller, Room, caller_of, go, render, room_of, tongue_of
from bot.store import audit, marks, sessions, staff
from bot.store.transaction import Transaction

router = APIRouter()

Typed = Annotated[str, Form(max_length=100)]
Secret = Annotated[str, Form(max_length=1000)]


@router.get("/account")
async def show(request: Request) -> Response:
    return _page(request)


@router.post("/account/language")
async def language(request: Request, language: Typed = "") -> Response:
    room, caller = room_of(request), caller_of(request)
    if language in room.deployment.languages.of_staff:
        await room.writer.write(lambda db: staff.change(db, caller.member["id"], language=language))
    return go("/account?saved=1")


@router.post("/account/password")
async def password(
    request: Request, present: Secret = "", fresh: Secret = "", again: Secret = "", code: Typed = ""
) -> Response:
    """Sets a password and the second factor that goes with it. All other sessions end."""
    room, caller = room_of(request), caller_of(request)
    member, tongue = caller.member, tongue_of(request)
    if not member["email"]:
        return _page(request, tongue(lines.NO_ADDRESS))
    keys = sign_in.keys_of(room.deployment, f"account {member['id']}", "")[:1]
    if not await room.writer.write(lambda db: sign_in.try_it(db, keys, db.at)):
        return _page(request, tongue(lines.TOO_OFTEN))
    if member["password"] and not await asyncio.to_thread(passwords.fits, member["password"], present):
        return _page(request, tongue(lines.NOT_THE_PASSWORD))
    if fresh != again:
        return _page(request, tongue(lines.DIFFERENT))
    if wrong := passwords.refusal(fresh, member["name"], member["email"].partition("@")[0]):
        return _page(request, tongue(wrong[0], number=wrong[1]))
    secret = _secret(room, caller)
    step = passwords.code_fits(secret, code, room.clock())
    if step is None:
        return _page(request, tongue(lines.NOT_THE_CODE))
    kept = await asyncio.to_thread(passwords.keep, fresh)

    def write(db: Transaction) -> None:
        staff.change(db, member["id"], password=kept, totp=secret)
        marks.put(db, f"totp:{member['id']}", db.at, step)
        sessions.end_all(db, member["id"], but=sign_in.hashed(caller.token))
        for key in keys:
            sessions.forget_tries(db, key)
        audit.record(db, "password.set", member["id"])

    await room.writer.write(write)
    return go("/account?saved=1")


def _secret(room: Room, caller: Caller) -> str:
    """The second factor that this session would set up. Kept nowhere until it is."""
    key = room.deployment.secret("second factor")
    return passwords.new_secret(blake2b(caller.token.encode(), key=key, digest_size=20).digest())


def _page(request: Request, alarm: str = "") -> Response:
    room, caller = room_of(request), caller_of(request)
    secret = _secret(room, caller)
    issuer = room.deployment.library.newest(room.deployment.trial).trial.code
    address = passwords.address(secret, caller.member["email"] or caller.member["name"], f"Prescreen {issuer}")
    return render(
        request,
        "account.html",
        400 if alarm else 200,
        picture=segno.make(address, micro=False).svg_data_uri(scale=4, light="white", border=3),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        shortest=passwords.SHORTEST,
        languages=room.deployment.languages.of_staff,
        alarm=alarm,
        saved=tongue_of(request)(lines.SAVED) if "saved" in request.query_params and not alarm else "",
    )
