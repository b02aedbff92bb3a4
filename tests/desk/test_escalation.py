"""The alarm for a lead that nobody has, and the promise that slips: each step once, in site hours, across restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.desk import escalation, slots
from bot.desk.actions import Acting
from bot.handlers.happening import Happening
from bot.handlers.lead_raised import lead_raised
from bot.store import Store, conversations, leads, promises, sites, staff
from flows.turn import LeadRaised
from tests.desk.acting import has_lead
from tests.shell.conftest import ANA, GROUP, LI, Somebody
from tests.shell.house import NUMBERS, Housed, Time, hurries

ZONE = ZoneInfo("Asia/Shanghai")
NURSE, HEAD, CHIEF = 7_000_000_011, 7_000_000_012, 7_000_000_013

pytestmark = pytest.mark.slow


class Clinic(Housed):
    """A house with a lead at the North Clinic, whose clock goes from sweep to sweep."""

    def at(self, text: str) -> Clinic:
        """It is then, at the site; on the way there are sweeps, as there are each minute."""
        goal = datetime.fromisoformat(text).replace(tzinfo=ZONE)
        gone = goal - self.now
        self.time.passes(seconds=gone.total_seconds())
        self.sweeps()
        self.sweeps()
        return self

    def group(self) -> list[str]:
        """New posts in the group, the edits of cards left out."""
        return [envelope.text for envelope in self.sent(GROUP) if not envelope.edits]

    def acts(self, who: int, what: Callable[[Acting], Any]) -> None:
        with self.store.begin(self.now) as db:
            member = staff.by_telegram(db, str(who))
            assert member is not None
            what(Acting(db, self.deployment, member, self.now, f"a{next(NUMBERS)}"))
        self.drains()

    def lead(self, number: int = 1) -> Any:
        with self.store.begin() as db:
            return leads.get(db, number)

    def history(self, number: int = 1) -> list[str]:
        with self.store.begin() as db:
            return [event["what"] for event in leads.history(db, number)]


@pytest.fixture
def clinic(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    hurries(monkeypatch)
    begins = datetime(2026, 11, 23, 11, 40, tzinfo=ZONE)  # a Monday, twenty minutes before lunch
    made = Clinic(Store(database), time=Time(begins), hires=False)
    monkeypatch.setattr("bot.house.clock_of", lambda db: made.time.now())
    with made.store.begin() as db:
        staff.add(db, "Ana", ANA, "en", sites=["north"])
        staff.add(db, "Li", LI, "zh_Hans", sites=["north"])
        staff.add(db, "Wei", NURSE, "en", sites=["harbour"])
        staff.add(db, "Mei", HEAD, "en", role="site_lead", sites=["north"])
        staff.add(db, "Bo", CHIEF, "en", role="admin")
    yield made
    made.closes()


def sends(clinic: Clinic, chat: str = "501") -> Somebody:
    return Somebody(clinic, chat).starts().walks_to("check").sends()


def asked(clinic: Clinic) -> list[str]:
    return [text for text in clinic.group() if text.startswith(("Nobody", "Ana,", "Li,", "Wei,", "Mei,"))]


NUDGE = "Nobody has K-0001 yet. Who can take it?"
SECOND = "Ana, could you take K-0001? Nobody has had time yet."
MORNING = "North Clinic (example): nobody has K-0001 yet. Please see that somebody takes it today."


def test_each_step_happens_once_and_in_site_hours(clinic: Clinic) -> None:
    sends(clinic)
    assert asked(clinic.at("2026-11-23T11:59")) == []
    assert asked(clinic.at("2026-11-23T12:10")) == []  # half an hour on the clock, but it is lunch
    assert asked(clinic.at("2026-11-23T13:39")) == []
    assert asked(clinic.at("2026-11-23T13:40")) == [NUDGE]
    assert asked(clinic.at("2026-11-23T15:09")) == [NUDGE]
    assert asked(clinic.at("2026-11-23T15:10")) == [NUDGE, SECOND]
    assert asked(clinic.at("2026-11-24T08:29")) == [NUDGE, SECOND]
    assert clinic.wire.texts(str(HEAD)) == []
    assert clinic.at("2026-11-24T08:30").wire.texts(str(HEAD)) == [MORNING]
    clinic.at("2026-11-24T16:00").at("2026-11-25T10:00")
    assert asked(clinic) == [NUDGE, SECOND]
    assert clinic.wire.texts(str(HEAD)) == [MORNING]
    assert clinic.wire.texts(str(CHIEF)) == clinic.wire.texts(str(NURSE)) == []
    steps = [what for what in clinic.history() if what != "slipped"]
    assert steps == ["raised", "nudged", "second_named", "site_lead_told"]
    assert (clinic.lead()["escalated"], clinic.lead()["escalate_at"]) == (escalation.TOLD, None)


def test_the_card_shows_that_somebody_was_asked(clinic: Clinic) -> None:
    sends(clinic)
    clinic.at("2026-11-23T13:40")
    cards = [envelope for envelope in clinic.sent(GROUP) if envelope.edits]
    assert cards[-1].text.splitlines()[-1] == NUDGE
    assert cards[-1].rows  # it can still be claimed
    assert cards[-1].edits == clinic.lead()["notice"] != ""


@pytest.mark.parametrize(
    ("sent", "nudge", "second", "morning"),
    [
        pytest.param(
            "2026-11-27T16:45", "2026-11-30T08:45", "2026-11-30T10:15", "2026-12-01T08:30", id="a weekend"
        ),
        pytest.param(
            "2026-11-28T10:00", "2026-11-30T09:00", "2026-11-30T10:30", "2026-12-01T08:30", id="a Saturday"
        ),
        pytest.param(
            "2027-02-04T16:00", "2027-02-04T16:30", "2027-02-11T09:30", "2027-02-12T08:30", id="a festival"
        ),
    ],
)
def test_closed_days_do_not_count(clinic: Clinic, sent: str, nudge: str, second: str, morning: str) -> None:
    clinic.at(sent)
    sends(clinic)
    for step, moment in enumerate((nudge, second, morning)):
        due = datetime.fromisoformat(moment)
        clinic.at((due - timedelta(minutes=1)).isoformat())
        assert clinic.lead()["escalated"] == step
        clinic.at(moment)
        assert clinic.lead()["escalated"] == step + 1


MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("hours", "sent", "steps"),
    [
        pytest.param(
            *("Mon-Fri 09:00-19:00", "2027-03-26T18:45", ("2027-03-29T09:15", "2027-03-29T10:45", "2027-03-30T09:00")),
            id="to summer time, over a weekend",
        ),
        pytest.param(
            *("Mon-Fri 09:00-19:00", "2027-10-29T18:45", ("2027-11-01T09:15", "2027-11-01T10:45", "2027-11-02T09:00")),
            id="to winter time, over a weekend",
        ),
        pytest.param(
            *("Mon-Sun 01:00-06:00", "2027-03-28T01:45", ("2027-03-28T03:15", "2027-03-28T04:45", "2027-03-29T01:00")),
            id="in the hour that is left out",
        ),
    ],
)  # fmt: skip
def test_over_a_change_of_the_clocks(clinic: Clinic, hours: str, sent: str, steps: tuple[str, ...]) -> None:
    """Each step once, when so much of the site's own time is over: at the minute, and not one before."""

    def at(text: str, minutes: int = 0) -> None:
        there = datetime.fromisoformat(text).replace(tzinfo=MADRID).astimezone(UTC) + timedelta(minutes=minutes)
        clinic.at(there.astimezone(ZONE).replace(tzinfo=None).isoformat())

    with clinic.store.begin() as db:
        flow = clinic.deployment.library.newest("nct06570291")
        values = {"timezone": "Europe/Madrid", "hours": hours, "holidays": ""}
        sites.change(db, flow, "north", clinic.now, **values)
    at(sent)
    sends(clinic)
    for step, moment in enumerate(steps):
        at(moment, -1)
        assert clinic.lead()["escalated"] == step
        at(moment)
        assert clinic.lead()["escalated"] == step + 1
    at(steps[-1], 60)
    assert [what for what in clinic.history() if what in ("nudged", "second_named", "site_lead_told")] == [
        "nudged", "second_named", "site_lead_told",
    ]  # fmt: skip


