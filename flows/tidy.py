"""Makes typed words comparable: one form for letters, digits and spaces. Keeps no meaning of its own."""

from __future__ import annotations

import re
import unicodedata

_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_EDGES = _BLANKS + "।॥؟،؛.,!?。，！？、…:;()[]\"'“”‘’¡¿"
MARKS = "\u0900-\u0963\u0971-\u0dff"
"""Vowel signs and the like of Indian scripts: parts of a word, although they are no letters. A pattern's range."""
_SAME = str.maketrans(
    {
        **dict.fromkeys("أإآٱ", "ا"), "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ँ": "ं",
        **dict.fromkeys("’‘ʼ´", "'"), "œ": "oe", "æ": "ae",
        **dict.fromkeys(map(chr, (*range(0x64B, 0x660), 0x640, 0x670, 0x93C)), ""),
        **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff\ufe0f", ""),
    }
)  # fmt: skip
"""Letters that people put for one another, vowel marks that few write, and what nobody sees."""
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
        plain = alike(unicodedata.normalize("NFKD", plain).casefold())
        for accent in filter(unicodedata.combining, set(plain)):
            plain = plain.replace(accent, "")
    return " ".join((plain.strip(_EDGES) or plain).split())


def alike(text: str) -> str:
    """One letter for those that people put for one another, and nothing that cannot be seen."""
    return text.translate(_SAME)


_NO_WORD = re.compile(rf"[^\w'+{MARKS}]+")


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
