"""What every page may use: the database, the words of a language, the templates, and whose browser it is."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from babel import Locale
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.channels.web import Web, chat_of
from bot.deployment import Deployment
from bot.limits import Pace
from bot.messages import Inbound
from bot.store import Store
from bot.store.transaction import Transaction
from bot.words import SOURCE, CatalogueWords
from flows.flow import Flow
from flows.speak import fill

T = TypeVar("T")

HERE = Path(__file__).parent
STATIC = HERE / "static"
COOKIE, FRAMED, LOOK = "__Host-chat", "__Host-chat-framed", "__Host-look"
A_YEAR = 31_536_000
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
SOURCES = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a link on a poster may carry, as in a messenger."""
THEMES, SIZES = ("auto", "light", "dark"), ("1", "2", "3")


@dataclass(frozen=True, slots=True)
class Room:
    """The deployment as the pages of the chat see it."""

    deployment: Deployment
    store: Store
    take: Callable[[Inbound], Awaitable[None]]
    """Commits what somebody did; raises when it could not."""
    write: Callable[[Callable[[Transaction], Any]], Awaitable[Any]]
    """The one writer."""
    clock: Callable[[], datetime]
    web: Web
    stop: asyncio.Event
    """Set when the process ends: whoever waits for news is let go."""
    public_url: str
    telegram_name: str = ""
    """The bot's name in Telegram, without the @; "" where there is none."""
    embed_sites: tuple[str, ...] = ()
    """The origins that may show the chat inside a page of theirs."""
    pace: Pace = field(default_factory=lambda: Pace(1.0, 40))
    """How fast one chat may talk."""
    crowd: Pace = field(default_factory=lambda: Pace(5.0, 120))
    """How fast one address may: behind it may be a whole hospital."""
    births: Pace = field(default_factory=lambda: Pace(0.1, 60))
    """How fast one address may begin new chats."""

    async def look(self, do: Callable[[Transaction], T]) -> T:
        """Runs what only reads, in a thread of its own."""
        return await asyncio.to_thread(self._look, do)

    def _look(self, do: Callable[[Transaction], T]) -> T:
        with self.store.look(self.clock()) as db:
            return do(db)

    def flow(self) -> Flow:
        """What somebody who is new would be asked."""
        return self.deployment.library.newest(self.deployment.trial)

    def csrf(self, token: str) -> str:
        """What a form must bring back to act in this browser's chat."""
        return blake2b(token.encode(), key=self.deployment.secret("chat form"), digest_size=24).hexdigest()

    @property
    def origin(self) -> str:
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"


def room_of(request: Request) -> Room:
    found: Room = request.app.state.room
    return found


# ---------------------------------------------------------------------- whose browser it is


def is_framed(request: Request) -> bool:
    """Whether the page stands inside somebody else's: it has a cookie of its own there."""
    return request.query_params.get("frame") == "1" and bool(room_of(request).embed_sites)


def token_of(request: Request) -> str:
    """The browser's token; "" for a new one."""
    token = request.cookies.get(FRAMED if is_framed(request) else COOKIE, "")
    return token if TOKEN.fullmatch(token) else ""


def chat_here(request: Request) -> str:
    """The chat of this browser; "" for a new one."""
    token = token_of(request)
    return chat_of(token) if token else ""


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def remember(request: Request, answer: Response, token: str) -> None:
    """Sets the one cookie by which a browser finds its chat again; "" takes it away. No script can read it."""
    name, how = (FRAMED, "SameSite=None; Partitioned") if is_framed(request) else (COOKIE, "SameSite=Lax")
    age = A_YEAR if token else 0
    answer.headers.append("set-cookie", f"{name}={token}; Path=/; Max-Age={age}; Secure; HttpOnly; {how}")


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


# ---------------------------------------------------------------------- words


