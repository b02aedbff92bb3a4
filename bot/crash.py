"""Named places where a test may end the process as a power cut would. Off, unless the environment names one.

``PRESCREEN_CRASH=committed:3`` ends it when ``committed`` is passed for the third time.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "migrated", "started", "leading",
    "received", "attempt_counted", "begun", "foreseen", "lead_raised", "turned", "claimed", "committed", "told",
    "offset_moved", "answered",
    "sending", "sent", "result_written", "result_stored",
    "set_aside", "erased", "reminded", "stopping",
)  # fmt: skip
"""In the order in which an update meets them."""

_name, _, _left = os.environ.get("PRESCREEN_CRASH", "").partition(":")
_passes = {_name: int(_left or 1)} if _name else {}


def point(name: str) -> None:
    if name in _passes:
        _passes[name] -= 1
        if _passes[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
