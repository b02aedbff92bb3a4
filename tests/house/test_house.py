"""The house itself: what the README promises runs, settings are documented, the engine stays pure."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot.__main__ import main, parser
from bot.catalogues import check
from bot.handlers import HANDLERS
from bot.library import load
from bot.settings import REMEDIES, Settings
from bot.words import Languages, of_staff
from flows import turn
from flows.kinds import KINDS
from flows.turn import Event

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    inline = re.findall(r"`((?:make|\.venv/bin/prescreen) [^`]+)`", README)
    return list(dict.fromkeys([line for block in blocks for line in block.splitlines() if line.strip()] + inline))


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("make ")])
def test_every_make_target_of_the_readme_is_there(command: str) -> None:
    done = subprocess.run(["make", "-n", command.split()[1]], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


RUN = [line.removeprefix(".venv/bin/prescreen ") for line in commands() if "bin/prescreen" in line]


def test_the_readme_names_every_verb() -> None:
    verbs = parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    named = {line.split()[0] for line in RUN} | {
        "chat",
        "demo",
    }  # `make chat` and `make demo` are how people start them
    assert set(verbs) == named  # type: ignore[arg-type]


ELSEWHERE = ("serve", "demo", "qr", "i18n update", "backup", "restore", "copy")
"""These write outside the database, or wait for somebody: they have tests of their own."""


@pytest.mark.parametrize("line", [line for line in RUN if not line.startswith(ELSEWHERE)])
def test_every_command_of_the_readme_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``leads K-0001`` finds nothing on an empty queue, and ``doctor`` finds no token: exit code 1."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'prescreen.db'}")
    monkeypatch.setenv("DESK_URL", "https://desk.example.org")
    monkeypatch.setattr("sys.stdin", io.StringIO("four quiet herons wading\n" * 2))
    monkeypatch.chdir(ROOT)
    if line.endswith("Nora") and " add " not in line:
        assert main(["staff", "add", "Nora", "--email", "nora@site.example"]) == 0
    assert main(shlex.split(line)) == (1 if line in ("leads K-0001", "doctor") else 0)


def test_the_look_of_the_readme_is_what_a_person_sees() -> None:
    look = README.split("<!-- look -->")[1].split("<!-- /look -->")[0]
    flow = load().newest("nct06570291")
    words = " ".join([*(s.text + " " + s.help for s in flow.steps), *flow.says.values(), *flow.outcomes.values()])
    for sentence in re.findall(r"(?:When was|What kind|A rough date|I ask the other)[^.?]*[.?]", look):
        assert " ".join(sentence.split()) in " ".join(words.split()), sentence


def test_the_example_environment_is_the_settings() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    assert names == {name.upper() for name in Settings.model_fields} == set(REMEDIES)


def test_every_language_of_the_staff_may_be_the_groups_and_is_told_of() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (told,) = re.findall(r"language of the staff group: ([^.]+)\.", example)
    assert set(re.split(r", | or ", told)) == set(of_staff())
    for tag, name in of_staff().items():
        assert Settings(staff_language=tag).staff_language == tag and tag in REMEDIES["STAFF_LANGUAGE"]
        assert re.search(rf"^\| {name} \| all \| all \|", README, re.MULTILINE), name


def test_every_catalogue_is_complete() -> None:
    assert check(load().flows.values()) == []


@pytest.mark.parametrize(
    ("tag", "found"),
    [("zh-CN", "zh_Hans"), ("zh-TW", "zh_Hans"), ("zh", "zh_Hans"), ("zh-Hant-HK", "zh_Hans"), ("es-MX", "es"),
     ("es_ES", "es"), ("en-GB", "en"), ("EN", "en"), ("de", None), ("", None), ("xx-yy-zz", None), ("zz", None)],
)  # fmt: skip
def test_a_phones_language_finds_its_catalogue(tag: str, found: str | None) -> None:
    assert Languages().resolve(tag) == found


def test_the_engine_alone_pulls_in_nothing_of_the_world() -> None:
    code = (
        "import sys, flows; bad = {'telegram', 'sqlalchemy', 'sqlmodel', 'alembic', 'httpx', 'aiohttp', 'asyncio', "
        "'gettext', 'babel', 'pydantic', 'dateparser', 'phonenumbers', 'email_validator', 'bot'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_event_has_a_handler() -> None:
    assert set(HANDLERS) == set(Event.__args__)
    assert turn.Answered in HANDLERS


def test_every_kind_is_documented() -> None:
    authoring = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in authoring for kind in KINDS)


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=]", name)[0] for name in project["project"]["dependencies"]]
    listed = {
        name.strip()
        for line in told.splitlines()
        if line.startswith("| ")
        for name in line.split("|")[1].split(",")
    }
    assert set(names) <= listed


def test_decisions_are_short() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        assert len(path.read_text(encoding="utf-8").split()) <= 400, path.name


def test_no_code_forgets_updates() -> None:
    """Nothing may throw away what Telegram still holds (reliability, P04)."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py"))
    assert "drop_pending_updates" not in code
    assert not re.search(r"offset\s*=\s*-", code)


def test_a_slow_machine_is_told_plainly() -> None:
    assert "3, 11" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_address_of_a_machine_or_registry_is_committed() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text, name
