"""Turns typed text into tokens: numbers in any script, and the words that a language gives a meaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, product
from typing import NamedTuple

from flows.tidy import MARKS, alike
from flows.words import Ear

CAP = 200
"""Characters that are looked at: a date, a number or a measure needs far fewer."""

_ALIKE = {"'": "’‘′ʼ´`", '"': "”“″", "-": "–—−‐‑～~〜", ".": "٫。", ",": "،、"}
_SAME = str.maketrans({char: same for same, chars in _ALIKE.items() for char in chars})
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}
_NUMBER = r"\d+(?:[.,]\d{1,3}(?!\d))?|(?<![\w.])\.\d{1,3}(?!\d)"
_LETTER = rf"(?:[^\W\d_]|[{MARKS}])"
_HYPHEN = re.compile(rf"(?<={_LETTER})-(?={_LETTER})")
_READINGS = 32
"""Ways to take one text that are tried: words such as the Spanish "ago" mean two things."""


class Token(NamedTuple):
    """A number or a listed word. ``kind`` is one letter, so that grammars are patterns over letters."""

    kind: str
    value: str
    start: int = 0
    end: int = 0
    text: str = ""


def plain(text: str) -> str:
    """The text as the lists have it: no accents, no capitals, plain digits and quotes, single spaces."""
    text = text[:CAP]
    if not text.isascii():
        text = alike("".join(map(_plain, unicodedata.normalize("NFC", text).translate(_SAME))))
    return " ".join(_HYPHEN.sub(" ", text.casefold()).split())


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    if (digit := unicodedata.decimal(char, -1)) >= 0:
        return str(digit)
    if unicodedata.category(char) == "No":  # compatibility forms would make 51/2 of 5½
        return _FRACTIONS.get(char, char)
    return "".join(part for part in unicodedata.normalize("NFKD", char) if not "\u0300" <= part <= "\u036f")


class Vocabulary:
    """The lists that one kind of question listens for: the name of a list to the letter of its words.

    A word may carry a value: ``two=2``. Without one its value is the name of its list. Words of kind
    " " are left out, other words have the kind "?". ``shapes`` are patterns for what is written
    without words.
    """

    def __init__(self, lists: Mapping[str, str], shapes: Mapping[str, str], months: str = "") -> None:
        self._lists, self._months = lists, months
        self._shapes = "".join(f"(?P<{kind}>{shape})|" for kind, shape in shapes.items())
        self._lexicon = lru_cache(maxsize=64)(self._built)

    def readings(self, text: str, ear: Ear) -> Iterator[list[Token]]:
        """Every way to take the words of ``text`` (as ``plain`` gives it), the likely one first."""
        lexicon = self._lexicon(ear)
        found = [lexicon.meanings(match) for match in lexicon.pattern.finditer(text)]
        for reading in islice(product(*found), _READINGS):
            yield _composed([token for token in reading if token.kind != " "])

    def _built(self, ear: Ear) -> _Lexicon:
        meanings: dict[str, list[tuple[str, str]]] = {}
        listed = [(kind, word, name) for name, kind in self._lists.items() for word in ear.all(name)]
        if self._months:
            listed += [(self._months, f"{name}={month}", "") for name, month in ear.words.months()]
        for kind, word, name in listed:
            phrase, _, value = word.partition("=")
            own = meanings.setdefault(plain(phrase).strip(" ."), [])
            with_number = kind == "U" and re.fullmatch(r"\d+(\.\d+)?", value.strip())  # two months in one word
            counted = f"{name}*{value.strip()}" if with_number else name if kind == "U" else ""
            if (meaning := (kind, counted or value.strip() or name)) not in own:
                own.append(meaning)
        meanings.pop("", None)
        return _Lexicon(self._shapes, meanings)


class _Lexicon:
    """One language's words in one pattern, the longest first."""

    def __init__(self, shapes: str, meanings: Mapping[str, list[tuple[str, str]]]) -> None:
        longest = sorted(meanings, key=len, reverse=True)
        spaced = "|".join(re.escape(word) for word in longest if not unspaced(word)) or "(?!)"
        dense = "|".join(re.escape(word) for word in longest if unspaced(word)) or "(?!)"
        self._meanings = meanings
        self.pattern = re.compile(
            rf"{shapes}(?P<N>{_NUMBER})|(?P<word>(?<!{_LETTER})(?:{spaced})(?!{_LETTER})|{dense})"
            rf"|(?P<unknown>{_LETTER}+)|(?P<dash>[-/])|(?P<more>[<>≤≥+%=])"
        )

    def meanings(self, match: re.Match[str]) -> list[Token]:
        text, start, end = match[0], match.start(), match.end()
        match match.lastgroup:
            case "word":
                return [Token(kind, value, start, end, text) for kind, value in self._meanings[text]]
            case "unknown":
                return [Token("?", text, start, end, text)]
            case "dash":
                return [Token("-", text, start, end, text)]
            case "more":  # "<3" and "2+" are no 3 and no 2
                return [Token("X", text, start, end, text)]
            case kind:
                return [Token(str(kind), text.replace(",", "."), start, end, text)]


