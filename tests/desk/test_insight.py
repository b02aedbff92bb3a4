"""What is counted is what happened, also to people whose answers are gone; small groups stay hidden."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk import insight
from bot.desk.insight import FEW, hide, shown
from bot.house import House
from bot.store import counts, marks
from tests.desk.acting import acts, has_lead, looks, member, sends
from tests.patient import NOW
from tests.shell.conftest import LIBRARY, Desk, Somebody

FLOW = LIBRARY.newest("nct06570291")
ADMIN = {"role": "admin", "sites": [], "active": True}


def counted(desk: Desk) -> dict:
    """As the house counts: on a look that may not write."""
    with desk.store.look(desk.now) as db:
        return insight.count(db, desk.deployment, desk.now)


def stages(desk: Desk) -> dict[str, int]:
    total: dict[str, int] = {}
    for *_, numbers in counted(desk)["groups"]:
        for stage, number in numbers.items():
            total[stage] = total.get(stage, 0) + number
    return total


@pytest.mark.slow
def test_a_funnel_counts_each_person_once_as_far_as_they_came(desk: Desk) -> None:
    Somebody(desk, "1").starts("poster")  # saw the first question
    Somebody(desk, "2").starts("poster").walks_to("knee")
    Somebody(desk, "3").starts().walks_to("check").presses("All correct, go on")
    again = Somebody(desk, "3").says("/start")  # the same person, once more
    assert again.step is not None
    first, second = sends(desk, "4", source="poster"), sends(desk, "5", source="flyer")
    cora = member(desk, "Cora", sites=["north"])
    for verb in ("reached", "scheduled", "consented", "enrolled"):
        if verb == "reached":
            acts(desk, cora, lambda acting: acting.claim(first))
        acts(desk, cora, lambda acting, verb=verb: acting.step(first, verb))
    acts(desk, cora, lambda acting: acting.claim(second))
    acts(desk, cora, lambda acting: acting.step(second, "reached"))
    acts(desk, cora, lambda acting: acting.undo(second))
    groups = {tuple(group[:3]): group[3] for group in counted(desk)["groups"]}
    assert groups == {
        ("poster", "en", ""): {"started": 3, "consented": 2, "finished": 1, "may_fit": 1},
        ("", "en", ""): {"started": 1, "consented": 1, "finished": 1, "may_fit": 1},
        ("flyer", "en", ""): {"started": 1, "consented": 1, "finished": 1, "may_fit": 1},
        ("poster", "en", "north"): {"sent": 1, "reached": 1, "booked": 1, "enrolled": 1},
        ("flyer", "en", "north"): {"sent": 1},  # reached was undone
    }


@pytest.mark.slow
def test_nobody_is_lost_from_the_count_when_their_answers_go(desk: Desk) -> None:
    Somebody(desk, "1").starts("poster").walks_to("knee")
    Somebody(desk, "2").starts("poster").walks_to("check").presses("All correct, go on")
    sends(desk, "3", source="poster")
    Somebody(desk, "4").starts("poster").walks_to("consent").presses("No")  # declined: erased at once
    before = stages(desk)
    assert before == {"started": 4, "consented": 3, "finished": 2, "may_fit": 2, "sent": 1}
    Somebody(desk, "3").says("/delete").presses("Yes, delete all")
    assert stages(desk) == before
    desk.waits(days=31)
    desk.sweeps()
    assert desk.one("SELECT count(*) FROM conversation") == 0
    assert stages(desk) == before
    rows = desk.rows("SELECT trial, source, locale, site, stage, number FROM tally")
    others = {row[4] for row in rows} - set(counts.ANSWERING)
    assert others == {"stopped.knee", "stopped.consent", "stopped.offer"}, others
    assert counted(desk)["stopped"]["knee"] == 1


@pytest.mark.slow
def test_who_has_been_silent_for_a_day_stopped_at_that_question(desk: Desk) -> None:
    Somebody(desk, "1").starts().walks_to("knee")
    sends(desk, "2")
    assert counted(desk)["stopped"] == {}
    desk.waits(days=1, minutes=1)
    assert counted(desk)["stopped"] == {"knee": 1}


@pytest.mark.slow
def test_findings_are_counted_per_criterion_and_only_the_last_screening(desk: Desk) -> None:
    Somebody(desk, "1").starts().walks_to("check", mri="not sure").presses("All correct, go on")
    found = counted(desk)["findings"]
    assert found and all(finding.endswith(":REVIEW") and number == 1 for finding, number in found.items())
    assert desk.one("SELECT findings FROM conversation") == " ".join(found)


@pytest.mark.slow
def test_times_are_in_the_hours_of_the_site(desk: Desk) -> None:
    cora = member(desk, "Cora", sites=["north"])
    numbers = [has_lead(desk, str(chat)) for chat in range(FEW)]
    desk.waits(days=7)  # a week has five working days of seven and a half hours or so, not 168 hours
    for lead in numbers:
        acts(desk, cora, lambda acting, lead=lead: acting.claim(lead))
        acts(desk, cora, lambda acting, lead=lead: acting.step(lead, "no_answer"))
    waited = counted(desk)["waits"]["north"]
    assert waited["claim"] == waited["call"] and waited["claim"]["number"] == FEW
    assert 24 * 60 < waited["claim"]["median"] < 50 * 60


@pytest.mark.slow
def test_the_outcomes_of_a_site_are_held_against_what_was_asked(desk: Desk) -> None:
    closed = {"status": "closed", "reason": "screen_failure"}
    has_lead(desk, "1", **closed, criterion="E18")  # flagged by it, failed by it
    has_lead(desk, "2", status="enrolled")  # flagged, and fine
    has_lead(desk, "3", **closed, criterion="E18", flags=[])  # passed by us, failed there
    has_lead(desk, "4", **closed, criterion="E2", flags=[])
    has_lead(desk, "5", status="closed", reason="not_interested")  # says nothing of fitness
    verdicts = counted(desk)["verdicts"]
    assert verdicts["E18"] == {"flagged": 2, "flagged_failed": 1, "passed": 2, "passed_failed": 1}
    assert verdicts["E2"] == {"passed": 4, "passed_failed": 1}


@pytest.mark.slow
def test_a_count_is_good_for_five_minutes(desk: Desk) -> None:
    trial = desk.deployment.trial
    assert looks(desk, lambda db: insight.due(db, trial, desk.now))
    first = counted(desk)
    looks(desk, lambda db: insight.keep(db, trial, first, desk.now))
    json.dumps(first)
    assert not looks(desk, lambda db: insight.due(db, trial, desk.now))
    desk.waits(minutes=5)
    assert looks(desk, lambda db: insight.due(db, trial, desk.now))
    looks(desk, lambda db: insight.keep(db, trial, first, desk.now))
    assert looks(desk, lambda db: marks.get(db, f"insight:{trial}"))["at"] == desk.now


@pytest.mark.slow
@pytest.mark.parametrize(("role", "sees"), [("coordinator", False), ("sponsor", True), ("site_lead", True)])
def test_only_who_may_see_counts_gets_a_view(desk: Desk, role: str, sees: bool) -> None:
    who = member(desk, "Somebody", role)
    first = counted(desk)
    looks(desk, lambda db: insight.keep(db, desk.deployment.trial, first, desk.now))
    assert (looks(desk, lambda db: insight.view(db, FLOW, who)) is not None) is sees


# ---------------------------------------------------------------------- small groups


@pytest.mark.parametrize(
    ("numbers", "seen"),
    [
        ([], []), ([0, 0], [0, 0]), ([5, 9], [5, 9]), ([4], [None]), ([3, 9], [None, None]),
        ([3, 9, 20], [None, None, 20]), ([2, 1, 9, 20], [None, None, None, 20]), ([4, 4, 9], [None, None, 9]),
        ([0, 3, 5, 50], [0, None, None, 50]),
    ],
)  # fmt: skip
def test_what_is_hidden(numbers: list[int], seen: list[int | None]) -> None:
    assert hide(numbers) == seen


@given(st.lists(st.integers(0, 30), max_size=12))
def test_no_small_group_can_be_told_from_a_column_and_its_total(numbers: list[int]) -> None:
    """What the total leaves over is nothing, or at least five people in at least two groups, or the total is hidden."""
    seen = hide(numbers)
    assert all(cell is None or cell == number for cell, number in zip(seen, numbers, strict=True))
    assert all(cell is None or cell == 0 or cell >= FEW for cell in seen)
    gone = [number for cell, number in zip(seen, numbers, strict=True) if cell is None]
    assert not gone or sum(numbers) < FEW or (len(gone) > 1 and sum(gone) >= FEW)


_NUMBERS = st.fixed_dictionaries({stage: st.integers(0, 12) for stage in counts.STAGES})
_COUNTED = st.fixed_dictionaries({
    "groups": st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["en", "es"]),
                                 st.sampled_from(["", "north", "harbour"]), _NUMBERS).map(list), max_size=6),
    "stopped": st.dictionaries(st.sampled_from(["knee", "birth", "mri"]), st.integers(1, 9)),
    "findings": st.dictionaries(st.sampled_from(["E18:OUT", "E3:REVIEW", "E7:WAIT"]), st.integers(1, 9)),
    "waits": st.just({"north": {"claim": {"number": 2}, "call": {"number": 5, "median": 30, "ninth": 60}}}),
    "verdicts": st.dictionaries(st.sampled_from(["E18", "E3"]), st.fixed_dictionaries({
        "flagged": st.integers(5, 9), "flagged_failed": st.integers(0, 5), "passed": st.integers(0, 9)})),
})  # fmt: skip


@given(_COUNTED, st.sampled_from(["north", ""]))
def test_no_table_shows_a_small_number_and_a_site_only_its_own(found: dict, site: str) -> None:
    seen = shown(found, NOW, FLOW, {**ADMIN, "sites": [site] if site else []})
    for table in (seen.source, seen.locale, seen.site, seen.stopped, seen.findings):
        for row in (*(row.numbers for row in table.rows), table.total):
            assert all(number is None or number == 0 or number >= FEW for number in row)
    for verdict in seen.verdicts:
        for whole, failed in ((verdict.flagged, verdict.flagged_failed), (verdict.passed, verdict.passed_failed)):
            assert failed is None or (
                whole is not None and all(part == 0 or part >= FEW for part in (failed, whole - failed))
            )
    if site:
        assert {row.key for row in seen.site.rows} <= {"north"} and not seen.site.total
        assert [wait.site for wait in seen.waits] == ["north"]
        assert (seen.waits[0].number, seen.waits[0].claim, seen.waits[0].call) == (None, None, 30)


@pytest.mark.slow
def test_the_house_counts_by_itself_and_turns_go_on(desk: Desk) -> None:
    """A sweep puts the count in its place; the next one, too soon, leaves it; a look that is open stops no turn."""
    desk.now = datetime.now(UTC)  # on a server it is the database's own clock that counts
    Somebody(desk, "1").starts("poster")
    house = House(desk.store, desk.deployment, {}, clock=desk.clock)

    def kept() -> datetime | None:
        row = looks(desk, lambda db: marks.get(db, f"insight:{desk.deployment.trial}"))
        return row and row["at"]

    try:
        asyncio.run(house.sweep())
        first = kept()
        assert first is not None
        with desk.store.look(desk.now) as db:
            before = insight.count(db, desk.deployment, desk.now)
            Somebody(desk, "2").starts("poster")
            assert insight.count(db, desk.deployment, desk.now) == before
        asyncio.run(house.sweep())
        assert stages(desk) == {"started": 2}
        assert sum(group[3]["started"] for group in before["groups"]) == 1
    finally:
        house.close()
