"""What holds in every language: nothing is lost by a change of it, every message renders, and all of it is translated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import cycle
from typing import Any

import pytest

from bot import pseudo
from bot.buttons import Buttons
from bot.library import load
from bot.messages import chunks
from bot.words import CatalogueWords, Languages
from flows import speak
from flows.answer import Answer, Span, StepId
from flows.author.extract import messages
from flows.author.walk import ways_to
from flows.conversation import Conversation, Pending
from flows.flow import Step
from flows.reply import Asked
from flows.screening import Finding, Verdict
from flows.speak import COMMANDS, MENUS, STANDS, TIMES, Speech, fill
from flows.turn import Ask, Copy, Menu, ReadBack, Reasons, Result, Retry, Say, Show, Tell
from tests.conftest import FINE, TYPED
from tests.patient import EXTRA, LANGUAGES, Patient

FLOW = load().newest("nct06570291")
DAY = date(2026, 11, 22)
TAGS = tuple(LANGUAGES.names)


@cache
def ways() -> dict[StepId, dict[StepId, Answer]]:
    return ways_to(FLOW, DAY)


def standing(step: StepId, locale: str, **other: Any) -> Patient:
    """Somebody for whom this question is open."""
    patient = Patient(FLOW, locale)
    patient.conversation = Conversation(FLOW.name, locale, ways()[step], step, **other)
    return patient


def test_there_are_eight_languages() -> None:
    assert set(TAGS) == {"en", "zh_Hans", "es", "ar", "hi", "pt_BR", "ru", "fr"}


# ---------------------------------------------------------------- a change of language


@pytest.mark.parametrize("step", list(ways()), ids=str)
def test_a_change_of_language_at_any_question_loses_nothing(step: StepId) -> None:
    """Through all eight and back: the question comes in each, and what is ticked or to be confirmed stays."""
    found = FLOW.step_by_id[step]
    if found.source == "languages":
        return  # there it is the answer
    draft = tuple(option.id for option in found.options[:2]) if found.kind == "checklist" else ()
    patient = standing(step, "en", draft=draft)
    before = patient.conversation
    for tag in (*TAGS, "en"):
        patient.replies(Asked("language", tag))
        assert replace(patient.conversation, locale="en") == before
        asked = patient.speeches[-1] if found.kind != "phone" else patient.speeches[-2]
        words = LANGUAGES.patient(tag)
        fresh = speak(FLOW, patient.conversation, [Ask(step, draft=draft)], words, EXTRA)[0]
        assert (asked.text, asked.rows) == (fresh.text, fresh.rows)
        assert words.text(f"say.{'language_set'}", FLOW.says["language_set"]) in patient.text


def test_what_waits_to_be_confirmed_waits_in_every_language() -> None:
    patient = standing(StepId("knee"), "en")
    patient.says("I think the left one it is")
    assert isinstance(patient.conversation.pending, Pending)
    before = patient.conversation
    for tag in (*TAGS, "en"):
        patient.replies(Asked("language", tag))
        assert replace(patient.conversation, locale="en") == before
    patient.says("yes").is_at("diagnosis")


GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "possible": ({}, "possible_match"),
    "review": ({"mri": None}, "needs_review"),
    "wait": ({"half_year": ("study",), "study_end": "still"}, "not_now"),
    "out": ({"ever": ("artificial_knee",)}, "ruled_out"),
}


@pytest.mark.parametrize("offset", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))])
@pytest.mark.parametrize("case", GOLDEN)
def test_another_language_at_every_question_changes_no_verdict(case: str, offset: int) -> None:
    """Somebody who types only, and the label of each answer in the language of the moment."""
    other, outcome = GOLDEN[case]
    patient = Patient(FLOW, TAGS[offset])
    tags = cycle([*TAGS[offset:], *TAGS[:offset]])
    patient.says(LANGUAGES.names[next(tags)])
    while patient.conversation.step != "check":
        patient.says(LANGUAGES.names[tag := next(tags)])
        assert patient.conversation.locale == tag
        step = FLOW.step_by_id[StepId(str(patient.conversation.step))]
        patient.says(_typed(step, {**FINE, **TYPED, **other}[step.id], patient.words))
        assert step.id in patient.conversation.answers, (tag, step.id, patient.text)
    plain = Patient(FLOW, "en")
    plain.conversation = replace(patient.conversation, locale="en")
    verdicts = [
        one.says(_typed(FLOW.step_by_id[StepId("check")], "right", one.words)).verdict for one in (patient, plain)
    ]
    assert verdicts[0] == verdicts[1] and verdicts[0].outcome == outcome


def _typed(step: Step, value: Any, words: CatalogueWords) -> str:
    """The label of an answer."""
    if value is None:
        own = step.unsure_label and words.text(step.context, step.unsure_label)
        return own or words.text("say.button_not_sure", "Not sure")
    if value == ():
        own = step.none_label and words.text(step.context, step.none_label)
        return own or words.text("say.button_none_of_these", "None of these")
    if isinstance(value, tuple):
        return ", ".join(_typed(step, one, words) for one in value)
    option = step.option(value)
    return words.text(step.context, option.label) if option else str(value)


# ---------------------------------------------------------------- every message

LONG = "Wolfeschlegelsteinhausenbergerdorff"
WORST = {
    "reference": "K-99999", "due": "2026-12-30", "phone": "+86 510 5555 0147", "days": "11",
    "name": f"{LONG} {LONG}", "text": "ꙮ" * 3000, "link": "https://example.org/" + "0" * 200,
    "day": "2026-12-30", "sent_on": "2026-12-30", "tried_on": "2026-12-30", "slot": "2026-12-30T06:30:00+00:00",
    "zone": "Asia/Shanghai", "own_zone": "America/Sao_Paulo", "city": "harbour", "site": "harbour",
    "hours": FLOW.sites[0].hours, "receipt": "9" * 20, "steps": ",".join(FLOW.index), "mail": "yes",
    "slots": ",".join(f"2026-12-{n:02}T06:30:00+00:00" for n in range(10, 16)), "told_site": "yes",
    "consents": "health=2026-11-22;send=2026-11-22/2026-11-23;reminder=2026-11-22;notices=2026-11-22",
}  # fmt: skip
"""The longest of everything that a message may mention."""
SHAPED = (
    *(
        "menu_",
        "button_",
        "readback_",
        "retry_",
        "status_",
        "time_",
        "command_",
        "unit_",
        "profile_",
        "days_",
        "web_",
    ),
    *(
        "answer_line",
        "call_greeting",
        "emergency_line",
        "progress",
        "reasons",
        "slot_",
        "span",
        "the_date",
        "plain_ticked",
    ),
)
"""Lines that a message is made of by others' names."""


