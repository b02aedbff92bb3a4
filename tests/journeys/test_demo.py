"""The demo: one command, one page, invented people; it goes on where it was left, and says when a port is taken."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests.journeys.bot_process import ROOT

pytestmark = pytest.mark.slow

BROWSER = {
    "executable_path": "/usr/bin/chromium",
    "args": [
        *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync"),
    ],
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def demo(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    words = [sys.executable, "-m", "bot", "demo", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(words, cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def until_it_answers(port: int) -> httpx.Response:
    for _ in range(300):
        try:
            return httpx.get(f"http://127.0.0.1:{port}/demo/", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the demo does not answer")


def begins(browser: Browser, port: int) -> tuple[StorageState, list[str]]:
    """Answers the first question as a new person; gives the browser's cookies, and the leads that staff see."""
    seen = browser.new_page(viewport={"width": 1280, "height": 800})
    seen.goto(f"http://127.0.0.1:{port}/demo/")
    found = Axe().run(seen).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert seen.evaluate("document.documentElement.scrollWidth") <= 1280
    chat = seen.frame_locator("iframe").nth(0)
    chat.get_by_role("button", name="Español").click()
    chat.get_by_role("button", name="No", exact=True).wait_for()
    seen.set_viewport_size({"width": 390, "height": 844})
    patient, staff = (seen.locator("iframe").nth(at).bounding_box() for at in (0, 1))
    assert patient and staff and patient["y"] + patient["height"] <= staff["y"]  # on a phone, one below the other
    assert seen.evaluate("document.documentElement.scrollWidth") <= 390
    seen.set_viewport_size({"width": 1280, "height": 800})
    seen.get_by_role("link", name="Begin anew").click()
    chat.get_by_role("button", name="العربية").wait_for()
    chat.get_by_role("button", name="English").click()
    chat.get_by_role("button", name="Yes, for me").wait_for()
    return seen.context.storage_state(), references(seen)


def references(seen: Page) -> list[str]:
    queue = seen.frame_locator("iframe").nth(1).get_by_role("link", name=re.compile("K-000"))
    queue.first.wait_for()
    return queue.all_inner_texts()


def ended(process: subprocess.Popen[str]) -> str:
    """What it said by its end, which Ctrl-C brings."""
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    told = process.stdout.read() if process.stdout else ""
    assert "CRITICAL" not in told and "Traceback" not in told
    return told


def test_one_command_shows_all_of_it_and_goes_on_the_next_day(tmp_path: Path) -> None:
    port = free_port()
    with sync_playwright() as playing:
        browser = playing.chromium.launch(**BROWSER)  # type: ignore[arg-type]
        with demo(tmp_path, port) as process:
            page = until_it_answers(port)
            assert page.status_code == 200 and "invented people" in page.text
            assert "frame-src 'self'" in page.headers["content-security-policy"]
            cookies, leads = begins(browser, port)
            assert len(leads) >= 4
            assert "have talked already" in ended(process)
        with demo(tmp_path, port) as process:
            until_it_answers(port)
            seen = browser.new_page(storage_state=cookies)
            seen.goto(f"http://127.0.0.1:{port}/demo/")
            seen.frame_locator("iframe").nth(0).get_by_role("button", name="Yes, for me").wait_for()
            assert references(seen) == leads
            assert "It goes on where it was left." in ended(process)
        browser.close()


def test_a_port_in_use_is_said_in_one_line_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, demo(tmp_path, taken.getsockname()[1]) as process:
        port = taken.getsockname()[1]
        assert process.wait(timeout=20) == 2
        assert process.stdout and process.stdout.read() == f"Port {port} is taken. Try: make demo PORT={port + 1}\n"
    told = subprocess.run(["make", "-n", "demo", "PORT=8101"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "prescreen demo --port 8101\n" in told.stdout  # make says more where another make runs it
