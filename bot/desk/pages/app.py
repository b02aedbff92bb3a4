"""Puts the pages together: which are open to anybody, which to staff, and what is said when one is not there."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from bot.desk.actions import NotThere
from bot.desk.pages import (
    account,
    acts,
    audit,
    counts,
    entry,
    exports,
    guard,
    hanging,
    insight,
    lead,
    people,
    queue,
    shared,
    sites,
    statics,
    talk,
)
from bot.desk.pages.room import Room
from bot.shield import Shield

OPEN = (statics, entry, shared)
"""For everybody."""
ROOMS = (queue, lead, acts, talk, hanging, counts, insight, exports, people, sites, audit, account)
"""For those who are signed in: each has a ``router``. What more a page asks for, it asks itself."""


def make(room: Room) -> ASGIApp:
    """The pages, to be mounted at ``/desk``."""
    pages = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(guard.outside)])
    pages.state.room = room
    for part in OPEN:
        pages.include_router(part.router)
    for router in (entry.leaving, *(part.router for part in ROOMS)):
        pages.include_router(router, dependencies=[Depends(guard.inside)])
    pages.add_exception_handler(guard.SignInFirst, guard.to_sign_in)
    pages.add_exception_handler(guard.NotOurs, guard.refused)
    pages.add_exception_handler(NotThere, guard.not_there)
    pages.add_exception_handler(HTTPException, guard.not_there)
    pages.add_exception_handler(RequestValidationError, guard.unreadable)
    pages.add_exception_handler(Exception, guard.failed)
    framed_by = ("'self'",) if room.deployment.demo else ()
    return Shield(pages, https=room.deployment.desk_url.startswith("https:"), framed_by=framed_by)
