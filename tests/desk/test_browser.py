"""The web inbox in a real Chromium, over real HTTP: accessible, usable by keyboard, on a phone, without a script."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from bot.desk import sign_in
from bot.desk.pages import queue
from bot.store import Store, sessions, staff
from bot.words import SOURCE, of_staff
from tests.desk.acting import acts, has_lead
from tests.desk.browser import Pages, member
from tests.shell.conftest import Desk, Somebody

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]  # fmt: skip
PATHS = ("/", "/?status=consented", "/leads/K-0001", "/leads/K-0002", "/leads/K-0003", "/leads/K-9999", "/counts",
         "/sites", "/staff", "/account")  # fmt: skip
SMALL = """() => [...document.querySelectorAll('button, summary, select, input:not([type=hidden]), nav a, a.button, a.reference')]
  .filter(it => it.offsetParent !== null && !it.closest('label.tick') && it.getBoundingClientRect().height < 44)
  .map(it => it.outerHTML.slice(0, 120))"""
"""What is to be pressed and yet lower than 44 pixels."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "there is no Chromium; `make chromium` installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """The real pages on a real port, with some leads, by the real clock."""

    def __init__(self, desk: Desk, url: str, nora: staff.Member) -> None:
        self.desk, self.url, self.nora = desk, url, nora

    def link(self) -> str:
        with self.desk.store.begin() as db:
            return sign_in.make_link(db, self.desk.deployment, self.nora, datetime.now(UTC))

    @contextmanager
    def page(self, browser: Browser, width: int = 1280, **values: Any) -> Iterator[Page]:
        """A page of somebody who is signed in. Anything that a policy refuses or a script trips over fails it."""
        context = browser.new_context(viewport={"width": width, "height": 844}, **values)
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(self.link())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{self.url}/desk/")
        yield page
        context.close()
        assert [line for line in told if "status of 404" not in line and "status of 409" not in line] == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    store = Store(f"sqlite:///{tmp_path / 'prescreen.db'}")
    desk = Desk(store)
    desk.now = datetime.now(UTC)
    nora = member(desk, "Nora", role="admin")
    Somebody(desk).starts().walks_to("check").sends()
    acts(desk, nora, lambda acting: acting.claim(1))
    has_lead(desk, "502", due_at=desk.now - timedelta(hours=26), helper=True, locale="es")
    has_lead(desk, "503", site="harbour", status="attempt_1", attempts=1, owner_id=nora["id"], chat_lost=True)
    pages = Pages(desk, url)
    pages.writer.clock = lambda: datetime.now(UTC)
    server = uvicorn.Server(uvicorn.Config(pages.web, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    yield Site(desk, url, nora)
    server.should_exit = True
    thread.join()
    listening.close()
    pages.close()
    store.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_accessible_and_fits(site: Site, chromium: Browser, width: int, scheme: Any) -> None:
    """axe finds nothing serious, nothing scrolls sideways, what is pressed is 44 pixels high."""
    with site.page(chromium, width, color_scheme=scheme) as page:
        for path in PATHS:
            page.goto(f"{site.url}/desk{path}")
            for summary in page.locator("summary").all():
                summary.click()
            grave = [
                (found["id"], found["nodes"][0]["html"][:100])
                for found in Axe().run(page).response["violations"]
                if found["impact"] in ("serious", "critical")
            ]
            assert grave == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(SMALL) == [], path
    with_nobody = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme).new_page()
    for path in ("/sign-in", "/link/abc"):
        with_nobody.goto(f"{site.url}/desk{path}")
        found = Axe().run(with_nobody).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert with_nobody.evaluate("document.documentElement.scrollWidth") <= width
    with_nobody.context.close()


@pytest.mark.parametrize("language", [tag for tag in of_staff() if tag != SOURCE])
def test_every_page_fits_a_phone_in_each_language_of_the_staff(
    site: Site, chromium: Browser, language: str
) -> None:
    with site.page(chromium, 390) as page:
        with site.desk.store.begin() as db:
            staff.change(db, site.nora["id"], language=language)
        for path in (*PATHS, "/insight", "/export"):
            page.goto(f"{site.url}/desk{path}")
            for summary in page.locator("summary").all():
                summary.click()
            assert page.evaluate("document.documentElement.lang") == language.replace("_", "-"), path
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert page.evaluate(SMALL) == [], path


def test_claimed_and_undone_by_keyboard_alone(site: Site, chromium: Browser) -> None:
    """From the skip link to the claim, and back, by Tab and Enter; the focus is always seen."""
    with site.page(chromium) as page:
        page.keyboard.press("Tab")
        assert "skip" in str(page.evaluate("document.activeElement.className"))
        page.keyboard.press("Enter")
        tab_to(page, "#claim-K-0002")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**/leads/K-0002")
        assert "Nora has it" in page.inner_text("main")
        tab_to(page, ".undo button")
        page.keyboard.press("Enter")
        page.get_by_text("nobody has it yet").wait_for()
        assert site.desk.one("SELECT status FROM lead WHERE id = 2") == "new"


def tab_to(page: Page, what: str) -> None:
    for _ in range(60):
        if page.evaluate("what => document.activeElement.matches(what)", what):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{what} cannot be reached by Tab")


def test_everything_works_without_a_script(site: Site, chromium: Browser) -> None:
    with site.page(chromium, 390, java_script_enabled=False) as page:
        page.get_by_label("Find by reference").fill("+34 612 34 56 78")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="K-0002").click()
        page.get_by_role("button", name="Claim").click()
        page.get_by_role("button", name="No answer").click()
        assert "attempt 1 of 3" in page.inner_text("h1")
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("Close", exact=True).first.click()
        page.get_by_label("Not a fit").check()
        page.get_by_label("Criterion", exact=True).select_option("E4")
        page.get_by_role("button", name="Close").click()
        assert "closed" in page.inner_text("h1")
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{site.url}/desk/")
        assert page.url.endswith("/desk/sign-in")


def test_the_queue_stays_fresh_and_keeps_the_focus(site: Site, chromium: Browser, monkeypatch: Any) -> None:
    """A lead that comes in appears by itself; whoever is on a button stays on it, and what is typed stays."""
    monkeypatch.setattr(queue, "SECONDS", 1)
    with site.page(chromium) as page:
        page.get_by_label("Find by reference").fill("half a num")
        page.focus("#claim-K-0002")
        has_lead(site.desk, "509", due_at=site.desk.now - timedelta(hours=50))
        page.get_by_role("link", name="K-0004").wait_for(timeout=10_000)
        assert page.evaluate("document.activeElement.id") == "claim-K-0002"
        assert page.get_by_label("Find by reference").input_value() == "half a num"
        assert page.locator("a.reference").first.inner_text() == "K-0004"
        with site.desk.store.begin() as db:
            sessions.end_all(db, site.nora["id"])
        page.wait_for_url("**/desk/sign-in", timeout=10_000)  # a page left open shows nobody anything
