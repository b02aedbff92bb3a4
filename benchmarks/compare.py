"""Everything measured in one run: the product, its peers and the floors take turns, and what counts is the ratio.

    python -m benchmarks.compare [--quick] [--long] [--write]

Each measurement is a process of its own. They run one after the other, A B C A B C ..., and a figure is the median
of its rounds: a machine that is slow for a while is slow for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.turn_driver import script

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
MEASURED, PARTS = "measured", "parts"
"""The names of the page's markers."""
SLOWEST = 300.0
"""Seconds after which one measurement is given up."""

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: a module and its words."""

    name: str
    module: str
    words: tuple[str, ...] = ()
    once: bool = False
    """In the first round only."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One line of the table: a figure, and what it must and should be."""

    what: str
    needs: tuple[str, ...]
    figure: Callable[..., float]
    must: float | None = None
    stretch: float | None = None
    unit: str = "x"
    less: bool = False
    """Less is better."""

    def line(self, found: Mapping[str, Figures]) -> str:
        if any(name not in found for name in self.needs):
            return f"| {self.what} | not measured | {self._aims()} | |"
        value = self.figure(*(found[name] for name in self.needs))
        return f"| {self.what} | {_shown(value, self.unit)} | {self._aims()} | {self._verdict(value)} |"

    def _aims(self) -> str:
        return " | ".join("" if aim is None else _shown(aim, self.unit) for aim in (self.must, self.stretch))

    def _verdict(self, value: float) -> str:
        if self.must is None or self.stretch is None:
            return ""
        reached = [value <= aim if self.less else value >= aim for aim in (self.must, self.stretch)]
        return "stretch met" if reached[1] else "met" if reached[0] else "**not met**"


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value:.0%}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def _rate(ours: Figures, theirs: Figures) -> float:
    return ours["turns_per_s"] / theirs["turns_per_s"]


def _best(ours: Figures, *theirs: Figures) -> float:
    return ours["turns_per_s"] / max(each["turns_per_s"] for each in theirs)


def _call(ours: Figures, theirs: Figures) -> float:
    return ours["call_us"] / theirs["call_us"]


def _imports(figures: Figures) -> float:
    return figures["import_ms"] / figures["telegram_ms"]


def _own(name: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name]


def _more(name: str) -> Callable[[Figures, Figures], float]:
    return lambda larger, smaller: larger[name] - smaller[name]


PRODUCT, PTB, FLOOR = "benchmarks.turn_driver", "benchmarks.peers.ptb", "benchmarks.peers.floor"
POSTGRES, CALL, SERVED = "benchmarks.on_postgres", "benchmarks.peers.call_out", "benchmarks.served"
NODE = "benchmarks.peers.telegraf"
TELEGRAF = "TELEGRAF"
"""The environment's name for a folder where npm installed telegraf and better-sqlite3."""


def _people(patients: int, *more: str) -> tuple[str, ...]:
    return ("--patients", str(patients), "--concurrency", str(patients), *more)


def runs(quick: bool, long: bool) -> list[Run]:
    found = [
        Run("product, 1", PRODUCT, _people(1)),
        Run("product, 100", PRODUCT, _people(100)),
        Run("memory, 1", PTB, _people(1)),
        Run("memory, 100", PTB, _people(100)),
        Run("pickle, 1", PTB, _people(1, "--store", "pickle")),
        Run("pickle, 100", PTB, _people(100, "--store", "pickle")),
        Run("sqlite, 100", PTB, _people(100, "--store", "sqlite")),
        Run("floor, 1", FLOOR, ("--batch", "1")),
        Run("floor, 64", FLOOR, ("--batch", "64")),
        Run("call out, ours", CALL, ("--client", "ours")),
        Run("call out, PTB's", CALL, ("--client", "ptb")),
        Run("import", SERVED, ("--imports",), once=True),
        Run("arrivals", PRODUCT, ("--patients", "2000", "--rate", "1000")),
    ]
    if TELEGRAF in os.environ:
        found += [Run(f"telegraf, {patients}", NODE, (str(patients),)) for patients in (1, 100)]
    if not quick:
        found += [Run("served", SERVED, ("--patients", "100"))]
        found += [Run(f"postgresql, {number}", POSTGRES, ("--workers", str(number))) for number in (1, 2, 4)]
        floors = (1, 16, 64)
        found += [Run(f"postgresql floor, {n}", POSTGRES, ("--floor", "--connections", str(n))) for n in floors]
    for stored in () if quick else (10_000, 100_000):
        found += [
            Run(f"product, 100, {stored}", PRODUCT, _people(100, "--stored", str(stored))),
            Run(f"pickle, 100, {stored}", PTB, _people(100, "--store", "pickle", "--stored", str(stored))),
        ]
    for stored in (1000, 1_000_000) if long else ():
        found.append(Run(f"product, 100, {stored}", PRODUCT, _people(100, "--stored", str(stored))))
    return found


