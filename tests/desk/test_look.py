"""A look at the database: it sees one moment, writes nothing, waits for no writer, and no writer waits for it."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.store import leads, queue
from tests.desk.acting import has_lead
from tests.shell.conftest import Desk


def test_a_look_writes_nothing(desk: Desk) -> None:
    has_lead(desk)
    with pytest.raises(DBAPIError), desk.store.look() as db:
        db.execute(text("UPDATE lead SET attempts = 7"))
    assert desk.one("SELECT attempts FROM lead") == 0
    with desk.store.begin() as db:  # the same connection of the pool writes again
        leads.change(db, 1, desk.now, attempts=1)
    assert desk.one("SELECT attempts FROM lead") == 1


def test_a_look_and_a_writer_do_not_wait_for_each_other(desk: Desk) -> None:
    """A look in the middle of a transaction sees what was before it; a writer commits in the middle of a look."""
    has_lead(desk)
    seen: list[int] = []
    with desk.store.begin() as db:
        leads.change(db, 1, desk.now, attempts=1)

        def look() -> None:
            with desk.store.look() as looking:
                found = queue.one(looking, 1)
                assert found is not None
                seen.append(found["attempts"])

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(5)
        assert seen == [0]
    with desk.store.look() as looking:
        assert queue.one(looking, 1)["attempts"] == 1  # type: ignore[index]

        def write() -> None:
            with desk.store.begin() as db:
                leads.change(db, 1, desk.now, attempts=2)
            seen.append(2)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join(5)
        assert seen == [0, 2]
