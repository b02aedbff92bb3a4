"""The long form of the storm, with its figures: ``make chaos``, or ``python -m tests.chaos --people 1000 --kills 200``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["PTB_TIMEDELTA"] = "true"

from bot.library import load
from tests.chaos import outage
from tests.chaos.storm import Storm
from tests.postgres import Postgres


def main() -> int:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--people", type=int, default=1000)
    told.add_argument("--kills", type=int, default=200)
    told.add_argument("--seed", type=int, default=int(time.time()) % 10_000, help="printed, to run the same again")
    told.add_argument("--only", choices=("sqlite", "postgresql", "outage", "stops", "anything"))
    told.add_argument("--workers", type=int, default=4, help="on PostgreSQL (default: 4)")
    told.add_argument("--patience", type=float, default=3600.0)
    asked = told.parse_args()
    flow = load().newest("nct06570291")
    storm = Storm(asked.people, asked.kills, seed=asked.seed, patience=asked.patience)
    wrong = 0
    for name in ("sqlite", "postgresql"):
        if asked.only in (None, name):
            server = Postgres(on_disk=True) if name == "postgresql" else None
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="prescreen-chaos-") as folder:
                try:
                    found = storm.rages(Path(folder), flow, server, asked.workers if server else 1)
                finally:
                    if server is not None:
                        server.remove()
            wrong += len(found.problems)
            print(
                f"{name}, seed {asked.seed}: {found.kills} kills, {found.restarts} restarts of the database, "
                f"{found.conversations} conversations, {found.updates} updates, {found.leads} leads, "
                f"{found.sent} messages, {found.sent_twice} sent twice "
                f"(at most {found.ambiguous + found.in_flight} in doubt), {time.monotonic() - began:.0f} s"
            )
            for problem in found.problems or ["nothing lost, nothing twice, nothing out of order"]:
                print(f"  {problem}")
    if asked.only in (None, "outage"):
        with tempfile.TemporaryDirectory(prefix="prescreen-chaos-") as folder:
            found, drained, answered = outage.lasts(Path(folder), flow)
        wrong += len(found.problems)
        print(
            f"23 hours of outage: {found.updates} updates taken in {drained:.0f} s, "
            f"every reply sent in {answered:.0f} s at 25 a second; {found.problems or 'all in order'}"
        )
    if asked.only in (None, "stops"):  # T05: 100 stops under load; T14: 75 changes of the way updates come
        wrong += _runs("tests/journeys/test_outage.py", "stops_under_load or mode_may_change", ROUNDS="25")
    if asked.only in (None, "anything"):  # T62: half a million steps; one run of the library holds a few hundred
        wrong += _runs("tests/shell/test_stateful.py", "anything", EXAMPLES="5000", STEPS="400")
    return 1 if wrong else 0


def _runs(file: str, which: str, **environment: str) -> int:
    """The tests of a file in their long form; how many kinds of them went wrong."""
    began = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-q", file, "-k", which]
    code = subprocess.run(words, env={**os.environ, **environment}, check=False).returncode
    print(f"{file}, {which}, {environment}: {'well' if code == 0 else 'WRONG'}, {time.monotonic() - began:.0f} s")
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main())
