"""Where the time of the product's turn goes: CPU microseconds of each part, in both threads, under load.

    python -m benchmarks.parts --patients 100

The parts are wrapped while they run, so the whole is somewhat slower than without; what a part calls that is a part
itself counts only there.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import inspect
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import load as loads
from benchmarks import phones
from benchmarks.phones import Switchboard
from benchmarks.product import Product, deployed
from benchmarks.turn_driver import database, script
from bot import buttons, deliver, house, intake, metrics, turns, writer
from bot.channels import telegram
from bot.store import conversations, outbox
from bot.store import transaction as transactions

PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "the benchmark's own phones and stub network": ((phones.Phone, "acts"), (phones.Network, "do_request")),
    "reading the update": ((intake.Intake, "read"),),
    "calls out: send, edit, freeze": ((telegram.Telegram, "send"),),
    "calls out: answering the tap": ((telegram.Telegram, "acknowledge"),),
    "foresee: receipts and conversations of the batch": ((conversations, "foresee"),),
    "state from JSON": ((conversations, "_kept"),),
    "is it staff?": ((house, "take_staff"),),
    "reading a button": ((buttons.Buttons, "read"),),
    "hear: words to a reply": ((turns, "hear"),),
    "advance": ((turns, "advance"),),
    "speak: says to speech": ((turns, "speak"),),
    "writing the buttons": ((buttons.Buttons, "write"),),
    "envelope and chunks": ((turns, "envelope"), (turns, "chunks")),
    "handlers: events to rows": ((turns, "handle"),),
    "rows of the transcript": ((conversations, "add_message"),),
    "the conversation's row": ((conversations, "save"),),
    "a row of the outbox": ((outbox, "put"),),
    "claiming what may be sent": ((deliver.Delivery, "claim"),),
    "the result of a send": ((deliver.Delivery, "_result"),),
    "writing gathered rows (executemany)": ((transactions.Transaction, "flush"),),
    "statements by themselves": ((transactions.Transaction, "execute"),),
    "the rest of take_turn": ((house, "take_turn"),),
    "begin and commit": (),
    "metrics": ((metrics, "count"), (metrics, "span")),
    "the rest of the writer": ((writer.Writer, "_take"),),
}


class Clock:
    """CPU time by part, each thread by itself; a part inside another one is taken off it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._local = threading.local()

    def wrap(self, part: str, owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def begin() -> tuple[list[int], int]:
            inner: list[int] = getattr(self._local, "inner", None) or []
            self._local.inner = inner
            inner.append(0)
            return inner, time.thread_time_ns()

        def end(inner: list[int], began: int) -> None:
            took = time.thread_time_ns() - began
            self.spent[part] += took - inner.pop()
            self.calls[part] += 1
            if inner:
                inner[-1] += took

        if inspect.iscoroutinefunction(plain):

            @functools.wraps(plain)
            async def wrapped(*given: Any, **named: Any) -> Any:
                state = begin()
                try:
                    return await plain(*given, **named)  # nothing in it waits: the network answers at once
                finally:
                    end(*state)
        else:

            @functools.wraps(plain)
            def wrapped(*given: Any, **named: Any) -> Any:
                state = begin()
                try:
                    return plain(*given, **named)
                finally:
                    end(*state)

        setattr(owner, name, wrapped)


async def run(folder: Path, patients: int, seconds: float) -> dict[str, Any]:
    """Microseconds a turn, by part."""
    acts, clock, board = script(folder), Clock(), Switchboard()
    for part, places in PARTS.items():
        for owner, name in places:
            clock.wrap(part, owner, name)
    product = Product(database(folder, 0), board, deployed())
    dialect = product.store.engine.dialect
    for name in ("do_commit", "do_begin"):
        clock.wrap("begin and commit", dialect, name)
    try:
        await product.open()

        class Reset:
            sends, take = None, staticmethod(product.take)

            @staticmethod
            def measured(on: bool) -> None:
                if on:
                    clock.spent.clear()
                    clock.calls.clear()
                else:
                    clock.spent, clock.calls = clock.spent.copy(), clock.calls.copy()
                    kept.update(spent=clock.spent.copy(), calls=clock.calls.copy())

        kept: dict[str, Counter[str]] = {}
        found = await loads.measure(Reset(), board, acts, patients=patients, at_once=patients, seconds=seconds)
        await product.rests()
    finally:
        product.close()
    parts = {
        part: (ns / 1e3 / found["turns"], kept["calls"][part] / found["turns"])
        for part, ns in kept["spent"].items()
    }
    rest = found["cpu_us"] - sum(us for us, _ in parts.values())
    parts["the event loop, queues and threads"] = (rest, 1.0)
    return {"turns_per_s": found["turns_per_s"], "cpu_us": found["cpu_us"], "parts": parts}


def lines(found: dict[str, Any]) -> list[str]:
    ordered = sorted(found["parts"].items(), key=lambda item: -item[1][0])
    return [f"| {part} | {us:.1f} | {calls:.2f} |" for part, (us, calls) in ordered]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        found = asyncio.run(run((options.dir or Path(passing)).resolve(), options.patients, options.seconds))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.patients} at once: {found['turns_per_s']:.0f} turns/s, {found['cpu_us']:.0f} us CPU a turn\n")
    print("| part | CPU us a turn | calls a turn |", "|---|---|---|", *lines(found), sep="\n")


if __name__ == "__main__":
    main()