def test_a_claim_stops_it_and_giving_it_back_begins_it_anew(clinic: Clinic) -> None:
    sends(clinic)
    clinic.at("2026-11-23T13:40").acts(ANA, lambda acting: acting.claim(1))
    assert asked(clinic.at("2026-11-23T15:30")) == [NUDGE]
    assert clinic.lead()["escalate_at"] is None
    clinic.acts(ANA, lambda acting: acting.step(1, "release"))
    assert asked(clinic.at("2026-11-23T15:59")) == [NUDGE]
    assert asked(clinic.at("2026-11-23T16:00")) == [NUDGE, NUDGE]
    # An hour and a half later it is tomorrow, and somebody else is asked than who gave it back.
    assert asked(clinic.at("2026-11-24T09:00"))[2:] == ["Li, could you take K-0001? Nobody has had time yet."]


def test_a_claim_that_is_undone_leaves_the_alarm_as_it_was(clinic: Clinic) -> None:
    sends(clinic)
    before = clinic.lead()["escalate_at"]
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.waits(seconds=10)
    clinic.acts(ANA, lambda acting: acting.undo(1))
    assert clinic.lead()["escalate_at"] == before is not None
    assert asked(clinic.at("2026-11-23T13:40")) == [NUDGE]


def test_a_lead_that_is_given_to_somebody_alarms_nobody(clinic: Clinic) -> None:
    sends(clinic)
    with clinic.store.begin() as db:
        li = staff.by_telegram(db, str(LI))
    assert li is not None
    clinic.acts(HEAD, lambda acting: acting.reassign(1, li["id"]))
    assert asked(clinic.at("2026-11-24T09:00")) == []
    assert clinic.lead()["escalated"] == 0


