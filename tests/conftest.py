"""What every test may use: the trial, and a person who has answered all of it without a reason against."""

from __future__ import annotations

import logging
import os
import shutil

os.environ["PTB_TIMEDELTA"] = "true"  # the client's own future: retry_after as a timedelta

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.library import load
from bot.store import Store
from flows.flow import Flow
from tests.patient import Patient
from tests.postgres import Postgres

FINE: dict[str, Any] = {
    "language": "en", "consent": "me", "knee": "left", "diagnosis": "yes", "how_long": "over_a_year",
    "past_week": "some", "walking_aid": "no", "mri": (), "ever": (), "joints": (), "half_year": (),
    "two_months": (), "xray": None, "health_now": (), "sex": "man", "plans_man": (), "plans_older": (),
    "plans_woman": (), "private": "fine", "visits": "yes",
}  # fmt: skip
"""Answers of somebody with nothing against."""
TYPED = {"birth": "1964", "height": "165 cm", "weight": "65 kg"}


@pytest.fixture(scope="session")
def flow() -> Flow:
    return load().newest("nct06570291")


def walk_to(patient: Patient, step: str, **other: Any) -> Patient:
    """Answers every question on the way to ``step`` as somebody with nothing against, except ``other``."""
    while patient.conversation.step != step:
        here = str(patient.conversation.step)
        assert patient.conversation.life == "open", f"the conversation ended before {step}"
        if here in other:
            patient.answers(other[here])
        elif here in TYPED:
            patient.says(TYPED[here])
        else:
            patient.answers(FINE[here])
    return patient


@pytest.fixture
def at(flow: Flow) -> Callable[..., Patient]:
    """``at("knee")``: a person who has come as far as that question; ``locale`` and answers may be given."""

    def make(step: str, locale: str = "en", **other: Any) -> Patient:
        return walk_to(Patient(flow, locale), step, **{"language": locale, **other})

    return make


@pytest.fixture(autouse=True)
def no_log_is_left_behind() -> Iterator[None]:
    """A command begins its own log, on a stream that ends with the test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of this test process's own, started when the first test asks for it."""
    server = Postgres()
    ready = server.database()
    Store(ready).close()
    server.template = ready.partition("///")[2].partition("?")[0]
    yield server
    server.remove()


@pytest.fixture
def postgres_apart() -> Iterator[Postgres]:
    """Another one, whose files and whose death are this test's alone."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with its tables, to be copied: to migrate anew for each test takes a third of a second."""
    file = tmp_path_factory.mktemp("ready") / "prescreen.db"
    Store(f"sqlite:///{file}").close()
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    return file


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database: each test that asks runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("ready_file"), tmp_path / "prescreen.db")
        yield f"sqlite:///{tmp_path / 'prescreen.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    made = server.database()
    yield made
    server.drop(made)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files")
