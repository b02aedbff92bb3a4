"""The morning digest: once for each working day and site, in counts and references, in the staff's language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.store import Store, leads, staff
from tests.desk.acting import has_lead
from tests.shell.conftest import GROUP, LI, plain
from tests.shell.house import Housed, Time, hurries

ZONE = ZoneInfo("Asia/Shanghai")

pytestmark = pytest.mark.slow


class Morning(Housed):
    def at(self, text: str) -> Morning:
        goal = datetime.fromisoformat(text).replace(tzinfo=ZONE)
        self.time.passes(seconds=(goal - self.now).total_seconds())
        self.sweeps()
        self.sweeps()
        return self

    def digests(self) -> list[str]:
        return [text for text in self.wire.texts(GROUP) if "(example), " in text or "研究中心" in text]

    def has(self, number: int, what: str, when: str) -> None:
        with self.store.begin() as db:
            leads.record(db, number, what, datetime.fromisoformat(when).replace(tzinfo=ZONE))

    def is_(self, number: int, **values: Any) -> None:
        with self.store.begin() as db:
            leads.change(db, number, self.now, **values)

    def mails(self) -> list[tuple[str, str, str]]:
        rows = self.rows("SELECT chat, envelope FROM outbox WHERE channel = 'mail' ORDER BY id")
        return [(chat, plain(data)["subject"], plain(data)["text"]) for chat, data in rows]


@pytest.fixture
def morning(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Morning]:
    hurries(monkeypatch)
    begins = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)  # Monday
    made = Morning(Store(database), time=Time(begins), hires=False, mail=True, desk_url="https://desk.example.org")
    monkeypatch.setattr("bot.house.clock_of", lambda db: made.time.now())
    with made.store.begin() as db:
        staff.add(db, "Mei", email="mei@north.example", role="site_lead", sites=["north"], language="zh_Hans")
        staff.add(db, "Ana", LI, role="coordinator", email="ana@north.example", sites=["north"])
    yield made
    made.closes()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def filled(morning: Morning) -> None:
    """Monday at the North Clinic: five leads, of which one was called, one is booked, and two are late."""
    for chat in range(501, 506):
        has_lead(morning, str(chat), escalate_at=None, due_at=moment("2026-11-25T12:00"))
    morning.is_(1, status="attempt_1", attempts=1)
    morning.has(1, "no_answer", "2026-11-23T15:00")
    morning.has(1, "no_answer", "2026-11-23T16:00")  # one lead was called, however often
    morning.is_(2, status="scheduled")
    morning.has(2, "reached", "2026-11-23T15:00")
    morning.has(2, "scheduled", "2026-11-23T15:10")
    morning.is_(3, due_at=moment("2026-11-24T08:00"))
    morning.is_(4, slipped=1, escalated=3)
    morning.is_(5, status="claimed", snoozed_until=moment("2026-11-24T10:00"), slot_at=moment("2026-11-24T11:00"))


TUESDAY = """North Clinic (example), Tuesday, 24 November 2026
Yesterday: 5 new, 2 called, 1 booked, 2 overdue.
Waiting: 3. Put off until today: 1. Calls at a picked time today: 1.
Overdue: K-0003 and K-0004.
Nobody has: K-0004. Please take one."""


def test_it_says_how_yesterday_went_and_what_waits(morning: Morning) -> None:
    filled(morning)
    assert morning.at("2026-11-24T08:29").digests() == []
    assert morning.at("2026-11-24T08:30").digests() == [TUESDAY]


def test_it_comes_once_however_often_the_process_starts_anew(
    morning: Morning, caplog: pytest.LogCaptureFixture
) -> None:
    filled(morning)
    for moment_ in ("2026-11-24T08:30", "2026-11-24T08:31", "2026-11-24T16:00"):
        morning.at(moment_)
        morning.ends()
        morning.opens()
    assert len(morning.digests()) == len(morning.mails()) == 1
    assert "failed" not in caplog.text
    assert len(morning.at("2026-11-25T08:30").digests()) == 2


def test_who_starts_late_still_gets_it_but_not_at_night(morning: Morning) -> None:
    filled(morning)
    assert len(morning.at("2026-11-24T14:00").digests()) == 1
    assert len(morning.at("2026-11-25T17:30").digests()) == 1  # nobody ran all Wednesday, and it is over


def test_monday_tells_of_friday_and_the_weekend_has_none(morning: Morning) -> None:
    filled(morning)
    morning.at("2026-11-27T08:30").at("2026-11-27T16:00")
    before = len(morning.digests())
    has_lead(morning, "600", escalate_at=None)
    assert len(morning.at("2026-11-28T09:00").at("2026-11-29T09:00").digests()) == before
    last = morning.at("2026-11-30T08:30").digests()[-1]
    assert "Since Friday: 1 new, 0 called" in last


def test_a_site_where_nothing_is_going_on_is_spared(morning: Morning) -> None:
    filled(morning)
    assert all("North" in text for text in morning.at("2026-11-24T09:00").digests())
    has_lead(morning, "700", site="harbour", escalate_at=None)
    assert "Harbour Hospital" in morning.at("2026-11-25T09:00").digests()[-1]


def test_those_who_lead_the_site_get_it_by_mail_in_their_language(morning: Morning) -> None:
    filled(morning)
    ((to, subject, text),) = morning.at("2026-11-24T08:30").mails()
    assert to == "mei@north.example"
    assert "等待 3" in subject
    assert "昨天：新增 5" in text
    assert "K-0003" in text
    assert text.endswith("https://desk.example.org/desk")


def test_three_calls_in_vain_and_two_weeks_of_silence_are_pointed_out(morning: Morning) -> None:
    filled(morning)
    morning.is_(1, status="attempt_3", attempts=3)
    proposal = "Three calls in vain and 14 days of silence: K-0001. These can be closed as could not reach."
    assert proposal not in morning.at("2026-12-07T15:00").digests()[-1]
    assert proposal in morning.at("2026-12-08T08:30").digests()[-1]
    with morning.store.begin() as db:
        lead = leads.get(db, 1)
    assert lead is not None
    assert lead["status"] == "attempt_3"  # it is not closed by itself


def test_a_long_list_of_what_is_late_is_cut(morning: Morning) -> None:
    for chat in range(800, 812):
        has_lead(morning, str(chat), escalate_at=None, due_at=morning.now)
    last = morning.at("2026-11-24T08:30").digests()[-1]
    assert "K-0010 and 2 more." in last
    assert "K-0011" not in last


def test_it_is_no_place_for_names(morning: Morning) -> None:
    filled(morning)
    text = json.dumps(morning.at("2026-11-24T08:30").digests() + [mail[2] for mail in morning.mails()])
    for word in ("Rosa", "612", "rosa@", "mill", "MRI", "E18"):
        assert word not in text
