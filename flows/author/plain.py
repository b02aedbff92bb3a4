"""The source English as Words, without a catalogue or locale data: for the author's tools and for trying out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

_MONTHS = tuple((date(2000, number, 1).strftime("%B"), number) for number in range(1, 13))


@dataclass(frozen=True, eq=False)
class PlainWords:
    """See ``flows.words.Words``."""

    locale: str = "en"
    languages: Mapping[str, str] = field(default_factory=lambda: {"en": "English"})
    right_to_left: bool = False

    def text(self, context: str, source: str) -> str:
        return source

    def plural(self, context: str, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def day(self, day: date) -> str:
        return f"{day.day} {self.month(day)}"

    def weekday(self, day: date) -> str:
        return day.strftime("%A")

    def moment(self, moment: datetime) -> str:
        return f"{self.weekday(moment.date())} {moment.day} {_MONTHS[moment.month - 1][0]} {moment:%H:%M}"

    def month(self, day: date) -> str:
        return f"{_MONTHS[day.month - 1][0]} {day.year}"

    def number(self, number: Decimal | int) -> str:
        return str(number)

    def listed(self, items: Sequence[str]) -> str:
        return ", ".join(items)

    def months(self) -> Sequence[tuple[str, int]]:
        return _MONTHS

    def country(self, code: str) -> str:
        return code
