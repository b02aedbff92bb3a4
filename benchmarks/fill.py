"""Fills an SQLite file with as many conversations as one likes: rows of a rehearsed one, under invented numbers.

    python -m benchmarks.fill --stored 100000 --file /some/file.db

Each person came as far as ``people.depth`` says, in the last 30 days; receipts and sent messages are kept a week.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.people import FIRST, depth
from benchmarks.product import Rehearsal
from bot.store import Store

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
Row = list[Any]


class Pattern:
    """A rehearsed conversation's rows, and how many of each table there were after each act."""

    TABLES = ("receipt", "answer", "message", "outbox")

    def __init__(self, folder: Path) -> None:
        self.after: list[tuple[Row, dict[str, int]]] = []
        self.acts = asyncio.run(Rehearsal(folder, self._watch).hold())
        with sqlite3.connect(folder / "rehearsal.db") as db:
            self.columns = {table: _columns(db, table) for table in (*self.TABLES, "conversation")}
            self.keys = db.execute("SELECT * FROM data_key WHERE lane LIKE '%:%'").fetchall()
            self.rows = {
                table: [list(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY id")]
                for table in self.TABLES
            }

    def _watch(self, rehearsal: Rehearsal) -> None:
        with sqlite3.connect(rehearsal.file) as db:
            conversation = list(db.execute("SELECT * FROM conversation").fetchone())
            counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in self.TABLES}
        self.after.append((conversation, counts))


def fill(file: Path, stored: int) -> None:
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as folder:
        pattern = Pattern(Path(folder))
    unready = file.with_suffix(".unready")
    unready.unlink(missing_ok=True)
    Store(f"sqlite:///{unready}").close()
    db = sqlite3.connect(unready, isolation_level=None)
    for name, value in (("journal_mode", "OFF"), ("synchronous", "OFF"), ("cache_size", "-400000")):
        db.execute(f"PRAGMA {name}={value}")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        db.execute(f'DROP INDEX "{name}"')
    now = datetime.now(UTC).replace(tzinfo=None)
    db.execute("BEGIN")
    db.executemany("INSERT INTO data_key VALUES (?, ?, ?, ?)", pattern.keys)  # one for all: they say the same
    for table in ("conversation", *Pattern.TABLES):
        marks = ", ".join("?" * len(pattern.columns[table]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", _rows(pattern, table, stored, now))
    db.execute("COMMIT")
    for _, sql in indexes:
        db.execute(sql)
    db.execute("PRAGMA journal_mode=wal")
    db.close()
    for end in ("-wal", "-shm"):  # of another file of this name
        Path(f"{file}{end}").unlink(missing_ok=True)
    unready.replace(file)


def _rows(pattern: Pattern, table: str, stored: int, now: datetime) -> Iterator[Row]:
    """The rows of everybody, in the order of time, with their own numbers, names and times."""
    columns, number = pattern.columns[table], 0
    changes: list[tuple[int, Callable[[int, int, str], Any]]] = []
    for place, column in enumerate(columns):
        change = _CHANGES.get((table, column)) or _CHANGES.get(("", column))
        if change is not None:
            changes.append((place, change))
    for person in range(stored):
        at = now - timedelta(days=30) * (1 - (person + 1) / (stored + 1))
        week_old, when = now - at > timedelta(days=7), at.isoformat(" ")
        conversation, counts = pattern.after[depth(person, len(pattern.after)) - 1]
        if table == "conversation":
            rows = [conversation]
        elif week_old and table in ("receipt", "outbox"):
            continue
        else:
            rows = pattern.rows[table][: counts[table]]
        for pattern_row in rows:
            number += 1
            row = list(pattern_row)
            for place, change in changes:
                if row[place] is not None:
                    row[place] = change(person, number, when)
            yield row


def _tag(person: int) -> str:
    mixed, letters = person * 0x9E3779B1 % 2**36, ""
    for _ in range(6):
        mixed, letter = divmod(mixed, 64)
        letters += LETTERS[letter]
    return letters


_CHANGES: dict[tuple[str, str], Callable[[int, int, str], Any]] = {
    ("", "id"): lambda person, number, when: number,
    ("", "conversation_id"): lambda person, number, when: person + 1,
    ("", "chat"): lambda person, number, when: str(FIRST + person),
    ("", "lane"): lambda person, number, when: f"telegram:{FIRST + person}",
    ("", "tag"): lambda person, number, when: _tag(person),
    ("", "dedupe_key"): lambda person, number, when: f"telegram:m:{FIRST + person}:{number}:1",
    ("", "external_id"): lambda person, number, when: f"m:{FIRST + person}:{number}",
    ("", "provider_id"): lambda person, number, when: str(number),
    **{
        ("", column): lambda person, number, when: when
        for column in ("at", "created_at", "updated_at", "sent_at", "not_before")
    },
}


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stored", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    fill(options.file, options.stored)


if __name__ == "__main__":
    main()