class Tongue:
    """The product's own lines in a person's language, by their keys."""

    def __init__(self, flow: Flow, words: CatalogueWords) -> None:
        self.flow, self.words = flow, words
        self.rtl = Locale.parse(words.locale).text_direction == "rtl"

    def __call__(self, key: str, /, **values: str) -> str:
        return fill(self.words.text(f"say.{key}", self.flow.says[key]), values)

    @property
    def lang(self) -> str:
        return self.words.locale.replace("_", "-")

    @property
    def dir(self) -> str:
        return "rtl" if self.rtl else "ltr"

    def shown(self, text: str) -> Markup:
        """Escaped; what people write off stays on one line where it fits, and in a language from right to left
        numbers and Latin names keep to themselves."""
        if not self.rtl:
            return _whole(text)
        return _wrapped(_LATIN, text, lambda found: Markup('<bdi dir="ltr">{}</bdi>').format(_whole(found)))

    def parted(self, text: str) -> list[Markup]:
        """Sentence by sentence: a line that is too short for all of them breaks between two."""
        return [self.shown(sentence) for sentence in _SENTENCES.split(text)]


def _whole(text: str) -> Markup:
    return _wrapped(_UNBROKEN, text, Markup('<span class="whole">{}</span>').format)


def _wrapped(pattern: re.Pattern[str], text: str, wrap: Callable[[str], Markup]) -> Markup:
    """Escaped, with each match in something."""
    pieces, at = [], 0
    for found in pattern.finditer(text):
        pieces += [escape(text[at : found.start()]), wrap(found[0])]
        at = found.end()
    return Markup("").join([*pieces, escape(text[at:])])


_UNBROKEN = re.compile(
    r"(?a:\b[A-Z]{1,3}-\d{4,}\b|\+\d[\d ]{5,16}\d|[\w.+-]{1,40}@[\w-]{1,40}(?:\.[\w-]{1,20}){1,4})[.,;:!?)]?"
)
"""A reference, a telephone number or an address, with the sign after it, which must not stand on a line alone."""
_SENTENCES = re.compile(r"(?<=[.。।])\s*(?=\S)")
_LATIN = re.compile(r"[+(]*[0-9A-Za-z](?:[0-9A-Za-z .,:/()+@_'&-]*[0-9A-Za-z)])?")


def language_of(request: Request) -> str:
    """The language for somebody whose choice we do not know: asked for by the link, else the browser's."""
    languages = room_of(request).deployment.languages
    asked, told = request.query_params.get("lang", "")[:20], request.headers.get("accept-language", "")[:200]
    wishes = [asked, *told.split(",")]
    found = (languages.resolve(wish.partition(";")[0].strip()) for wish in wishes if wish)
    return next((tag for tag in found if tag), SOURCE if SOURCE in languages.names else next(iter(languages.names)))


# ---------------------------------------------------------------------- pages


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
    made.globals |= {"static": static, "fresh": lambda: secrets.token_urlsafe(12)}
    return made


@cache
def static(name: str) -> str:
    """The address of a file that never changes under it, so that a browser may keep it."""
    return f"/chat/static/{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}/{name}"


def render(request: Request, template: str, tongue: Tongue, status: int = 200, **values: Any) -> Response:
    page = environment().get_template(template)
    return HTMLResponse(page.render({**common(request, tongue), **values}), status)


def common(request: Request, tongue: Tongue) -> dict[str, Any]:
    """What every template knows."""
    theme, _, size = request.cookies.get(LOOK, "")[:20].partition(".")
    token = token_of(request)
    return {
        "_": tongue,
        "theme": theme if theme in THEMES else "auto",
        "size": size if size in SIZES else "1",
        "csrf": room_of(request).csrf(token) if token else "",
        "frame": "?frame=1" if is_framed(request) else "",
        "short_title": tongue.words.text(f"{tongue.flow.trial.slug}.trial", tongue.flow.trial.short_title),
        "path": request.url.path,
    }


def go(request: Request, path: str) -> Response:
    """On to a page by GET, so that a reload repeats nothing."""
    path, mark, part = path.partition("#")
    join = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{join + 'frame=1' if is_framed(request) else ''}{mark}{part}", 303)
