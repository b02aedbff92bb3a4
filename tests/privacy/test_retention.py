"""Each kind of data has its time: what is over it goes by itself, and people are left as counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot import retention, sweep
from bot.library import TRIALS
from bot.store import conversations, leads, outbox
from flows.flow import RETENTION, Flow
from flows.parse import Source, parse
from tests.shell.conftest import Desk, Somebody


def due(desk: Desk) -> Mapping[str, int]:
    with desk.store.look(desk.now) as db:
        return retention.due(db, desk.deployment, desk.now)


def enforces(desk: Desk) -> None:
    with desk.store.begin(desk.now) as db:
        while sweep.forget(db, desk.deployment, desk.now):
            pass


def people(desk: Desk) -> int:
    return int(desk.one("SELECT count(*) FROM conversation"))


def test_the_classes_are_those_that_a_trial_may_name() -> None:
    assert set(retention.KINDS) == set(retention.DAYS) == set(RETENTION)


def test_who_stopped_half_way_is_forgotten_on_their_day_and_counted(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    desk.waits(days=30)
    assert due(desk)["unfinished"] == 0
    desk.waits(minutes=1)
    assert due(desk)["unfinished"] == 1
    enforces(desk)
    assert people(desk) == 0
    assert desk.one("SELECT sum(number) FROM tally WHERE stage = 'consented'") == 1
    assert desk.rows("SELECT what, detail FROM audit WHERE what = 'retention'") == [("retention", "unfinished 1")]


def test_a_trial_may_say_other_days(desk: Desk, rosa: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = desk.deployment.library.newest("nct06570291")
    shorter = replace(flow, retention={"unfinished": 5, "ruled_out": 50, "receipts": 1})
    monkeypatch.setattr(type(desk.deployment.library), "newest", lambda self, slug: shorter)
    days = {name: period.days for name, period in retention.periods(desk.deployment).items()}
    assert days["unfinished"] == days["ruled_out"] == 5  # nobody ruled out is kept for longer
    assert days["receipts"] == 1 and days["leads"] == retention.DAYS["leads"]


@pytest.mark.slow
def test_a_closed_lead_loses_its_person_in_its_time(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    with desk.store.begin(desk.now) as db:
        leads.change(db, 1, desk.now, status="closed", reason="enrolled")
    desk.waits(days=364)
    enforces(desk)
    assert people(desk) == 1 and desk.one("SELECT chat FROM lead") == "501"
    desk.waits(days=2)
    assert due(desk)["leads"] == 1
    enforces(desk)
    assert people(desk) == 0
    assert desk.rows("SELECT status, chat, outcome FROM lead") == [("closed", "", None)]
    assert desk.one("SELECT count(*) FROM data_key WHERE lane = 'telegram:501'") == 0


@pytest.mark.slow
def test_an_open_lead_is_kept(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    desk.waits(days=3000)
    enforces(desk)
    assert people(desk) == 1


def test_what_only_served_to_take_and_send_goes_after_a_week(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().says("English")
    with desk.store.begin(desk.now) as db:
        conversations.set_aside(db, "telegram", "501", {"odd": 1}, desk.now)
        outbox.stop_lane(db, "telegram", "501")
    desk.waits(days=6)
    assert not any(due(desk).values())
    desk.waits(days=2)
    found = due(desk)
    assert found["quarantine"] == 1 and found["receipts"] == 2 and found["outbox"] == 2
    enforces(desk)
    assert not any(due(desk).values())


def test_a_tombstone_stays_as_long_as_a_copy_of_the_database(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().says("delete").presses("Yes, delete all")
    desk.waits(days=34)
    enforces(desk)
    assert desk.one("SELECT count(*) FROM tombstone WHERE kind = 'chat'") == 1
    desk.waits(days=2)
    enforces(desk)
    assert desk.one("SELECT count(*) FROM tombstone") == 0


def test_days_that_are_no_days_are_a_problem_of_the_file(flow: Flow) -> None:
    frame = Source("_frame.toml", (TRIALS / "_frame.toml").read_text())
    trial = (TRIALS / "nct06570291" / "v1.toml").read_text()
    for wrong, said in (
        ("unfinished = 0", "from 1 to"),
        ("leads = 'long'", "whole number"),
        ("answers = 3", "not known"),
    ):
        made = parse(Source("v1.toml", trial + f"\n[retention]\n{wrong}\n"), frame)
        assert isinstance(made, list) and any(said in str(problem) for problem in made), wrong
    good = parse(Source("v1.toml", trial + "\n[retention]\nleads = 90\n"), frame)
    assert isinstance(good, Flow) and good.retention == {"leads": 90}
