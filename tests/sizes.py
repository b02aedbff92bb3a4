"""How much a test does: ``EXAMPLES`` is a percentage, 100 in ``make test``; ``make long`` runs what was promised."""

from __future__ import annotations

import os

PERCENT = int(os.environ.get("EXAMPLES", "100"))
LONG = PERCENT >= 1000


def many(usual: int, promised: int) -> int:
    """The usual number, less of it in a hurry, and in the long form the promised one."""
    return promised if LONG else max(1, usual * min(PERCENT, 100) // 100)
