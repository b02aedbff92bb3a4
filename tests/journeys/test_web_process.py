"""The real process with the web chat alone: no Telegram, a lead all the same, news by events, a clean end."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bot_process import ROOT

pytestmark = pytest.mark.slow


class Process:
    """``prescreen serve`` as somebody without a bot token starts it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder, self.log = folder, folder / "log"
        self.environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ALLOW_DRAFT_LANGUAGES": "yes", "WEB_CHAT": "yes",
            "DATABASE_URL": f"sqlite:///{folder / 'p.db'}", "LISTEN": f"127.0.0.1:{self.port}",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}", "MASTER_KEY": "of-the-tests-and-of-nothing-else-", **settings,
        }  # fmt: skip
        self.cookie = ""

    def start(self) -> None:
        with self.log.open("ab") as log:
            words = [sys.executable, "-m", "bot", "serve"]
            self.process = subprocess.Popen(words, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                self.ask("/healthz")
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def ask(self, path: str, fields: list[tuple[str, str]] | None = None) -> str:
        """A page; after a form the page it leads to."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if fields is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urllib.parse.urlencode(fields), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if found := re.match(r"(__Host-chat=[^;]+)", answer.headers.get("set-cookie", "")):
            self.cookie = found[1]
        connection.close()
        if answer.status == 303:
            return self.ask(answer.headers["location"].partition("#")[0])
        assert answer.status == 200, (path, answer.status)
        return text

    def hidden(self, page: str) -> list[tuple[str, str]]:
        open_ = page.partition('id="open"')[2]
        return [(name, re.findall(rf'name="{name}" value="([^"]+)"', open_)[0]) for name in ("csrf", "id")]

    def presses(self, page: str, label: str) -> str:
        found = re.search(rf'value="([^"]+)"[^>]*><strong>{label}</strong>', page)
        assert found, label
        return self.ask("/chat/say", [*self.hidden(page), ("press", found[1])])


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    made.start()
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@contextmanager
def events(process: Process, since: str = "0", last: str = "") -> Iterator[Any]:
    """What comes by itself, line by line."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=15)
    headers = {"Cookie": process.cookie} | ({"Last-Event-ID": last} if last else {})
    connection.request("GET", f"/chat/events?since={since}", headers=headers)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def event(stream: Any) -> tuple[str, dict[str, Any]]:
    number = ""
    while raw := stream.readline():
        line = raw.decode().strip()
        if line.startswith("id:"):
            number = line[3:].strip()
        if line.startswith("data:"):
            return number, json.loads(line[5:])
    raise AssertionError("the stream ended")


def test_a_conversation_with_the_process_its_events_and_its_end(process: Process) -> None:
    assert "NCT06570291" in process.ask("/")
    page = process.ask("/chat/start", [("language", "en"), ("source", "c7kp2")])
    assert "May we ask you some health questions" in page
    with events(process) as stream:
        number, news = event(stream)
        assert "Which language suits you?" in news["items"] and int(number) == news["last"]
        process.presses(page, "Yes, for me")
        later, news = event(stream)
        assert int(later) > int(number) and "What year were you born?" in news["items"]
        assert "Which language" not in news["items"]
        with events(process, last=number) as again:  # as a browser that lost the line would ask
            assert event(again)[0] == later
            token = process.cookie.partition("=")[2]
            assert process.stop() == 0
    said = process.log.read_text(encoding="utf-8")
    assert token not in said and "Traceback" not in said and "everything taken is stored" in said
    process.start()
    assert "What year were you born?" in process.ask("/chat")
    assert process.stop() == 0


def test_what_is_missing_is_told_at_once(tmp_path: Path) -> None:
    made = Process(tmp_path, PUBLIC_URL="", MASTER_KEY="", LISTEN="")
    words = [sys.executable, "-m", "bot", "serve"]
    done = subprocess.run(
        words, cwd=tmp_path, env=made.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    for name in ("PUBLIC_URL", "MASTER_KEY", "LISTEN"):
        assert f"{name} is missing." in done.stderr
    assert "TELEGRAM_TOKEN" not in done.stderr
