"""Clocks are set, days have 23 or 25 hours, two processes sweep at once: nothing is lost, told twice, or gone early."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot import sweep
from bot.library import Library
from bot.messages import Envelope, Inbound, Sent
from bot.store import Store, outbox
from bot.surroundings import CALM, JUMP, Steady
from tests.patient import NOW
from tests.shell.conftest import LIBRARY, Somebody
from tests.shell.house import Housed, Time, hurries

TRIAL = "nct06570291/v1"
JUMPS = {"a day on": 24.0, "a day back": -24.0, "an hour on": 1.0, "an hour back": -1.0}


@pytest.fixture
def house(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Housed]:
    """The database's clock, where it has one, is set together with ours."""
    hurries(monkeypatch)
    house = Housed(Store(database))
    monkeypatch.setattr("bot.house.clock_of", lambda db: house.time.now())
    yield house
    house.closes()
    assert house.wire.crowded == set()


def wishes(house: Housed, chat: str = "501") -> Somebody:
    """Somebody who may take part in three months' time, and wants to be reminded."""
    person = Somebody(house, chat).starts().walks_to("half_year").says("2").presses("Gel or lubricant")
    person.says("2026-11-14").walks_to("check").presses("All correct, go on")
    return person.presses("Remind me").presses("No, thank you")


def reminded(house: Housed, chat: str = "501") -> int:
    return sum("the reminder you asked for" in said for said in house.wire.texts(chat))


# ---------------------------------------------------------------------- T34: somebody sets the clock


@pytest.mark.parametrize("jump", JUMPS)
def test_a_conversation_goes_on_whatever_the_clock_says(house: Housed, jump: str) -> None:
    """The clock is set in the middle, and set right again later; messages wait before, between and after."""
    rosa, wei = Somebody(house), Somebody(house, "502")
    rosa.starts().walks_to("mri")
    wei.starts().walks_to("knee")
    put_off(house, "503")
    house.time.is_set(hours=JUMPS[jump])
    rosa.walks_to("check")
    wei.walks_to("mri")
    put_off(house, "504")
    house.sweeps()
    house.time.is_set(hours=-JUMPS[jump])
    rosa.sends()
    wei.walks_to("check").sends()
    house.waits(seconds=outbox.LONGEST_WAIT.total_seconds())
    house.drains()
    assert house.one("SELECT count(*) FROM outbox WHERE lane IS NOT NULL") == 0
    assert house.wire.texts("503") == house.wire.texts("504") == ["first", "second"]
    for person in (rosa, wei):
        asked = Counter(house.wire.texts(person.chat))
        assert max(asked.values()) == 1, "the same message twice"
        assert house.one("SELECT count(*) FROM lead WHERE chat = :chat", chat=person.chat) == 1
    query = "SELECT count(*), count(DISTINCT (CAST(conversation_id AS text) || step)) FROM answer"
    (given, different) = house.rows(query)[0]
    assert given == different > 60


def put_off(house: Housed, chat: str) -> None:
    """Two messages, of which the first is told to wait for half a minute."""
    told = iter([Sent("later", wait=30, limited=True)])
    house.wire.fate = lambda where, _: ((sent := next(told, None)), sent is None) if where == chat else (None, True)
    with house.store.begin(house.now) as db:
        for said in ("first", "second"):
            outbox.put(db, "telegram", chat, Envelope(said), f"{chat}{said}", house.now)
    house.drains()
    assert house.wire.calls[-1] == (chat, "first") and house.wire.texts(chat) == []


def test_what_was_put_off_does_not_wait_a_day_when_the_clock_is_set_back(house: Housed) -> None:
    put_off(house, "503")
    house.time.is_set(hours=-24)
    house.waits(seconds=31)
    house.drains()
    assert house.wire.texts("503") == ["first", "second"]


