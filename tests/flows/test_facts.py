"""Periods, ages and body mass: the cases of the reading, sections 3 and 5."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from flows.answer import Answer, Span, StepId
from flows.facts import Fact, Interval, Period, birthday, later

TODAY = date(2026, 11, 22)
BORN, SHOT, HEIGHT, WEIGHT = map(StepId, ("born", "shot", "height", "weight"))


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("event", "period", "end"),
    [
        ("2026-08-31", {"months": 3}, "2026-11-30"),
        ("2026-08-31", {"months": 6}, "2027-02-28"),
        ("2027-08-31", {"months": 6}, "2028-02-29"),
        ("2026-10-31", {"months": 1}, "2026-11-30"),
        ("2026-11-30", {"months": 3}, "2027-02-28"),
        ("2027-11-30", {"months": 3}, "2028-02-29"),
        ("2028-02-29", {"months": 3}, "2028-05-29"),
        ("2028-02-29", {"years": 1}, "2029-02-28"),
        ("2028-02-29", {"years": 4}, "2032-02-29"),
        ("2026-08-22", {"months": 3}, "2026-11-22"),  # exactly 3 months ago is over today
        ("2026-05-22", {"months": 6, "days": 1}, "2026-11-23"),  # "more than 6 months" is a day longer
        ("2026-11-22", {"weeks": 2}, "2026-12-06"),
        ("2026-12-31", {"years": 5}, "2031-12-31"),
        ("9999-12-01", {"months": 1}, "9999-12-31"),  # the calendar ends before
    ],
)
def test_period_end(event: str, period: dict[str, int], end: str) -> None:
    assert Period(SHOT, **period).end(day(event)) == day(end)


def test_adding_to_the_event_and_taking_from_today_disagree() -> None:
    assert Period(SHOT, months=3).end(day("2026-11-30")) == day("2027-02-28")
    assert Period(SHOT, months=-3).end(day("2027-02-28")) == day("2026-11-28")


def test_period_ends_as_far_as_the_event_is_known() -> None:
    told = Answer(Span(day("2026-10-01"), day("2026-10-31")), TODAY)
    period = Period(SHOT, months=3)
    assert period.ends({SHOT: told}) == Span(day("2027-01-01"), day("2027-01-31"))
    assert period.ends({}) is None
    assert period.ends({SHOT: Answer(None, TODAY)}) is None
    assert period.ends({SHOT: Answer("planned", TODAY)}) is None


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_a_later_event_never_ends_earlier(event: date, months: int) -> None:
    period = Period(SHOT, months=months)
    assert event <= period.end(event) <= period.end(date.fromordinal(event.toordinal() + 1))


def fact(formula: str, *of: StepId, years: int = 0) -> Fact:
    return Fact(formula, of, years)


def interval(low: str | int, high: str | int) -> Interval:
    return Interval(Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("first", "last", "today", "low", "high"),
    [
        ("1986-11-22", "1986-11-22", "2026-11-22", 40, 40),  # the 40th birthday
        ("1986-11-23", "1986-11-23", "2026-11-22", 39, 39),  # the day before it
        ("1950-11-23", "1950-11-23", "2026-11-22", 75, 75),  # the day before the 76th birthday
        ("1950-11-22", "1950-11-22", "2026-11-22", 76, 76),  # the 76th birthday
        ("1986-01-01", "1986-12-31", "2026-11-22", 39, 40),  # the year alone leaves it open
        ("1986-11-01", "1986-11-30", "2026-11-22", 39, 40),  # the month does too
        ("1986-10-01", "1986-10-31", "2026-11-22", 40, 40),
        ("1985-01-01", "1985-12-31", "2026-11-22", 40, 41),
        ("1984-02-29", "1984-02-29", "2024-02-28", 39, 39),
        ("1984-02-29", "1984-02-29", "2024-02-29", 40, 40),  # a real 40th birthday
        ("1984-02-29", "1984-02-29", "2025-02-27", 40, 40),
        ("1984-02-29", "1984-02-29", "2025-02-28", 41, 41),
        ("1952-02-29", "1952-02-29", "2028-02-28", 75, 75),
        ("1952-02-29", "1952-02-29", "2028-02-29", 76, 76),  # and a real 76th
    ],
)
def test_age(first: str, last: str, today: str, low: int, high: int) -> None:
    told = {BORN: Answer(Span(day(first), day(last)), day(today))}
    assert fact("age_on", BORN).value(told, day(today)) == interval(low, high)


@pytest.mark.parametrize(
    ("first", "last", "years", "low", "high"),
    [
        ("1986-11-22", "1986-11-22", 40, 0, 0),
        ("1986-12-22", "1986-12-22", 40, 30, 30),
        ("1986-11-21", "1986-11-21", 40, -1, -1),
        ("1950-12-01", "1950-12-31", 76, 9, 39),
    ],
)
def test_days_until_birthday(first: str, last: str, years: int, low: int, high: int) -> None:
    told = {BORN: Answer(Span(day(first), day(last)), TODAY)}
    assert fact("days_until_birthday", BORN, years=years).value(told, TODAY) == interval(low, high)


def test_birthday_on_a_leap_day() -> None:
    assert birthday(day("1984-02-29"), 40) == day("2024-02-29")
    assert birthday(day("1984-02-29"), 41) == day("2025-02-28")


@pytest.mark.parametrize(
    ("height", "weight", "expected"),
    [
        ("160", "76.8", "30"),  # exactly 30, which binary fractions miss
        ("160", "76.79999999", "29.99999999609375"),
        ("160", "71.68", "28"),
        ("160", "71.67", "27.99609375"),
        ("200", "120", "30"),
    ],
)
def test_bmi_is_exact(height: str, weight: str, expected: str) -> None:
    told = {HEIGHT: Answer(Decimal(height), TODAY), WEIGHT: Answer(Decimal(weight), TODAY)}
    assert fact("bmi", HEIGHT, WEIGHT).value(told, TODAY) == interval(expected, expected)


def test_unknown_stays_unknown() -> None:
    weight = {WEIGHT: Answer(Decimal(70), TODAY)}
    assert fact("bmi", HEIGHT, WEIGHT).value(weight, TODAY) is None
    assert fact("bmi", HEIGHT, WEIGHT).value({**weight, HEIGHT: Answer(None, TODAY)}, TODAY) is None
    assert fact("age_on", BORN).value({}, TODAY) is None
    assert fact("days_until_birthday", BORN).value({BORN: Answer(None, TODAY)}, TODAY) is None


@given(st.dates(), st.integers(-3000, 3000))
def test_later_is_what_dateutil_calls_months_later(day: date, months: int) -> None:
    try:
        wanted = day + relativedelta(months=months)
    except ValueError:
        with pytest.raises(ValueError, match="year"):
            later(day, months)
    else:
        assert later(day, months) == wanted
