"""The web chat as somebody with a browser uses it, over ASGI: cookies, forms, and what can be pressed on a page."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

import httpx

from bot.channels.web import Web
from bot.chat import app
from bot.chat.room import COOKIE, Room
from bot.house import House
from bot.limits import Pace
from flows.tidy import fold
from tests.conftest import FINE, TYPED
from tests.shell.conftest import Desk

URL = "https://study.example.org"
FAST = Pace(1000.0, 1000)


@dataclass
class Form:
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str, bool]] = field(default_factory=list)
    """Label, value, ticked."""
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Label, name, value."""
    types: bool = False


class _Reader(HTMLParser):
    """Forms, and the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._button: dict[str, str | None] | None = None
        self._label: list[str] = []
        self._box: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(given.get("action") or ""))
        if tag == "input" and self.forms:
            form, name, value = self.forms[-1], given.get("name") or "", given.get("value") or ""
            if given.get("type") == "hidden":
                form.fields.append((name, value))
            elif given.get("type") == "checkbox":
                self._box, self._label = given, []
            elif name == "text":
                form.types = True
        if tag == "button":
            self._button, self._label = given, []
        if tag in ("strong", "small", "p", "div", "article") and self.words:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        said = "".join(self._label).strip()
        if tag == "button" and self._button is not None and self.forms:
            label = said.split("\n")[0].strip()
            self.forms[-1].buttons.append((label, self._button.get("name") or "", self._button.get("value") or ""))
            self._button = None
        if tag == "label" and self._box is not None:
            label = said.split("\n")[0].strip()
            self.forms[-1].boxes.append((label, self._box.get("value") or "", "checked" in self._box))
            self._box = None
        if tag == "strong":
            self._label.append("\n")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        self._label.append(data)


class ChatPages:
    """The web chat of a test's desk, on the desk's clock."""

    def __init__(self, desk: Desk, **values: Any) -> None:
        self.desk = desk
        desk.deployment = replace(desk.deployment, chat_url=URL)
        self.web = Web()
        self.house = House(desk.store, desk.deployment, {}, clock=desk.clock)
        self.house.delivery.leads = False
        self.stop = asyncio.Event()
        self.room = Room(
            desk.deployment,
            desk.store,
            self.house.take,
            self.house.writer.write,
            desk.clock,
            self.web,
            self.stop,
            URL,
            **{"telegram_name": "example_bot", "pace": FAST, "crowd": FAST, "births": FAST, **values},
        )
        self.pages = app.make(self.room)

    def close(self) -> None:
        self.house.close()

    def visitor(self, language: str = "en", address: str = "203.0.113.7") -> Visitor:
        return Visitor(self, language, address)


class Visitor:
    """A browser without a script."""

    def __init__(self, chat: ChatPages, language: str, address: str) -> None:
        self.chat, self.language, self.address = chat, language, address
        self.cookies: dict[str, str] = {}
        self.page = ""
        self.status = 0

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        sent = {"accept-language": self.language, **(headers or {})}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def asked() -> httpx.Response:
            wire = httpx.ASGITransport(self.chat.pages, client=(self.address, 40000))
            async with httpx.AsyncClient(transport=wire, base_url=URL) as client:
                return await client.request(method, path, headers=sent, **more)

        answer = asyncio.run(asked())
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    def get(self, path: str = "/chat") -> Visitor:
        answer = self.ask("GET", path)
        self.page, self.status = answer.text, answer.status_code
        return self

    def post(self, action: str, fields: list[tuple[str, str]], **headers: str) -> httpx.Response:
        """Sends a form as it stands, and goes where it leads."""
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        answer = self.ask("POST", action, headers={"sec-fetch-site": "same-origin", **headers}, data=data)
        self.page, self.status = answer.text, answer.status_code
        if answer.status_code == 303:
            self.get(answer.headers["location"])
        return answer

    # ------------------------------------------------------------------ what is on the page

    @property
    def forms(self) -> list[Form]:
        reader = _Reader()
        reader.feed(self.page)
        return reader.forms

    @property
    def said(self) -> str:
        """The words of the page, without what a browser does not show."""
        body = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", "", self.page.partition("<main")[2])
        return html.unescape(re.sub(r"<[^>]+>", "", body))

    @property
    def labels(self) -> list[str]:
        return [label for form in self.forms for label, *_ in (*form.boxes, *form.buttons)]

    @property
    def kept(self) -> Any:
        """The conversation's state, of the one chat there is."""
        return self.chat.desk.rows("SELECT state FROM conversation WHERE lane LIKE 'web:%'")[0][0]

    @property
    def step(self) -> str | None:
        rows = self.chat.desk.rows("SELECT step FROM conversation WHERE lane LIKE 'web:%'")
        return rows[0][0] if rows else None

    # ------------------------------------------------------------------ what somebody does

    def starts(self, language: str = "en", path: str = "/chat") -> Visitor:
        self.get(path)
        form = next(form for form in self.forms if form.action.startswith("/chat/start"))
        self.post(form.action, [*form.fields, ("language", language)])
        return self

    def form_with(self, label: str) -> tuple[Form, tuple[str, str]]:
        for form in reversed(self.forms):
            for name, key, value in form.buttons:
                if fold(name) == fold(label):
                    return form, (key, value)
        raise AssertionError(f"no button {label!r} among {self.labels}")

    def presses(self, label: str) -> Visitor:
        form, button = self.form_with(label)
        self.post(form.action, [*form.fields, button])
        return self

    def ticks(self, *labels: str) -> Visitor:
        form = next(form for form in self.forms if form.boxes)
        known = {fold(label): value for label, value, _ in form.boxes}
        picks = [("pick", known[fold(label)]) for label in labels]
        self.post(form.action, [*form.fields, *picks, ("press", "picks")])
        return self

    def types(self, text: str) -> Visitor:
        form = next(form for form in self.forms if form.types)
        self.post(form.action, [*form.fields, ("text", text)])
        return self

    def answers(self, **other: Any) -> Visitor:
        """Answers the open question as somebody with nothing against, except ``other``, by what the page offers."""
        here = self.chat.desk.deployment.library.newest("nct06570291").step_by_id[self.step or ""]  # type: ignore[index]
        value = other.get(here.id, TYPED.get(here.id, FINE.get(here.id)))
        if here.id in TYPED or (isinstance(value, str) and not here.option(value)):
            return self.types(str(value))
        if value == ():
            return self.presses(here.none_label or "None of these")
        if isinstance(value, tuple):
            return self.ticks(*(option.label for option in here.options if option.id in value))
        if value is None:
            return self.presses(here.unsure_label or "Not sure")
        option = here.option(value)
        assert option is not None
        return self.presses(option.label)

    def walks_to(self, step: str, **other: Any) -> Visitor:
        while self.step != step:
            self.answers(**other)
        return self

    def sends(self) -> Visitor:
        """From the check page to a sent lead."""
        self.presses("All correct, go on").presses("Yes, contact me").types("Suzhou").presses("Wuxi").types("Rosa")
        self.types("Example").types("+34 612 34 56 78").types("rosa@example.org").presses("No other language")
        return self.ticks("Monday").presses("Mornings").presses("Send")

    @property
    def token(self) -> str:
        return self.cookies[COOKIE]
