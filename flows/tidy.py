"""Makes typed words comparable: one form for letters, digits and spaces. Keeps no meaning of its own."""

from __future__ import annotations

import re
import unicodedata

_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_EDGES = _BLANKS + ".,!?。，！？、…:;()[]\"'“”‘’¡¿"
LONGEST = 300
"""Characters that are looked at: nobody answers a question with more."""


def fold(text: str) -> str:
    """Case, width, accents, outer punctuation and repeated spaces removed: ``"  SÍ! "`` becomes ``"si"``.

    What is nothing but punctuation stays: ``"?"`` says something that ``""`` does not.
    """
    plain = text[:LONGEST]
    if plain.isascii():  # has neither width nor accents
        plain = plain.lower()
    else:
        plain = unicodedata.normalize("NFKD", plain).casefold()
        for accent in filter(unicodedata.combining, set(plain)):
            plain = plain.replace(accent, "")
    return " ".join((plain.strip(_EDGES) or plain).split())


_NO_WORD = re.compile(r"[^\w'+]+")


def bare(text: str) -> str:
    """Like ``fold``, and without punctuation between the words: ``"Yes, for me"`` becomes ``"yes for me"``."""
    return _NO_WORD.sub(" ", fold(text)).strip()


_DENSE = re.compile("[\u3040-\u9fff]")


def dense(text: str) -> bool:
    """Whether it has letters of a script that is written without spaces."""
    return _DENSE.search(text) is not None


def within(part: str, whole: str) -> bool:
    """Whole words within words; anything within scripts that write without spaces. Both are bare."""
    if dense(part):
        return part in whole
    return f" {part} " in f" {whole} "


def digits(text: str) -> str:
    """Digits of any script as 0-9."""
    return "".join(
        str(unicodedata.digit(char)) if char.isdigit() and unicodedata.digit(char, -1) >= 0 else char
        for char in text
    )


def whole_number(text: str) -> int | None:
    """The number a text consists of, or None: ``"３."`` is 3."""
    plain = digits(text[:20]).strip().rstrip(".)。")
    return int(plain) if plain.isascii() and plain.isdigit() else None