def every_message(words: CatalogueWords, *, plain: bool = False) -> Iterator[tuple[str, Speech]]:
    """Each question, with ticks and without, each reason, retry, line, menu, result, answer and picture."""
    last = FLOW.steps[-1].id

    def say(name: str, *says: Say, at: StepId = last, **extra: str) -> Iterator[tuple[str, Speech]]:
        conversation = Conversation(FLOW.name, words.locale, ways()[at], at, plain=plain)
        for speech in speak(FLOW, conversation, says, words, {**EXTRA, **WORST, **extra}):
            yield name, speech

    for id in ways():
        step = FLOW.step_by_id[id]
        yield from say(f"ask {id}", Ask(id), Ask(id, draft=tuple(o.id for o in step.options)), at=id)
        yield from say(f"why {id}", Show("why", id), at=id)
        for reason in ("unclear", "range", "future", "unit", "long", "pending"):
            yield from say(f"{reason} {id}", *(Retry(id, reason, miss) for miss in range(1, 6)), at=id)
        if isinstance(value := (ways()[last].get(id) or Answer(None, DAY)).value, Span | str):
            for why in ("sure", "planned", "change"):
                yield from say(f"{why} {id}", ReadBack(Pending(id, value, "", why)))
    for why, step, value in (
        ("month", "birth", Span(date(1964, 1, 1), date(1964, 12, 31))), ("day", "birth", Span(date(1964, 5, 1), date(1964, 5, 31))),
        ("unit", "height", Decimal("70.5")), ("unit", "weight", Decimal("170.5")),
    ):  # fmt: skip
        yield from say(f"{why} {step}", ReadBack(Pending(StepId(step), value, "", why)))
    for menu in MENUS:
        for how in {"status": STANDS, "time": TIMES}.get(menu, ("",)):
            yield from say(f"menu {menu} {how}", Menu(menu), **({menu: how} if how else {}))
    for key in FLOW.says:
        if not key.startswith(SHAPED):
            yield from say(f"tell {key}", Tell(key, {"given": "town", "said": ""}))
    for number in (0, 1, 2, 5, 11, 100):
        yield from say(f"{number} days", Menu("privacy"), days=str(number))
    for what, ids in {
        "faq": [q.id for q in FLOW.faq], "safety": [s.id for s in FLOW.safety], "ends": FLOW.ends, "picture": FLOW.pictures,
    }.items():  # fmt: skip
        for one in ids:
            yield from say(f"{what} {one}", Show(what, one))
    everything = tuple(Finding(c.id, "OUT") for c in FLOW.criteria)
    for outcome in FLOW.outcomes:
        for until in (None, date(2027, 2, 14)):
            verdict = Verdict(outcome, until, everything)
            yield from say(f"result {outcome}", Result(verdict), Reasons(verdict), Copy())


