"""Call slots: only what the site can keep is offered, spread out, and each is given away as often as it has room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.desk import slots
from bot.store import Store, leads, sites
from flows.flow import Flow

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=ZONE)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def lead(store: Store, site: str = "north", **values: Any) -> int:
    row = {
        **{
            "channel": "telegram",
            "chat": "1",
            "trial": "nct06570291",
            "site": site,
            "locale": "en",
            "helper": False,
        },
        **{"flags": [], "contact": {}, "changed": False, "text_version": "v1", "source": ""},
        **{"due_at": MONDAY, "created_at": MONDAY, "updated_at": MONDAY, "status": "new"},
    }
    with store.begin() as db:
        return leads.add(db, **{**row, **values})


def free(store: Store, flow: Flow, now: datetime = MONDAY, site: str = "north", **values: Any) -> list[str]:
    with store.begin() as db:
        found = slots.free(db, sites.now(db, flow, site), now, **values)
    assert all(start.tzinfo is UTC for start in found)
    return [start.astimezone(ZONE).strftime("%a %d %H:%M") for start in found]


def take(store: Store, flow: Flow, lead_id: int, start: datetime, now: datetime = MONDAY) -> bool:
    with store.begin() as db:
        return slots.take(db, lead_id, sites.now(db, flow, "north"), start, now)


def test_they_are_spread_over_days_and_parts_of_the_day(store: Store, flow: Flow) -> None:
    """08:30-12:00 and 13:30-17:00; an hour of work is left to the staff."""
    assert free(store, flow) == [
        *("Mon 23 09:30", "Mon 23 13:30", "Mon 23 16:30"),
        *("Tue 24 08:30", "Tue 24 16:30", "Wed 25 08:30"),
    ]
    assert free(store, flow, most=2) == ["Mon 23 09:30", "Mon 23 13:30"]


@pytest.mark.parametrize(
    ("moment", "first"),
    [
        ("2026-11-23T08:30", "Mon 23 09:30"),
        ("2026-11-23T08:31", "Mon 23 10:00"),
        ("2026-11-23T11:15", "Mon 23 14:00"),  # a quarter of the hour is after lunch
        ("2026-11-23T15:45", "Tue 24 08:30"),  # the last slot begins at 16:30, the hour ends at 16:45
        ("2026-11-27T17:30", "Mon 30 09:30"),
        ("2026-09-30T17:30", "Thu 08 09:30"),  # National Day
        ("2026-10-09T17:30", "Sat 10 09:30"),  # a make-up day
    ],
)
def test_none_is_sooner_than_an_hour_of_site_time(store: Store, flow: Flow, moment: str, first: str) -> None:
    assert free(store, flow, datetime.fromisoformat(moment).replace(tzinfo=ZONE))[0] == first


def test_more_come_after_the_last_that_was_offered(store: Store, flow: Flow) -> None:
    last = datetime(2026, 11, 25, 8, 30, tzinfo=ZONE)
    assert free(store, flow, after=last)[:3] == ["Wed 25 09:00", "Wed 25 13:30", "Wed 25 16:30"]


def test_only_whole_half_hours_of_the_site_s_own_clock(store: Store, flow: Flow) -> None:
    with store.begin() as db:
        nepal = "Asia/Kathmandu"  # five hours and three quarters ahead
        sites.change(db, flow, "north", MONDAY, hours="Mon-Fri 09:15-10:45", timezone=nepal, holidays="")
        found = slots.free(db, sites.now(db, flow, "north"), MONDAY.astimezone(UTC) - timedelta(hours=9))
    assert [f"{start.astimezone(ZoneInfo(nepal)):%H:%M}" for start in found[:2]] == ["09:30", "10:00"]


def test_a_slot_is_given_away_once(store: Store, flow: Flow) -> None:
    start = datetime(2026, 11, 23, 14, 0, tzinfo=ZONE)
    first, second = lead(store), lead(store)
    assert take(store, flow, first, start)
    assert take(store, flow, first, start)  # said twice
    assert not take(store, flow, second, start)
    with store.begin() as db:
        row = leads.get(db, first)
        assert row is not None
        assert (row["slot_at"], row["due_at"]) == (start, start + timedelta(minutes=30))
        assert [event["detail"] for event in leads.history(db, first)] == ["2026-11-23T06:00+00:00"] * 2
        sites.change(db, flow, "north", MONDAY, capacity=2)
    assert take(store, flow, second, start)
    assert not take(store, flow, lead(store), start)


def test_a_slot_is_free_again_when_its_lead_is_over_or_has_another(store: Store, flow: Flow) -> None:
    start, later = datetime(2026, 11, 23, 14, 0, tzinfo=ZONE), datetime(2026, 11, 23, 15, 0, tzinfo=ZONE)
    first, second = lead(store), lead(store)
    assert take(store, flow, first, start)
    assert take(store, flow, first, later)
    assert take(store, flow, second, start)
    with store.begin() as db:
        leads.change(db, first, MONDAY, status="withdrawn")
    assert take(store, flow, lead(store), later)


def test_what_is_taken_is_not_offered(store: Store, flow: Flow) -> None:
    for hour in range(9, 12):
        for minute in (0, 30):
            assert take(store, flow, lead(store), datetime(2026, 11, 23, hour, minute, tzinfo=ZONE))
    assert free(store, flow)[:3] == ["Mon 23 13:30", "Mon 23 15:00", "Mon 23 16:30"]
    assert free(store, flow, site="harbour")[0] == "Mon 23 10:00"


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-23T07:30",
        "2026-11-23T12:00",
        "2026-11-23T14:10",
        "2026-11-28T10:00",
        "2026-10-01T10:00",
        "2026-11-20T10:00",
    ],
)
def test_what_is_no_slot_is_not_taken(store: Store, flow: Flow, start: str) -> None:
    """Before it opens, at lunch, at an odd time, on a Saturday, on a holiday, and in the past."""
    assert not take(store, flow, lead(store), datetime.fromisoformat(start).replace(tzinfo=ZONE))


@pytest.mark.slow
def test_of_many_who_press_at_once_one_has_it(store: Store, flow: Flow) -> None:
    start = datetime(2026, 11, 23, 14, 0, tzinfo=ZONE)
    numbers = [lead(store, chat=str(number)) for number in range(8)]
    won: list[bool] = []
    ready = threading.Barrier(len(numbers))

    def press(number: int) -> None:
        ready.wait()
        won.append(take(store, flow, number, start))

    threads = [threading.Thread(target=press, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * (len(numbers) - 1) + [True]
