"""Days that are known roughly: whole months and years, durations give or take, and parts of a span."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, Self

from dateutil.relativedelta import relativedelta

from flows.answer import Span
from flows.kinds.numerals import Token

YEARS = range(1900, 2200)
"""Years that are read; an earlier one is a slip, or another calendar."""

_UNITS = ("year", "month", "week", "day")
_MONTHS = {"year": 12, "month": 1}
_LONGEST = {"year": 120, "month": 600, "week": 1000, "day": 5000}
SLACK = {
    "year": relativedelta(months=6), "month": relativedelta(days=15), "week": relativedelta(days=7),
    "half year": relativedelta(months=3), "half month": relativedelta(days=7),
    "half week": relativedelta(days=3), "about day": relativedelta(days=3),
}  # fmt: skip
"""How far off a duration may be (reading, section 3); one that counts in halves is half as rough."""


class Found(NamedTuple):
    """Days that somebody named, perhaps beyond today. Sure if nothing about them was inferred."""

    first: date
    last: date
    sure: bool = False

    @classmethod
    def of(cls, span: Span | None, sure: bool = False) -> Self | None:
        return None if span is None else cls(span.first, span.last, sure)


def whole(year: int, month: int | None = None, day: int | None = None) -> Span | None:
    """A whole year, a whole month or one day; None if the calendar has none, or it is no year we read."""
    if year not in YEARS or (month is not None and not 1 <= month <= 12):
        return None
    if month is None:
        return Span(date(year, 1, 1), date(year, 12, 31)) if day is None else None
    length = monthrange(year, month)[1]
    if day is not None and not 1 <= day <= length:
        return None
    return Span(date(year, month, day or 1), date(year, month, day or length))


def within(span: Span | None, outer: Span) -> Span | None:
    """The days of ``span`` that ``outer`` has too."""
    if span is None or span.last < outer.first or span.first > outer.last:
        return None
    return Span(max(span.first, outer.first), min(span.last, outer.last))


def only(spans: Iterable[Span | None]) -> Span | None:
    """The one that there is; None if there are none or several."""
    fitting = [span for span in spans if span is not None]
    return fitting[0] if len(fitting) == 1 else None


class Piece(NamedTuple):
    """One stretch of a duration: 2 to 3 months."""

    low: Decimal
    high: Decimal
    unit: str

    def plus(self, more: Decimal) -> Piece:
        return self._replace(low=self.low + more, high=self.high + more)


def pieces(tokens: Iterable[Token]) -> list[Piece]:
    """The stretches that number (N), half (H) and unit (U) tokens make; one unit where no number is said."""
    made: list[Piece] = []
    half, number = Decimal("0.5"), None
    for token in tokens:
        if token.kind == "N":
            number = bounds(token)
        elif token.kind == "U":
            made.append(Piece(*(number or (Decimal(1), Decimal(1))), token.value))
            number = None
        elif token.kind == "H" and made:  # a year and a half
            made[-1] = made[-1].plus(half)
        elif token.kind == "H":  # half a year, one and a half years
            low, high = number or (Decimal(0), Decimal(0))
            number = low + half, high + half
    return made


def bounds(token: Token) -> tuple[Decimal, Decimal]:
    """The least and the most that a number token stands for: ``2..5`` for a few."""
    low, _, high = token.value.partition("..")
    return Decimal(low), Decimal(high or low)


def is_lived(stretches: list[Piece]) -> bool:
    """Whether a duration has falling units, as in "2 years 3 months", and fits into a life."""
    order = [_UNITS.index(piece.unit) for piece in stretches]
    fits = all(0 < piece.low <= piece.high <= _LONGEST[piece.unit] for piece in stretches)
    return bool(stretches) and fits and order == sorted(set(order))


def ago(stretches: list[Piece], today: date, about: bool = False) -> Found:
    """The day so long before today, give or take what people mean by such words."""
    finest = stretches[-1]
    grain = "half " if finest.low % 1 or finest.high % 1 else "about " if about else ""
    slack = SLACK.get(grain + finest.unit) or SLACK.get(finest.unit, relativedelta())
    first, last = before(stretches, today)
    return Found(first - slack, min(last + slack, today), sure=first == last and not slack)


def before(stretches: list[Piece], today: date) -> tuple[date, date]:
    """The earliest and the latest day that lies so long before today."""
    first = last = today
    for piece in stretches:
        first, last = _less(first, piece.high, piece.unit), _less(last, piece.low, piece.unit)
    return first, last


def _less(day: date, amount: Decimal, unit: str) -> date:
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        return day - relativedelta(months=int(months), days=int(months % 1 * 30))
    return day - timedelta(days=int(amount * (7 if unit == "week" else 1)))
