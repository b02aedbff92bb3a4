"""The papers for those who must sign are about the code as it stands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from bot import retention
from bot.__main__ import parser
from bot.store.vault import SEALED
from tests.guards.listed import guards

ROOT = Path(__file__).parent.parent.parent
PAPERS = [ROOT / "SECURITY.md", *sorted((ROOT / "docs" / "signing").glob("*.md"))]
TEXTS = {paper.name: paper.read_text(encoding="utf-8") for paper in PAPERS}


def rows(name: str) -> list[list[str]]:
    """The lines of the tables of a paper, but their heads."""
    lines = [line for line in TEXTS[name].splitlines() if line.startswith("| ") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_papers_are_there() -> None:
    wanted = {"SECURITY", "threat-model", "data-map", "impact-assessment", "telegram", "breach", "requirements"}
    assert {Path(name).stem for name in TEXTS} == wanted
    assert "DRAFT" in TEXTS["impact-assessment.md"].splitlines()[0]


def test_every_requirement_has_its_line_and_every_test_it_names_exists() -> None:
    found = {row[0]: row for row in rows("requirements.md") if re.fullmatch(r"S\d\d", row[0])}
    assert list(found) == [f"S{number:02}" for number in range(1, 31)]
    known = {guard.name for guard in guards()}
    for number, (_, _, met, where, tests, missing) in found.items():
        assert met in ("yes", "part", "not yet"), number
        named = re.findall(r"`(tests/[^`]+)`", tests)
        assert bool(named) == (met != "not yet") and bool(missing) >= (met != "yes"), number
        for test in named:
            file, _, name = test.partition("::")
            assert (ROOT / file).is_file(), test
            source = (ROOT / file).read_text(encoding="utf-8")
            assert not name or re.search(rf"^def {name}\(", source, re.MULTILINE), test
        for path in re.findall(r"`((?:bot|flows|docs)/[^`]+|Makefile|requirements\.txt)`", where):
            assert (ROOT / path).exists(), path
        assert set(re.findall(r"guard `(\w+)`", tests)) <= known, number


def test_the_threat_model_names_guards_that_are_there() -> None:
    told = " ".join(row[2] for row in rows("threat-model.md") if len(row) == 4)
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", told))
    known = {guard.name for guard in guards()}
    assert len(named) > 30 and named <= known, named - known


def test_the_data_map_has_every_table_and_what_of_it_is_sealed() -> None:
    told = {row[0].strip("`"): row for row in rows("data-map.md") if re.fullmatch(r"`[a-z_]+`", row[0])}
    assert set(told) == set(SQLModel.metadata.tables)
    for table, columns in SEALED.items():
        for column in columns:
            assert re.search(rf"\b{column}\b", told[table][2]), f"{table}.{column} is sealed"
    for table, row in told.items():
        if len(row) == 6 and table not in SEALED and table != "data_key":
            assert row[2] == "-", table


def test_the_periods_are_those_of_the_code() -> None:
    told = {row[0].strip("`"): row[4] for row in rows("data-map.md") if len(row) == 6}
    for table, kind in (("conversation", "unfinished"), ("lead", "leads"), ("quarantine", "quarantine"),
                        ("receipt", "receipts"), ("outbox", "outbox"), ("tombstone", "tombstones")):  # fmt: skip
        assert f"{retention.DAYS[kind]} days" in told[table], table


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_paper_points_to_is_there(name: str) -> None:
    folder = next(paper.parent for paper in PAPERS if paper.name == name)
    for link in re.findall(r"\]\(([^)#]+)\)", TEXTS[name]):
        assert (folder / link).exists(), link
    verbs = parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    for verb in re.findall(r"`prescreen (\w+)", TEXTS[name]):
        assert verb in verbs, verb  # type: ignore[operator]
    for target in set(re.findall(r"`make ([a-z-]+)`", TEXTS[name])):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, target
