"""A site's working hours: its week with lunch breaks, its public holidays and make-up workdays, in its own zone.

Pure. Moments are aware, and come back in UTC: wall time decides when a site opens, also over summer time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from holidays import country_holidays
from holidays.utils import list_supported_countries

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SATURDAY = 5
FAR = 800
"""Days after which nobody looks any further: a site that is open at all is open well before that."""
SAMPLE = date(2026, 1, 1)
"""A year from here a site must open at least once."""

NO_HOURS = "Please give the hours, like Mon-Fri 08:30-12:00, 13:30-17:00; Sat 09:00-12:00."
ODD_GROUP = "“{text}” is not days with times. Write it like Mon-Fri 08:30-12:00, 13:30-17:00."
ODD_DAY = "“{text}” is not a day. Use Mon, Tue, Wed, Thu, Fri, Sat or Sun."
ODD_TIME = "“{text}” is not a span of time. Write it like 08:30-12:00, from 00:00 to 24:00."
BACKWARDS = "“{text}” ends before it begins. A night is written as two days."
OVERLAP = "Two spans of {day} overlap. Please write each time once."
TWICE = "{day} stands there twice. Please write each day once."
ODD_ZONE = "“{text}” is not a time zone. Use a name like Asia/Shanghai."
ODD_COUNTRY = "The public holidays of “{text}” are not known. Use a code like CN or US-NY, or leave it empty."
NEVER_OPEN = "With these hours and holidays the site would never be open."
LINES = (
    *(NO_HOURS, ODD_GROUP, ODD_DAY, ODD_TIME, BACKWARDS, OVERLAP, TWICE),
    *(ODD_ZONE, ODD_COUNTRY, NEVER_OPEN),
)

_GROUP = re.compile(r"([A-Za-z][A-Za-z ,-]*?)\s+(\d.*)")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")

Span = tuple[int, int]
"""Minutes after midnight from which and until which a site is open."""


class BadHours(ValueError):
    """The hours cannot be read; the error says what is wrong: a line of the staff's catalogue, and its values."""

    def __init__(self, line: str, **values: str) -> None:
        super().__init__(re.sub(r"\{([a-z]+)\}", lambda found: values[found[1]], line))
        self.line, self.values = line, values


