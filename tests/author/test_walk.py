"""Every path ends, every answer is walked, and the counts stand in a golden file."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flows.answer import Answer, StepId
from flows.author.paths import Paths, TooManyPaths, answers_to
from flows.author.walk import as_text, walk, ways_to
from flows.flow import CHECK, OUTCOMES, Flow
from flows.machine import place
from flows.screening import weigh
from tests.definitions.loading import VALID, flow_of

DAY = date(2026, 11, 22)
GOLDEN = Path(__file__).with_name("golden") / "nct06570291-v1-walk.json"


@pytest.fixture(scope="module")
def report(flow: Flow) -> dict[str, Any]:
    return walk(flow, DAY)


def test_the_counts_are_the_golden_ones(report: dict[str, Any], pytestconfig: pytest.Config) -> None:
    """Run ``pytest --update`` after a change of the trial, and read what changed."""
    text = json.dumps(report, indent=2) + "\n"
    if pytestconfig.getoption("--update"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_step_answer_outcome_and_end_is_reached(report: dict[str, Any], flow: Flow) -> None:
    assert report["never_reached"] == []
    assert report["steps"] == len(flow.steps)
    assert set(report["paths"]) == {*OUTCOMES, "declined", "stopped"}


@pytest.mark.parametrize(
    ("birth", "steps"),
    [("1975", 20), ("1984-02-29", 20), ("1967", 20), ("1966-01-01", 19), ("1960", 19), ("1951", 19)],
)
def test_the_budget_of_a_fully_eligible_person(flow: Flow, birth: str, steps: int) -> None:
    """Reading, section 4: 20 steps at 40 to 59 and 19 from 60 on, at most three of them typed."""
    at = flow.index[StepId("birth")]
    other = replace(flow, steps=(*flow.steps[:at], replace(flow.steps[at], probes=(birth,)), *flow.steps[at + 1 :]))
    budget = walk(other, DAY)["fully_eligible"]
    assert budget == {birth: {"steps": steps, "taps": steps - 3, "typed": 3}}


def test_nobody_is_asked_more_than_a_list_and_its_follow_ups(report: dict[str, Any]) -> None:
    """The longest way ticks every item of every list; nobody with nothing to tell walks it."""
    assert report["longest"]["needs_review"] <= 55
    assert report["shortest"]["ruled_out"] == 3


def test_the_text(report: dict[str, Any]) -> None:
    text = as_text({**report, "never_reached": ["step moon"]})
    assert "1975: 20 steps, 17 taps, 3 typed" in text and "1960: 19 steps, 16 taps, 3 typed" in text
    assert "Never reached: step moon" in text
    assert f"{report['paths']['possible_match']:,} paths, 20 to" in text


# ---------------------------------------------------------------- the walk against going every way


def every_path(flow: Flow, day: date) -> list[tuple[str, int]]:
    """Each path to the check page or an end, by the fold itself and with nothing put together: outcome, answers."""
    done: list[tuple[str, int]] = []
    open_: list[dict[StepId, Answer]] = [{}]
    while open_:
        answers = open_.pop()
        here = place(flow, answers)
        if here.end:
            done.append((here.end, len(answers)))
        elif here.step == CHECK:
            done.append((str(weigh(flow, here.on_path, day).outcome), len(answers)))
        else:
            assert here.step is not None
            step = flow.step_by_id[here.step]
            open_ += [{**answers, step.id: Answer(value, day)} for value, _ in answers_to(flow, step, day)]
    return done


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("day", [DAY, date(2026, 3, 1)])
def test_walking_counts_what_going_every_way_counts(name: str, day: date) -> None:
    flow = flow_of(name)
    report, paths = walk(flow, day), every_path(flow, day)
    assert report["paths"] == dict(sorted(Counter(outcome for outcome, _ in paths).items()))
    for outcome in report["paths"]:
        lengths = [length for end, length in paths if end == outcome]
        assert report["shortest"][outcome] == min(lengths) and report["longest"][outcome] == max(lengths)


TRICKY = """
[facts]
cigarettes = { formula = "amount", of = ["smokes"] }
years = { formula = "amount", of = ["since"] }
[[step]]
id = "smokes"
kind = "number"
part = "body"
label = "Cigarettes"
text = "How many?"
why = "It matters."
probes = ["0", "6", "20"]
[[step]]
id = "gap"
kind = "yes_no"
part = "body"
label = "Gap"
text = "And then?"
why = "It matters."
asked_if = { maybe = { fact = "cigarettes", below = 10 } }
[[step]]
id = "since"
kind = "number"
part = "body"
label = "Years"
text = "For how long?"
why = "It matters."
probes = ["1", "30"]
[[criterion]]
id = "I1"
text = "Mixed"
title = "Mixed"
handled = "asked"
topic = "an answer"
otherwise = "REVIEW"
decisions = [
  { when = { fact = "cigarettes", below = 1 }, then = "OK" },
  { when = { fact = "years", at_least = 20 }, then = "OUT" },
]
[criterion.answers]
"gap.yes" = "SITE"
[[criterion]]
id = "E1"
text = "Doubt unless told"
title = "Doubt"
handled = "asked"
topic = "an answer"
otherwise = "REVIEW"
[criterion.answers]
"smokes.not_sure" = "SITE"
"gap.no" = "SITE"
"""


def test_criteria_that_get_better_are_counted_exactly() -> None:
    """A later answer may take a doubt away again: two paths are not one because their statuses agree so far."""
    flow = flow_of("tricky", TRICKY)
    assert walk(flow, DAY)["paths"] == dict(sorted(Counter(end for end, _ in every_path(flow, DAY)).items()))


# ---------------------------------------------------------------- ways and answers


def test_the_ways_lead_where_they_say(flow: Flow) -> None:
    ways = ways_to(flow, DAY)
    assert set(ways) == set(flow.index)
    assert all(place(flow, answers).step == step for step, answers in ways.items())


def test_a_list_is_answered_with_none_each_and_all(flow: Flow) -> None:
    answers = [value for value, _ in answers_to(flow, flow.step_by_id[StepId("ever")], DAY)]
    assert answers == [(), ("stem_cells",), ("artificial_knee",), ("cancer",),
                       ("stem_cells", "artificial_knee", "cancer"), None]  # fmt: skip


def test_a_site_is_answered_with_each_and_with_none(flow: Flow) -> None:
    answers = answers_to(flow, flow.step_by_id[StepId("site")], DAY)
    assert answers == [("north", False), ("harbour", False), ("none", False)]


def test_a_probe_that_nobody_understands_is_told() -> None:
    flow = flow_of("odd", TRICKY.replace('"30"', '"blue"'))
    with pytest.raises(ValueError, match="the probe 'blue' is not understood"):
        answers_to(flow, flow.step_by_id[StepId("since")], DAY)


def test_a_quick_look_gives_up_in_time(flow: Flow) -> None:
    with pytest.raises(TooManyPaths):
        list(Paths(flow, DAY).reach(most=10))


def test_what_a_trial_cannot_say_is_not_missed() -> None:
    """A trial without waits has no "not now", and nobody misses the question that comes after it."""
    report = walk(flow_of("smallest"), DAY)
    assert "not_now" not in report["paths"] and report["never_reached"] == []
    assert report["fully_eligible"] == {"anybody": {"steps": 2, "taps": 2, "typed": 0}}


def test_what_is_never_reached_is_named() -> None:
    """Nobody was born in 1980 and is under 18: a wait that no probe leads to."""
    report = walk(flow_of("numbers"), date(2030, 1, 1))
    assert report["never_reached"] == ["step offer_wait", "outcome not_now"]
