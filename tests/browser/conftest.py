"""A Chromium, and the web chat on a real port behind a switch that cuts the network."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import text

from bot.channels.web import Web
from bot.chat import app
from bot.chat.room import Room
from bot.house import House
from bot.limits import Pace
from bot.store import Store
from tests.patient import LANGUAGES
from tests.shell.conftest import Desk
from tests.visitor import FAST

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]  # fmt: skip


def path() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "there is no Chromium; `make chromium` installs one"
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(), args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """The real pages on a real port, by the real clock, with the real delivery."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.values = {"pace": FAST, "crowd": FAST, "births": Pace(100, 100), **values}
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.store = Store(f"sqlite:///{folder / 'prescreen.db'}")
        self.desk = Desk(self.store)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        deployed = self.desk.deployed()
        web, self.stop, self._loop = Web(), asyncio.Event(), asyncio.get_running_loop()
        house = House(self.store, deployed, {"web": web}, clock=lambda: datetime.now(UTC))
        room = Room(
            deployed, self.store, house.take, house.writer.write, house.clock, web, self.stop, self.url,
            "example_bot", **self.values,
        )  # fmt: skip
        server = uvicorn.Server(
            uvicorn.Config(app.make(room), log_config=None, lifespan="off", timeout_graceful_shutdown=2)
        )
        delivering = asyncio.create_task(house.delivery.run(self.stop))
        serving = asyncio.create_task(server.serve(sockets=[self.listening]))
        self._ready.set()
        await self.stop.wait()
        server.should_exit = True
        await serving
        await delivering
        house.close()

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What is stored, read beside the server and in nobody's way. Sealed columns stay so."""
        with self.store.look() as db:
            return list(db.execute(text(query), values))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.stop.set)
        self._thread.join()
        self.listening.close()
        self.store.close()

    @contextmanager
    def page(self, browser: Browser, width: int = 390, **values: Any) -> Iterator[Page]:
        """A new browser's page. Anything that a policy refuses or a script trips over fails the test."""
        context = browser.new_context(viewport={"width": width, "height": 844}, **values)
        page, told = context.new_page(), list[str]()
        context.on("page", lambda other: _listen(other, told))
        _listen(page, told)
        yield page
        context.close()
        assert [line for line in told if "ERR_INTERNET_DISCONNECTED" not in line and "net::" not in line] == []


def _listen(page: Page, told: list[str]) -> None:
    page.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def words(locale: str) -> Any:
    return LANGUAGES.patient(locale)
