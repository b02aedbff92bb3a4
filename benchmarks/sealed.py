"""What sealing costs a turn: the product with it and without it, by turns in one run.

    python -m benchmarks.sealed --rounds 7 --seconds 3

"Without" is the same program with values kept as they are and no data key unwrapped: only the cipher is left out.
It is the benchmark's own, and no setting of the product does it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch


class Open:
    """A key that seals nothing."""

    def __init__(self, number: int, secret: bytes) -> None:
        self.number, self.secret = number, secret

    def seal(self, _column: str, value: Any) -> Any:
        return value

    def open(self, _column: str, value: Any) -> Any:
        return value


def without() -> None:
    """Runs the driver in this process with nothing sealed."""
    from benchmarks import turn_driver  # noqa: PLC0415
    from bot.store import vault  # noqa: PLC0415

    def opened(_db: Any, _table: str, rows: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in rows]

    with (
        patch.object(vault, "DataKey", Open),
        patch.object(vault, "opened", opened),
        patch.object(vault.Keyring, "unwrap", lambda *_: bytes(32)),
    ):
        turn_driver.main()


def measure(folder: Path, seconds: float, *, sealed: bool) -> dict[str, Any]:
    module = "benchmarks.turn_driver" if sealed else "benchmarks.sealed"
    words = [sys.executable, "-m", module, *([] if sealed else ["--without"]), "--seconds", str(seconds)]
    done = subprocess.run([*words, "--dir", str(folder)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    if "--without" in sys.argv:
        sys.argv.remove("--without")
        without()
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    found: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as folder:
        measure(Path(folder), 1.0, sealed=True)  # rehearses, and warms the disk
        for number in range(options.rounds):
            for sealed in (True, False) if number % 2 else (False, True):
                found[sealed].append(measure(Path(folder), options.seconds, sealed=sealed))
    for name in ("turns_per_s", "cpu_us"):
        plain, under = (statistics.median(one[name] for one in found[sealed]) for sealed in (False, True))
        pairs = statistics.median(
            one[name] / other[name] for one, other in zip(found[True], found[False], strict=True)
        )
        ratio = f"ratio {under / plain:.3f}, by pairs {pairs:.3f}"
        print(f"{name:<12} without {plain:8.1f}  sealed {under:8.1f}  {ratio}")


if __name__ == "__main__":
    main()