@dataclass(frozen=True, slots=True)
class Hours:
    """When one site works. ``Hours.of`` makes it; a site that is never open is refused there."""

    week: tuple[tuple[Span, ...], ...]
    """Monday to Sunday: each day's spans, in order."""
    timezone: str
    holidays: str

    @classmethod
    def of(cls, text: str, timezone: str, holidays: str = "") -> Hours:
        """Reads ``Mon-Fri 08:30-12:00, 13:30-17:00; Sat 09:00-12:00``. Raises BadHours, naming what is wrong.

        ``holidays`` is a country, and a subdivision after a hyphen: ``CN``, ``US-NY``; "" for none.
        """
        return _of(text, timezone, holidays)

    # ------------------------------------------------------------------ when

    def open_at(self, moment: datetime) -> bool:
        """Whether the site works at this moment; the moment it closes is none of them."""
        moment = moment.astimezone(UTC)
        return any(begin <= moment < end for begin, end in self.openings(self.day(moment)))

    def next_open(self, moment: datetime) -> datetime:
        """The first moment, this one or later, at which the site works."""
        moment = moment.astimezone(UTC)
        return max(moment, next(begin for begin, end in self._from(moment) if end > moment))

    def after(self, moment: datetime, span: timedelta) -> datetime:
        """The first moment at which the site works and has worked for ``span`` since ``moment``."""
        moment = moment.astimezone(UTC)
        for begin, end in self._from(moment):
            from_here = max(begin, moment)
            if end - from_here > span:
                return from_here + span
            span -= max(end - from_here, timedelta(0))
        raise AssertionError("the openings have no end")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """For how long the site works from one moment to a later one; nothing if it is not later."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        total = timedelta(0)
        if start < end:
            for opens, closes in self._from(start):
                if opens >= end:
                    break
                total += max(min(closes, end) - max(opens, start), timedelta(0))
        return total

    # ------------------------------------------------------------------ on which days

    def day(self, moment: datetime) -> date:
        """The day that it is at the site."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()

    def at(self, day: date, hour: int, minute: int = 0) -> datetime:
        """The moment when the site's clocks show this time."""
        return datetime.combine(day, time(hour, minute), ZoneInfo(self.timezone)).astimezone(UTC)

    def works_on(self, day: date) -> bool:
        return bool(self._spans(day))

    def working_days(self, after: date) -> Iterator[date]:
        """The working days after this one, without an end."""
        day, closed = after, 0
        while closed < FAR:
            day += timedelta(days=1)
            closed += 1
            if self.works_on(day):
                closed = 0
                yield day
        raise BadHours(NEVER_OPEN)

    def openings(self, day: date) -> list[tuple[datetime, datetime]]:
        """The spans of one day of the site's calendar. Where the clocks jump over some of it, there is less."""
        found: list[tuple[datetime, datetime]] = []
        for begin, end in self._spans(day):
            opens, closes = self._moment(day, begin), self._moment(day, end)
            if found:
                opens = max(opens, found[-1][1])
            if opens < closes:
                found.append((opens, closes))
        return found

    def _spans(self, day: date) -> tuple[Span, ...]:
        off, made_up = _calendar(self.holidays, day.year)
        if day in made_up:  # a Saturday is worked like a Friday, a Sunday like a Monday
            return self.week[4 if day.weekday() == SATURDAY else 0] or self.week[day.weekday()]
        return () if day in off else self.week[day.weekday()]

    def _moment(self, day: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, 24 * 60)
        return self.at(day + timedelta(days=days), minutes // 60, minutes % 60)

    def _from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Openings in their order, from those of the day before: a jump of the clocks may move one into it."""
        first = self.day(moment) - timedelta(days=1)
        yield from self.openings(first)
        for day in self.working_days(first):
            yield from self.openings(day)


@lru_cache(maxsize=1000)
def _of(text: str, timezone: str, holidays: str) -> Hours:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise BadHours(ODD_ZONE, text=timezone) from None
    if holidays and not has_holidays(holidays):
        raise BadHours(ODD_COUNTRY, text=holidays)
    made = Hours(_week(text), timezone, holidays)
    if not any(made.works_on(SAMPLE + timedelta(days=number)) for number in range(365)):
        raise BadHours(NEVER_OPEN)
    return made


def has_holidays(code: str) -> bool:
    """Whether the public holidays of a country, or of a part of it, are known: ``CN``, ``US-NY``."""
    country, _, part = code.partition("-")
    known = list_supported_countries(include_aliases=False)
    return country in known and (not part or part in known[country])


def _week(text: str) -> tuple[tuple[Span, ...], ...]:
    week: dict[int, tuple[Span, ...]] = {}
    plain = re.sub("[‐‑‒–—−]", "-", text).replace("：", ":").replace("，", ",").replace("；", ";")
    groups = [group.strip() for group in plain.split(";") if group.strip()]
    if not groups:
        raise BadHours(NO_HOURS)
    for group in groups:
        read = _GROUP.fullmatch(group)
        if read is None:
            raise BadHours(ODD_GROUP, text=group)
        spans = tuple(sorted(_span(span.strip()) for span in read[2].split(",")))
        for day in (day for days in read[1].split(",") for day in _days(days.strip())):
            if day in week:
                raise BadHours(TWICE, day=NAMES[day][:3])
            if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
                raise BadHours(OVERLAP, day=NAMES[day][:3])
            week[day] = spans
    return tuple(week.get(day, ()) for day in range(7))


def _days(text: str) -> list[int]:
    """``Mon-Fri`` as numbers; ``Sat-Mon`` goes over the weekend."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    begin = _day(first)
    end = _day(last) if dash else begin
    return [day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)]


def _day(text: str) -> int:
    for number, name in enumerate(NAMES):
        if text.capitalize() in (name, name[:3]):
            return number
    raise BadHours(ODD_DAY, text=text)


def _span(text: str) -> Span:
    read = _SPAN.fullmatch(text)
    if read is None:
        raise BadHours(ODD_TIME, text=text)
    begin_hour, begin_minute, end_hour, end_minute = (int(part) for part in read.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if max(begin_minute, end_minute) > 59 or max(begin, end) > 24 * 60:
        raise BadHours(ODD_TIME, text=text)
    if end <= begin:
        raise BadHours(BACKWARDS, text=text)
    return begin, end


@lru_cache(maxsize=1000)
def _calendar(code: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """A year's days off, and its days of weekends that are worked to make up for others."""
    if not code:
        return frozenset(), frozenset()
    country, _, part = code.partition("-")
    around = country_holidays(country, subdiv=part or None, years=range(year - 1, year + 2))
    off = frozenset(day for day in around if day.year == year)
    made_up = frozenset(day for day in around.weekend_workdays if day.year == year)
    return off, made_up - off
