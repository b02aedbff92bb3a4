"""Named derived values: the one escape hatch from trial data into Python.

Every value is an interval, because the answers behind it may be rough; None means it cannot be known.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from flows.answer import Answer, Span, StepId

Answers = Mapping[StepId, Answer]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number as far as it is known: from ``low`` to ``high``, both included."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period after the event that a step asks for.

    Months and years are added to the event and clipped to the month's end: 31 August plus six months is
    the last day of February (reading, section 3). Equality is over: on that day the period has ended.
    """

    after: StepId
    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0

    def end(self, day: date) -> date:
        """The first day that no longer lies inside the period; ``date.max`` if the calendar ends before."""
        try:
            ended = later(day, 12 * self.years + self.months)
            return ended + timedelta(weeks=self.weeks, days=self.days)
        except (OverflowError, ValueError):
            return date.max

    def ends(self, answers: Answers) -> Span | None:
        """When it ends, as far as the event is known; None without a date."""
        answer = answers.get(self.after)
        if answer is None or not isinstance(answer.value, Span):
            return None
        return Span(self.end(answer.value.first), self.end(answer.value.last))


@dataclass(frozen=True, slots=True)
class Fact:
    """A derived value as a trial file declares it: which formula, from the answers of which steps."""

    formula: str
    of: tuple[StepId, ...]
    years: int = 0

    def value(self, answers: Answers, today: date) -> Interval | None:
        return FORMULAS[self.formula](self, answers, today)


def later(day: date, months: int) -> date:
    """The same day some months later, or the last one of a shorter month; ValueError outside the calendar."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1] if day.day > 28 else 31
    return date(year, month + 1, min(day.day, last))


def birthday(born: date, years: int) -> date:
    """The day on which somebody turns ``years``; 28 February in years without the 29th."""
    return later(born, 12 * years)


def age_on(fact: Fact, answers: Answers, today: date) -> Interval | None:
    """Whole years of age today (I3), from a birth date that may be a year or a month only."""
    born = _span(answers, fact.of[0])
    if born is None:
        return None

    def age(day: date) -> int:
        years = today.year - day.year
        return years if birthday(day, years) <= today else years - 1

    return Interval(Decimal(age(born.last)), Decimal(age(born.first)))


def days_until_birthday(fact: Fact, answers: Answers, today: date) -> Interval | None:
    """Days from today to the birthday ``fact.years`` (I3); negative when it is past."""
    born = _span(answers, fact.of[0])
    if born is None:
        return None
    first, last = (birthday(day, fact.years) - today for day in (born.first, born.last))
    return Interval(Decimal(first.days), Decimal(last.days))


def bmi(fact: Fact, answers: Answers, today: date) -> Interval | None:
    """Body mass index in kg/m2 (E3), unrounded and in decimal arithmetic: 76.8 kg at 160 cm is 30."""
    height, weight = (answers.get(step) for step in fact.of)
    if height is None or weight is None:
        return None
    if not isinstance(height.value, Decimal) or not isinstance(weight.value, Decimal):
        return None
    index = weight.value * 10000 / (height.value * height.value)
    return Interval(index, index)


def amount(fact: Fact, answers: Answers, today: date) -> Interval | None:
    """The number or the measure of one answer, as it was given."""
    answer = answers.get(fact.of[0])
    value = answer.value if answer is not None else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Interval(Decimal(value), Decimal(value))


def _span(answers: Answers, step: StepId) -> Span | None:
    answer = answers.get(step)
    return answer.value if answer is not None and isinstance(answer.value, Span) else None


FORMULAS: Mapping[str, Callable[[Fact, Answers, date], Interval | None]] = {
    "age_on": age_on,
    "days_until_birthday": days_until_birthday,
    "bmi": bmi,
    "amount": amount,
}
