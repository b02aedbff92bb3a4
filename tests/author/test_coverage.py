"""All 31 lines of the listing, in its own words and order, each asked or left to the site with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.author.coverage import as_text, coverage, said, steps
from flows.flow import Flow
from flows.rules import Either, Maybe, Not, OutcomeIs

LISTING = [
    line.split(" ", 1) for line in Path(__file__).with_name("listing.txt").read_text(encoding="utf-8").splitlines()
]
"""The words of the page, copied once; ids count its lines."""

LEFT_TO_THE_SITE = {"E4", "E19", "E20", "E23"}
NEVER_ASKED = re.compile(
    r"\b(hiv|hbv|hcv|hepatitis|syphilis|treponema|alcohol\w*|drunk|drugs|addict\w*|mental\w*|psych\w*|depress\w*"
    r"|disab\w*)\b",
    re.IGNORECASE,
)
"""What section 6 of the reading leaves to the private-topics card."""


def plain(text: str) -> str:
    """Without spaces and without the mark at the end, which is all that may differ."""
    return re.sub(r"\s+", "", text).rstrip(";.")


def test_every_line_of_the_listing_is_there_in_its_own_words(flow: Flow) -> None:
    rows = coverage(flow)
    assert [row["criterion"] for row in rows] == [name for name, _ in LISTING]
    assert len(rows) == 31
    for row, (name, words) in zip(rows, LISTING, strict=True):
        assert plain(row["listing"]) == plain(words), name


def test_every_line_is_asked_or_left_to_the_site_with_a_reason(flow: Flow) -> None:
    for row in coverage(flow):
        if row["criterion"] in LEFT_TO_THE_SITE:
            assert row["handled"] == "site" and row["why"] and row["left_to_site"] and not row["asked_in"]
        else:
            assert row["handled"] == "asked" and row["asked_in"] and row["decided_by"], row["criterion"]
            assert all(step in flow.index for step in row["asked_in"])


@pytest.mark.parametrize(
    ("criterion", "step"),
    [("I1", "consent"), ("I2", "knee"), ("I2", "diagnosis"), ("I2", "how_long"), ("I3", "birth"), ("I4", "past_week"),
     ("I5", "xray"), ("I6", "walking_aid"), ("E1", "health_now"), ("E2", "ever"), ("E3", "height"), ("E3", "weight"),
     ("E5", "health_now"), ("E6", "health_now"), ("E7", "ever"), ("E8", "joints"), ("E9", "infection_end"),
     ("E10", "health_now"), ("E11", "health_now"), ("E12", "operation_date"), ("E13", "shot_date"),
     ("E14", "supplement_last"), ("E15", "steroid_last"), ("E16", "vaccine_date"), ("E17", "ever"),
     ("E17", "new_knee_date"), ("E18", "mri"), ("E21", "study_end"), ("E22", "plans_woman"), ("E22", "plans_man"),
     ("E22", "plans_older"), ("E24", "visits"), ("E25", "xray")],
)  # fmt: skip
def test_a_criterion_is_decided_where_the_reading_says(flow: Flow, criterion: str, step: str) -> None:
    row = next(row for row in coverage(flow) if row["criterion"] == criterion)
    assert step in row["asked_in"]


def test_what_may_not_be_asked_is_asked_nowhere(flow: Flow) -> None:
    """Neither in a question nor in an answer, a help, a reason or a topic; the card names it once, and asks nothing."""
    for step in flow.steps:
        if step.id == "private":
            assert NEVER_ASKED.search(step.text)
            assert not NEVER_ASKED.search(" ".join(o.label + o.detail + o.say for o in step.options))
            continue
        texts = [step.text, step.help, step.why, step.label, step.unsure_label, step.none_label]
        texts += [text for option in step.options for text in (option.label, option.detail, option.say)]
        # "Hepatitis B" is also a vaccine that is not live: a name in a list of brands, not a question about illness.
        texts = [text.replace("tetanus, hepatitis B, HPV", "") for text in texts]
        found = [text for text in texts if NEVER_ASKED.search(text.replace("for drugs, nerves", ""))]
        assert found == [], step.id
    for criterion in flow.criteria:
        assert not NEVER_ASKED.search(criterion.topic + criterion.suggestion)


def test_the_card_stores_nothing(flow: Flow) -> None:
    card = flow.step_by_id["private"]  # type: ignore[index]
    assert [option.id for option in card.options] == ["fine", "talk", "stop"]
    assert [criterion.id for criterion in flow.deciding[card.id]] == ["PRIVATE_TALK"]
    assert "Please do not write about these here." in " ".join(card.text.split())


def test_the_text_names_every_criterion_once(flow: Flow) -> None:
    text = as_text(flow, coverage(flow))
    assert re.findall(r"^([IE]\d+)  ", text, re.MULTILINE) == [name for name, _ in LISTING]
    assert text.count("left to the site: ") == len(LEFT_TO_THE_SITE)
    assert "shot_date -> WAIT 3 months after it" in text
    assert "bmi is at least 30 -> OUT" in text
    assert "vaccine_date -> WAIT 1 month after it if vaccine_kind is live" in text
    assert "knee_start -> WAIT 6 months and 1 day after it" in text
    assert "age is below 40 -> WAIT until 40 years after birth" in text


def test_the_order_of_the_questions_is_the_readings(flow: Flow) -> None:
    """Section 4, row by row: cheap and least personal first, private matters last."""
    rows = ["consent", "birth", "knee", "diagnosis", "how_long", "past_week", "walking_aid", "mri", "ever", "joints",
            "half_year", "two_months", "height", "weight", "xray", "health_now", "sex", "plans_woman", "private",
            "visits"]  # fmt: skip
    order = [step.id for step in flow.steps if step.id in rows]
    assert order == rows


def test_every_step_as_a_machine_reads_it(flow: Flow) -> None:
    rows = steps(flow)
    assert [row["id"] for row in rows] == [step.id for step in flow.steps]
    knee = next(row for row in rows if row["id"] == "knee")
    assert knee["kind"] == "choice" and knee["options"] == ["left", "right", "both", "none"]
    assert knee["criteria"] == ["I2"] and knee["not_sure"] and knee["asked_if"] is None
    date = next(row for row in rows if row["id"] == "shot_date")
    assert date["asked_if"] == ("(half_year is shot) and (perhaps (not (shot_kind is stem or near or none)))")
    last = next(row for row in rows if row["id"] == "send")
    assert last["asked_if"] == "(offer is yes) or (offer_wait is call)"


def test_a_rule_in_words() -> None:
    rule = Either((Not(OutcomeIs(("not_now",))), Maybe(OutcomeIs(()))))
    assert said(rule) == "(not (the outcome is not_now)) or (perhaps (the outcome is none))"
