"""Logs: one line an event, without anything a person wrote, and with the libraries kept quiet."""

from __future__ import annotations

import logging
import re
import sys

from pythonjsonlogger.json import JsonFormatter

QUIET = ("httpx", "httpcore", "aiohttp", "telegram", "alembic", "transitions", "sqlalchemy", "asyncio")
"""An HTTP client writes addresses, and the token is part of them; the machine writes where people stand."""
_TOKEN = re.compile(r"\d{6,}:[\w-]{8,}")
_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What begins a new line, or turns the direction of one: it is written as its escape."""


class _Redact(logging.Filter):
    """A second net: nothing of the shape of a bot token leaves by a log, whoever wrote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = _TOKEN.sub("[token]", record.getMessage())
        record.msg, record.args = _STEERS.sub(lambda found: ascii(found[0])[1:-1], said), ()
        record.exc_info = record.exc_text = record.stack_info = None  # they may quote what was worked on
        return True


def begin(level: str = "INFO", form: str = "text") -> None:
    """``form``: "json" for machines that collect logs, "text" for people. May be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter("{asctime}{levelname}{name}{message}", style="{")
        if form == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    handler.addFilter(_Redact())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