def unspaced(word: str) -> bool:
    """Whether the word's script is written without spaces, so that it can begin anywhere."""
    return unicodedata.east_asian_width(word[0]) in "WF" or not word[0].isalnum()


def rewrite(
    tokens: list[Token], pattern: re.Pattern[str], make: Callable[[list[Token]], list[Token] | None]
) -> None:
    """Puts ``make(found)`` in place of each stretch of tokens whose kinds fit; None leaves it alone."""
    kinds = "".join(token.kind for token in tokens)
    for match in reversed(list(pattern.finditer(kinds))):
        made = make(tokens[match.start() : match.end()])
        if made is not None:
            tokens[match.start() : match.end()] = made


def _composed(tokens: list[Token]) -> list[Token]:
    """Number words (kind W) as numbers (kind N): ``one hundred and forty``, ``一百四十``."""
    made: list[Token] = []
    at = 0
    while at < len(tokens):
        if tokens[at].kind != "W":
            made.append(tokens[at])
            at += 1
            continue
        total, after = _number_at(tokens, at)
        made.append(Token("N", str(total), tokens[at].start, tokens[after - 1].end))
        at = after
    return made


def _number_at(tokens: list[Token], at: int) -> tuple[int, int]:
    """The longest number that starts here, and the place behind it. ``零`` stands alone at the start."""
    total, last = _extended(0, tokens[at].value) or 0, at
    while total or tokens[last].value != "0":
        here = last + 1
        if here + 1 < len(tokens) and tokens[here].kind == "&":
            here += 1
        if here >= len(tokens) or tokens[here].kind != "W":
            break
        more = _extended(total, tokens[here].value)
        if more is None:
            break
        if _is_tens(tokens, here):
            more = total + int(tokens[here].value) * int(tokens[last].value[1:]) // 10
        total, last = more, here
    return total, last + 1


def _extended(total: int, word: str) -> int | None:
    """The number with one more word: 20 and 5, 100 and 4 and then ``x10``; None if that is none."""
    if word.startswith("x"):
        times = int(word[1:])
        below = total % times
        return total - below + (below or 1) * times
    return total + int(word) if total % 10 ** len(word) == 0 else None


def _is_tens(tokens: list[Token], at: int) -> bool:
    """``一百五`` is 150: a digit that follows the hundred without a zero counts tens."""
    before, token = tokens[at - 1], tokens[at]
    if not (len(before.value) > 3 and before.value.startswith("x") and before.end == token.start):
        return False
    followed = at + 1 < len(tokens) and tokens[at + 1].kind == "W"
    return len(token.value) == 1 and token.value != "0" and not followed
