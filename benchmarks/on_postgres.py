"""The product's workers on a PostgreSQL server of their own, and the floor there: one transaction a turn.

python -m benchmarks.on_postgres --workers 4 --dir /some/folder
python -m benchmarks.on_postgres --floor --connections 16
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.load import peak
from benchmarks.turn_driver import script
from bot.store import Store
from tests.postgres import Postgres

READY = 4.0
"""Seconds that the workers get to start in."""
SQL = (
    "SELECT * FROM conversation WHERE id = %(chat)s FOR UPDATE",
    "INSERT INTO receipt (channel, external_id, at) VALUES ('telegram', %(key)s, now())",
    "INSERT INTO answer (conversation_id, step, revision, value, said, cleared, at)"
    " VALUES (%(chat)s, 'birth', %(number)s, '1', '1964', false, now())",
    "INSERT INTO message (conversation_id, outgoing, text, step, at)"
    " VALUES (%(chat)s, false, %(said)s, 'x', now()), (%(chat)s, true, %(asked)s, 'x', now())",
    "UPDATE outbox SET state = 'sent', lane = NULL, envelope = '{}', sent_at = now() WHERE dedupe_key = %(before)s",
    "INSERT INTO outbox (channel, chat, lane, dedupe_key, conversation_id, envelope, question, priority, state,"
    " attempts, unsure, not_before, provider_id, created_at) VALUES ('telegram', %(lane)s, %(lane)s, %(key)s,"
    " %(chat)s, %(envelope)s, true, 0, 'sending', 1, 0, now(), '', now())",
    "UPDATE conversation SET state = %(state)s, step = 'x', updated_at = now(), revision = revision + 1"
    " WHERE id = %(chat)s",
)


def product(url: str, workers: int, seconds: float, folder: Path) -> dict[str, Any]:
    script(folder)
    patients, start = str(max(1, 100 // workers)), str(time.time() + READY)
    command = [sys.executable, "-m", "benchmarks.turn_driver", "--database", url, "--seconds", str(seconds)]
    command += ["--patients", patients, "--concurrency", patients, "--dir", str(folder), "--start-at", start]
    running = [
        subprocess.Popen([*command, "--worker", f"{number}/{workers}"], stdout=subprocess.PIPE, text=True)
        for number in range(workers)
    ]
    found = [json.loads(one.communicate(timeout=240)[0]) for one in running]
    return {
        "turns_per_s": round(sum(each["turns_per_s"] for each in found), 1),
        "cpu_us": round(sum(each["cpu_us"] * each["turns"] for each in found) / sum(e["turns"] for e in found), 1),
        **{name: max(each[name] for each in found) for name in ("p50_ms", "p95_ms", "p99_ms", "peak_mb")},
    }


async def floor(url: str, connections: int, seconds: float) -> dict[str, Any]:
    """All statements of a turn in one transaction and one round trip, on so many connections."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "INSERT INTO conversation (tag, channel, chat, lane, flow, locale, state, life, source, reachable,"
            " question, pressed, revision, created_at, updated_at) SELECT 't' || n, 'telegram', n, n, 'f', 'en',"
            " '{}', 'open', '', true, '', '', 0, now(), now() FROM generate_series(1, 100) AS n"
        )
    turns, over = 0, time.perf_counter() + seconds
    sizes = {"said": "Some", "asked": "x" * 250, "envelope": json.dumps("x" * 600), "state": json.dumps("x" * 900)}

    async def work(first: int) -> None:
        nonlocal turns
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
            number = 0
            while time.perf_counter() < over:
                for chat in range(first + 1, 101, connections):
                    number += 1
                    key = {"key": f"m:{chat}:{number}", "before": f"m:{chat}:{number - 1}", "lane": str(chat)}
                    given = {"chat": chat, "number": number, **key, **sizes}
                    async with db.pipeline(), db.transaction():
                        for statement in SQL:
                            await db.execute(statement, given)
                    turns += 1

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(number) for number in range(connections)))
    took, burnt = time.perf_counter() - began, time.process_time() - cpu
    return {"turns_per_s": round(turns / took, 1), "cpu_us": round(burnt / turns * 1e6, 1), "peak_mb": peak()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--floor", action="store_true")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    server = Postgres(on_disk=True)
    try:
        url = server.database()
        Store(url).close()
        with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
            folder = (options.dir or Path(passing)).resolve()
            if options.floor:
                found = asyncio.run(floor(url, options.connections, options.seconds))
            else:
                found = product(url, options.workers, options.seconds, folder)
        print(json.dumps(found))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
