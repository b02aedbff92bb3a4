"""Settings: every problem at once, by variable name, without a value; ``serve`` refuses to start."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot import app, catalogues
from bot.words import LOCALES
from tests.commands.conftest import Prescreen
from tests.commands.test_author_verbs import broken, served

TOKEN = "123456:ABCDEFGHIJKLMNOP"
GOOD = {"TELEGRAM_TOKEN": TOKEN, "STAFF_GROUP": "-1001234567890"}


@pytest.fixture(autouse=True)
def _nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that gets as far as Telegram has gone too far."""

    def told(*_: object) -> None:
        raise AssertionError("it started")

    monkeypatch.setattr(app, "Serving", told)


def test_serve_without_settings_names_what_is_missing(prescreen: Prescreen) -> None:
    ran = prescreen("serve")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "TELEGRAM_TOKEN is missing. Use the token that @BotFather gave you, like 123456:ABC-...",
        "STAFF_GROUP is missing. Use the number of the staff group, like -1001234567890.",
    ]


def test_every_wrong_setting_at_once_and_no_value(prescreen: Prescreen) -> None:
    wrong = {
        "TELEGRAM_TOKEN": "hunter2secret", "KEEP_DAYS": "manydays", "DATABASE_URL": "mysql://me:pw@host/db",
        "LOG_LEVEL": "LOUDEST", "STAFF_LANGUAGE": "klingon", "TRIAL": "../../etc", "TELEGRAM_API": "ftp://nowhere",
    }  # fmt: skip
    ran = prescreen("serve", **wrong)
    assert (ran.code, ran.out) == (2, "")
    named = [line.split(" ")[0] for line in ran.err.splitlines()]
    assert named == [*sorted(wrong), "STAFF_GROUP"]
    assert not any(value in ran.err for value in wrong.values())
    assert "pw@host" not in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize(
    "verb", [("leads",), ("staff", "list"), ("chat",), ("staff", "add", "Ana", "--telegram", "7")]
)
def test_every_verb_with_a_database_tells_its_settings(prescreen: Prescreen, verb: tuple[str, ...]) -> None:
    ran = prescreen(*verb, KEEP_DAYS="0", LOG_LEVEL="x")
    assert ran.code == 2
    assert [line.split(" ")[0] for line in ran.err.splitlines()] == ["KEEP_DAYS", "LOG_LEVEL"]


def test_settings_of_the_file_count_and_an_empty_one_is_none(prescreen: Prescreen, tmp_path: Path) -> None:
    """The example file is copied with its blanks: they are missing, not wrong, and ``staff`` needs none of them."""
    (tmp_path / ".env").write_text("TELEGRAM_TOKEN=\nSTAFF_GROUP=\nKEEP_DAYS=x\n", encoding="utf-8")
    ran = prescreen("serve")
    assert [line.split(" is ")[0] for line in ran.err.splitlines()] == [
        "KEEP_DAYS",
        "TELEGRAM_TOKEN",
        "STAFF_GROUP",
    ]
    (tmp_path / ".env").write_text("TELEGRAM_TOKEN=\nSTAFF_GROUP=\n", encoding="utf-8")
    assert prescreen("staff", "list").code == 0


@pytest.mark.parametrize("verb", [("leads",), ("staff", "list"), ("serve",)])
def test_a_trial_or_a_database_that_is_not_there(
    prescreen: Prescreen, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    (tmp_path / "text.db").write_text("this is no database, however long it is" * 100, encoding="utf-8")
    if verb != ("serve",):
        ran = prescreen(*verb, DATABASE_URL=f"sqlite:///{tmp_path / 'text.db'}", **GOOD)
        assert (ran.code, ran.out) == (2, "") and ran.err.startswith(
            "DATABASE_URL names no database that can be used"
        )
        assert "text.db" not in ran.err
    if verb != ("staff", "list"):
        ran = prescreen(*verb, TRIAL="nct1", **GOOD)
        assert (ran.code, ran.out, ran.err) == (2, "", "TRIAL names no trial. Known: nct06570291.\n")


def test_serve_refuses_broken_trials(prescreen: Prescreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, broken(tmp_path / "trials"))
    ran = prescreen("serve", **GOOD)
    assert (ran.code, ran.out) == (2, "")
    assert "smallest/v1.toml: step.pain.helpp: This key is not known here. Did you mean 'help'?" in ran.err
    assert "tiny/v1.toml: criterion.I1.handeld: " in ran.err
    assert TOKEN not in ran.err and "Traceback" not in ran.err
    assert not (tmp_path / "prescreen.db").exists()


def test_serve_refuses_a_missing_translation(
    prescreen: Prescreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(LOCALES, tmp_path / "locales")
    file = tmp_path / "locales" / "es" / "LC_MESSAGES" / "patient.po"
    catalogue = catalogues.read(file)
    catalogue.delete("What do you weigh?", context="nct06570291.weight")
    with file.open("wb") as out:
        catalogues.write_po(out, catalogue)
    monkeypatch.setattr(catalogues.check, "__defaults__", (tmp_path / "locales",))
    ran = prescreen("serve", **GOOD, ALLOW_DRAFT_LANGUAGES="yes")
    assert ran.code == 2
    assert "es/patient.po: nct06570291.weight: What do you weigh?: This message is missing." in ran.err
