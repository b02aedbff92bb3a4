"""What holds in every dialogue: random people who answer, go back, change, babble and switch languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transitions import Event

from bot.library import load
from flows import advance, hear, machine, place, screen, speak, start
from flows.answer import Answer, Span, StepId, Value
from flows.conversation import Conversation
from flows.flow import CHECK, NOT_SURE, PERSON, Flow, Step
from flows.reply import (
    COMMANDS_AND_TAPS,
    Asked,
    Bare,
    Confirmed,
    Garbled,
    Gave,
    Narrowed,
    Reply,
    Sent,
    Signalled,
    Ticked,
)
from flows.screening import weigh
from flows.turn import LeadRaised
from tests.patient import EXTRA, LANGUAGES, NOW
from tests.sizes import PERCENT

FLOW = load().newest("nct06570291")
TODAY = date(2026, 11, 22)
ASKED = [step for step in FLOW.steps if FLOW.index[step.id] < FLOW.index[CHECK] and not step.source]
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def many(examples: int) -> int:
    """Fewer while somebody works, all of them in ``make test``."""
    return max(5, examples * PERCENT // 100)


def days() -> st.SearchStrategy[date]:
    return st.dates(TODAY - timedelta(days=500), TODAY)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    first, last = sorted((draw(days()), draw(days())))
    return Span(first, draw(st.sampled_from([first, last])))


def values(step: Step, *, unsure: bool = True) -> st.SearchStrategy[Value]:
    """Any value that can answer the step."""
    names = [option.id for option in step.options]
    kinds: list[st.SearchStrategy[Value]] = []
    if step.kind == "checklist":
        picks = st.lists(st.sampled_from(names), unique=True)
        kinds.append(st.just(()))
        kinds.append(picks.map(lambda chosen: tuple(name for name in names if name in chosen)))
    elif names:
        kinds.append(st.sampled_from(names))
    if step.id == "birth":
        kinds.append(st.dates(date(1935, 1, 1), date(2000, 1, 1)).map(lambda day: Span(day, day)))
        kinds.append(st.integers(1935, 2000).map(lambda y: Span(date(y, 1, 1), date(y, 12, 31))))
    elif step.kind == "date":
        kinds.append(spans())
    if step.kind == "measure":
        kinds.append(st.integers(step.low or 0, step.high or 0).map(Decimal))
    if step.kind == "text":
        kinds.append(st.just("Wuxi"))
    if step.kind == "phone":
        kinds.append(st.just("+34612345678"))
    if step.kind == "email":
        kinds.append(st.just("rosa@example.org"))
    if step.source == "languages":
        kinds.append(st.sampled_from(list(LANGUAGES.names)))
    if step.source == "sites":
        kinds.append(st.sampled_from([*(site.id for site in FLOW.sites), "none"]))
    if step.unsure and unsure:
        kinds.append(st.none())
    return st.one_of(kinds)


@st.composite
def answer_sets(draw: st.DrawFn, *, likely_fine: bool = True) -> dict[StepId, Answer]:
    """Answers to every screening question, each with one chance in four of being anything at all."""
    answers = {}
    for step in ASKED:
        fine = _fine(step)
        anything = not likely_fine or draw(st.integers(0, 3)) == 0
        answers[step.id] = Answer(draw(values(step)) if anything else fine, TODAY)
    answers[StepId("consent")] = Answer("me", TODAY)
    return {FLOW.steps[0].id: Answer("en", TODAY), **answers}


def _fine(step: Step) -> Value:
    """The answer of somebody with nothing against."""
    fine: Mapping[str, Value] = {
        "birth": Span(date(1964, 5, 1), date(1964, 5, 1)), "knee": "left", "diagnosis": "yes",
        "how_long": "over_a_year", "past_week": "some", "walking_aid": "no", "xray": None, "xray_other": None,
        "sex": "man", "private": "fine", "visits": "yes", "height": Decimal(165), "weight": Decimal(65),
    }  # fmt: skip
    if step.kind == "checklist":
        return ()
    if step.id in fine:
        return fine[step.id]
    if step.kind == "date":
        return Span(date(2025, 1, 1), date(2025, 1, 1))
    return step.options[-1].id


WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["yes", "no", "not sure", "1", "2", "1, 2", "none", "back", "why", "14 nov", "1964", "165", "70 kg", "5'5",
         "3 months ago", "/help", "español", "sí", "不知道", "140斤", "my knee is hot and I have fever", "hiv", "<b>"]
    ),
)  # fmt: skip


@st.composite
def replies(draw: st.DrawFn, conversation: Conversation) -> Reply | str:
    """Something a person may do next: mostly an answer to the open question."""
    what = draw(st.integers(0, 9))
    step = FLOW.step_by_id[conversation.step] if conversation.step else draw(st.sampled_from(FLOW.steps))
    if what <= 4:
        return Gave(draw(values(step)), "as typed", draw(st.booleans()) or what < 4, step.id)
    if what == 5:
        other = draw(st.sampled_from(FLOW.steps))
        return Gave(draw(values(other)), step=other.id)
    if what == 6:
        return draw(WORDS)
    if what == 7:
        names = ["", "20261123T0130Z", *FLOW.index, *LANGUAGES.names, *(q.id for q in FLOW.faq)]
        about = draw(st.sampled_from(names))
        return Asked(draw(st.sampled_from(COMMANDS_AND_TAPS)), about)
    if what == 8 and step.options:
        option = draw(st.sampled_from(step.options)).id
        return draw(st.sampled_from([Ticked(option, step.id), Sent(step.id)]))
    return draw(
        st.sampled_from(
            [Confirmed(True), Confirmed(False), Narrowed("3"), Narrowed("31"), Narrowed("jin"), Garbled("media"),
             Garbled("unclear"), Garbled("future"), Garbled("range"), Garbled("stale"), Bare(Decimal(140), "140")]
        )
    )  # fmt: skip


@given(st.data())
@settings(RELAXED, max_examples=many(150))
def test_any_dialogue_keeps_its_place(data: st.DataObject) -> None:
    """The stored step equals the fold, every turn says something, and the person always has a way on."""
    now = NOW
    turn = start(FLOW, "en", now)
    for _ in range(40):
        conversation = Conversation.from_json(json.loads(json.dumps(turn.conversation.to_json())))
        assert conversation == turn.conversation
        if conversation.life in ("deleted", "declined"):
            break
        reply = data.draw(replies(conversation))
        now += timedelta(minutes=data.draw(st.sampled_from([0, 1, 60 * 24 * 3])))
        words = LANGUAGES.patient(conversation.locale)
        heard = hear(FLOW, conversation, reply, words, now) if isinstance(reply, str) else reply
        turn = advance(FLOW, conversation, heard, now)
        after = turn.conversation
        here = place(FLOW, after.answers)
        assert after.step == here.step
        if after.life == "open":
            assert here.step is not None
        speeches = speak(FLOW, after, turn.says, LANGUAGES.patient(after.locale), EXTRA)
        assert speeches and all(speech.text.strip() for speech in speeches)
        assert not [speech.text for speech in speeches if "{" in speech.text and "}" in speech.text]


CLOSINGS = [
    FLOW,
    *(replace(FLOW, closed=frozenset(some)) for some in (("north",), ("harbour",), ("north", "harbour"))),
]
"""The flow as it is while all sites, some or none take people."""


@given(st.data())
@settings(RELAXED, max_examples=many(60))
def test_nothing_is_ever_sent_to_a_site_that_takes_nobody(data: st.DataObject) -> None:
    """Sites close and open between any two turns; the place holds, and each turn says something."""
    fine = {StepId(step): Answer("en" if step == "language" else _fine(FLOW.step_by_id[StepId(step)]), TODAY)
            for step in ("language", *(s.id for s in ASKED))}  # fmt: skip
    fine[StepId("consent")] = Answer("me", TODAY)
    conversation = Conversation(FLOW.name, "en", fine, step=place(FLOW, fine).step)
    for _ in range(25):
        flow = data.draw(st.sampled_from(CLOSINGS))
        reply = data.draw(replies(conversation))
        words = LANGUAGES.patient(conversation.locale)
        heard = hear(flow, conversation, reply, words, NOW) if isinstance(reply, str) else reply
        turn = advance(flow, conversation, heard, NOW)
        for event in turn.events:
            assert not (isinstance(event, LeadRaised) and event.site in flow.closed)
        after = turn.conversation
        if after.life == "open" and not isinstance(heard, Signalled):
            assert after.step == place(flow, after.answers).step
        speeches = speak(flow, after, turn.says, LANGUAGES.patient(after.locale), EXTRA)
        assert speeches and all(speech.text.strip() for speech in speeches)
        if after.life in ("deleted", "declined"):
            break
        conversation = after


@given(answer_sets(likely_fine=False), st.booleans())
@settings(RELAXED, max_examples=many(200))
def test_our_event_takes_the_ways_that_the_library_would_take(answers: dict[StepId, Answer], person: bool) -> None:
    """The machine's own event is the library's without its callbacks: both lead to the same place."""
    for step in FLOW.steps[FLOW.index[CHECK] :]:
        answers[step.id] = Answer(step.options[0].id if step.options else "Wuxi", TODAY)
    if person:
        answers[PERSON] = Answer("yes", TODAY)
    for number in range(len(answers)):
        some = dict(list(answers.items())[: number + 1])
        here = place(FLOW, some)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(machine._Event, "trigger", Event.trigger)
            assert place(FLOW, some) == here


@given(answer_sets(likely_fine=False), st.randoms(use_true_random=False))
@settings(RELAXED, max_examples=many(200))
def test_the_order_of_answers_does_not_change_the_verdict(answers: dict[StepId, Answer], random: Any) -> None:
    shuffled = list(answers.items())
    random.shuffle(shuffled)
    assert screen(FLOW, dict(shuffled), TODAY) == screen(FLOW, answers, TODAY)


@given(st.data())
@settings(RELAXED, max_examples=many(200))
def test_not_sure_alone_never_excludes_or_waits(data: st.DataObject) -> None:
    """Every fact question answered "not sure" or without a reason against, in any mixture."""
    unsure = {step.id for step in ASKED if step.unsure and data.draw(st.booleans())}
    answers = {FLOW.steps[0].id: Answer("en", TODAY), StepId("consent"): Answer("me", TODAY)}
    for step in ASKED:
        if step.id != "consent":
            answers[step.id] = Answer(None if step.id in unsure else _fine(step), TODAY)
    verdict = screen(FLOW, answers, TODAY)
    assert verdict.outcome in ("possible_match", "needs_review")


@given(answer_sets(), st.data())
@settings(RELAXED, max_examples=many(200))
def test_an_answer_changed_and_changed_back_restores_the_verdict(
    answers: dict[StepId, Answer], data: st.DataObject
) -> None:
    """Through the real conversation: change one answer on the check page, then change it back."""
    here = place(FLOW, answers)
    conversation = Conversation(FLOW.name, "en", answers, step=here.step)
    if here.step != CHECK:
        return
    before = screen(FLOW, answers, TODAY)
    changeable = [step for step in here.on_path if step not in ("language", "consent", "private")]
    step = FLOW.step_by_id[data.draw(st.sampled_from(changeable))]
    old, other = answers[step.id].value, data.draw(values(step))
    for value in (other, old):
        turn = advance(FLOW, conversation, Asked("change", step.id), NOW)
        assert turn.conversation.step == step.id
        turn = advance(FLOW, turn.conversation, Gave(value, step=step.id), NOW)
        if turn.conversation.pending is not None:
            turn = advance(FLOW, turn.conversation, Confirmed(True), NOW)
        conversation = turn.conversation
        assert conversation.answers[step.id].value == value
    after = screen(FLOW, conversation.answers, TODAY)
    assert (after.outcome, after.eligible_from, after.findings) == (
        before.outcome,
        before.eligible_from,
        before.findings,
    )
    assert step.id not in conversation.changed


PERMANENT: tuple[dict[str, Value], ...] = (
    {"knee": "none"},
    {"walking_aid": "most_days"},
    {"birth": Span(date(1930, 1, 1), date(1930, 1, 1))},
    {"xray": "four"},
    {"height": Decimal(165), "weight": Decimal(140)},
    {"ever": ("artificial_knee",)},
    {"mri": ("ear",), "mri_ear": "cochlear"},
    {"joints": ("rheumatoid",), "joint_sure/rheumatoid": "yes"},
)


@given(answer_sets(), st.sampled_from(PERMANENT))
@settings(RELAXED, max_examples=many(200))
def test_a_permanent_exclusion_always_rules_out(answers: dict[StepId, Answer], reason: dict[str, Value]) -> None:
    added = {StepId(step): Answer(value, TODAY) for step, value in reason.items()}
    answers = {**answers, **added, StepId("private"): Answer("fine", TODAY)}
    assert place(FLOW, answers).step == CHECK
    assert screen(FLOW, answers, TODAY).outcome == "ruled_out"


@given(answer_sets(likely_fine=False))
@settings(RELAXED, max_examples=many(300))
def test_the_wait_never_ends_before_any_single_wait(answers: dict[StepId, Answer]) -> None:
    verdict = weigh(FLOW, answers, TODAY)
    waits = [finding.until for finding in verdict.findings if finding.status == "WAIT"]
    if verdict.eligible_from is None:
        assert verdict.outcome != "not_now" or None in waits
    else:
        assert all(until is not None and until <= verdict.eligible_from for until in waits)
        assert verdict.eligible_from > TODAY


@given(st.data())
@settings(RELAXED, max_examples=many(100))
def test_the_number_of_questions_left_never_rises(data: st.DataObject) -> None:
    """Over any way forward, follow-ups included."""

    answers = data.draw(answer_sets())
    turn, left = start(FLOW, "en", NOW), 10**6
    while turn.conversation.step not in (None, CHECK):
        step = turn.conversation.step
        assert step is not None
        turn = advance(FLOW, turn.conversation, Gave(answers[step].value, step=step), NOW)
        if turn.conversation.pending is not None:
            turn = advance(FLOW, turn.conversation, Confirmed(True), NOW)
        text = speak(FLOW, turn.conversation, turn.says, LANGUAGES.patient("en"), EXTRA)[-1].text
        if "About " in text.splitlines()[0] and "left" in text.splitlines()[0]:
            now_left = int(text.splitlines()[0].split("About ")[1].split(" left")[0])
            assert now_left <= left
            left = now_left


def test_a_flow_is_never_asked_to_route_what_it_cannot() -> None:
    """Every single deviation from a fine person reaches the check page or an end."""
    fine = {FLOW.steps[0].id: Answer("en", TODAY)}
    fine |= {step.id: Answer(_fine(step), TODAY) for step in ASKED}
    fine[StepId("consent")] = Answer("me", TODAY)
    for step in ASKED:
        names = [option.id for option in step.options] + ([NOT_SURE] if step.unsure else [])
        for name in names:
            value: Value = None if name == NOT_SURE else (name,) if step.kind == "checklist" else name
            here = place(FLOW, {**fine, step.id: Answer(value, TODAY)})
            assert here.step == CHECK or here.end, (step.id, name)


def test_the_clock_of_the_trial_decides_the_day(flow: Flow) -> None:
    """At 17:00 UTC it is already tomorrow at the study."""
    turn = start(flow, "en", NOW)
    late = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
    turn = advance(flow, turn.conversation, Gave("en", step=StepId("language")), late)
    assert turn.conversation.answers[StepId("language")].on == date(2026, 11, 23)
