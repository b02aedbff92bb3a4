"""Plain text, for who listens to a screen: numbered lines and words, no symbol, and every line of it can be typed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from flows import hear, speak
from flows.answer import StepId
from flows.conversation import Conversation, Life
from flows.reply import Asked, Confirmed, Gave, Reply, Sent, Signalled, Ticked
from flows.speak import MENUS, TICKS, Speech
from flows.turn import Ask, Menu
from tests.conftest import FINE, TYPED
from tests.flows.test_languages import FLOW, TAGS, every_message, standing, ways
from tests.patient import EXTRA, LANGUAGES, NOW, Patient

SYMBOL = re.compile(
    "[\u2022\u2043\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\ufe0f\u20e3\U0001f000-\U0001faff]"
)
ISOLATES = dict.fromkeys((0x2066, 0x2067, 0x2068, 0x2069))
STEPS = list(ways())


def lines(speech: Speech) -> list[str]:
    return speech.text.translate(ISOLATES).split("\n")


def asked(step: StepId, tag: str, **other: Any) -> tuple[Conversation, Speech, Speech]:
    """A question as it is said in plain text, and otherwise."""
    conversation = Conversation(FLOW.name, tag, ways()[step], step, **other)
    words = LANGUAGES.patient(tag)
    say = [Ask(step, draft=conversation.draft)]
    plain = replace(conversation, plain=True)
    return plain, speak(FLOW, plain, say, words, EXTRA)[0], speak(FLOW, conversation, say, words, EXTRA)[0]


def meaning(reply: Reply | None) -> Reply | tuple[object, object] | None:
    """What counts of a reply, however it was given."""
    return (reply.value, reply.sure) if isinstance(reply, Gave) else reply


@pytest.mark.parametrize("tag", TAGS)
def test_every_question_lists_its_answers_by_number_and_the_rest_in_words(tag: str) -> None:
    for id in STEPS:
        _, plain, usual = asked(id, tag)
        labels = [(button.label.lstrip(TICKS), button.reply) for row in usual.rows for button in row]
        said = lines(plain)
        assert not SYMBOL.search(plain.text + "".join(button.label for row in plain.rows for button in row)), id
        step = FLOW.step_by_id[id]
        options = [
            pair
            for pair in labels
            if isinstance(pair[1], Ticked) or isinstance(getattr(pair[1], "value", None), str)
        ]
        assert len(options) == len(step.options) or step.source, id
        assert plain.numbered == len(options)
        for number, (label, _) in enumerate(options, 1):
            assert any(
                line in (f"{number}. {label}",) or line.startswith(f"{number}. {label}: ") for line in said
            ), (id, label)
        for label, reply in labels:
            if (label, reply) not in options:
                assert label in said, (id, label)
        assert usual.text.replace("• ", "").translate(ISOLATES).split("\n\n")[0] in plain.text.translate(ISOLATES)
        assert [[b.reply for b in row] for row in plain.rows] == [[b.reply for b in row] for row in usual.rows]


@pytest.mark.parametrize("tag", TAGS)
def test_every_line_that_is_listed_can_be_typed(tag: str) -> None:
    """The number of an answer, or its words; and each way on by its words: it is what a tap would be."""
    words = LANGUAGES.patient(tag)
    for id in STEPS:
        conversation, speech, _ = asked(id, tag)
        number = 0
        for button in (button for row in speech.rows for button in row):
            tap = button.reply
            if isinstance(tap, Ticked):
                tap = Gave((tap.option,), step=id)
            typed = [button.label]
            if isinstance(tap, Gave) and tap.value not in (None, ()):
                typed.append(str(number := number + 1))
            for text in typed:
                heard = hear(FLOW, conversation, text, words, NOW)
                assert meaning(heard) == meaning(tap) or heard == Asked("language", getattr(tap, "value", "")), (
                    id,
                    text,
                    heard,
                )


@pytest.mark.parametrize("tag", TAGS)
def test_what_is_picked_is_told_in_words(tag: str) -> None:
    words = LANGUAGES.patient(tag)
    for id in (id for id in STEPS if FLOW.step_by_id[id].kind == "checklist"):
        options = FLOW.step_by_id[id].options[:2]
        conversation, speech, _ = asked(id, tag, draft=tuple(option.id for option in options))
        names = words.listed([words.text(FLOW.step_by_id[id].context, option.label) for option in options])
        told = words.text("say.plain_ticked", FLOW.says["plain_ticked"]).replace("{picked}", names)
        assert told in lines(speech) and not SYMBOL.search(speech.text)
        assert not speech.again  # an edit is not heard
        done = words.text("say.button_done", FLOW.says["button_done"])
        assert done in lines(speech) and hear(FLOW, conversation, done, words, NOW) == Sent(id)


@pytest.mark.parametrize("tag", TAGS)
def test_no_message_has_a_symbol(tag: str) -> None:
    """Not one: nor do what staff write and the names of people bring any in."""
    for name, speech in every_message(LANGUAGES.patient(tag), plain=True):
        shown = [speech.text, *(button.label for row in speech.rows for button in row)]
        assert not [text for text in shown if SYMBOL.search(text)], name


@pytest.mark.parametrize("tag", TAGS)
def test_every_menu_is_listed_and_can_be_typed(tag: str) -> None:
    """All but the times for a call, which are tapped."""
    words = LANGUAGES.patient(tag)
    at = StepId("visits")
    for menu in MENUS:
        life: Life = "stopped" if menu == "change" else "open"
        plain = Conversation(FLOW.name, tag, ways()[at], at, life, plain=True)
        for speech in speak(FLOW, plain, [Menu(menu)], words, EXTRA):
            for button in (button for row in speech.rows for button in row):
                assert button.label in lines(speech), (menu, button.label)
                heard, wish = hear(FLOW, plain, button.label, words, NOW), button.reply
                if isinstance(wish, Asked) and wish.what == "faq" and wish.about:
                    wish = Asked("answer", wish.about)
                if isinstance(wish, Asked) and isinstance(heard, Signalled):  # the words alone tell of danger
                    heard = Asked("unwell", heard.sign)
                assert heard == wish, (menu, button.label, heard)


@pytest.mark.parametrize("tag", TAGS)
def test_it_is_turned_on_and_off_in_words_at_every_question_and_nothing_is_lost(tag: str) -> None:
    words = LANGUAGES.patient(tag)
    ons = [
        "/plain",
        words.text("say.button_plain", "Plain text"),
        words.text("hear.plain", FLOW.heard["plain"]).split(";")[0],
    ]
    offs = ["/plain_off", words.text("say.button_plain_off", "Plain text off"),
            words.text("hear.plain_off", FLOW.heard["plain_off"]).split(";")[0]]  # fmt: skip
    for place, id in enumerate(STEPS):
        step = FLOW.step_by_id[id]
        draft = tuple(option.id for option in step.options[:2]) if step.kind == "checklist" else ()
        patient = standing(id, tag, draft=draft)
        before = patient.conversation
        for on, off in [(ons[place % 3], offs[place % 3])] * 2:
            patient.says(on)
            assert patient.conversation == replace(before, plain=True), (id, on)
            patient.says(on)
            assert patient.conversation.plain, "on is on, said twice"
            patient.says(off)
            assert patient.conversation == before, (id, off)
            usual = speak(FLOW, before, [Ask(id, draft=draft)], words, EXTRA)
            assert [speech.text for speech in patient.speeches[1:]] == [speech.text for speech in usual]


def test_it_is_in_the_help_menu_and_stays_through_a_read_back_a_language_and_the_end() -> None:
    patient = Patient(FLOW).says("help").presses("Plain text").sees("1. English\n2. Español")
    patient.says("help").sees("\nPlain text off\n").sees_not("Plain text\n")
    patient.says("1").says("1").says("1962").says("I think the left one it is")
    patient.sees("Type or tap one of these:", "\nYes\n", "No, change it")
    assert hear(FLOW, patient.conversation, "No, change it", patient.words, NOW) == Confirmed(False)
    patient.says("Yes").is_at("diagnosis").says("français").sees("Ou tapez :\nJe ne sais pas")
    patient.says("arrêter").sees("Tapez ou touchez").presses("Faire une pause")
    assert patient.conversation.plain and patient.conversation.life == "stopped"
    patient.says("/plain_off")
    assert not patient.conversation.plain


def test_a_conversation_of_an_earlier_release_is_not_plain() -> None:
    data = Conversation(FLOW.name, "en").to_json()
    del data["plain"]
    assert not Conversation.from_json(data).plain


def _others(patient: Patient) -> list[tuple[str, object]]:
    """The answers that have no number: none of them, not sure."""
    return [
        (b.label, b.reply.value)
        for b in patient.buttons
        if isinstance(b.reply, Gave) and b.reply.value in (None, ())
    ]


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "possible": ({}, "possible_match"),
    "review": ({"walking_aid": "now_and_then", "mri": ("narrow",), "mri_narrow": "no"}, "needs_review"),
    "wait": ({"half_year": ("study",), "study_end": "still"}, "not_now"),
    "out": ({"ever": ("artificial_knee",)}, "ruled_out"),
}


@pytest.mark.parametrize("tag", [TAGS[0], *(pytest.param(tag, marks=pytest.mark.slow) for tag in TAGS[1:])])
@pytest.mark.parametrize("case", CASES)
def test_who_types_numbers_only_gets_the_verdict_of_who_taps(case: str, tag: str) -> None:
    """Whatever has a number is typed by it; what has none, a date or a town, is typed as it is."""
    other, outcome = CASES[case]
    values = {**FINE, **TYPED, **other}
    typing, tapping = Patient(FLOW, tag).says("/plain"), Patient(FLOW, tag)
    tags = list(LANGUAGES.patient(tag).languages)
    typing.says(str(tags.index(tag) + 1)).is_at("consent")
    tapping.answers(tag)
    while typing.conversation.step != "check":
        step = FLOW.step_by_id[StepId(str(typing.conversation.step))]
        assert tapping.conversation.step == step.id
        assert typing.speeches[-1].numbered == len(step.options)
        value = values[step.id]
        picks = [
            str(n)
            for n, option in enumerate(step.options, 1)
            if option.id in (value if isinstance(value, tuple) else (value,))
        ]
        named = [label for label in _others(typing) if label[1] == value]
        text = ", ".join(picks) or (named[0][0] if value in (None, ()) else str(value))
        typing.says(text)
        assert step.id in typing.conversation.answers, (step.id, text, typing.text)
        tapping.answers(typing.conversation.answers[step.id].value if step.kind in ("date", "measure") else value)
    assert typing.says("1").verdict == tapping.answers("right").verdict
    assert typing.verdict.outcome == outcome