def test_nothing_is_ever_put_off_for_longer_than_the_longest_wait(house: Housed) -> None:
    told = iter([Sent("later", wait=10**6, limited=True)])
    house.wire.fate = lambda *_: ((sent := next(told, None)), sent is None)
    with house.store.begin(house.now) as db:
        outbox.put(db, "telegram", "503", Envelope("first"), "k", house.now)
    house.drains()
    assert house.wire.texts("503") == []
    house.waits(seconds=outbox.LONGEST_WAIT.total_seconds())
    house.drains()
    assert house.wire.texts("503") == ["first"]


def test_nothing_expires_because_the_clock_was_moved(house: Housed, caplog: pytest.LogCaptureFixture) -> None:
    for chat in range(501, 506):
        Somebody(house, str(chat)).starts().walks_to("knee")
    wishes(house, "601")
    house.waits(days=29)
    house.sweeps()
    house.time.is_set(days=400)
    house.sweeps()
    assert "the clock was moved" in caplog.text
    assert kept(house) == 6 and reminded(house, "601") == 0
    house.waits(minutes=30)
    house.sweeps()
    house.time.is_set(days=-400)
    house.sweeps()
    house.waits(minutes=59)
    house.sweeps()
    assert kept(house) == 6
    house.waits(hours=2)
    house.sweeps()
    assert kept(house) == 6, "the days that a wrong clock showed count for nothing"
    house.waits(days=2)  # their time has really come, except for somebody who waits for a reminder
    house.sweeps()
    assert kept(house) == 1


def kept(house: Housed) -> int:
    return int(house.one("SELECT count(*) FROM conversation"))


def test_small_steps_of_the_clock_are_no_alarm() -> None:
    """A leap second, a drift, a server that is adjusted; and then a jump, and an hour of mistrust."""
    clock = Time()
    steady = Steady(clock.now(), clock.monotonic)
    for step in (1, -1, 1, 0.5, -200, 290):
        clock.passes(seconds=60)
        clock.is_set(seconds=step)
        assert steady.holds(clock.now())
    for sign in (1, -1):
        clock.is_set(seconds=sign * (JUMP.total_seconds() + 1))
        for _ in range(int(CALM / 60)):
            assert not steady.holds(clock.now())
            clock.passes(seconds=60)
        assert steady.holds(clock.now())


# ---------------------------------------------------------------------- the days of the study


