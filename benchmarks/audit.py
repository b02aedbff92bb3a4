"""How long it takes to verify the audit: seconds for so many rows, on SQLite and on PostgreSQL.

python -m benchmarks.audit --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime

from bot.store import Store, audit
from tests.postgres import Postgres

IN_ONE = 50_000
"""Rows in one transaction of those that are made here."""


def measure(url: str, rows: int) -> dict[str, float]:
    """Rows of 2,000 chains and of the house's, made and verified; each half of them."""
    store, now = Store(url), datetime.now(UTC)
    for start in range(0, rows, IN_ONE):
        with store.begin(now) as db:
            for number in range(start, min(start + IN_ONE, rows)):
                chain = f"c{number % 2000}" if number % 2 else ""
                audit.record(db, "lead.opened", detail="x" * 20, conversation=chain)
    began = time.perf_counter()
    with store.look() as db:
        found = audit.verify(db, ())
    took = time.perf_counter() - began
    store.close()
    assert found.well, found.problems
    return {"rows": found.rows, "seconds": round(took, 2)}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--json", action="store_true")
    options = words.parse_args()
    server, found = Postgres(on_disk=True), {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, url in {"sqlite": f"sqlite:///{folder}/audit.db", "postgresql": server.database()}.items():
                found[name] = measure(url, options.rows)
    finally:
        server.remove()
    if options.json:
        print(json.dumps(found))
        return
    for name, one in found.items():
        print(f"{name:12} {one['rows']:>10,} rows verified in {one['seconds']:6.2f} s")


if __name__ == "__main__":
    main()
