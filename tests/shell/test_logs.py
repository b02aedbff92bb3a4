"""What leaves by a log: one line an event, for people or for machines, and no token, no address, no value of an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from bot import logs
from tests.telegram_server import TelegramServer

TOKEN = TelegramServer().token


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_tells_the_event_and_no_token(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("INFO", form)
    logging.getLogger("bot.deliver").error("calling https://api.telegram.org/bot%s/getMe failed", TOKEN)
    line = capsys.readouterr().err
    assert "getMe failed" in line and "[token]" in line and TOKEN not in line
    if form == "json":
        told = json.loads(line)
        assert told["levelname"] == "ERROR" and told["name"] == "bot.deliver" and told["asctime"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_is_told_without_what_it_quotes(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("DEBUG", form)
    try:
        raise ValueError("my left knee, canary")
    except ValueError:
        logging.getLogger("bot").exception("a turn failed")
    line = capsys.readouterr().err
    assert "a turn failed" in line and "canary" not in line and line.count("\n") == 1


def test_libraries_that_write_addresses_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("DEBUG")
    for name in logs.QUIET:
        logging.getLogger(name).info("canary")
    assert "canary" not in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_event_is_one_line_whatever_is_in_it(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("INFO", form)
    logging.getLogger("bot").info("a%sb", "\r\n2026-11-22 CRITICAL bot all is lost\x85\u2028\u202e\x1b[31m\x00")
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1 and "\x1b" not in line and "\u202e" not in line and "\x00" not in line
    assert "all is lost" in line
