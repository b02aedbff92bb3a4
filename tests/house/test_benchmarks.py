"""The benchmarks run: everything they measure is measured once, for a moment. No time is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import compare, inbox
from benchmarks.people import depth
from tests.sizes import LONG

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow


def run(module: str, *words: str) -> dict[str, float]:
    seconds = [] if module in (inbox.__name__, "benchmarks.audit") else ["--seconds", "0.3"]
    command = [sys.executable, "-m", module, *seconds, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the script is rehearsed once."""
    return tmp_path_factory.mktemp("benchmarks")


FEW = ("--patients", "3", "--concurrency", "3")


ONE_OF_EACH = [
    ("benchmarks.turn_driver", (*FEW, "--stored", "40")),
    ("benchmarks.peers.ptb", (*FEW, "--store", "sqlite")),
    ("benchmarks.peers.floor", ("--batch", "64")),
    ("benchmarks.peers.call_out", ("--client", "ours")),
    ("benchmarks.served", ("--patients", "3", "--pause", "0.05")),
    ("benchmarks.on_postgres", ("--workers", "2")),
]
THE_OTHERS = [
    ("benchmarks.turn_driver", FEW),
    ("benchmarks.turn_driver", ("--patients", "20", "--rate", "50")),
    ("benchmarks.peers.ptb", (*FEW, "--store", "memory")),
    ("benchmarks.peers.ptb", (*FEW, "--store", "pickle", "--stored", "40")),
    ("benchmarks.peers.floor", ("--batch", "1")),
    ("benchmarks.peers.call_out", ("--client", "ptb")),
    ("benchmarks.on_postgres", ("--floor", "--connections", "2")),
]


@pytest.mark.parametrize(
    ("module", "words"),
    ONE_OF_EACH + (THE_OTHERS if LONG else []),
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_it_still_measures(module: str, words: tuple[str, ...], folder: Path) -> None:
    found = run(module, *words, "--dir", str(folder))
    assert all(value > 0 for name, value in found.items() if name.endswith(("_per_s", "_us", "50_ms", "_mb")))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_page_of_the_inbox_is_still_measured(database: str, folder: Path) -> None:
    found = run(
        "benchmarks.inbox", "--json", "--stored", "120", "--times", "2", "--only", database, "--dir", str(folder)
    )
    (pages,) = found.values()
    assert len(pages) == 14 and all(page["p50_ms"] > 0 for page in pages.values())  # type: ignore[attr-defined]


def test_the_audit_is_still_verified() -> None:
    found = run("benchmarks.audit", "--json", "--rows", "300")
    assert [one["rows"] for one in found.values()] == [300, 300]  # type: ignore[index]


def test_the_parts_of_a_turn_are_still_there(folder: Path) -> None:
    found = run("benchmarks.parts", "--json", "--patients", "3", "--dir", str(folder))
    assert found["parts"]["advance"][1] > 0.5  # type: ignore[index]


def test_every_aim_names_what_is_run() -> None:
    known = {one.name for one in compare.runs(quick=False, long=True)} | {"telegraf, 1", "telegraf, 100"}
    assert {name for aim in compare.AIMS for name in aim.needs} <= known


def test_the_page_has_room_for_the_table() -> None:
    page = compare.PAGE.read_text(encoding="utf-8")
    for name in (compare.MEASURED, compare.PARTS, inbox.MARK):
        assert page.count(f"<!-- {name} -->") == page.count(f"<!-- /{name} -->") == 1


def test_people_come_differently_far() -> None:
    came = [depth(number, 23) for number in range(1000)]
    assert min(came) == 1
    assert max(came) == 23
    assert 5 < sum(came) / 1000 < 12