SECOND = re.compile(
    r"\b(?:you|your|usted|vous|votre|vos|você|seu|sua|вы|вас|вам|ваш|ваши?й|आप|आपको|आपका|आपके|आपकी)\b|您"
    r"|\b(?:لك|عليك|لديك|يمكنك|تتعبك|يساعدك|جسمك|ركبتك|عينك|قلبك|أذنك|ميلادك|طولك|وزنك|جنسك)\b",
    re.IGNORECASE,
)
"""Words for who is spoken to."""


@pytest.mark.parametrize("tag", TAGS)
def test_who_answers_for_somebody_is_asked_in_the_third_person(tag: str) -> None:
    """Every question about them, their name and how to call them too; before it stands whom we mean."""
    words = LANGUAGES.patient(tag)
    assert SECOND.search(" ".join(words.text(step.context, step.text) for step in FLOW.steps if step.text_helper))
    for id, way in ways().items():
        step = FLOW.step_by_id[id]
        if FLOW.part_by_id[step.part].counted or step.text_helper:
            answers = {**way, StepId("consent"): Answer("helper", DAY)}
            speech, *_ = speak(FLOW, Conversation(FLOW.name, tag, answers, id), [Ask(id)], words, EXTRA)
            asked = words.text(step.context, step.text_helper or step.text)
            assert words.text("say.helper", FLOW.says["helper"]) in speech.text
            begins = re.split(r"[{]", asked)[0].split(" MRI ")[0]
            assert begins in speech.text.translate(dict.fromkeys((0x2066, 0x2069))), id
            if id not in ("private", "cancer_kind", "phone", "email"):  # which speak to the helper, too
                assert not SECOND.search(asked), (id, asked)


CONTACT_STEPS = ("offer", "town", "site", "first_name", "last_name", "phone", "email", "other_language",
                 "call_days", "call_time")  # fmt: skip


def test_a_helper_is_asked_how_to_reach_the_person() -> None:
    assert [step.id for step in FLOW.steps if step.text_helper and step.trial == "frame"] == [*CONTACT_STEPS]


@pytest.mark.parametrize("tag", TAGS)
def test_help_and_reasons_fit_whoever_is_asked(tag: str) -> None:
    """What stands beside a question about somebody's health, and in the line above it, names nobody as "you".

    Said to who reads it, whoever that is: that nothing has to be told, and whom they may ask.
    """
    words, to_the_reader = LANGUAGES.patient(tag), {"mri_narrow", "sex", "private", "visits", "vaccine_kind"}
    for step in FLOW.steps:
        if FLOW.part_by_id[step.part].counted and step.id not in to_the_reader:
            said = [words.text(step.context, text) for text in (step.help, step.why) if text]
            assert not [text for text in said if SECOND.search(text)], step.id
    for part in FLOW.parts:
        assert not (part.counted and SECOND.search(words.text(f"{FLOW.trial.slug}.part", part.title))), part.id
    assert not SECOND.search(words.text(f"{FLOW.trial.slug}.picture.knee", FLOW.pictures["knee"]))