def test_another_process_goes_on_where_the_one_before_ended(clinic: Clinic) -> None:
    """It ends after each step: nothing is said twice, and nothing is left out."""
    sends(clinic)
    for moment in ("2026-11-23T13:40", "2026-11-23T15:10", "2026-11-24T08:30"):
        clinic.at(moment)
        clinic.ends()
        clinic.opens()
        clinic.sweeps()
    assert asked(clinic) == [NUDGE, SECOND]
    assert clinic.wire.texts(str(HEAD)) == [MORNING]


def test_after_an_outage_the_steps_do_not_come_all_at_once(clinic: Clinic) -> None:
    """Nobody ran from Monday to Wednesday: then there is one step, ten minutes later the next one."""
    sends(clinic)
    clinic.ends()
    clinic.time.passes(hours=46)  # Wednesday, 09:40
    clinic.opens()
    clinic.sweeps()
    clinic.sweeps()
    assert asked(clinic) == [NUDGE]
    clinic.waits(minutes=10)
    clinic.sweeps()
    assert asked(clinic) == [NUDGE, SECOND]


def test_a_step_that_was_missed_by_day_is_not_taken_at_night(clinic: Clinic) -> None:
    sends(clinic)
    clinic.ends()
    clinic.time.passes(hours=9)  # Monday, 20:40
    clinic.opens()
    clinic.sweeps()
    assert asked(clinic.at("2026-11-24T08:29")) == []
    assert asked(clinic.at("2026-11-24T08:30")) == [NUDGE]


