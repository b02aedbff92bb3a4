"""What the house stands on: room on the disk, a clock that runs evenly, a database that keeps what it commits."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bot.store import PRAGMAS, NoRoom, Store, conversations

LITTLE, NONE = 500_000_000, 100_000_000
"""Bytes free on the disk: below the first we warn, below the second nothing new is taken."""
LOOK = 5.0
"""Seconds for which one look at the disk is good."""
JUMP = timedelta(minutes=5)
"""By how much the clock may move on its own before it is not believed any more."""
CALM = 3600.0
"""Seconds that it must run evenly after that, until things may expire again."""
OLDEST = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows less: this program is younger."""


class Room:
    """Whether the disk of an SQLite file has room for one more update. A server looks after its own disk."""

    def __init__(self, store: Store) -> None:
        self._folder, self._looked, self._free = store.folder, -LOOK, 0

    def check(self) -> None:
        """Raises NoRoom rather than take what might not fit."""
        if self._folder is None:
            return
        if time.monotonic() - self._looked > LOOK:
            self._looked, self._free = time.monotonic(), shutil.disk_usage(self._folder).free
        if self._free < NONE:
            raise NoRoom


class Steady:
    """Compares the clock on the wall with one that nobody can set."""

    def __init__(self, at: datetime, even: Callable[[], float] = time.monotonic) -> None:
        self._even = even
        self._last = at, even()
        self._calm_from = even() - CALM

    def holds(self, at: datetime) -> bool:
        """Whether the clock, which says ``at``, ran evenly since we last asked, or has again for an hour."""
        (wall, even), self._last = self._last, (at, self._even())
        gone = timedelta(seconds=self._last[1] - even)
        if abs(self._last[0] - wall - gone) > JUMP:
            self._calm_from = self._last[1]
        return self._last[1] - self._calm_from >= CALM


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at, and what would mend it."""

    what: str
    well: bool
    remedy: str = ""
    grave: bool = True
    """Nobody may be served like this."""


def examine(store: Store, now: datetime) -> Iterator[Found]:
    """The database and what is around it, by a real write: raises what the database raises."""
    with store.begin() as db:
        before = conversations.heartbeat(db, to_change=True)
        conversations.beat(db, now)  # committed with fsync, or this raises
        if store.server:
            read = {name: db.execute(text(f"SHOW {name}")).scalar() for name in ("fsync", "synchronous_commit")}
            wrong = [name for name, value in read.items() if value != "on"]
        else:
            read = {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
            wrong = [name for name, value in PRAGMAS.items() if read[name] != value]
    yield Found("database can be written", True)
    paused = before is not None and bool(before["paused"])
    yield Found("sending", not paused, "Nothing is sent since a restore. Run: prescreen resume", grave=False)
    yield Found("database is set up to keep what it commits", not wrong, f"Not in force: {', '.join(wrong)}.")
    back = before is not None and before["at"] > now + JUMP
    yield Found(
        "clock",
        now > OLDEST and not back,
        "It is earlier than when something was last stored. Set the clock.",
        grave=False,
    )
    if store.folder is not None:
        free = shutil.disk_usage(store.folder).free
        yield Found("disk", free > LITTLE, "Less than 500 MB is free.", grave=free < NONE)
        # https://sqlite.org/wal.html#walresetbug: only with a second connection that checkpoints; ours is one.
        mended = sqlite3.sqlite_version_info >= (3, 51, 3)
        yield Found(
            f"SQLite {sqlite3.sqlite_version}",
            mended,
            "Before 3.51.3, let no other program write to the database while it is served.",
            grave=False,
        )
