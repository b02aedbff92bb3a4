"""What every page may use: the database, who is signed in, and the templates in their language."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta, get_timezone_name
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.deployment import Deployment
from bot.desk import rights
from bot.desk.cards import Cards, cards_for
from bot.store import Store, sites
from bot.store.leads import Lead
from bot.store.staff import Member
from bot.store.transaction import Transaction
from bot.words import CatalogueWords
from bot.writer import Writer
from flows.flow import Flow
from flows.speak import fill

T = TypeVar("T")

HERE = Path(__file__).parent
STATIC = HERE / "static"
COOKIE, WISH = "__Host-desk", "__Host-wish"
ROOT = "/desk"


@cache
def environment() -> Environment:
    """Everything is escaped, and a name that a page forgot is an error and no gap."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static
    return made


@cache
def static(name: str) -> str:
    """The address of a file that never changes under it, so that a browser may keep it."""
    return f"{ROOT}/static/{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}/{name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a page."""

    member: Member
    token: str
    csrf: str

    def may(self, right: rights.Right) -> bool:
        return rights.may(self.member, right)


@dataclass(frozen=True, slots=True)
class Room:
    """The deployment as the pages see it."""

    deployment: Deployment
    store: Store
    writer: Writer
    clock: Callable[[], datetime]
    _zones: dict[str, dict[str, str]] = field(default_factory=dict)
    """The time zones of sites that were changed, by trial: as of the last look."""

    async def look(self, do: Callable[[Transaction], T]) -> T:
        """Runs what only reads, in a thread of its own."""
        return await asyncio.to_thread(self._look, do)

    def _look(self, do: Callable[[Transaction], T]) -> T:
        with self.store.look(self.clock()) as db:
            self._zones[self.deployment.trial] = sites.zones(db, self.deployment.trial)
            return do(db)

    def csrf(self, token: str) -> str:
        """What a form must bring back to act for this session."""
        key = self.deployment.secret("csrf")
        return blake2b(token.encode(), key=key, digest_size=24).hexdigest()

    def cards(self, lead: Lead, language: str, flow: Flow | None = None) -> Cards:
        """``flow``: the version that the person answered, where it is not the newest."""
        flow = flow or self.deployment.library.newest(lead["trial"])
        return cards_for(self.deployment, flow, language, self._zones.get(lead["trial"], {}))

    def zone(self, lead: Lead) -> ZoneInfo:
        """The time zone of the lead's site as of the last look, or of the trial."""
        return self.cards(lead, self.deployment.staff_language).zone(lead)


def room_of(request: Request) -> Room:
    found: Room = request.app.state.room
    return found


def caller_of(request: Request) -> Caller:
    """Who is signed in; ``guard.inside`` has made sure that somebody is."""
    found: Caller = request.state.caller
    return found


class Tongue:
    """The words and times of a page, in the language of who reads it."""

    def __init__(self, words: CatalogueWords, now: datetime) -> None:
        self.words, self.now = words, now

    def __call__(self, text: str, /, **values: object) -> str:
        return fill(self.words.text("staff", text), {name: str(value) for name, value in values.items()})

    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """A day and a time at the site, with the zone named."""
        there = moment.astimezone(zone)
        return f"{self.words.moment(there)} ({self.zone(there)})"

    def zone(self, there: datetime) -> str:
        return get_timezone_name(there, width="long", locale=self.words.locale)

    def lasting(self, time: timedelta) -> str:
        """About how long: 3 hours."""
        return format_timedelta(abs(time), threshold=2, locale=self.words.locale)


def render(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page, in the language of whoever is signed in."""
    room = room_of(request)
    caller: Caller | None = getattr(request.state, "caller", None)
    language = caller.member["language"] if caller else _asked_for(request, room)
    tongue = Tongue(room.deployment.languages.staff(language), room.clock())
    page = environment().get_template(template)
    common = {"_": tongue, "me": caller, "lang": language.replace("_", "-"), "root": ROOT}
    return HTMLResponse(page.render({**common, **values}), status)


def _asked_for(request: Request, room: Room) -> str:
    """The browser's language where it is one of the staff's; before anybody is signed in."""
    languages = room.deployment.languages
    for wish in request.headers.get("accept-language", "")[:200].split(","):
        if found := languages.resolve(wish.partition(";")[0].strip(), languages.of_staff):
            return found
    return room.deployment.staff_language


def tongue_of(request: Request) -> Tongue:
    room = room_of(request)
    return Tongue(room.deployment.languages.staff(caller_of(request).member["language"]), room.clock())


def go(path: str) -> Response:
    """On to a page by GET, so that a reload repeats nothing."""
    return RedirectResponse(ROOT + path, 303)


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
