"""Words instead of taps: certain is taken, probable is read back, and a denial is never heard as a yes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.patient import Patient

At = Callable[..., Patient]

TAKEN = [
    ("en", "consent", "yes", "me"), ("en", "consent", "Yes for me", "me"), ("en", "consent", "ok", "me"),
    ("en", "consent", "4", "no"), ("en", "knee", "LEFT KNEE!", "left"), ("en", "knee", "２", "right"), ("en", "knee", "both", "both"),
    ("en", "diagnosis", "yep", "yes"), ("en", "diagnosis", "nope", "no"), ("en", "walking_aid", "nope", "no"),
    ("en", "past_week", "none", "none"), ("en", "mri", "none of them", ()), ("en", "mri", "no", ()),
    ("en", "mri", "Metal in the eye, gout", None), ("en", "xray", "2", "two"), ("en", "xray", "1", "low"),
    ("en", "private", "go on", "fine"), ("en", "private", "yes", "fine"),
    ("es", "consent", "sí", "me"), ("es", "knee", "la 1", None), ("es", "diagnosis", "Sí, claro", None),
    ("zh_Hans", "consent", "好的", "me"), ("zh_Hans", "diagnosis", "是的。", "yes"), ("zh_Hans", "mri", "都没有", ()),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "step", "text", "value"), [case for case in TAKEN if case[3] is not None])
def test_certain_words_are_taken(at: At, locale: str, step: str, text: str, value: object) -> None:
    patient = at(step, locale=locale).says(text)
    assert patient.conversation.answers[step].value == value  # type: ignore[index]


READ_BACK = [
    ("en", "knee", "left", "left"), ("en", "knee", "it is my right knee", "right"),
    ("en", "how_long", "over a year", "over_a_year"), ("en", "diagnosis", "yes, last year", "yes"),
    ("en", "mri", "I have a pacemaker", ("heart_device",)), ("en", "mri", "a cochlear thing in the ear", None),
    ("en", "ever", "I had cancer once", ("cancer",)), ("en", "half_year", "knee shot", None),
    ("en", "two_months", "prednisone", ("steroid",)), ("en", "walking_aid", "crutches", "most_days"),
    ("zh_Hans", "knee", "是左膝", "left"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "step", "text", "value"), [case for case in READ_BACK if case[3] is not None])
def test_probable_words_are_read_back(at: At, locale: str, step: str, text: str, value: object) -> None:
    patient = at(step, locale=locale).says(text).is_at(step)
    assert patient.conversation.pending is not None and patient.conversation.pending.value == value


NOT_HEARD = [
    ("en", "mri", "no pacemaker"), ("en", "ever", "never had cancer"), ("en", "two_months", "not prednisone"),
    ("en", "knee", "knee"), ("en", "mri", "hello"), ("en", "half_year", "1, 9"), ("en", "diagnosis", "my sister does"),
    ("en", "walking_aid", "how are you"), ("en", "half_year", "a knee operation, and something else"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "step", "text"), NOT_HEARD)
def test_what_is_not_clear_is_asked_again(at: At, locale: str, step: str, text: str) -> None:
    patient = at(step, locale=locale)
    before = patient.conversation.answers
    patient.says(text).is_at(step)
    assert patient.conversation.answers == before and patient.conversation.pending is None


@pytest.mark.parametrize("text", ["not sure", "no idea", "I don't know", "maybe", "?"])
def test_not_sure_has_many_words(at: At, text: str) -> None:
    patient = at("diagnosis").says(text)
    assert patient.conversation.answers["diagnosis"].value is None  # type: ignore[index]


@pytest.mark.parametrize("text", ["/back", "back", "Back", "go back", "/back@our_bot"])
def test_a_wish_is_heard_at_any_step(at: At, text: str) -> None:
    at("walking_aid").says(text).is_at("past_week")


@pytest.mark.parametrize("text", ["/unknown", "/drop table"])
def test_an_unknown_command_is_nobodys_town(at: At, text: str) -> None:
    at("check").presses("All correct, go on").presses("Yes, contact me").says(text).is_at("town")


def test_a_long_question_is_not_repeated_in_full(at: At) -> None:
    at("consent").says("what?").sees("May we ask you").sees_not("not a doctor")


ASKED = [
    ("en", "mri", "How much do I get paid?", "paid"), ("en", "birth", "is it safe", "safe"),
    ("en", "town", "what does it cost?", "paid"), ("es", "mri", "¿cuánto dura?", "how_long"),
    ("zh_Hans", "mri", "这个安全吗？", "safe"), ("en", "knee", "can my dog come too?", ""),
    ("es", "knee", "¿puedo ir con mi hija?", ""), ("zh_Hans", "knee", "我能不能带女儿来", ""),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "step", "text", "about"), ASKED)
def test_a_question_of_theirs_is_answered_or_offered_to_a_person_and_the_step_comes_again(
    at: At, locale: str, step: str, text: str, about: str
) -> None:
    patient = at(step, locale=locale, offer="yes", check="right")
    before = patient.conversation.answers
    patient.says(text).is_at(step)
    assert patient.conversation.answers == before
    words, answers = patient.words, {question.id: question.answer for question in patient.flow.faq}
    if about:
        patient.sees(words.text(f"faq.{about}", answers[about]))
    else:
        patient.sees(words.text("say.question", patient.flow.says["question"]))
        assert words.text("say.button_person", "A person, please") in [button.label for button in patient.buttons]


def test_a_number_of_thirty_digits_is_no_weight(at: At) -> None:
    """It used to be read back, and could not be said."""
    at("weight").says("9" * 30).is_at("weight").sees_not("999")