def test_who_stops_after_sending_is_told_that_the_request_stays() -> None:
    patient = Patient(FLOW)
    patient.conversation = standing(StepId("other_trials"), "en", raised=True).conversation
    patient.says("stop").presses("Stop for now").sees("Your request stays with the study team")
    patient.sees_not("Nothing has been sent")
    standing(StepId("knee"), "en").says("stop").presses("Stop for now").sees("Nothing has been sent")


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_every_message_renders_with_the_longest_of_everything(tag: str) -> None:
    buttons, words = Buttons(b"0" * 32), LANGUAGES.patient(tag)
    for name, speech in every_message(words):
        shown = [speech.text, *(button.label for row in speech.rows for button in row)]
        assert all(text.strip() for text in shown), name
        assert not [text for text in shown if re.search(r"[{}]", text)], (name, shown)
        for part in chunks(speech.text):
            assert len(part.encode("utf-16-le")) // 2 <= 4096
        for row in speech.rows:
            for button in row:
                assert len(buttons.write(FLOW, "a1b2c3", "9" * 16, button.reply).encode()) <= 64, button


@pytest.mark.parametrize("tag", TAGS)
def test_every_text_can_be_filled(tag: str) -> None:
    """Also those that only a shell says: the profile, mails, the web; with each name that the source has, and no other."""
    words = LANGUAGES.patient(tag)
    for message in messages(FLOW):
        if message.domain == "patient" and not message.comment.startswith("What people type"):
            names = dict.fromkeys(re.findall(r"\{([a-z_]+)\}", message.text), LONG)
            for number in (0, 1, 2, 5, 11, 100):
                many = words.plural(message.context, message.text, message.plural, number) if message.plural else ""
                filled = fill(many or words.text(message.context, message.text), names)
                assert filled.strip() and not re.search(r"[{}]", filled), (message.context, filled)


@pytest.mark.parametrize("tag", TAGS)
def test_the_profile_fits(tag: str) -> None:
    """Telegram's limits: 120 and 512 characters for what stands on the profile, 256 for a command."""
    words, flow = LANGUAGES.patient(tag), FLOW
    values = {
        "short_title": words.text(f"{flow.trial.slug}.trial", flow.trial.short_title),
        "sponsor": flow.trial.sponsor,
    }
    for key, most in (("profile_short", 120), ("profile_description", 512)):
        assert len(fill(words.text(f"say.{key}", flow.says[key]), values)) <= most, key
    for wish in COMMANDS:
        assert 1 <= len(words.text(f"say.command_{wish}", flow.says[f"command_{wish}"])) <= 256


# ---------------------------------------------------------------- a made-up language


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> CatalogueWords:
    folder = tmp_path_factory.mktemp("pseudo")
    pseudo.write([FLOW], folder)
    return Languages(folder).patient(pseudo.TAG)


def test_nothing_that_a_patient_reads_is_left_untranslated(made_up: CatalogueWords) -> None:
    """Its texts have no plain vowels: what has one was not translated, and is no name, date, address or number."""
    w = made_up
    days = [date(2026, 11, n) for n in range(9, 16)] + [
        date(2026, m, 30) for m in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    ]
    local = [word for day in days for word in (w.weekday(day), w.day(day), w.month(day))]
    local += [*(name for name, _ in w.months()), *w.languages.values(), *map(w.country, [*FLOW.emergency, "CN"])]
    local += [" kaj "]  # of lists
    local += [w.moment(datetime(2026, 12, n, h, 30)) for n in range(10, 31) for h in (0, 3, 14)]
    names = [
        FLOW.trial.sponsor,
        FLOW.trial.contact,
        *WORST.values(),
        *EXTRA.values(),
        *(p for s in FLOW.steps for p in s.probes),
    ]
    known = re.compile("|".join(map(re.escape, sorted(filter(None, {*local, *names}), key=len, reverse=True))))
    left = []
    for name, speech in every_message(w):
        for text in [speech.text, speech.share_phone, *(button.label for row in speech.rows for button in row)]:
            if re.search("[aeiouAEIOU]", rest := known.sub("", text)):
                left.append((name, rest))
    assert left == []
