"""The pages of a desk, asked over ASGI as a browser would: cookies, forms, and where a form leads."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.desk import sign_in
from bot.desk.pages import app
from bot.desk.pages.room import COOKIE, Room
from bot.store import staff
from bot.store.staff import Member
from bot.writer import Writer
from tests.shell.conftest import Desk

URL = "https://desk.example.org"


class Pages:
    """The web inbox of a test's desk, on the desk's clock."""

    def __init__(self, desk: Desk, url: str = URL) -> None:
        self.desk, self.url = desk, url
        desk.deployment = replace(desk.deployment, desk_url=url)
        self.writer = Writer(desk.store, desk.clock)
        self.web = Starlette(
            routes=[Mount("/desk", app.make(Room(desk.deployment, desk.store, self.writer, desk.clock)))]
        )

    def close(self) -> None:
        self.writer.close()

    def link(self, who: Member) -> str:
        """The token of a fresh link for a member."""
        with self.desk.store.begin(self.desk.now) as db:
            return sign_in.make_link(db, self.desk.deployment, who, self.desk.now).rpartition("/")[2]

    def browser(self, who: Member | None = None, address: str = "203.0.113.7") -> Browser:
        """A browser, signed in if somebody is given."""
        made = Browser(self, address)
        if who is not None:
            made.post("/link", token=self.link(who))
            assert made.cookies.get(COOKIE), "the link let nobody in"
        return made


class Browser:
    """Keeps cookies and sends forms with the token of the page before."""

    def __init__(self, pages: Pages, address: str) -> None:
        self.pages, self.address = pages, address
        self.cookies: dict[str, str] = {}
        self.last: httpx.Response | None = None

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, csrf: str | None = None, *, follow: bool = True, **form: Any) -> httpx.Response:
        """Sends a form; without ``csrf`` with the token of this session."""
        token = self.csrf if csrf is None else csrf
        answer = self.ask("POST", path, data={"csrf": token, **form}, headers={"sec-fetch-site": "same-origin"})
        if follow and answer.status_code == 303:
            return self.get(answer.headers["location"].removeprefix("/desk"))
        return answer

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        sent = {**(headers or {})}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.pages.web, client=(self.address, 40000))
            async with httpx.AsyncClient(transport=transport, base_url=self.pages.url) as client:
                return await client.request(method, f"/desk{path}", headers=sent, **more)

        answer = asyncio.run(send())
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if "Max-Age=0" in line:
                del self.cookies[name]
        self.last = answer
        return answer

    @property
    def csrf(self) -> str:
        """The token that the pages give this session in their forms."""
        if COOKIE not in self.cookies:
            return ""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/account").text)
        return found[1] if found else ""


def member(desk: Desk, name: str, **values: Any) -> Member:
    """A member of staff with a mail address."""
    with desk.store.begin(desk.now) as db:
        address = values.pop("email", f"{name.lower()}@site.example")
        found = staff.by_id(db, staff.add(db, name, values.pop("telegram", None), email=address, **values))
    assert found is not None
    return found


def at_of(page: str) -> str:
    """What a lead's page says was the last step when it was shown."""
    found = re.search(r'name="at" value="(\d+)"', page)
    assert found, "the page has no form"
    return found[1]
