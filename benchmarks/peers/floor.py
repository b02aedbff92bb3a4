"""The floor: the rows of our turn written by bare sqlite3, so many turns a commit, and nothing else done.

    python -m benchmarks.peers.floor --batch 64 --dir /some/folder

Each turn: a receipt, the conversation's update, an answer, two messages, a row of the outbox, that it is being sent
and that it was sent. The rows are those of a rehearsed conversation; the tables, with their indexes, are ours.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.fill import Pattern
from benchmarks.load import peak
from bot.store import Store

CHATS = 100


class Floor:
    def __init__(self, folder: Path, batch: int) -> None:
        self.batch = batch
        with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
            pattern = Pattern(Path(passing))
        file = folder / "floor.db"
        for end in ("", "-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)
        Store(f"sqlite:///{file}").close()
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=wal")
        self.db.execute("PRAGMA synchronous=FULL")
        self.rows = {table: _median(pattern.rows[table]) for table in Pattern.TABLES}
        act = sorted(pattern.acts, key=lambda act: len(act.text) + len(str(act.labels)))[len(pattern.acts) // 2]
        buttons = [[[label, "1Hq_CIQg0.12~BcX2mzoj"] for label in row] for row in act.labels]
        self.envelope = json.dumps({"text": act.text, "rows": buttons})
        self.columns, self.number = pattern.columns, 0
        middle, _ = pattern.after[len(pattern.after) // 2]
        self.state = dict(zip(pattern.columns["conversation"], middle, strict=True))
        self.db.execute("BEGIN")
        for chat in range(1, CHATS + 1):
            row = {**self.state, "id": chat, "tag": f"t{chat:05}", "chat": str(chat), "lane": f"telegram:{chat}"}
            self._insert("conversation", [list(row.values())])
        self.db.execute("COMMIT")
        self.sending: list[int] = []

    def run(self, seconds: float) -> dict[str, Any]:
        turns, began, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < began + seconds:
            self._commit()
            turns += self.batch
        took, burnt = time.perf_counter() - began, time.process_time() - cpu
        return {"turns_per_s": round(turns / took, 1), "cpu_us": round(burnt / turns * 1e6, 1), "peak_mb": peak()}

    def _commit(self) -> None:
        numbers = range(self.number + 1, self.number + self.batch + 1)
        self.number += self.batch
        self.db.execute("BEGIN IMMEDIATE")
        at = self.state["updated_at"]
        self.db.executemany(
            "UPDATE outbox SET state = 'sent', lane = NULL, envelope = '{}', provider_id = ?, sent_at = ?"
            " WHERE id = ?",
            [(str(number), at, number) for number in self.sending],
        )
        rows: dict[str, list[list[Any]]] = {table: [] for table in Pattern.TABLES}
        for number in numbers:
            chat = number % CHATS + 1
            rows["receipt"].append(self._row("receipt", id=number, external_id=f"m:{chat}:{number}"))
            rows["answer"].append(self._row("answer", id=number, conversation_id=chat, revision=number))
            for place in (0, 1):
                rows["message"].append(self._row("message", id=2 * number + place, conversation_id=chat))
            lane = f"telegram:{chat}"
            key = f"telegram:m:{chat}:{number}:1"
            new = {
                "conversation_id": chat,
                "dedupe_key": key,
                "lane": lane,
                "envelope": self.envelope,
                "state": "due",
            }
            rows["outbox"].append(self._row("outbox", id=number, **new))
        for table, made in rows.items():
            self._insert(table, made)
        self.db.executemany(
            "UPDATE conversation SET state = ?, step = ?, updated_at = ?, question = ?, pressed = ?, revision = ?"
            " WHERE id = ? AND revision < ?",
            [(self.state["state"], self.state["step"], at, str(n), str(n), n, n % CHATS + 1, n) for n in numbers],
        )
        self.db.executemany(
            "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ?", [(n,) for n in numbers]
        )
        self.sending = list(numbers)
        self.db.execute("COMMIT")

    def _row(self, table: str, **own: Any) -> list[Any]:
        row = list(self.rows[table])
        for name, value in own.items():
            row[self.columns[table].index(name)] = value
        return row

    def _insert(self, table: str, rows: list[list[Any]]) -> None:
        marks = ", ".join("?" * len(self.columns[table]))
        self.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _median(rows: list[list[Any]]) -> list[Any]:
    """The row of middling length."""
    return sorted(rows, key=lambda row: sum(len(value) for value in row if isinstance(value, str)))[len(rows) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batch", type=int, default=1, help="turns a commit")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        print(json.dumps(Floor((options.dir or Path(passing)).resolve(), options.batch).run(options.seconds)))


if __name__ == "__main__":
    main()
