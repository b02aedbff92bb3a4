"""The snippet on somebody else's page, in a real Chromium: another origin, another site, with its cookies refused, and a stranger."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, Site, path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chat in chromium")]

README = Path(__file__).parent.parent.parent / "README.md"


def snippet(url: str) -> str:
    """The two lines that the README gives to a trial's site, for this server."""
    text = README.read_text(encoding="utf-8").partition("```html\n")[2].partition("```")[0]
    assert "data-prescreen" in text
    return text.replace("https://study.example.org", url)


class Host:
    """Somebody's web site at ``localhost``, which is another site than 127.0.0.1."""

    def __init__(self) -> None:
        self.page = b""
        host = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(host.page if self.path == "/" else b"")

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.origin = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever).start()

    def shows(self, url: str) -> None:
        self.page = f"<!doctype html><title>Knees</title><h1>Our knees</h1>{snippet(url)}".encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
def open_site(tmp_path: Path, host: Host) -> Iterator[Site]:
    """A chat that this host may show."""
    made = Site(tmp_path, embed_sites=(host.origin,))
    host.shows(made.url)
    yield made
    made.close()


USUAL: dict[str, Any] = {}
STRICT = {"cookie_controls_mode": 1}
"""What stores of others, such as a frame of another site, no cookies of the old kind."""
NONE = {"default_content_setting_values": {"cookies": 2}}


@contextmanager
def chromium_that(folder: Path, prefers: dict[str, Any]) -> Iterator[BrowserContext]:
    """A Chromium whose owner has chosen so in its settings."""
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps({"profile": prefers}))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(folder, executable_path=path(), args=ARGUMENTS)
        yield context
        context.close()


@pytest.mark.parametrize("prefers", [USUAL, STRICT], ids=["usual", "strict"])
def test_the_snippet_holds_a_conversation_on_another_site(
    open_site: Site, host: Host, tmp_path: Path, prefers: dict[str, Any]
) -> None:
    """Answered, and kept across a reload of the host's page; also where the browser keeps nothing for others."""
    with chromium_that(tmp_path / "chromium", prefers) as context:
        page = context.new_page()
        page.goto(host.origin)
        chat = page.frame_locator("iframe")
        chat.get_by_role("button", name="English").click()
        chat.get_by_role("button", name="Yes, for me").click()
        expect(chat.locator("#log")).to_contain_text("What year")
        chat.locator("#text").fill("1964")
        chat.locator(".write button").click()
        expect(chat.locator("#log")).to_contain_text("Which knee")
        page.reload()
        expect(chat.locator("#log")).to_contain_text("Which knee")
        chat.get_by_role("button", name="Left knee").click()
        expect(chat.locator("#log")).to_contain_text("Has a doctor said")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        (cookie,) = context.cookies()
        assert cookie["name"] == "__Host-chat-framed" and "localhost" in str(cookie.get("partitionKey"))
        page.goto(open_site.url + "/chat")
        assert page.locator("#log").count() == 0  # on our own page the same browser is somebody else
    assert open_site.rows("SELECT count(*) FROM answer WHERE step = 'knee'")[0][0] == 1
    assert open_site.desk.rows("SELECT source FROM conversation")[0][0] == "website"


def test_where_no_cookie_is_kept_a_link_leads_to_the_chat_itself(
    open_site: Site, host: Host, tmp_path: Path
) -> None:
    """It says so instead of asking the same question for ever; the source and the language go along."""
    with chromium_that(tmp_path / "chromium", NONE) as context:
        page = context.new_page()
        page.goto(host.origin)
        chat = page.frame_locator("iframe")
        chat.get_by_role("button", name="English").click()
        expect(chat.locator("#status")).to_contain_text("allow cookies")
        with page.expect_popup() as opened:
            chat.get_by_role("link", name="Start the questions").click()
        assert opened.value.url == f"{open_site.url}/chat?lang=en&s=website"
        opened.value.locator("button[value=en]").wait_for()


def test_a_site_that_is_not_named_cannot_show_it(
    site: Site, open_site: Site, host: Host, chromium: Browser, tmp_path: Path
) -> None:
    """Neither where no site may, nor where another one may; the one that may is the control."""
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other", embed_sites=("https://www.example.org",))
    for shown, there in ((site, 0), (other, 0), (open_site, 8)):
        host.shows(shown.url)
        page = chromium.new_page()
        said: list[str] = []
        page.on("console", lambda line, said=said: said.append(line.text))  # type: ignore[misc]
        page.goto(host.origin)
        page.wait_for_load_state("networkidle")
        assert page.frame_locator("iframe").locator("button[name=language]").count() == there
        assert any("frame-ancestors" in line for line in said) is not bool(there), said
        page.close()
    other.close()
