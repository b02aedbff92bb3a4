"""Takes each guard away in a copy of the tree and runs its tests: ``python -m tests.guards [NAME ...]``.

Every guard must be missed by a test that passes while the guard is there. The tree itself is never touched.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.guards.listed import ROOT, Guard, copy, guards

PATIENCE = 900
"""Seconds that the tests of one guard may take."""


def main() -> int:
    told = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    told.add_argument("names", nargs="*", metavar="NAME", help="only these guards")
    asked = told.parse_args()
    known = {guard.name: guard for guard in guards()}
    if unknown := set(asked.names) - set(known):
        told.error(f"no such guard: {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    wanted = [known[name] for name in asked.names or known]
    began, wrong = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="prescreen-guards-") as folder:
        tree = Path(folder) / "tree"
        copy(ROOT, tree)
        for guard in wanted:
            fate = judged(guard, tree)
            print(f"{guard.name:28} {fate}", flush=True)
            wrong += [guard.name] if fate != CAUGHT else []
    print(f"{len(wanted) - len(wrong)} of {len(wanted)} guards are missed when they are gone, ", end="")
    print(f"{time.monotonic() - began:.0f} s" + (f"; not so: {', '.join(wrong)}" if wrong else ""))
    return bool(wrong)


CAUGHT = "missed by a test"


def judged(guard: Guard, tree: Path) -> str:
    """What becomes of the tests of a guard with it, and without."""
    if problem := guard.problem(tree):
        return problem
    if (code := run(guard.tests, tree)) != 0:
        return f"its tests do not pass as it is (pytest said {code})"
    with guard.removed(tree):
        code = run(guard.tests, tree)
    if code == 1:
        return CAUGHT
    return "NOT MISSED: its tests pass without it" if code == 0 else f"the tests cannot run without it ({code})"


def run(tests: tuple[str, ...], tree: Path) -> int:
    """Pytest's own answer: 0 all passed, 1 a test failed, anything else says nothing about the guard."""
    how = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "EXAMPLES": "15"}
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *how, *tests],
            cwd=tree, env=environment, capture_output=True, check=False, timeout=PATIENCE,
        ).returncode  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1


if __name__ == "__main__":
    sys.exit(main())
