"""Every trial file, the real one included: valid ones can be served and hold what every trial must hold,
invalid ones have the one problem that their first line names."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from bot.library import load
from flows.answer import Answer, StepId
from flows.author.check import check
from flows.author.walk import walk, ways_to
from flows.bidi import isolated
from flows.conversation import Conversation
from flows.flow import OUTCOMES, Flow, Step
from flows.machine import machine_of, place
from flows.reply import Asked
from tests.definitions.loading import HERE, INVALID, VALID, flow_of, parsed, text_of
from tests.patient import LANGUAGES, Patient

DAY = date(2026, 11, 22)
EVERY = [*VALID, *load().flows]
"""The tiny trials and all that are served."""
LABEL = 22


@cache
def trial(name: str) -> Flow:
    return load().flow(name) if "/" in name else flow_of(name)


@cache
def ways(name: str) -> dict[StepId, dict[StepId, Answer]]:
    return ways_to(trial(name), DAY)


def standing(flow: Flow, step: Step, answers: dict[StepId, Answer], locale: str = "en") -> Patient:
    """Somebody for whom this question is open and on the screen."""
    patient = Patient(flow, locale)
    patient.conversation = Conversation(flow.name, locale, answers, step.id)
    return patient.replies(Asked("resume")).is_at(step.id)


def everywhere(name: str, locale: str = "en") -> list[tuple[Step, Patient]]:
    """A person at each step; the frame's own are the same for all trials, and are seen once, with the real one."""
    flow = trial(name)
    steps = [(flow.step_by_id[step], way) for step, way in ways(name).items()]
    own = [(step, way) for step, way in steps if step.trial != "frame" or "/" in name]
    return [(step, standing(flow, step, way, locale)) for step, way in own]


# ---------------------------------------------------------------- invalid


def test_there_are_enough_mistakes() -> None:
    assert len(INVALID) >= 80


@pytest.mark.parametrize("name", INVALID)
def test_a_mistake_is_named_with_its_place(name: str) -> None:
    """Exactly one problem: the mistake itself, not what follows from it."""
    text = text_of(HERE / "invalid" / f"{name}.toml")
    place, _, piece = text.splitlines()[0].removeprefix("# ").partition(" | ")
    flow = parsed(name, text)
    problems = check(flow, f"{name}.toml") if isinstance(flow, Flow) else flow
    assert [problem.place for problem in problems] == [place]
    assert problems[0].file == f"{name}.toml"
    assert piece in f"{problems[0].what} {problems[0].remedy}"
    assert problems[0].remedy.endswith((".", "?"))


# ---------------------------------------------------------------- valid


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_wrong(name: str) -> None:
    assert check(trial(name), name) == []


@pytest.mark.parametrize("name", EVERY)
def test_the_machine_compiles_and_every_path_ends(name: str) -> None:
    flow = trial(name)
    assert set(machine_of(flow).states) >= {*flow.index, *flow.ends}
    report = walk(flow, DAY)
    assert report["never_reached"] == []
    assert set(report["paths"]) <= {*OUTCOMES, *flow.ends}
    assert set(ways(name)) == {step.id for step in flow.steps} - _never_asked(flow, set(report["paths"]))


def _never_asked(flow: Flow, outcomes: set[str]) -> set[StepId]:
    return set() if "not_now" in outcomes else {StepId("offer_wait")}


@pytest.mark.parametrize("name", EVERY)
def test_nothing_about_health_is_asked_before_consent(name: str) -> None:
    flow = trial(name)
    for step, answers in ways(name).items():
        if flow.step_by_id[step].trial != "frame":
            assert answers[StepId("consent")].value in ("me", "helper", "not_here"), step


@pytest.mark.parametrize("name", EVERY)
def test_every_question_has_a_reason_and_doubt_is_an_answer(name: str) -> None:
    flow = trial(name)
    for step, patient in everywhere(name):
        assert 0 < len(step.why) <= 200, step.id
        decides = any(criterion.listed for criterion in flow.deciding[step.id])
        if step.trial != "frame" and decides:
            assert step.unsure, step.id
            assert patient.answers(None).conversation.answers[step.id].value is None


@pytest.mark.parametrize("locale", LANGUAGES.names)
@pytest.mark.parametrize("name", EVERY)
def test_no_label_is_longer_than_a_phone_is_wide(name: str, locale: str) -> None:
    if "/" in name or locale == "en":  # the tiny ones are not translated
        for step, patient in everywhere(name, locale):
            for button in patient.buttons:
                assert len(button.label.lstrip("☐☑ ")) <= LABEL, (step.id, button.label)


