"""The drawings of the trials as bytes: SVG for pages, PNG for messengers. A name of our own making, or nothing."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import flows.trials
from flows.author.pictures import FOLDER

_TRIALS = Path(flows.trials.__path__[0])
_NAME = re.compile("([a-z0-9_]{1,40})/([a-z0-9_]{1,40})")


def svg(picture: str) -> bytes | None:
    """The drawing ``trial/name``; None if there is none, whatever somebody asks for."""
    return _read(picture, ".svg")


def png(picture: str) -> bytes | None:
    """The same, 800 pixels wide."""
    return _read(picture, ".png")


@lru_cache(maxsize=256)
def _read(picture: str, ending: str) -> bytes | None:
    name = _NAME.fullmatch(picture)
    if name is None:
        return None
    try:
        return (_TRIALS / name[1] / FOLDER / (name[2] + ending)).read_bytes()
    except OSError:
        return None