@pytest.mark.parametrize("change", ["2027-10-31", "2027-03-28"])
def test_reminders_come_in_the_daytime_also_when_the_clocks_change(
    house: Housed, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study where the day after has 25 hours, or 23: once, by day, and not before the day it was promised for."""
    flow = LIBRARY.flow(TRIAL)
    zone, trial = ZoneInfo("Europe/Madrid"), replace(flow.trial, timezone="Europe/Madrid")
    house.deployment = replace(house.deployment, library=Library({TRIAL: replace(flow, trial=trial)}))
    house.ends()
    house.opens()
    wishes(house)
    midnight = datetime.fromisoformat(change).replace(tzinfo=zone)
    house.rows("UPDATE conversation SET remind_on = :day RETURNING id", day=midnight.date())
    start = (midnight - timedelta(days=1)).astimezone(UTC)
    house.time.passes(seconds=(start - house.now).total_seconds())
    given: list[datetime] = []
    for _ in range(3 * 24 * 2):
        house.time.passes(minutes=30)
        before = reminded(house)
        house.sweeps()
        if reminded(house) > before:
            given.append(house.now.astimezone(zone))
    (moment,) = given
    assert moment.date() == midnight.date() and moment.hour == sweep.DAYTIME[0]


def test_the_reminder_waits_for_the_morning(house: Housed) -> None:
    wishes(house)
    local = NOW.astimezone(ZoneInfo(LIBRARY.flow(TRIAL).trial.timezone))
    house.time.passes(days=90)
    for _ in range(24):
        house.time.passes(hours=1)
        hour = house.now.astimezone(local.tzinfo).hour
        before = reminded(house)
        house.sweeps()
        assert reminded(house) == before or hour in sweep.DAYTIME
    assert reminded(house) == 1


# ---------------------------------------------------------------------- every step is idempotent


def test_a_sweep_that_is_repeated_changes_nothing(house: Housed) -> None:
    wishes(house, "501")
    Somebody(house, "502").starts().walks_to("mri")
    Somebody(house, "503").starts().walks_to("check").sends()
    house.waits(days=84, hours=1)
    house.sweeps()
    first = everything(house)
    assert reminded(house) == 1 and kept(house) == 2
    for _ in range(3):
        house.sweeps()
    assert everything(house) == first


def everything(house: Housed) -> dict[str, list[Any]]:
    tables = ("conversation", "answer", "message", "lead", "outbox", "receipt", "interest")
    return {name: house.rows(f"SELECT * FROM {name} ORDER BY id") for name in tables}


def due(house: Housed) -> list[Inbound]:
    with house.store.begin(house.now) as db:
        return sweep.reminders(db, house.deployment, house.now)


def give(house: Housed, reminder: Inbound) -> bool:
    with house.store.begin(house.now) as db:
        return sweep.remind(reminder, db, house.deployment, house.now)


def test_a_reminder_is_given_once_however_often_it_was_found(house: Housed) -> None:
    wishes(house)
    house.waits(days=84, hours=1)
    (reminder,) = due(house)
    assert [give(house, reminder) for _ in range(3)] == [True, False, False]
    house.drains()
    assert reminded(house) == 1 and due(house) == []


Meanwhile = Callable[[Housed, Somebody], None]


def deletes(house: Housed, person: Somebody) -> None:
    person.says("delete").presses("Yes, delete all")


def begins_anew(house: Housed, person: Somebody) -> None:
    person.says("/start").presses("Start again")


@pytest.mark.parametrize("meanwhile", [deletes, begins_anew])
def test_a_reminder_that_was_found_is_not_given_to_who_is_gone(house: Housed, meanwhile: Meanwhile) -> None:
    """Between the look and the turn somebody may delete everything, or begin anew: they are left in peace."""
    person = wishes(house)
    house.waits(days=84, hours=1)
    (reminder,) = due(house)
    meanwhile(house, person)
    before, said = everything(house), len(house.wire.calls)
    assert not give(house, reminder)
    house.drains()
    assert len(house.wire.calls) == said
    after = everything(house)
    assert (after["conversation"], after["message"]) == (before["conversation"], before["message"])


def test_a_new_wish_outlives_the_old_reminder(house: Housed) -> None:
    """It was found twice, given, and wished again: the second finder must not take the new wish away."""
    person = wishes(house)
    house.waits(days=84, hours=1)
    (reminder,) = due(house)
    assert give(house, reminder)
    house.rows("UPDATE conversation SET remind_on = '2027-06-01' RETURNING id")
    assert not give(house, reminder)
    assert str(house.one("SELECT remind_on FROM conversation")) == "2027-06-01" and person.step is None


@pytest.mark.slow
def test_two_processes_may_sweep_at_once(
    postgres: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hurries(monkeypatch)
    url = postgres.database()
    first = Housed(Store(url))
    for chat in range(501, 509):
        wishes(first, str(chat))
    for chat in range(601, 606):
        Somebody(first, str(chat)).starts().walks_to("knee")
    first.waits(days=84, hours=1)
    monkeypatch.setattr("bot.house.clock_of", lambda db: first.time.now())
    houses = [first, *(Housed(Store(url), first.wire, first.time, hires=False) for _ in range(2))]
    for house in houses[1:]:
        house.house.delivery.leads = False
    barrier, errors = threading.Barrier(len(houses)), list[BaseException]()

    def sweeps(house: Housed) -> None:
        try:
            barrier.wait(30)
            for _ in range(3):
                house.runs(house.house.sweep())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=sweeps, args=(house,)) for house in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.drains()
    assert errors == [] and "failed" not in caplog.text
    assert [reminded(first, str(chat)) for chat in range(501, 509)] == [1] * 8
    assert first.one("SELECT count(*) FROM conversation WHERE chat LIKE '60%'") == 0
    assert first.one("SELECT count(*) FROM outbox WHERE lane IS NOT NULL") == 0
    for house in houses:
        house.closes()
