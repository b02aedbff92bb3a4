"""A short text: what is kept has no invisible or steering characters, and fits on one line."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from flows.answer import Value
from flows.flow import Step
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

LONGEST = 200

_BREAK = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_GONE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, marks and overrides of the writing direction, invisible spaces, half characters.
Joiners stay: families of emoji, Persian and the scripts of India need them."""
_BLANK = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n ?")


def clean(text: str) -> str:
    """The one sanitiser for whatever is typed: composed, stripped, single spaces; line breaks stay."""
    text = _GONE.sub("", _BREAK.sub("\n", text))
    text = _LINES.sub("\n", _BLANK.sub(" ", unicodedata.normalize("NFC", text)))
    return text.strip()


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    line = _line(text)
    if len(line) > LONGEST:
        return Garbled("long")
    return Gave(line, text.strip()) if _is_seen(line) else Garbled("unclear")


def accept(step: Step, data: object) -> Value:
    line = _line(data) if isinstance(data, str) else ""
    if len(line) <= LONGEST and _is_seen(line):
        return line
    raise ValueError("not a short text")


def show(step: Step, value: Value, words: Words) -> str:
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _is_seen(line: str) -> bool:
    """Whether anything is visible: joiners and accents alone are not."""
    return any(unicodedata.category(char)[0] in "LNPS" for char in line)
