"""``screen``: a person in a file gets what the conversation would have told them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.author.people import BadAnswers, screen_person
from flows.flow import Flow
from tests.conftest import FINE, walk_to
from tests.definitions.loading import flow_of
from tests.patient import Patient

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "people.json"
ANSWERS: dict[str, Any] = {
    **{step: list(value) if isinstance(value, tuple) else value for step, value in FINE.items()},
    "birth": "1964", "height": {"cm": 165}, "weight": {"kg": 65},
}  # fmt: skip
"""Somebody of 62 with nothing against."""


def person(**other: Any) -> dict[str, Any]:
    return {"id": "p", "date": "2026-11-22", "answers": {**ANSWERS, **other}}


def test_nothing_against(flow: Flow) -> None:
    assert screen_person(flow, person()) == {
        "id": "p", "outcome": "possible_match", "eligible_from": None, "reasons": [], "flags": [], "open_step": None,
        "not_counted": ["sex", "plans_man", "plans_woman"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("other", "outcome", "eligible_from", "criteria"),
    [
        ({"mri": "not_sure"}, "needs_review", None, []),
        ({"knee": "none"}, "ruled_out", None, ["I2"]),
        ({"half_year": ["shot"], "shot_kind": "gel", "shot_date": "2026-11-14"}, "not_now", "2027-02-14", ["E13"]),
        ({"half_year": ["shot"], "shot_kind": "gel", "shot_date": {"from": "2026-11-01", "to": "2026-11-30"}},
         "not_now", "2027-02-22", ["E13"]),
        ({"half_year": ["operation", "infection"], "operation_date": "2026-08", "infection_end": "not_over"},
         "not_now", None, ["E9", "E12"]),
        ({"height": 160, "weight": {"kg": "76.8"}}, "ruled_out", None, ["E3"]),
        ({"height": {"ft": 5, "in": 5}, "weight": {"st": 12, "lb": 7}}, "needs_review", None, []),
        ({"birth": "1987-01-31", "sex": "woman"}, "not_now", "2027-01-31", ["I3"]),
        ({"ever": "cancer", "cancer_kind": "cancer"}, "ruled_out", None, ["E7"]),
        ({"birth": 1964, "xray": "two", "xray_other": None}, "possible_match", None, []),
    ],
)  # fmt: skip
def test_one_answer_decides(
    flow: Flow, other: dict[str, Any], outcome: str, eligible_from: str | None, criteria: list[str]
) -> None:
    verdict = screen_person(flow, person(**other))
    assert (verdict["outcome"], verdict["eligible_from"]) == (outcome, eligible_from)
    assert [reason["criterion"] for reason in verdict["reasons"]] == criteria


def test_a_finding_is_plain_data(flow: Flow) -> None:
    verdict = screen_person(flow, person(half_year=["shot"], shot_kind="gel", shot_date="2026-11-14", visits="no"))
    assert verdict["flags"] == [
        {"criterion": "E13", "status": "WAIT", "until": "2027-02-14", "because": ["shot_date"], "note": None},
        {"criterion": "E24", "status": "REVIEW", "until": None, "because": ["visits.no"], "note": None},
    ]
    assert json.loads(json.dumps(verdict)) == verdict


def test_open_questions_have_no_outcome(flow: Flow) -> None:
    verdict = screen_person(flow, {"date": "2026-11-22", "answers": {"language": "en", "consent": "me"}})
    assert verdict["outcome"] is None and verdict["open_step"] == "birth" and verdict["id"] is None


def test_a_year_ends_by_the_persons_date(flow: Flow) -> None:
    """As in the conversation: "2026" said on 22 November ends that day, and the wait with it."""
    verdict = screen_person(flow, person(half_year=["operation"], operation_date="2026"))
    typed = walk_to(Patient(flow), "operation_date", half_year=("operation",)).says("2026").presses("Not sure")
    walk_to(typed, "check").presses("All correct, go on")
    assert verdict["outcome"] == typed.verdict.outcome == "needs_review"


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (7, ['A person needs "date" and "answers".']),
        ({}, ['A person needs "date" and "answers".']),
        ({"answers": []}, ['A person needs "date" and "answers".']),
        ({"date": "22 Nov", "answers": {}}, ['"date" must be a day like 2026-11-22.']),
        ({"date": None, "answers": {}}, ['"date" must be a day like 2026-11-22.']),
        (person(moon="full", knee="third", mri=["ring"], sex="not_sure"),
         ["This is no answer to step 'knee'.", "This is no answer to step 'mri'.", "This is no answer to step 'sex'.",
          "There is no step 'moon'."]),
        (person(birth="1964-13", height={"cm": 400}, weight="heavy", ever="cancers"),
         ["This is no answer to step 'ever'.", "This is no answer to step 'birth'.",
          "This is no answer to step 'height'.", "This is no answer to step 'weight'."]),
        (person(site="moon", phone="12", email="x"),
         ["This is no answer to step 'site'.", "This is no answer to step 'phone'.",
          "This is no answer to step 'email'."]),
        (person(half_year=["operation"], operation_date="2026-12-01"),
         ["The day of step 'operation_date' lies ahead of the person's date."]),
        (person(birth={"from": "1970-01-01", "to": "1960-01-01"}), ["This is no answer to step 'birth'."]),
    ],
)  # fmt: skip
def test_every_problem_of_a_person_at_once(flow: Flow, data: Any, problems: list[str]) -> None:
    with pytest.raises(BadAnswers) as error:
        screen_person(flow, data)
    assert sorted(error.value.problems) == sorted(problems)


def test_sites_languages_and_contact_are_answers_too(flow: Flow) -> None:
    more = {"check": "right", "offer": "yes", "town": "Wuxi", "site": "none", "phone": "+34 612 34 56 78"}
    verdict = screen_person(flow, person(language="es", **more))
    assert verdict["outcome"] == "needs_review"
    assert [flag["because"] for flag in verdict["flags"]] == [["site.none"]]


@pytest.mark.parametrize(
    ("cigarettes", "weight", "outcome"), [(0, 65, "possible_match"), (9, 65, "possible_match"), (9, 90, "needs_review"),
                                          (10, 65, "ruled_out"), (None, 65, "needs_review")]
)  # fmt: skip
def test_a_number_decides(cigarettes: int | None, weight: int, outcome: str) -> None:
    answers = {"language": "en", "consent": "me", "birth": 1980, "smokes": cigarettes, "why_stopped": "no",
               "tall": 165, "heavy": weight}  # fmt: skip
    verdict = screen_person(flow_of("numbers"), {"date": "2026-11-22", "answers": answers})
    assert verdict["outcome"] == outcome


def test_the_examples_screen(flow: Flow) -> None:
    for one in json.loads(EXAMPLES.read_text(encoding="utf-8")):
        assert screen_person(flow, one)["outcome"] in ("possible_match", "needs_review", "not_now", "ruled_out")
