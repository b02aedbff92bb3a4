"""The whole turn of the product under load, for anybody's harness: one line of JSON says how fast it was.

    python -m benchmarks.turn_driver --patients 100 --concurrency 100 --seconds 5 --dir /some/folder

One turn: the JSON bytes of one Telegram update come in; it is over when its transaction is committed and every
message that answers it has gone to the network, which is a stub: the calls are real, only the socket is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.load import measure
from benchmarks.people import somebody
from benchmarks.phones import Act
from benchmarks.product import Product, Rehearsal, deployed
from benchmarks.workers import Worker


def script(folder: Path) -> list[Act]:
    """What a patient does, as it was rehearsed: in a process of its own, once for a folder."""
    file = folder / "script.json"
    if not file.exists():
        subprocess.run([sys.executable, "-m", "benchmarks.turn_driver", "--rehearse", "--dir", folder], check=True)
    found = json.loads(file.read_text(encoding="utf-8"))
    return [Act(**{**act, "labels": tuple(tuple(row) for row in act["labels"])}) for act in found]


def rehearse(folder: Path) -> None:
    acts = asyncio.run(Rehearsal(folder).hold())
    plain = [{name: getattr(act, name) for name in Act.__slots__} for act in acts]
    (folder / "script.json").write_text(json.dumps(plain), encoding="utf-8")


def database(folder: Path, stored: int) -> str:
    """A file with so many conversations: filled once for a folder; an empty one is new each time."""
    file = folder / f"stored-{stored}.db"
    if stored and not file.exists():
        command = [sys.executable, "-m", "benchmarks.fill", "--stored", str(stored), "--file", str(file)]
        subprocess.run(command, check=True)
    for end in ("", "-wal", "-shm") if not stored else ():
        Path(f"{file}{end}").unlink(missing_ok=True)
    return f"sqlite:///{file}"


async def run(options: argparse.Namespace) -> dict[str, Any]:
    acts = script(options.dir)
    url = options.database or database(options.dir, options.stored)
    deployment = deployed()
    number, _, of = options.worker.partition("/")
    worker = Worker(int(number), int(of), options.dir)
    product = Product(url, worker.board, deployment)
    try:
        async with worker.at_work(product):
            await asyncio.sleep(max(0.0, options.start_at - time.time()))
            found = await measure(
                product,
                worker.board,
                acts,
                patients=options.patients,
                at_once=options.concurrency,
                seconds=options.seconds,
                rate=options.rate,
            )
        await product.rests()
        return {
            **found,
            "start_ms": round(product.start_ms, 1),
            "sweep_ms": await product.sweeps(),
            **({"erase_ms": await product.erases(somebody(options.stored))} if options.stored else {}),
            "patients": options.patients,
            "concurrency": options.concurrency,
            "stored": options.stored,
        }
    finally:
        product.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, default=100, help="conversations open at the same time")
    parser.add_argument("--concurrency", type=int, default=100, help="turns under way at the same time")
    parser.add_argument("--stored", type=int, default=0, help="conversations stored beforehand")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0, help="turns a second at random, not in a closed loop")
    parser.add_argument("--dir", type=Path, help="where files go and are found again (default: a new one, removed)")
    parser.add_argument("--database", default="", metavar="URL", help="another database than a new SQLite file")
    parser.add_argument("--worker", default="0/1", metavar="I/N", help="one of N processes on one database")
    parser.add_argument("--start-at", type=float, default=0.0, help="seconds since 1970, for several at once")
    parser.add_argument("--rehearse", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        options.dir = (options.dir or Path(passing)).resolve()
        options.dir.mkdir(parents=True, exist_ok=True)
        if options.rehearse:
            rehearse(options.dir)
        else:
            print(json.dumps(asyncio.run(run(options))))


if __name__ == "__main__":
    main()
