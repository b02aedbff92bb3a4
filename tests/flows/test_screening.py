"""The reading of the 31 criteria as a table: answers in, status, outcome and date out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from flows.author.people import screen_person
from flows.flow import Flow

TODAY = "2026-11-22"
FINE: dict[str, Any] = {
    "language": "en", "consent": "me", "birth": "1964-05-01", "knee": "left", "diagnosis": "yes",
    "how_long": "over_a_year", "past_week": "some", "walking_aid": "no", "mri": [], "ever": [], "joints": [],
    "half_year": [], "two_months": [], "height": {"cm": 165}, "weight": {"kg": 65}, "xray": "not_sure", "xray_other": "not_sure",
    "health_now": [], "sex": "man", "plans_man": [], "plans_woman": [], "plans_older": [], "private": "fine",
    "visits": "yes",
}  # fmt: skip


def result(flow: Flow, on: str = TODAY, **answers: Any) -> dict[str, Any]:
    return screen_person(flow, {"date": on, "answers": {**FINE, **answers}})


def test_a_person_with_nothing_against_is_a_possible_match(flow: Flow) -> None:
    assert result(flow)["outcome"] == "possible_match"
    assert result(flow)["flags"] == []


NO, REVIEW, OUT, WAIT = "possible_match", "needs_review", "ruled_out", "not_now"
SHOT = {"half_year": ["shot"], "shot_kind": "gel"}
CASES: list[tuple[str, dict[str, Any], str, str | None]] = [
    # criterion, answers, outcome, date of a wait
    ("I1", {"consent": "helper"}, NO, None),
    ("I1", {"consent": "not_here"}, REVIEW, None),
    ("I2", {"knee": "none"}, OUT, None),
    ("I2", {"diagnosis": "no"}, REVIEW, None),
    ("I2", {"diagnosis": "not_sure"}, REVIEW, None),
    ("I2", {"how_long": "under_a_year"}, NO, None),
    ("I2", {"how_long": "not_sure"}, REVIEW, None),
    ("I2", {"how_long": "less", "knee_start": "2026-06-01"}, WAIT, "2026-12-02"),
    ("I2", {"how_long": "less", "knee_start": "2026-05-22"}, WAIT, "2026-11-23"),  # six months, not more
    ("I2", {"how_long": "less", "knee_start": "2026-05-21"}, NO, None),  # more than six months
    ("I2", {"how_long": "about_half", "knee_start": "2026-05"}, REVIEW, None),
    ("I2", {"how_long": "about_half", "knee_start": "not_sure"}, REVIEW, None),
    ("I3", {"birth": "1986-11-22", "sex": "man"}, NO, None),  # 40 today
    ("I3", {"birth": "1986-11-23"}, WAIT, "2026-11-23"),  # 40 tomorrow
    ("I3", {"birth": "1987-11-22"}, WAIT, "2027-11-22"),  # 39 today: within twelve months
    ("I3", {"birth": "1987-11-23"}, OUT, None),
    ("I3", {"birth": "1950-11-22"}, OUT, None),  # 76 today
    ("I3", {"birth": "1950-11-23"}, NO, None),  # 75 until tomorrow
    ("I3", {"birth": "1986"}, REVIEW, None),  # the year leaves it open
    ("I3", {"birth": "1950"}, REVIEW, None),
    ("I3", {"birth": "1951"}, NO, None),
    ("I3", {"birth": "not_sure"}, REVIEW, None),
    ("I3", {"birth": "1988-02-29"}, OUT, None),
    ("I4", {"past_week": "none"}, REVIEW, None),
    ("I4", {"past_week": "worst"}, REVIEW, None),
    ("I4", {"past_week": "not_sure"}, NO, None),
    ("I5", {"xray": "low"}, REVIEW, None),
    ("I5", {"xray": "two"}, NO, None),
    ("I5", {"xray": "three", "xray_other": "two"}, NO, None),
    ("E25", {"xray": "four"}, OUT, None),
    ("E25", {"xray": "three", "xray_other": "four"}, OUT, None),
    ("E25", {"xray": "bone_on_bone"}, REVIEW, None),
    ("E25", {"xray": "three_four"}, REVIEW, None),
    ("E25", {"xray": "other_report"}, REVIEW, None),
    ("I6", {"walking_aid": "now_and_then"}, REVIEW, None),
    ("I6", {"walking_aid": "for_now"}, REVIEW, None),
    ("I6", {"walking_aid": "most_days"}, OUT, None),
    ("E1", {"health_now": ["reaction"]}, REVIEW, None),
    ("E2", {"ever": ["stem_cells"], "stem_kind": "stem"}, OUT, None),
    ("E2", {"ever": ["stem_cells"], "stem_kind": "related"}, REVIEW, None),
    ("E2", {"ever": ["stem_cells"], "stem_kind": "transplant"}, REVIEW, None),
    ("E2", {"ever": ["stem_cells"], "stem_kind": "not_sure"}, REVIEW, None),
    ("E2", {"half_year": ["shot"], "shot_kind": "stem"}, OUT, None),
    ("E3", {"height": {"cm": 160}, "weight": {"kg": "71.67"}}, NO, None),
    ("E3", {"height": {"cm": 160}, "weight": {"kg": "71.68"}}, REVIEW, None),  # exactly 28
    ("E3", {"height": {"cm": 160}, "weight": {"kg": "76.79"}}, REVIEW, None),
    ("E3", {"height": {"cm": 160}, "weight": {"kg": "76.8"}}, OUT, None),  # exactly 30; a float says 29.99...
    ("E3", {"weight": "not_sure"}, REVIEW, None),
    ("E5", {"health_now": ["pain"]}, REVIEW, None),
    ("E6", {"health_now": ["illness"]}, REVIEW, None),
    ("E11", {"health_now": ["bleeding"]}, REVIEW, None),
    ("E11", {"health_now": "not_sure"}, REVIEW, None),
    ("E7", {"ever": ["cancer"], "cancer_kind": "cancer"}, OUT, None),
    ("E7", {"ever": ["cancer"], "cancer_kind": "early"}, REVIEW, None),
    ("E7", {"ever": ["cancer"], "cancer_kind": "benign"}, NO, None),
    ("E7", {"ever": "not_sure"}, REVIEW, None),
    ("E8", {"joints": ["rheumatoid"], "joint_sure/rheumatoid": "yes"}, OUT, None),
    ("E8", {"joints": ["rheumatoid"], "joint_sure/rheumatoid": "no"}, REVIEW, None),
    ("E8", {"joints": ["rheumatoid"], "joint_sure/rheumatoid": "not_sure"}, REVIEW, None),
    ("E8", {"joints": ["gout"]}, REVIEW, None),
    ("E8", {"joints": ["cartilage"]}, REVIEW, None),
    ("E8", {"joints": ["infection"]}, REVIEW, None),
    ("E9", {"half_year": ["infection"], "infection_end": "2026-11-01"}, WAIT, "2027-02-01"),
    ("E9", {"half_year": ["infection"], "infection_end": "not_over"}, WAIT, None),
    ("E9", {"half_year": ["infection"], "infection_end": "mild"}, NO, None),
    ("E9", {"half_year": ["infection"], "infection_end": "unclear"}, REVIEW, None),
    ("E12", {"half_year": ["operation"], "operation_date": "2026-08-31"}, WAIT, "2027-02-28"),
    ("E12", {"half_year": ["operation"], "operation_date": "2026-05-22"}, NO, None),  # equality is over
    ("E12", {"half_year": ["operation"], "operation_date": "2026-05"}, REVIEW, None),
    ("E12", {"half_year": ["operation"], "operation_date": "planned"}, REVIEW, None),
    ("E13", {**SHOT, "shot_date": "2026-11-14"}, WAIT, "2027-02-14"),
    ("E13", {**SHOT, "shot_date": "2026-08-22"}, NO, None),
    ("E13", {**SHOT, "shot_date": {"from": "2026-08-01", "to": "2026-08-31"}}, REVIEW, None),
    ("E13", {**SHOT, "shot_date": "2026-10"}, WAIT, "2027-01-31"),
    ("E13", {**SHOT, "shot_date": "not_sure"}, REVIEW, None),
    ("E13", {**SHOT, "shot_date": "planned"}, REVIEW, None),
    ("E13", {"half_year": ["shot"], "shot_kind": "none"}, NO, None),
    ("E13", {"half_year": ["shot"], "shot_kind": "near"}, REVIEW, None),
    ("E13", {"half_year": ["shot"], "shot_kind": "not_sure", "shot_date": "2026-08-01"}, NO, None),
    ("E13", {"half_year": "not_sure"}, REVIEW, None),
    ("E14", {"two_months": ["supplement"], "supplement_kind": "yes", "supplement_last": "2026-11-10"}, WAIT, "2026-12-10"),
    ("E14", {"two_months": ["supplement"], "supplement_kind": "yes", "supplement_last": "still"}, REVIEW, None),
    ("E14", {"two_months": ["supplement"], "supplement_kind": "not_sure", "supplement_last": "2026-11-10"}, REVIEW, None),
    ("E14", {"two_months": ["supplement"], "supplement_kind": "not_sure", "supplement_last": "2026-10-01"}, NO, None),
    ("E14", {"two_months": ["supplement"], "supplement_kind": "other"}, NO, None),
    ("E15", {"two_months": ["steroid"], "steroid_last": "2026-10-31"}, WAIT, "2026-11-30"),
    ("E15", {"two_months": ["steroid"], "steroid_last": "still"}, WAIT, None),
    ("E15", {"two_months": ["steroid"], "steroid_last": "elsewhere"}, REVIEW, None),
    ("E16", {"two_months": ["vaccine"], "vaccine_kind": "live", "vaccine_date": "2026-11-20"}, WAIT, "2026-12-20"),
    ("E16", {"two_months": ["vaccine"], "vaccine_kind": "flu"}, NO, None),
    ("E16", {"two_months": ["vaccine"], "vaccine_kind": "not_sure", "vaccine_date": "2026-11-20"}, REVIEW, None),
    ("E16", {"two_months": ["vaccine"], "vaccine_kind": "not_sure", "vaccine_date": "2026-10-10"}, NO, None),
    ("E17", {"ever": ["artificial_knee"]}, OUT, None),
    ("E17", {"plans_older": ["new_knee"], "new_knee_date": "date"}, OUT, None),
    ("E17", {"plans_older": ["new_knee"], "new_knee_date": "waiting"}, REVIEW, None),
    ("E17", {"plans_older": ["new_knee"], "new_knee_date": "thinking"}, REVIEW, None),
    ("E18", {"mri": "not_sure"}, REVIEW, None),
    ("E18", {"mri": ["heart_part"], "mri_heart_part": "stent"}, OUT, None),
    ("E18", {"mri": ["heart_part"], "mri_heart_part": "out"}, NO, None),
    ("E18", {"mri": ["heart_device"], "mri_heart_device": "out"}, REVIEW, None),
    ("E18", {"mri": ["heart_device"], "mri_heart_device": "not_sure"}, REVIEW, None),
    ("E18", {"mri": ["other"], "mri_other": "there"}, REVIEW, None),
    ("E18", {"mri": ["other"], "mri_other": "out"}, NO, None),
    ("E18", {"mri": ["narrow"], "mri_narrow": "uneasy"}, NO, None),
    ("E18", {"mri": ["narrow"], "mri_narrow": "no"}, REVIEW, None),
    ("E18", {"mri": ["ear"], "mri_ear": "outside"}, NO, None),
    ("E21", {"half_year": ["study"], "study_end": "2026-09-30"}, WAIT, "2026-12-30"),
    ("E21", {"half_year": ["study"], "study_end": "still"}, WAIT, None),
    ("E21", {"half_year": ["study"], "study_end": "unclear"}, REVIEW, None),
    ("E22", {"birth": "1980-01-01", "sex": "woman", "plans_woman": ["pregnant"]}, WAIT, None),
    ("E22", {"birth": "1980-01-01", "sex": "woman", "plans_woman": ["maybe_pregnant"]}, REVIEW, None),
    ("E22", {"birth": "1980-01-01", "sex": "rather_not", "plans_woman": ["breastfeeding"]}, WAIT, None),
    ("E22", {"birth": "1980-01-01", "plans_man": ["donate"]}, WAIT, None),
    ("E22", {"plans_older": ["baby"]}, WAIT, None),
    ("E22", {"plans_older": "not_sure"}, REVIEW, None),
    ("E24", {"visits": "no"}, REVIEW, None),
    ("E24", {"visits": "not_sure"}, REVIEW, None),
    ("PRIVATE_TALK", {"private": "talk"}, REVIEW, None),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "answers", "outcome", "until"), CASES)
def test_what_an_answer_does(
    flow: Flow, criterion: str, answers: dict[str, Any], outcome: str, until: str | None
) -> None:
    told = result(flow, **answers)
    assert told["outcome"] == outcome
    assert told["eligible_from"] == until
    if outcome != NO:
        assert criterion in {flag["criterion"] for flag in told["flags"]}


SYMMETRIC: list[tuple[dict[str, Any], dict[str, Any], str, str | None]] = [
    ({**SHOT, "shot_date": "2026-11-14"}, {"weight": {"kg": 120}}, OUT, None),
    ({**SHOT, "shot_date": "2026-11-14"}, {"two_months": ["steroid"], "steroid_last": "2026-11-20"}, WAIT, "2027-02-14"),
    ({**SHOT, "shot_date": "2026-11-14"}, {"two_months": ["steroid"], "steroid_last": "still"}, WAIT, None),
    ({**SHOT, "shot_date": "2026-11-14"}, {"visits": "no"}, WAIT, "2027-02-14"),
    ({"visits": "no"}, {"xray": "two"}, REVIEW, None),
    ({"walking_aid": "most_days"}, {"visits": "no"}, OUT, None),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "outcome", "until"), SYMMETRIC)
def test_two_reasons_at_once(
    flow: Flow, one: dict[str, Any], other: dict[str, Any], outcome: str, until: str | None
) -> None:
    for answers in ({**one, **other}, {**other, **one}):
        told = result(flow, **answers)
        assert (told["outcome"], told["eligible_from"]) == (outcome, until)


def test_several_waits_take_the_latest_and_keep_their_flags(flow: Flow) -> None:
    told = result(
        flow,
        half_year=["operation", "shot", "infection", "study"],
        operation_date="2026-10-31",
        shot_kind="blood",
        shot_date="2026-11-20",
        infection_end="2026-09-01",
        study_end="2026-09-30",
        visits="not_sure",
    )
    assert told["eligible_from"] == "2027-04-30"
    assert {reason["criterion"] for reason in told["reasons"]} == {"E9", "E12", "E13", "E21"}
    assert "E24" in {flag["criterion"] for flag in told["flags"]}


@pytest.mark.parametrize(
    ("birth", "noted"), [("1950-12-22", "2026-12-22"), ("1950-12-23", None), ("1950-11-23", "2026-11-23")]
)
def test_staff_see_an_age_limit_that_is_near(flow: Flow, birth: str, noted: str | None) -> None:
    """75 with the 76th birthday inside 30 days is OK, with a note; it never makes a review of it."""
    told = result(flow, birth=birth)
    assert told["outcome"] == NO
    assert [flag["note"] for flag in told["flags"]] == (["Age limit on {date}"] if noted else [])


def test_open_questions_give_no_outcome(flow: Flow) -> None:
    answers = {key: FINE[key] for key in list(FINE)[:10]}
    told = screen_person(flow, {"date": TODAY, "answers": answers})
    assert told["outcome"] is None
    assert told["open_step"] == "joints"


def test_stopping_at_the_private_card_gives_no_outcome(flow: Flow) -> None:
    assert result(flow, private="stop")["outcome"] is None


def test_answers_off_the_path_do_not_count(flow: Flow) -> None:
    """The date of a shot that was taken back is kept, and no longer weighs."""
    told = result(flow, half_year=[], shot_kind="gel", shot_date="2026-11-14")
    assert told["outcome"] == NO
    assert {"shot_kind", "shot_date"} <= set(told["not_counted"])


@pytest.mark.parametrize(
    ("event", "over"),
    [
        ("2026-08-31", "2027-02-28"),
        ("2027-08-31", "2028-02-29"),
        ("2026-10-31", "2027-04-30"),
        ("2028-02-29", "2028-08-29"),
    ],
)
def test_six_calendar_months_are_clipped_to_the_end_of_the_month(flow: Flow, event: str, over: str) -> None:
    answers = {"half_year": ["operation"], "operation_date": event}
    day = date.fromisoformat(event).isoformat()
    assert result(flow, on=day, **answers, birth="1964-05-01")["eligible_from"] == over
    the_day_before = date.fromordinal(date.fromisoformat(over).toordinal() - 1).isoformat()
    assert result(flow, on=the_day_before, **answers)["outcome"] == WAIT
    assert result(flow, on=over, **answers)["outcome"] == NO


def test_permanent_reasons_stop_the_questions_and_waits_do_not(flow: Flow) -> None:
    for answers, reached in (
        ({"walking_aid": "most_days"}, "mri"),
        ({"half_year": ["shot"], "shot_kind": "gel", "shot_date": "2026-11-20"}, None),
    ):
        told = result(flow, **answers)
        assert (reached in told["not_counted"]) if reached else "two_months" not in told["not_counted"]
