"""What people are promised: noon of the site's next working day, and never a time at which nobody is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.desk import promise
from bot.store import sites
from flows.flow import Flow

ZONE = ZoneInfo("Asia/Shanghai")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def _shown(moment: datetime) -> str:
    assert moment.tzinfo is UTC
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("hours", "moment", "due"),
    [
        ("", "2026-11-22T16:00", "2026-11-23 12:00"),
        ("", "2026-11-23T00:01", "2026-11-24 12:00"),
        ("", "2026-11-27T16:00", "2026-11-30 12:00"),
        ("", "2026-11-28T16:00", "2026-11-30 12:00"),
        ("", "2026-09-30T16:00", "2026-10-08 12:00"),  # over National Day
        ("", "2026-10-09T16:00", "2026-10-10 12:00"),  # a make-up Saturday
        ("", "2027-02-04T16:00", "2027-02-11 12:00"),  # over Spring Festival
        ("Mon-Fri 09:00-11:00, 13:00-15:00", "2026-11-22T16:00", "2026-11-23 11:00"),
        ("Mon-Fri 14:00-18:00", "2026-11-22T16:00", "2026-11-23 16:00"),
        ("Mon-Fri 12:00-13:00", "2026-11-22T16:00", "2026-11-23 13:00"),
        ("Tue, Thu 08:00-16:00", "2026-11-24T08:00", "2026-11-26 12:00"),
    ],
)
def test_when_a_first_call_is_due(flow: Flow, hours: str, moment: str, due: str) -> None:
    site = sites.filed(flow, "north")
    site = replace(site, hours=hours or site.hours)
    assert _shown(promise.due(site, _moment(moment))) == due


def test_the_steps_of_the_alarm_count_the_site_s_own_time(flow: Flow) -> None:
    site = sites.filed(flow, "north")
    nudge = promise.nudge(site, _moment("2026-11-27T11:45"))
    assert _shown(nudge) == "2026-11-27 13:45"
    assert _shown(promise.second(site, nudge)) == "2026-11-27 15:15"
    assert _shown(promise.second(site, _moment("2026-11-27T16:00"))) == "2026-11-30 09:00"
    assert _shown(promise.next_morning(site, _moment("2026-11-27T15:15"))) == "2026-11-30 08:30"


def test_the_study_desk_keeps_office_hours_and_the_holidays_of_its_country(flow: Flow) -> None:
    desk = sites.desk(flow)
    assert (desk.key, desk.hours, desk.timezone, desk.holidays) == ("", sites.OFFICE, "Asia/Shanghai", "CN")
    assert _shown(promise.due(desk, _moment("2026-09-30T16:00"))) == "2026-10-08 12:00"