FLOORS = ("postgresql floor, 1", "postgresql floor, 16", "postgresql floor, 64")
AIMS = [
    Aim("100 patients, against PTB + pickle, empty", ("product, 100", "pickle, 100"), _rate, 15, 30),
    Aim("... 10,000 stored", ("product, 100, 10000", "pickle, 100, 10000"), _rate, 500, 1000),
    Aim("... 100,000 stored", ("product, 100, 100000", "pickle, 100, 100000"), _rate, 5000, 15000),
    Aim("100 patients, against PTB with nothing stored", ("product, 100", "memory, 100"), _rate, 2.5, 5),
    Aim("... against PTB + SQLite", ("product, 100", "sqlite, 100"), _rate, 5, 10),
    Aim("... against Telegraf + better-sqlite3", ("product, 100", "telegraf, 100"), _rate, 1.5, 3),
    Aim("1 patient, against PTB + pickle", ("product, 1", "pickle, 1"), _rate, 2.5, 4),
    Aim("... against Telegraf + better-sqlite3", ("product, 1", "telegraf, 1"), _rate, 0.3, 0.6),
    Aim("share of the floor, 1 patient", ("product, 1", "floor, 1"), _rate, 0.35, 0.6, "%"),
    Aim("share of the floor, 100 patients", ("product, 100", "floor, 64"), _rate, 0.3, 0.55, "%"),
    Aim(
        "1,000,000 stored against 1,000, turns/s", ("product, 100, 1000000", "product, 100, 1000"), _rate, 0.8, 0.95
    ),
    Aim("... memory", ("product, 100, 1000000", "product, 100, 1000"), _more("peak_mb"), 5, 2, " MB", True),
    Aim("... start", ("product, 100, 1000000", "product, 100, 1000"), _more("start_ms"), 50, 10, " ms", True),
    Aim(
        "... one sweep with nothing to do, all turns wait", ("product, 100, 1000000",), _own("sweep_ms"), unit=" ms"
    ),
    Aim("... erasing one person, all turns wait", ("product, 100, 1000000",), _own("erase_ms"), unit=" ms"),
    Aim("random arrivals at 1,000 turns/s, p50", ("arrivals",), _own("p50_ms"), 3, 1.5, " ms", True),
    Aim("... p99", ("arrivals",), _own("p99_ms"), 10, 5, " ms", True),
    Aim("PostgreSQL, 1 worker, against the best transaction a turn", ("postgresql, 1", *FLOORS), _best, 2, 4),
    Aim("... 2 workers", ("postgresql, 2", *FLOORS), _best),
    Aim("... 4 workers", ("postgresql, 4", *FLOORS), _best),
    Aim(
        "one call out, CPU against PTB's HTTPXRequest",
        ("call out, ours", "call out, PTB's"),
        _call,
        0.5,
        0.2,
        less=True,
    ),
    Aim("import of the process against `import telegram.ext`", ("import",), _imports, 2.5, 1.6, less=True),
    Aim("resident peak of the process", ("served",), _own("process_mb"), 90, 65, " MB", True),
    Aim(
        "tap to answer, local Bot API server, 100 patients, p95", ("served",), _own("p95_ms"), 100, 40, " ms", True
    ),
]


def measure(run: Run, folder: Path, seconds: float) -> dict[str, float] | None:
    """The figures of one run; None, and why on stderr, if it did not come to an end."""
    command = [sys.executable, "-m", run.module, *run.words, "--seconds", str(seconds), "--dir", str(folder)]
    if run.module == NODE:
        script(folder)
        for end in ("", "-wal", "-shm"):
            (folder / f"telegraf.db{end}").unlink(missing_ok=True)
        program = Path(__file__).parent / "peers" / "telegraf.mjs"
        command = ["node", str(program), str(folder / "script.json"), str(folder / "telegraf.db"), *run.words]
        command.append(str(seconds))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=SLOWEST)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        told = getattr(error, "stderr", "") or ""
        print(f"{run.name}: {type(error).__name__} {told[-600:]}", file=sys.stderr)
        return None


def rounds(wanted: Sequence[Run], folder: Path, seconds: float, number: int) -> dict[str, dict[str, float]]:
    """The medians of all rounds; a run that failed is left out of the rounds after it."""
    every: dict[str, list[dict[str, float]]] = {run.name: [] for run in wanted}
    failed: set[str] = set()
    for at in range(number):
        for run in wanted:
            if run.name in failed or (at and run.once):
                continue
            print(f"round {at + 1} of {number}: {run.name} ...", end=" ", flush=True, file=sys.stderr)
            figures = measure(run, folder, seconds)
            if figures is None:
                failed.add(run.name)
                continue
            every[run.name].append(figures)
            print(figures.get("turns_per_s", ""), file=sys.stderr)
    return {name: _medians(found) for name, found in every.items() if found}


def _medians(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    numbers = [name for name, value in found[0].items() if isinstance(value, int | float)]
    return {name: statistics.median(each[name] for each in found) for name in numbers}


def table(found: Mapping[str, Figures], number: int, seconds: float) -> str:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), CPython "
        f"{platform.python_version()}, medians of {number} interleaved rounds of {seconds:g} s.",
        "",
        "| measure | here | must | stretch | |",
        "|---|---|---|---|---|",
        *(aim.line(found) for aim in AIMS),
        "",
        "| what ran | turns/s | p50 ms | p99 ms | CPU us a turn | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        if "turns_per_s" in figures:
            shown = (figures.get(key) for key in ("turns_per_s", "p50_ms", "p99_ms", "cpu_us", "peak_mb"))
            lines.append(f"| {name} | {' | '.join('' if x is None else _shown(x, '') for x in shown)} |")
    return "\n".join(lines)


def profile(folder: Path) -> str:
    """Where a turn's time goes, alone and with a hundred at once."""
    found = []
    for patients in ("1", "100"):
        command = [sys.executable, "-m", "benchmarks.parts", "--patients", patients, "--dir", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=SLOWEST)
        found.append(done.stdout.strip())
    return "\n\n".join(found)


def write(name: str, text: str) -> None:
    """Puts the text between two markers of the page."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: one short round of the essentials")
    parser.add_argument("--long", action="store_true", help="also a million conversations stored")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    number, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as folder:
        found = rounds(runs(options.quick, options.long), Path(folder), seconds, number)
        text = table(found, number, seconds)
        print(text)
        if options.write:
            write(MEASURED, text)
            write(PARTS, profile(Path(folder)))


if __name__ == "__main__":
    main()
