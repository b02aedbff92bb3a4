"""Four separate yeses: each kept with its words, language and time; each taken back by itself, in any state."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from flows.flow import CONSENT
from tests.patient import LANGUAGES
from tests.shell.conftest import Desk, Somebody


def yeses(desk: Desk) -> list[tuple[str, bool]]:
    """Each yes in the table, and whether it holds still."""
    rows = desk.rows("SELECT kind, withdrawn_at FROM consent ORDER BY id")
    return [(kind, withdrawn is None) for kind, withdrawn in rows]


def finished(rosa: Somebody) -> Somebody:
    return rosa.starts().walks_to("check").sends()


def test_before_the_first_yes_no_answer_is_kept(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().presses("English")
    rosa.says("left knee").says("1964").says("my knee hurts since 2019")
    assert yeses(desk) == []
    steps = {step for (step,) in desk.rows("SELECT step FROM answer")}
    assert steps <= {"language", CONSENT}
    rosa.presses("Yes, for me")
    assert yeses(desk) == [("health", True)]


def test_a_no_is_no_yes_and_nothing_stays(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().presses("English").presses("No")
    assert yeses(desk) == [] and desk.one("SELECT count(*) FROM conversation") == 0


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
def test_a_yes_is_kept_with_the_words_it_was_given_to(desk: Desk, rosa: Somebody, language: str) -> None:
    rosa.starts().presses(LANGUAGES.names[language])
    flow, words = desk.deployment.library.newest("nct06570291"), LANGUAGES.patient(language)
    step = flow.step_by_id[CONSENT]
    rosa.presses(words.text(step.context, "Yes, for me"))
    kind, version, shown, locale, at = desk.rows("SELECT kind, version, hash, locale, at FROM consent")[0]
    assert (kind, version, locale) == ("health", f"{flow.name} {flow.trial.text_version}", language)
    texts = [step.text, *(text for option in step.options for text in (option.label, option.detail))]
    said = "\n".join(words.text(step.context, text) for text in texts if text)
    assert shown == hashlib.sha256(said.encode()).hexdigest() and at is not None
    other = replace(step, text=step.text + " And more.")
    assert hashlib.sha256(other.text.encode()).hexdigest() != shown


def test_each_yes_stands_for_itself(desk: Desk, rosa: Somebody) -> None:
    finished(rosa)
    assert yeses(desk) == [("health", True), ("send", True)]
    rosa.presses("Yes, tell me")
    assert yeses(desk) == [("health", True), ("send", True), ("notices", True)]


def test_the_yeses_are_in_the_audit_without_a_word_of_the_person(desk: Desk, rosa: Somebody) -> None:
    finished(rosa)
    rows = desk.rows("SELECT chain, detail FROM audit WHERE what = 'consent.given' ORDER BY id")
    tag = desk.one("SELECT tag FROM conversation")
    assert [chain for chain, _ in rows] == [f"conversation:{tag}"] * 2
    assert [detail.split()[0] for _, detail in rows] == ["health", "send"]
    assert not any(word in str(rows) for word in ("Rosa", "Example", "612", "rosa@"))


# ---------------------------------------------------------------------- taking back


@pytest.mark.slow
def test_privacy_lists_what_was_said_and_when(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().says("/privacy")
    assert "You said yes to" not in desk.sent()[-1].text
    rosa.walks_to("check").sends().presses("Yes, tell me")
    rosa.says("/privacy")
    page = desk.sent()[-1]
    for line in ("Health questions, on", "Sending your details to the study team, on", "News of other studies, on"):
        assert line in page.text
    labels = [label for row in page.rows for label, _ in row]
    assert labels == ["Go on", "Withdraw", "No more news", "Delete my answers"]


@pytest.mark.slow
def test_news_are_stopped_by_one_tap_and_by_words(desk: Desk, rosa: Somebody) -> None:
    finished(rosa).presses("Yes, tell me")
    rosa.says("/privacy").presses("No more news")
    assert "will not write to you about other studies" in desk.sent()[-1].text.replace("\n", " ")
    assert desk.one("SELECT count(*) FROM interest") == 0
    assert yeses(desk)[-1] == ("notices", False)
    rosa.says("/privacy")
    assert "You took that back on" in desk.sent()[-1].text
    assert "No more news" not in [label for row in desk.sent()[-1].rows for label, _ in row]
    rosa.says("unsubscribe")  # once more changes nothing
    assert yeses(desk)[-1] == ("notices", False)


@pytest.mark.slow
def test_a_reminder_is_taken_back(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("half_year").says("2").presses("Gel or lubricant").says("2026-11-14")
    rosa.walks_to("check").presses("All correct, go on").presses("Remind me")
    assert yeses(desk)[-1] == ("reminder", True)
    assert desk.one("SELECT remind_on FROM conversation") is not None
    rosa.says("cancel the reminder")
    assert yeses(desk)[-1] == ("reminder", False)
    assert desk.one("SELECT remind_on FROM conversation") is None


def test_withdrawing_the_request_takes_that_yes_back_alone(desk: Desk, rosa: Somebody) -> None:
    finished(rosa)
    rosa.says("withdraw").presses("Yes, withdraw")
    assert yeses(desk) == [("health", True), ("send", False)]
    assert desk.one("SELECT count(*) FROM audit WHERE what = 'consent.withdrawn'") == 1


@pytest.mark.slow
@pytest.mark.parametrize("step", ["birth", "knee", "mri", "check"])
def test_a_yes_can_be_taken_back_at_any_step(desk: Desk, rosa: Somebody, step: str) -> None:
    rosa.starts().walks_to(step)
    rosa.says("no more news").says("no reminder")
    assert rosa.step == step
    rosa.says("/privacy").presses("Delete my answers").presses("Yes, delete all")
    assert desk.one("SELECT count(*) FROM consent") == 0
    assert desk.one("SELECT count(*) FROM audit WHERE what = 'erased'") == 1


@pytest.mark.slow
def test_a_wish_for_news_keeps_its_yes_when_the_answers_go(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("No, thank you").presses("Yes, tell me")
    desk.waits(days=31)
    desk.sweeps()
    assert yeses(desk) == [("notices", True)]


def test_no_box_is_ticked_before_the_person_ticks_it(desk: Desk, rosa: Somebody) -> None:
    flow = desk.deployment.library.newest("nct06570291")
    gives = ("send", "send_person", "remind", "notices")
    asks = [one for one in flow.steps if one.id == CONSENT or any(option.does in gives for option in one.options)]
    assert len(asks) >= 4
    for step in asks:
        assert step.kind == "choice" and len(step.options) >= 2  # a choice of buttons: none of them is on
