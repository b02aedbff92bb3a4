"""The last resort for dates in languages and wordings that the lists do not have: dateparser, held short.

It may name a day, never invent one: a month stays a month, and what it finds is always read back.
"""

from __future__ import annotations

from datetime import date, datetime, time

from dateutil.relativedelta import relativedelta

from flows.kinds.spans import SLACK, YEARS, Found, whole

_PARTS = {"day": 3, "week": 3, "month": 2, "year": 1}
"""The periods that are taken, and how many parts of a named date each of them is."""


def foreign(typed: str, language: str, today: date, named: bool) -> Found | None:
    """What ``typed`` names; ``named`` if it holds a month or a year, without which it must be a duration."""
    for known in dict.fromkeys((language, "en")):
        found = _parsed(typed, known, today, named)
        if found is not None and found[0].year in YEARS and found[1] in _PARTS:
            return _held(*found, today, named)
    return None


def _held(day: date, period: str, today: date, named: bool) -> Found | None:
    """No more than was said: the month or the year around the day; a duration, give or take."""
    if day > today:
        return Found(day, day)
    if named:
        return Found.of(whole(*(day.year, day.month, day.day)[: _PARTS[period]]))
    slack = SLACK.get(period, relativedelta())
    return Found(day - slack, min(day + slack, today))


def _parsed(typed: str, language: str, today: date, named: bool) -> tuple[date, str] | None:
    from dateparser.date import DateDataParser  # noqa: PLC0415 - slow to import, and seldom needed

    settings = {
        "RELATIVE_BASE": datetime.combine(today, time()),
        "PREFER_DATES_FROM": "past",
        "REQUIRE_PARTS": ["month"],  # without it "sun 3" and "3 pm" are dates
        "PARSERS": ["absolute-time" if named else "relative-time"],
    }
    try:
        data = DateDataParser(languages=[language], settings=settings).get_date_data(typed)
    except Exception:  # a language it does not know, or a text it trips over: it has not read it
        return None
    if data.date_obj is None or data.date_obj.time() != time():  # "5 minutes ago" is no day
        return None
    return data.date_obj.date(), str(data.period)
