"""What the two lips, hear and speak, need to know of a language. The shell implements it with gettext."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol


class Words(Protocol):
    """One language. Nothing here raises for a missing translation: the English source stands in.

    It never says anything else later, and is equal to itself only: what is made of it once is kept by it.
    """

    def __hash__(self) -> int: ...

    @property
    def locale(self) -> str: ...

    @property
    def languages(self) -> Mapping[str, str]:
        """Every language on offer, by its own name: ``{"es": "Español"}``."""

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written so."""

    def text(self, context: str, source: str) -> str:
        """The translation of ``source`` in ``context``, placeholders untouched."""

    def plural(self, context: str, one: str, many: str, number: int) -> str: ...

    def day(self, day: date) -> str:
        """``14 November 2026``, in this language's long form."""

    def weekday(self, day: date) -> str: ...

    def moment(self, moment: datetime) -> str:
        """``Sun 22 Nov 09:30``: a day and a time of the clock, short enough for a button."""

    def month(self, day: date) -> str:
        """``November 2026``."""

    def number(self, number: Decimal | int) -> str: ...

    def listed(self, items: Sequence[str]) -> str:
        """``a, b and c``."""

    def months(self) -> Sequence[tuple[str, int]]:
        """Names and short names of the months with their numbers, the twelve full names first."""

    def country(self, code: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Ear:
    """A language together with the flow's word lists: what people write when they mean something."""

    words: Words
    heard: Mapping[str, str]
    """``Flow.heard``: a name to the English words for it, separated by ``;``."""

    def __hash__(self) -> int:
        return hash(self.words)  # of the two, the one that can be hashed

    def all(self, name: str) -> tuple[str, ...]:
        """The words for ``name`` in this language, and in English, which people mix in. Case-folded.

        An English word that means something else here is struck: ``-no`` in Portuguese, where it is "in the".
        """
        source = self.heard.get(name, "")
        own = _words(self.words.text(f"hear.{name}", source))
        struck = {word[1:] for word in own if word.startswith("-") and len(word) > 1}
        both = [word for word in own if word[1:] not in struck] + [
            word for word in _words(source) if word not in struck
        ]
        return tuple(dict.fromkeys(both))


def _words(listed: str) -> list[str]:
    return [word for part in listed.split(";") if (word := part.strip().casefold())]
