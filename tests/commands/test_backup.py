"""A copy made under load is whole, nobody else may read it, and what is restored sends nothing until it is told to."""

from __future__ import annotations

import shutil
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.leader import Leadership
from bot.library import load
from bot.messages import Envelope
from bot.store import Store, outbox
from flows import place
from flows.conversation import Conversation
from tests.commands.conftest import Prescreen
from tests.postgres import Postgres
from tests.shell.conftest import Somebody
from tests.shell.house import NUMBERS, SECONDS, Housed
from tests.unsealed import unsealed


class Serving:
    """A house that people use, in a thread of its own; every update it acknowledged is noted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: list[str] = []
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(SECONDS)
        if self.error is not None:
            raise self.error

    def has(self, more: int) -> list[str]:
        """Waits for so many more updates; returns the keys of all that were acknowledged."""
        wanted, end = len(self.acknowledged) + more, time.monotonic() + SECONDS
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end and self._thread.is_alive(), self.error
            time.sleep(0.01)
        return list(self.acknowledged)

    def _serve(self) -> None:
        house = Noting(Store(self.url), self)
        try:
            chat = 500
            while not self.stop.is_set():
                chat += 1
                Somebody(house, str(chat)).starts().walks_to("check").sends()
        except BaseException as error:
            self.error = error
        finally:
            house.closes()


class Noting(Housed):
    def __init__(self, store: Store, serving: Serving) -> None:
        super().__init__(store)
        self.serving = serving

    def take(self, kind: Any, chat: str = "501", key: str = "", **values: Any) -> bool:
        key = key or f"n{next(NUMBERS)}"
        taken = super().take(kind, chat, key, **values)
        self.serving.acknowledged.append(key)
        return taken


def whole(url: str) -> dict[str, int]:
    """How many rows each table has, once it is sure that no turn is there by half."""
    store, library = Store(url), load()
    with store.begin() as db:
        rows = unsealed(db, db.execute(text("SELECT id, state, revision, life FROM conversation")))
        for key, state, revision, life in rows:
            kept = Conversation.from_json(state)
            if life == "open":
                assert place(library.flow(kept.flow), kept.answers).step == kept.step
            query = "SELECT count(*), max(revision) FROM answer WHERE conversation_id = :key"
            count, newest = db.execute(text(query), {"key": key}).one()
            assert count >= len(kept.answers) and (newest is None or newest < revision)
        raised = sum(row[1]["raised"] for row in rows)
        assert raised == db.execute(text("SELECT count(*) FROM lead")).scalar()
        tables = ("receipt", "conversation", "answer", "message", "lead", "outbox", "staff")
        counts = {name: db.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in tables}
    store.close()
    return {name: int(count or 0) for name, count in counts.items()}


def keys(url: str) -> set[str]:
    store = Store(url)
    with store.begin() as db:
        found = {row[0] for row in db.execute(text("SELECT external_id FROM receipt"))}
    store.close()
    return found


@pytest.fixture
def elsewhere(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database on another machine, as it were: nothing is there, not even tables."""
    if database.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'elsewhere' / 'prescreen.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database("template1")


@pytest.fixture
def copy(database: str, tmp_path: Path, prescreen: Prescreen) -> Iterator[Path]:
    """A copy of a database with a lead in it, and two messages that wait."""
    house = Housed(Store(database))
    Somebody(house).starts().walks_to("check").sends()
    with house.store.begin(house.now) as db:
        for number in range(2):
            outbox.put(db, "telegram", "501", Envelope(f"waiting {number}"), f"w{number}", house.now)
    house.closes()
    file = tmp_path / "copy"
    done = prescreen("backup", str(file), DATABASE_URL=database)
    assert done.code == 0 and "sealed under the master key" in done.out, done.err
    yield file


@pytest.mark.slow
def test_a_copy_under_load_holds_everything_that_was_acknowledged(
    database: str, elsewhere: str, tmp_path: Path, prescreen: Prescreen
) -> None:
    with Serving(database) as serving:
        for number in range(3):
            acknowledged = serving.has(25)
            file = tmp_path / f"copy{number}"
            assert prescreen("backup", str(file), DATABASE_URL=database).code == 0
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
            done = prescreen("restore", str(file), "--force", DATABASE_URL=elsewhere)
            assert done.code == 0, done.err
            assert set(acknowledged) <= keys(elsewhere)
            assert whole(elsewhere)["conversation"] > 0
            if number == 2:
                serving.stop.set()


