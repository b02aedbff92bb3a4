"""A site's hours, by tables of real calendars, and by what must hold for any hours and any moment."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.desk.hours import BadHours, Hours
from bot.library import TRIALS, survey
from tests.sizes import PERCENT

LUNCH = "Mon-Fri 08:30-12:00, 13:30-17:00"
WUXI = Hours.of(LUNCH, "Asia/Shanghai", "CN")
NEW_YORK = Hours.of("Mon-Fri 09:00-17:00", "America/New_York", "US-NY")
MADRID = Hours.of("Mon-Fri 09:00-14:00, 16:00-19:00; Sat 10:00-13:00", "Europe/Madrid", "ES-MD")
NIGHTS = Hours.of("Mon-Sun 00:00-24:00", "Europe/Madrid")
EARLY = Hours.of("Sun 01:30-02:30, 02:45-04:00", "Europe/Madrid")


def wall(hours: Hours, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(hours.timezone))


def shown(hours: Hours, moment: datetime) -> str:
    assert moment.tzinfo is UTC
    return moment.astimezone(ZoneInfo(hours.timezone)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("hours", "moment", "opens"),
    [
        pytest.param(WUXI, "2026-11-23T08:29", "2026-11-23 08:30", id="before it opens"),
        pytest.param(WUXI, "2026-11-23T08:30", "2026-11-23 08:30", id="as it opens"),
        pytest.param(WUXI, "2026-11-23T12:00", "2026-11-23 13:30", id="as lunch begins"),
        pytest.param(WUXI, "2026-11-23T12:40", "2026-11-23 13:30", id="at lunch"),
        pytest.param(WUXI, "2026-11-27T17:00", "2026-11-30 08:30", id="over the weekend"),
        pytest.param(WUXI, "2026-02-14T12:30", "2026-02-14 13:30", id="a make-up Saturday is worked"),
        pytest.param(WUXI, "2026-02-14T17:00", "2026-02-24 08:30", id="Spring Festival 2026, nine days"),
        pytest.param(WUXI, "2026-02-27T18:00", "2026-02-28 08:30", id="the make-up Saturday after it"),
        pytest.param(WUXI, "2027-02-04T17:00", "2027-02-11 08:30", id="Spring Festival 2027"),
        pytest.param(WUXI, "2026-09-18T17:00", "2026-09-20 08:30", id="a make-up Sunday before National Day"),
        pytest.param(WUXI, "2026-09-30T17:00", "2026-10-08 08:30", id="National Day 2026"),
        pytest.param(WUXI, "2026-10-09T17:00", "2026-10-10 08:30", id="the make-up Saturday after it "),
        pytest.param(NEW_YORK, "2026-11-25T17:00", "2026-11-27 09:00", id="Thanksgiving"),
        pytest.param(
            NEW_YORK, "2026-02-11T17:00", "2026-02-13 09:00", id="Lincoln's birthday is a day in New York"
        ),
        pytest.param(MADRID, "2026-05-01T10:00", "2026-05-04 09:00", id="a holiday of the region on a Saturday"),
        pytest.param(MADRID, "2026-11-28T13:00", "2026-11-30 09:00", id="Saturday is short"),
        pytest.param(EARLY, "2026-03-29T00:00", "2026-03-29 01:30", id="the clocks jump from 2 to 3"),
    ],
)
def test_when_a_site_opens_next(hours: Hours, moment: str, opens: str) -> None:
    found = hours.next_open(wall(hours, moment))
    assert shown(hours, found) == opens
    assert hours.open_at(found)


@pytest.mark.parametrize(
    ("hours", "moment", "minutes", "then"),
    [
        pytest.param(WUXI, "2026-11-23T11:45", 30, "2026-11-23 13:45", id="over lunch"),
        pytest.param(
            WUXI, "2026-11-23T11:30", 30, "2026-11-23 13:30", id="what ends with an opening is the next one"
        ),
        pytest.param(WUXI, "2026-11-27T16:50", 30, "2026-11-30 08:50", id="over the weekend"),
        pytest.param(WUXI, "2026-11-28T10:00", 30, "2026-11-30 09:00", id="from a closed day"),
        pytest.param(WUXI, "2026-02-14T16:50", 30, "2026-02-24 08:50", id="over Spring Festival"),
        pytest.param(WUXI, "2026-11-23T08:30", 7 * 60, "2026-11-24 08:30", id="a whole day"),
        pytest.param(WUXI, "2026-11-23T08:30", 35 * 60 + 1, "2026-11-30 08:31", id="a week and a minute"),
        pytest.param(MADRID, "2026-03-28T12:45", 30, "2026-03-30 09:15", id="into summer time"),
        pytest.param(MADRID, "2026-10-24T12:45", 30, "2026-10-26 09:15", id="out of summer time"),
        pytest.param(NIGHTS, "2026-03-29T00:00", 24 * 60, "2026-03-30 01:00", id="a day of 23 hours"),
        pytest.param(NIGHTS, "2026-10-25T00:00", 24 * 60, "2026-10-25 23:00", id="a day of 25 hours"),
        pytest.param(EARLY, "2026-03-29T00:00", 60, "2026-03-29 03:45", id="an hour that is not there"),
    ],
)
def test_when_so_much_of_its_time_is_over(hours: Hours, moment: str, minutes: int, then: str) -> None:
    start = wall(hours, moment)
    found = hours.after(start, timedelta(minutes=minutes))
    assert shown(hours, found) == then
    assert hours.between(start, found) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("hours", "day", "works"),
    [
        *((WUXI, f"2026-02-{day}", day in (14, 24, 25, 26, 27, 28)) for day in range(14, 29)),
        *((WUXI, f"2026-10-{day:02}", day in (8, 9, 10)) for day in range(1, 12)),
        (WUXI, "2026-09-20", True),
        (WUXI, "2026-09-19", False),
        (NEW_YORK, "2026-11-26", False),
        (NEW_YORK, "2026-11-27", True),
        (Hours.of("Mon-Fri 09:00-17:00", "America/New_York"), "2026-11-26", True),
        (Hours.of("Mon-Fri 09:00-17:00", "Asia/Shanghai"), "2026-02-14", False),
    ],
)
def test_the_days_a_site_works(hours: Hours, day: str, works: bool) -> None:
    assert hours.works_on(date.fromisoformat(day)) == works


def test_a_make_up_day_has_the_hours_of_a_weekday() -> None:
    hours = Hours.of("Mon 08:00-10:00; Fri 09:00-11:00; Sat 15:00-16:00", "Asia/Shanghai", "CN")
    assert [shown(hours, begin) for begin, _ in hours.openings(date(2026, 2, 28))] == ["2026-02-28 09:00"]
    assert [shown(hours, begin) for begin, _ in hours.openings(date(2026, 9, 20))] == ["2026-09-20 08:00"]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("mon–fri 8:30–12:00,13:30–17:00", LUNCH),
        ("Monday - Friday 08:30 - 12:00, 13:30 - 17:00;", LUNCH),
        ("Mon,Tue, Wed-Fri 13:30-17:00， 08:30-12:00", LUNCH),
        ("Sat-Mon 09:00-12:00", "Mon 09:00-12:00; Sat 09:00-12:00; Sun 09:00-12:00"),
    ],
)
def test_hours_are_read_however_they_are_written(text: str, same: str) -> None:
    assert Hours.of(text, "Asia/Shanghai").week == Hours.of(same, "Asia/Shanghai").week


@pytest.mark.parametrize(
    ("text", "timezone", "holidays", "named"),
    [
        ("", "UTC", "", "Please give the hours"),
        (" ; ", "UTC", "", "Please give the hours"),
        ("Mon-Fri", "UTC", "", "“Mon-Fri” is not days with times"),
        ("09:00-12:00", "UTC", "", "“09:00-12:00” is not days"),
        ("Fry 09:00-12:00", "UTC", "", "“Fry” is not a day"),
        ("Mon- 09:00-12:00", "UTC", "", "“” is not a day"),
        ("Mon 9-12", "UTC", "", "“9-12” is not a span of time"),
        ("Mon 09:00-12:00,", "UTC", "", "“” is not a span of time"),
        ("Mon 09:60-12:00", "UTC", "", "“09:60-12:00” is not a span"),
        ("Mon 09:00-24:30", "UTC", "", "“09:00-24:30” is not a span"),
        ("Mon 22:00-06:00", "UTC", "", "ends before it begins"),
        ("Mon 09:00-09:00", "UTC", "", "ends before it begins"),
        ("Mon 09:00-12:00, 11:00-13:00", "UTC", "", "Two spans of Mon overlap"),
        ("Mon-Fri 09:00-12:00; Wed 14:00-15:00", "UTC", "", "Wed stands there twice"),
        (LUNCH, "Asia/Wuxi", "", "“Asia/Wuxi” is not a time zone"),
        (LUNCH, "", "", "is not a time zone"),
        (LUNCH, "../../etc/passwd", "", "is not a time zone"),
        (LUNCH, "UTC", "ZZ", "public holidays of “ZZ” are not known"),
        (LUNCH, "UTC", "US-ZZ", "public holidays of “US-ZZ” are not known"),
        (LUNCH, "UTC", "china", "public holidays of “china” are not known"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, timezone: str, holidays: str, named: str) -> None:
    with pytest.raises(BadHours) as told:
        Hours.of(text, timezone, holidays)
    assert named in str(told.value)


@pytest.mark.slow
def test_a_trial_file_with_hours_that_cannot_be_read_is_not_served(tmp_path: Path) -> None:
    shutil.copytree(TRIALS, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "nct06570291" / "v1.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(f'"{LUNCH}"', '"all day"'), encoding="utf-8")
    _, problems = survey(tmp_path)
    assert [problem.place for problem in problems] == ["site.north.hours"]
    assert "“all day” is not days with times" in str(problems[0])


HOURS = st.sampled_from([WUXI, NEW_YORK, MADRID, NIGHTS, EARLY])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=4))


@settings(max_examples=max(30, PERCENT), deadline=None)
@given(HOURS, MOMENTS, SPANS, SPANS)
def test_after_and_between_are_two_sides_of_one_thing(
    hours: Hours, moment: datetime, span: timedelta, more: timedelta
) -> None:
    """What is reached is open, lies as far away as was asked, is the first such moment, and never goes back."""
    then = hours.after(moment, span)
    assert then >= moment
    assert hours.open_at(then)
    assert hours.between(moment, then) == span
    before = then - timedelta(microseconds=1)
    assert then == moment or not hours.open_at(before) or hours.between(moment, before) < span
    assert hours.after(moment, span + more) >= then
    assert hours.after(moment + more, span) >= then
    assert hours.after(then, more) == hours.after(moment, span + more)
    assert hours.next_open(moment) == hours.after(moment, timedelta(0))
    assert hours.between(moment, moment + more) <= more