def test_a_step_and_its_message_are_one_commit(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is not half written: the step is taken with the next sweep, and other steps go on."""
    sends(clinic)

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("no room for this")

    with monkeypatch.context() as patch:
        patch.setattr("bot.desk.escalation.outbox.put", fails)
        clinic.at("2026-11-23T13:40")
    assert (clinic.lead()["escalated"], asked(clinic)) == (0, [])
    assert asked(clinic.at("2026-11-23T13:41")) == [NUDGE]


def test_many_leads_are_one_line_and_the_work_is_shared_out(clinic: Clinic) -> None:
    for chat in ("501", "502", "503"):
        sends(clinic, chat)
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.at("2026-11-23T15:10")
    assert asked(clinic)[0] == "Nobody has K-0002 and K-0003 yet. Who can take it?"
    clinic.at("2026-11-23T15:25")
    named = sorted(line.split(",")[0] for line in asked(clinic)[1:])
    assert named == ["Ana", "Li"]  # Li has none; with one asked of Li, both are even, and Ana is next


# ---------------------------------------------------------------------- the promise

SLIPPED = "We have not called you yet. We are sorry. The team now aims to call by {day}. Does another time suit you better?"


def told(clinic: Clinic, chat: str = "501") -> list[str]:
    return [text for text in clinic.wire.texts(chat) if text.startswith("We have not called you yet")]


def test_a_promise_that_slips_is_told_once_and_a_new_one_is_made(clinic: Clinic) -> None:
    rosa = sends(clinic)
    clinic.acts(ANA, lambda acting: acting.claim(1))  # claimed, and then not called
    assert "Tuesday, 24 November" in rosa.seen
    assert told(clinic.at("2026-11-24T12:30")) == []  # noon is over; it is lunch
    assert told(clinic.at("2026-11-24T13:44")) == []
    assert len(told(clinic.at("2026-11-24T13:45"))) == 1
    assert "Wednesday, 25 November" in told(clinic)[0]
    assert (clinic.lead()["slipped"], clinic.lead()["owner_id"]) == (1, 1)
    assert clinic.lead()["due_at"] == datetime(2026, 11, 25, 12, 0, tzinfo=ZONE)
    clinic.ends()
    clinic.opens()
    assert len(told(clinic.at("2026-11-25T11:59"))) == 1
    assert len(told(clinic.at("2026-11-25T13:45"))) == 2
    assert len(told(clinic.at("2026-11-26T13:45"))) == 3
    assert len(told(clinic.at("2026-12-04T13:45"))) == 3  # from now on only staff hear of it
    assert clinic.history().count("slipped") == 3
    assert rosa.step is not None or "We are sorry" in rosa.seen


@pytest.mark.parametrize("verb", ["no_answer", "reached"])
def test_a_call_keeps_the_promise(clinic: Clinic, verb: str) -> None:
    sends(clinic)
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.at("2026-11-24T09:00").acts(ANA, lambda acting: acting.step(1, verb))
    assert told(clinic.at("2026-11-25T14:00")) == []
    assert clinic.lead()["slipped"] == 0


def _picks(clinic: Clinic, start: str) -> None:
    with clinic.store.begin(clinic.now) as db:
        site = sites.now(db, clinic.deployment.library.newest("nct06570291"), "north")
        assert slots.take(db, 1, site, datetime.fromisoformat(start).replace(tzinfo=ZONE), clinic.now)


def test_a_picked_time_is_a_promise_of_its_own(clinic: Clinic) -> None:
    """A call the day before does not keep it; one ten minutes early does."""
    sends(clinic)
    _picks(clinic, "2026-11-25T10:00")
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.at("2026-11-24T09:00").acts(ANA, lambda acting: acting.step(1, "no_answer"))
    assert told(clinic.at("2026-11-24T16:00")) == []  # the first rule's noon is no promise any more
    assert told(clinic.at("2026-11-25T10:44")) == []
    assert len(told(clinic.at("2026-11-25T10:45"))) == 1
    assert clinic.lead()["slot_at"] is None
    _picks(clinic, "2026-11-27T10:00")
    clinic.at("2026-11-27T09:50").acts(ANA, lambda acting: acting.step(1, "no_answer"))
    assert len(told(clinic.at("2026-11-27T16:00"))) == 1
    assert clinic.lead()["slipped"] == 1


def test_a_second_promise_slips_also_where_an_earlier_call_was_made(clinic: Clinic) -> None:
    """Tried on Tuesday, a time picked for Wednesday and missed: the day after, silence counts again."""
    sends(clinic)
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.at("2026-11-24T09:00").acts(ANA, lambda acting: acting.step(1, "no_answer"))
    _picks(clinic, "2026-11-25T10:00")
    assert len(told(clinic.at("2026-11-25T11:00"))) == 1
    assert len(told(clinic.at("2026-11-26T13:45"))) == 2
    clinic.at("2026-11-26T14:00").acts(ANA, lambda acting: acting.step(1, "no_answer"))
    assert len(told(clinic.at("2026-11-27T16:00").at("2026-11-30T16:00"))) == 2


def test_who_is_talked_with_in_the_chat_is_not_told_that_nobody_came(clinic: Clinic) -> None:
    sends(clinic)
    clinic.acts(ANA, lambda acting: acting.claim(1))
    with clinic.store.begin() as db:
        kept = conversations.current(db, "telegram", "501")
        assert kept is not None
        conversations.hold(db, kept, 1)
    assert told(clinic.at("2026-11-24T14:00")) == []
    assert (clinic.lead()["slipped"], clinic.lead()["due_at"]) == (0, datetime(2026, 11, 25, 12, 0, tzinfo=ZONE))


def test_a_request_that_goes_to_another_site_begins_anew_there(clinic: Clinic) -> None:
    """Claimed at the North Clinic, with a time there; then the person sends again, to the Harbour Hospital."""
    rosa = sends(clinic)
    _picks(clinic, "2026-11-25T10:00")
    clinic.acts(ANA, lambda acting: acting.claim(1))
    clinic.at("2026-11-24T09:00")
    with clinic.store.begin() as db:  # as if the clinic had taken no more people when Rosa looked again
        kept = conversations.current(db, "telegram", "501")
        assert kept is not None
        flow = clinic.deployment.library.flow(kept.conversation.flow)
        happening = Happening(clinic.deployment, flow, kept, kept.conversation, clinic.now)
        lead_raised(db, happening, LeadRaised(None, "harbour"))
    lead = clinic.lead()
    assert (lead["site"], lead["status"], lead["owner_id"], lead["slot_at"]) == ("harbour", "new", None, None)
    assert lead["due_at"] == datetime(2026, 11, 25, 12, 0, tzinfo=ZONE)
    assert "Wei, could you take K-0001" in "".join(asked(clinic.at("2026-11-24T09:30").at("2026-11-24T11:00")))
    assert rosa.seen


def test_a_crowd_is_one_line_and_no_card_of_it_is_changed(clinic: Clinic) -> None:
    for number in range(60):
        has_lead(clinic, str(600 + number), escalate_at=clinic.now, notice=str(number))
    clinic.sweeps()
    lines = asked(clinic)
    assert [line.count("K-00") for line in lines] == [50, 10]
    assert [envelope for envelope in clinic.sent(GROUP) if envelope.edits] == []


@pytest.mark.parametrize("end", ["close", "withdraw"])
def test_nobody_is_told_of_what_is_over(clinic: Clinic, end: str) -> None:
    sends(clinic)
    if end == "close":
        clinic.acts(ANA, lambda acting: acting.claim(1))
        clinic.acts(ANA, lambda acting: acting.close(1, "not_interested"))
    else:
        with clinic.store.begin() as db:
            leads.change(db, 1, clinic.now, status="withdrawn")
    clinic.at("2026-11-24T14:00").at("2026-11-25T14:00")
    assert told(clinic) == asked(clinic) == []


# ---------------------------------------------------------------------- a silent site


def test_a_silent_site_gets_no_more_leads_and_an_admin_hears_of_it(clinic: Clinic) -> None:
    sends(clinic)
    flow = clinic.deployment.library.newest("nct06570291")

    def status() -> str:
        with clinic.store.begin() as db:
            return sites.now(db, flow, "north").status

    clinic.at("2026-11-25T16:59")
    assert status() == "active"
    clinic.at("2026-11-25T17:00").at("2026-11-26T09:00")
    assert status() == "paused"
    (letter,) = [text for text in clinic.wire.texts(str(CHIEF)) if "no new leads" in text]
    assert letter.startswith("North Clinic (example) gets no new leads for now.")
    assert clinic.rows("SELECT what, detail FROM audit WHERE what LIKE 'site.%'") == [("site.silent", "north")]
    # Somebody sets it to active again: it has its two days once more.
    with clinic.store.begin() as db:
        sites.change(db, flow, "north", clinic.now, status="active")
    clinic.at("2026-11-27T16:00")
    assert status() == "active"
    clinic.at("2026-11-30T17:00")
    assert status() == "paused"


def test_somebody_who_acts_keeps_a_site_going(clinic: Clinic) -> None:
    sends(clinic)
    sends(clinic, "502")
    clinic.at("2026-11-24T10:00").acts(ANA, lambda acting: acting.claim(1))
    with clinic.store.begin() as db:
        flow = clinic.deployment.library.newest("nct06570291")
        assert sites.now(db, flow, "north").active_at == clinic.now
    clinic.at("2026-11-25T17:00").at("2026-11-26T16:59")
    with clinic.store.begin() as db:
        assert sites.now(db, flow, "north").takes
        assert promises.waiting_since(db, "nct06570291", "north", clinic.now)[0] == 2
        assert sites.now(db, flow, "harbour").takes  # nobody waits there


def test_no_word_of_the_person_is_in_any_of_it(clinic: Clinic) -> None:
    sends(clinic)
    clinic.at("2026-11-23T13:40").at("2026-11-23T15:10").at("2026-11-24T08:30").at("2026-11-25T17:00")
    seen = "\n".join(
        text for chat in (GROUP, *map(str, (ANA, LI, HEAD, CHIEF))) for text in clinic.wire.texts(chat)
    )
    assert "K-0001" in seen
    for word in ("Rosa", "Example ", "612", "rosa@", "knee", "MRI"):
        assert word not in seen
