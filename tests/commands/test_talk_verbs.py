"""``chat`` from the first word to a lead, and the queue and the staff list that know of it.

The chat runs on the real clock, so what is typed here holds on any day (born in 1964, until 2040).
"""

from __future__ import annotations

from typing import Any

import pytest

from flows.answer import StepId
from flows.flow import CONTACT, Flow
from tests.commands.conftest import Prescreen
from tests.conftest import FINE, TYPED

ABOUT_ME: dict[str, str] = {
    "town": "Suzhou", "site": "Wuxi", "first_name": "Rosa", "last_name": "Vandermeer", "phone": "+34 612 34 56 78",
    "email": "rosa@example.org",
}  # fmt: skip


def lines(flow: Flow, **other: str) -> list[str]:
    """What somebody types who has nothing against: labels of the trial, in the order they are asked."""
    asked = [step for step in flow.steps if step.id not in ("offer_wait", "send_person")]
    typed = []
    for step in asked:
        own = other.get(step.id) or TYPED.get(step.id) or ABOUT_ME.get(step.id)
        if own is not None:
            typed.append(own)
        elif step.source == "languages":
            typed.append("English")
        elif step.asked_if is None or step.id in ("plans_older", "offer", "send"):
            value: Any = FINE.get(step.id, step.options[0].id if step.part != CONTACT else "first")
            if value == ():
                typed.append("None of these")
            elif value is None:
                typed.append("Not sure")
            else:
                option = step.option(value) or step.options[0]
                typed.append(step.none_label or option.label)
    return typed


def test_a_whole_conversation_becomes_a_lead(prescreen: Prescreen, flow: Flow) -> None:
    """The main job, on a terminal: from nothing to a lead that the study team can call."""
    assert prescreen("leads").out == "The queue is empty. A lead appears here when a person taps Send.\n"
    ran = prescreen("chat", typed="\n".join(lines(flow, mri="Not sure")) + "\n")
    assert ran.code == 0 and ran.err == ""
    assert flow.step_by_id[StepId("knee")].text in ran.out
    assert "Some answers need a closer look by the study team." in ran.out
    assert "Your reference is K-0001." in ran.out and "+86 510 5555 0147" in ran.out
    assert flow.ends["done"] in ran.out
    assert "Sorry" not in ran.out and "did not catch" not in ran.out

    (lead,) = prescreen("leads", "--json").json
    assert (lead["reference"], lead["status"], lead["outcome"], lead["site"]) == (
        "K-0001", "new", "needs_review", "north",
    )  # fmt: skip
    assert [flag["criterion"] for flag in lead["flags"]] == ["E18"]
    assert lead["contact"]["first_name"] == "Rosa" and lead["contact"]["phone"] == "+34612345678"
    assert lead["contact"]["email"] == "rosa@example.org" and lead["contact"]["call_days"] == []
    assert lead["locale"] == "en" and lead["helper"] is False and lead["changed"] is False

    queue = prescreen("leads").out
    assert queue.startswith("K-0001  new") and "1 to verify" in queue and "nobody yet" in queue
    assert "Rosa" not in queue
    sheet = prescreen("leads", "k-0001").out
    assert (
        "First name: Rosa" in sheet and "E18 Cannot have an MRI" in sheet and "I4 WOMAC score at the site" in sheet
    )
    assert "raised" in sheet
    assert prescreen("leads", "K-0001", "--json").json == [lead]


def test_the_numbers_of_a_list_can_be_typed(prescreen: Prescreen) -> None:
    typed = ["English", "1", "1964", "2", "1"]
    ran = prescreen("chat", typed="\n".join(typed) + "\n")
    assert "We mean the right knee." in ran.out and "When did the trouble start?" in ran.out


def test_a_chat_goes_on_where_it_stopped(prescreen: Prescreen) -> None:
    prescreen("chat", typed="English\nYes, for me\n1964\n")
    ran = prescreen("chat", typed="Go on\nLeft knee\n")
    assert "Welcome back." in ran.out and "Has a doctor said you have arthritis" in ran.out


def test_a_chat_in_another_language(prescreen: Prescreen) -> None:
    ran = prescreen("chat", "--language", "es-MX", typed="")
    assert ran.code == 0 and "Hola" in ran.out
    assert "Hello." in prescreen("chat", "--language", "xx", typed="start again\n").out or ran.out


def test_a_person_request_is_a_lead_without_health_answers(prescreen: Prescreen, flow: Flow) -> None:
    typed = ["English", "A person, please", "Yes, contact me", *ABOUT_ME.values(), "No other language", "Any day",
             "Mornings", "Send"]  # fmt: skip
    ran = prescreen("chat", typed="\n".join(typed) + "\n")
    assert "Your reference is K-0001." in ran.out
    (lead,) = prescreen("leads", "--json").json
    assert lead["outcome"] is None and lead["flags"] == [] and lead["contact"]["last_name"] == "Vandermeer"
    sheet = prescreen("leads", "K-0001").out
    assert "asked for a person" in sheet and "Verify" not in sheet and "Vandermeer" in sheet


def test_a_lead_that_is_not_there(prescreen: Prescreen) -> None:
    ran = prescreen("leads", "K-0042")
    assert (ran.code, ran.out, ran.err) == (1, "", "There is no lead K-0042.\n")
    assert prescreen("leads", "--json").json == [] and prescreen("leads", "--closed").code == 0


def test_ruled_out_ends_kindly_and_leaves_no_lead(prescreen: Prescreen, flow: Flow) -> None:
    typed = ["English", "Yes, for me", "1964", "Neither", "All correct, go on", "No, thank you"]
    ran = prescreen("chat", typed="\n".join(typed) + "\n")
    assert flow.outcomes["ruled_out"] in ran.out and flow.ends["done"] in ran.out
    assert prescreen("leads", "--json").json == []


# ---------------------------------------------------------------- staff


def test_staff_come_and_go(prescreen: Prescreen) -> None:
    assert prescreen("staff", "list").out.startswith("Nobody yet.")
    ran = prescreen("staff", "add", "Ana", "--telegram", "7000000001", "--language", "zh_Hans")
    assert ran.code == 0 and ran.out.startswith("Ana may work leads.")
    assert prescreen("staff", "add", "Li", "--telegram", "7000000002").code == 0
    listed = prescreen("staff", "list").out.splitlines()
    assert [line.split() for line in listed] == [["Ana", "7000000001", "active"], ["Li", "7000000002", "active"]]
    assert prescreen("staff", "disable", "--telegram", "7000000001").out == "Disabled.\n"
    assert "disabled" in prescreen("staff", "list").out.splitlines()[0]
    ran = prescreen("staff", "disable", "--telegram", "1")
    assert (ran.code, ran.err) == (1, "There is no member of staff with that number.\n")


def test_adding_somebody_again_gives_the_right_back(prescreen: Prescreen) -> None:
    prescreen("staff", "add", "Ana", "--telegram", "7")
    prescreen("staff", "disable", "--telegram", "7")
    assert prescreen("staff", "add", "Ana", "--telegram", "7").code == 0
    assert [line.split()[-1] for line in prescreen("staff", "list").out.splitlines()] == ["active"]


@pytest.mark.parametrize("argv", [("add", "Ana", "--telegram", "7", "--language", "fr"), ("remove",)])
def test_wrong_words_about_staff(prescreen: Prescreen, argv: tuple[str, ...]) -> None:
    assert prescreen("staff", *argv).code == 2