NONSENSE = ("", " ", "🙂🙂🙂", "\u200b\u202e", "x" * 10_000, "</b>{site}{0}%s", "¯\\_(ツ)_/¯", "\n\n")


@pytest.mark.parametrize("name", EVERY)
def test_nonsense_is_answered_at_every_step(name: str) -> None:
    """Never silence, never a stack: the question stays open, unless the words can be an answer."""
    for step, patient in everywhere(name):
        asked = patient.conversation
        for nonsense in NONSENSE:
            patient.conversation = asked
            patient.says(nonsense)
            assert patient.text.strip(), (step.id, nonsense)
            assert patient.conversation.life == "open"
            if step.kind not in ("text", "number"):
                assert patient.conversation.step == step.id, (step.id, nonsense)
                assert step.id not in patient.conversation.answers


@pytest.mark.parametrize("name", EVERY)
def test_every_wish_works_at_every_step(name: str) -> None:
    for step, patient in everywhere(name):
        asked = patient.conversation
        for wish in ("help", "why", "pictures", "language", "faq", "privacy", "stop", "delete", "person"):
            patient.conversation = asked
            patient.says(wish)
            assert patient.text.strip(), (step.id, wish)
            assert patient.conversation == asked, (step.id, wish)
        patient.says("stop").presses("Stop for now")
        assert patient.conversation.life == "stopped" and patient.conversation.answers == asked.answers
        patient.presses("Go on").is_at(step.id)
        patient.says("why").sees(step.why)
        patient.says("language").presses("English").is_at(step.id if step.source != "languages" else "consent")
        patient.conversation = asked
        patient.says("faq").presses("What is a trial?").presses("Go on").is_at(step.id)
        patient.says("delete").presses("Yes, delete all")
        assert patient.conversation.life == "deleted"


@pytest.mark.parametrize("locale", LANGUAGES.names)
@pytest.mark.parametrize("name", EVERY)
def test_pictures_are_shown_and_the_question_comes_again(name: str, locale: str) -> None:
    """At each question that has some, by its button; the words of each go with it, and nothing is answered."""
    flow, words = trial(name), LANGUAGES.patient(locale)
    label = words.text("say.button_pictures", flow.says["button_pictures"])
    for step, patient in everywhere(name, locale):
        asked = patient.conversation
        assert (label in [button.label for button in patient.buttons]) is bool(step.pictures), step.id
        if step.pictures:
            patient.presses(label)
            *shown, question = patient.speeches
            slug = flow.trial.slug
            assert [speech.picture for speech in shown] == [f"{slug}/{picture}" for picture in step.pictures]
            for picture, speech in zip(step.pictures, shown, strict=True):
                said = words.text(f"{slug}.picture.{picture}", flow.pictures[picture])
                assert speech.text == (isolated(said) if words.right_to_left else said)
                assert speech.rows == () and speech.text.strip()
            assert question.step == step.id and not question.picture
            assert patient.conversation == asked


@pytest.mark.parametrize("name", EVERY)
def test_a_person_can_be_asked_for_at_every_step(name: str) -> None:
    flow = trial(name)
    for step, patient in everywhere(name):
        patient.says("person").presses("Yes, contact me")
        here = flow.step_by_id[StepId(str(patient.conversation.step))]
        assert here.part == "contact" or here.id in ("send_person", "send", step.id), step.id
        assert patient.text.strip()


@pytest.mark.parametrize("name", EVERY)
def test_back_opens_the_question_before(name: str) -> None:
    for step, patient in everywhere(name):
        before = [key for key in patient.conversation.answers if key != "person"]
        patient.says("back")
        if not before:
            patient.is_at(step.id).sees("There is nothing before it.")
        elif before[-1] in ("send", "send_person"):
            patient.is_at(step.id).sees("has been sent already")
        else:
            patient.is_at(before[-1])


def test_a_question_for_each_pick_keeps_its_own_condition() -> None:
    """Asked for the pick, and only if its own condition holds too."""
    text = text_of(HERE / "valid" / "each.toml").replace(
        'each = { of = "illness"', 'asked_if = { step = "consent", is = "me" }\neach = { of = "illness"'
    )
    flow = flow_of("each_of_my_own", text)
    picked = {"language": "en", "illness": ("asthma",)}
    for who, step in (("me", "treated/asthma"), ("helper", "check")):
        answers = {StepId(key): Answer(value, DAY) for key, value in {**picked, "consent": who}.items()}
        assert place(flow, answers).step == step
