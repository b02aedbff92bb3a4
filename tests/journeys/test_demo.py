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
from playwright.sync_api import sync_playwright

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


def test_one_command_shows_all_of_it_and_goes_on_the_next_day(tmp_path: Path) -> None:
    port = free_port()
    with demo(tmp_path, port) as process:
        page = until_it_answers(port)
        assert (
            page.status_code == 200
            and "invented people" in page.text
            and "frame-src 'self'" in page.headers["content-security-policy"]
        )
        with sync_playwright() as playing:
            browser = playing.chromium.launch(**BROWSER)  # type: ignore[arg-type]
            seen = browser.new_page(viewport={"width": 1280, "height": 800})
            seen.goto(f"http://127.0.0.1:{port}/demo/?new=1&lang=en")
            chat, desk = seen.frame_locator("iframe").nth(0), seen.frame_locator("iframe").nth(1)
            desk.get_by_role("link", name=re.compile("K-000")).first.wait_for()
            chat.get_by_role("button").first.wait_for()
            found = Axe().run(seen).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
            browser.close()
        other = subprocess.run(
            [sys.executable, "-m", "bot", "demo", "--port", str(port)], cwd=tmp_path, text=True, capture_output=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
        assert (
            other.returncode == 2
            and other.stderr == f"Port {port} is taken. Try: prescreen demo --port {port + 1}\n"
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        told = process.stdout.read() if process.stdout else ""
        assert "have talked already" in told and "CRITICAL" not in told
    with demo(tmp_path, port) as process:
        until_it_answers(port)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert "It goes on where it was left." in (process.stdout.read() if process.stdout else "")