@pytest.mark.slow
def test_what_is_restored_sends_nothing_until_somebody_says_so(
    copy: Path, database: str, elsewhere: str, prescreen: Prescreen
) -> None:
    before = whole(database)
    assert prescreen("restore", str(copy), DATABASE_URL=elsewhere).code == 0
    assert whole(elsewhere) == before
    house = Housed(Store(elsewhere), hires=False)
    house.runs(house.house.begin())
    house.runs(house.house.lead(""))
    house.drains()
    rosa = Somebody(house)
    rosa.says("hello")  # what comes in is taken all the same
    house.waits(days=1)
    house.drains()
    assert house.wire.calls == []
    assert house.one("SELECT count(*) FROM outbox WHERE lane IS NOT NULL") > 2
    house.closes()

    done = prescreen("resume", DATABASE_URL=elsewhere)
    assert done.code == 0 and "Sending goes on" in done.out
    house = Housed(Store(elsewhere), hires=False)
    house.drains()
    assert house.wire.texts("501")[:2] == ["waiting 0", "waiting 1"]
    Somebody(house).walks_to("other_trials")
    assert house.one("SELECT count(*) FROM lead") == 1
    house.closes()
    assert "not paused" in prescreen("resume", DATABASE_URL=elsewhere).out


def test_a_database_that_is_not_empty_is_not_overwritten(copy: Path, database: str, prescreen: Prescreen) -> None:
    before = whole(database)
    refused = prescreen("restore", str(copy), DATABASE_URL=database)
    assert refused.code == 1 and "--force" in refused.err and whole(database) == before
    again = prescreen("backup", str(copy), DATABASE_URL=database)
    assert again.code == 1 and "Choose another" in again.err
    house = Housed(Store(database), hires=False)
    Somebody(house, "502").starts().walks_to("knee")
    house.closes()
    assert prescreen("restore", str(copy), "--force", DATABASE_URL=database).code == 0
    assert whole(database) == before


def test_a_damaged_copy_changes_nothing(copy: Path, database: str, tmp_path: Path, prescreen: Prescreen) -> None:
    before, good = whole(database), copy.read_bytes()
    bad = tmp_path / "bad"
    damages = {
        "cut off": good[: len(good) * 2 // 3],
        "empty": b"",
        "only the beginning": good[:16],
        "something else": b"PGDMP" + b"SQLite format 3\0" * 99,
        "overwritten": good[: len(good) // 2] + b"\xa5" * 9000 + good[len(good) // 2 + 9000 :],
    }
    for how, content in damages.items():
        bad.write_bytes(content)
        done = prescreen("restore", str(bad), "--force", DATABASE_URL=database)
        assert done.code == 1 and done.out == "", how
        assert whole(database) == before, how
    assert prescreen("restore", str(tmp_path / "none"), DATABASE_URL=database).code == 1


def test_a_database_that_is_served_is_not_replaced(copy: Path, database: str, prescreen: Prescreen) -> None:
    store = Store(database)
    leads = Leadership(store)
    assert leads.take()
    refused = prescreen("restore", str(copy), "--force", DATABASE_URL=database)
    assert refused.code == 1 and "Stop it first" in refused.err
    leads.release()
    store.close()
    assert prescreen("restore", str(copy), "--force", DATABASE_URL=database).code == 0


def test_a_copy_goes_back_to_the_kind_it_came_from(tmp_path: Path, prescreen: Prescreen) -> None:
    Store(f"sqlite:///{tmp_path / 'prescreen.db'}").close()
    assert prescreen("backup", str(tmp_path / "copy")).code == 0
    refused = prescreen("restore", str(tmp_path / "copy"), DATABASE_URL="postgresql:///nowhere?host=/nowhere")
    assert refused.code == 1 and "no copy of such a database" in refused.err
    nothing = prescreen("backup", str(tmp_path / "other"), DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert nothing.code == 1 and "Check DATABASE_URL" in nothing.err and not (tmp_path / "none.db").exists()


@pytest.mark.slow
def test_missing_programs_are_named(postgres: Postgres, tmp_path: Path, prescreen: Prescreen) -> None:
    database = postgres.database()
    missing = prescreen("backup", str(tmp_path / "copy"), DATABASE_URL=database, PATH=str(tmp_path))
    assert missing.code == 1 and "pg_dump is not on the PATH" in missing.err
    assert not (tmp_path / "copy").exists()
    assert prescreen("backup", str(tmp_path / "copy"), DATABASE_URL=database).code == 0
    (tmp_path / "pg_restore").symlink_to(shutil.which("pg_restore") or "")
    missing = prescreen("restore", str(tmp_path / "copy"), DATABASE_URL=database, PATH=str(tmp_path))
    assert missing.code == 1 and "psql is not on the PATH" in missing.err


def test_the_help_says_that_the_key_is_kept_apart(prescreen: Prescreen) -> None:
    for verb in ("backup", "restore"):
        assert "Keep the key in another place" in " ".join(prescreen(verb, "--help").out.split())
