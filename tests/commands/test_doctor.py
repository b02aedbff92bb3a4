"""doctor against real parts: a database file, the trial files, and a Bot API server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.channels.test_mail import PostOffice, free_port
from tests.telegram_server import TelegramServer


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "MAIL_SERVER",
        "MAIL_FROM",
        "MAIL_PASSWORD",
        "HOOK_URL",
        "TELEGRAM_TOKEN",
        "STAFF_GROUP",
        "TELEGRAM_API",
        "BOT_MODE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'prescreen.db'}")


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, bool]:
    return {one["what"]: one["well"] or not one["grave"] for one in json.loads(capsys.readouterr().out)}


def test_all_is_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with TelegramServer() as server:
        ana = server.person("Ana")
        team = server.group("Team", [ana], kind="supergroup")
        monkeypatch.setenv("TELEGRAM_TOKEN", server.token)
        monkeypatch.setenv("TELEGRAM_API", server.base_url)
        monkeypatch.setenv("STAFF_GROUP", str(team.chat.id))
        assert main(["staff", "add", "Ana", "--telegram", str(ana.id)]) == 0
        capsys.readouterr()
        assert main(["doctor", "--json"]) == 0
        told = found(capsys)
        assert "the bot is in the staff group" in told and all(told.values())
        monkeypatch.setenv("STAFF_GROUP", "-42")
        assert main(["doctor", "--json"]) == 1
        assert not found(capsys)["the bot is in the staff group"]


def test_what_is_missing_is_told_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "TELEGRAM_TOKEN is not set" in told and "prescreen staff add" in told


def test_a_wrong_setting_is_named_without_its_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEP_DAYS", "canary")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "KEEP_DAYS" in told and "canary" not in told


def test_a_database_that_is_none_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "prescreen.db").write_text("this is no database" * 100)
    assert main(["doctor", "--offline"]) == 1
    assert "It cannot be opened" in capsys.readouterr().out


@pytest.mark.slow
def test_a_mail_server_is_asked_whether_it_takes_mail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = PostOffice()
    try:
        monkeypatch.setenv("MAIL_SERVER", office.address)
        monkeypatch.setenv("MAIL_FROM", "study@example.org")
        main(["doctor", "--json"])
        assert found(capsys)["the mail server takes mail"]
        monkeypatch.setenv("MAIL_SERVER", f"smtp://127.0.0.1:{free_port()}")
        assert main(["doctor", "--json"]) == 1
        assert not found(capsys)["the mail server takes mail"]
    finally:
        office.closes()


KEY = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("MAIL_SERVER", {"MAIL_SERVER": "canary.example.org"}),
        ("MAIL_SERVER", {"MAIL_SERVER": "smtp://ana:canary@mail.example.org"}),
        ("MAIL_SERVER", {"MAIL_SERVER": "smtp://mail.example.org:canary"}),
        ("MAIL_FROM", {"MAIL_SERVER": "smtp://mail.example.org"}),
        ("MAIL_FROM", {"MAIL_SERVER": "smtp://mail.example.org", "MAIL_FROM": "canary"}),
        ("MAIL_PASSWORD", {"MAIL_SERVER": "smtp://canary@mail.example.org", "MAIL_FROM": "study@example.org"}),
        ("HOOK_URL", {"HOOK_URL": "http://canary.example.org/", "HOOK_SECRET": KEY, "HOOK_PRIVATE": "yes"}),
        ("HOOK_URL", {"HOOK_URL": "http://127.0.0.1:8080/canary", "HOOK_SECRET": KEY}),
        ("HOOK_URL", {"HOOK_URL": "https://ana:canary@example.org/", "HOOK_SECRET": KEY}),
        ("HOOK_SECRET", {"HOOK_URL": "https://canary.example.org/"}),
        ("HOOK_SECRET", {"HOOK_URL": "https://canary.example.org/", "HOOK_SECRET": "whsec_canary"}),
        ("HOOK_PRIVATE", {"HOOK_PRIVATE": "canary"}),
    ],
)
def test_what_mail_and_webhook_need_is_told_without_a_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, named: str, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--offline"]) == 1
    told = capsys.readouterr().out
    assert named in told and "canary" not in told
