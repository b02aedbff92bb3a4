"""A person's words to a Reply. Together with speak, the only place where words exist. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from flows.answer import Span, StepId
from flows.conversation import Conversation
from flows.engine import today_of
from flows.flow import CHECK, Flow, Option, Question, Step
from flows.kinds import KINDS, choice, measure
from flows.kinds import date as dates
from flows.machine import place
from flows.offers import NOWHERE, step_name, with_options
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
    What,
)
from flows.tidy import MARKS, bare, dense, fold, within
from flows.words import Ear, Words

COMMANDS: tuple[What, ...] = (
    "back", "help", "why", "person", "language", "stop", "delete", "privacy", "faq", "change", "start",
    "resume", "unwell", "copy", "status", "time", "withdraw", "pictures", "web",
    "no_reminder", "no_notices", "plain", "plain_off",
)  # fmt: skip
"""Wishes that can be typed at any step, in words of the language or as a slash command."""

SETTLED: tuple[What, ...] = ("stop_now", "delete_now", "start_over", "withdraw_now", "person_now")
"""Wishes that a menu has asked about."""
LONG = 4096


def hear(flow: Flow, conversation: Conversation, text: str, words: Words, now: datetime) -> Reply:
    """What the words mean at this point of the conversation. Certain is taken, probable is read back."""
    ear = Ear(words, flow.heard)
    if (sign := danger(flow, text, words)) is not None:
        return Signalled(sign)
    step = _open_step(flow, conversation, words)
    asked = wish(flow, text, words)
    if asked is not None and not _answers(step, conversation, text, ear):
        return asked
    if len(text) > LONG:
        return Garbled("long")
    if step is None or text.startswith("/"):
        known = None
        if not text.startswith("/"):
            known = _earlier(flow, conversation, text, words) or _asking(flow, text, words)
        return known or Garbled("unclear")  # a command that we do not have is nobody's name or town
    if conversation.pending is not None and (reply := _pending(flow, conversation, text, ear, now)):
        return reply
    if conversation.draft and step.kind == "checklist" and fold(text) == _button(flow, words, "done"):
        return Sent(step.id)
    answer = _answer(step, text, ear, today_of(flow, now))
    if isinstance(answer, Garbled) and step.kind not in ("text", "email", "phone"):
        if _private(text, ear):
            return Garbled("private")
        earlier = _earlier(flow, conversation, text, words)
        return earlier or _mentioned(flow, text, words) or _asking(flow, text, words) or answer
    if step.kind == "text" and text.rstrip().endswith(_MARKS) and (known := _approved(flow, text, words)):
        return known
    return answer


def _open_step(flow: Flow, conversation: Conversation, words: Words) -> Step | None:
    """The open question, with the options this person sees."""
    if conversation.life != "open" or conversation.step is None:
        return None
    step = with_options(flow, flow.step_by_id[conversation.step], conversation.answers, words.languages)
    return _with_site_names(flow, step, words) if step.source == "sites" else step


def _with_site_names(flow: Flow, step: Step, words: Words) -> Step:
    """Sites, and none of them, as their buttons are called in this language."""

    def names(option: Option) -> str:
        if option.id == NOWHERE:
            return words.text("say.button_none_near", option.label)
        return ";".join(words.text(f"{flow.trial.slug}.site", text) for text in (option.label, option.detail))

    return replace(step, options=tuple(replace(option, heard=names(option)) for option in step.options))


def _answers(step: Step | None, conversation: Conversation, text: str, ear: Ear) -> bool:
    """Whether words that are also a wish ("go on") name an answer of the open question, which comes first."""
    if step is None or step.kind != "choice" or conversation.pending is not None or text.startswith("/"):
        return False
    return choice.named(step, text, ear) is not None


def danger(flow: Flow, text: str, words: Words) -> str | None:
    """The safety message that the words call for, if any; a false alarm is better than none."""
    said = _padded(text[:LONG])
    signs = _signs(flow, words)
    begins = [at for at, char in enumerate(said[:-1]) if char == " "]
    starts = {*said, *(said[at : at + many] for at in begins for many in range(2, START + 1))}
    found = [
        rank
        for start in starts & signs.keys()
        for rank, first, others in signs[start]
        if first in said and all(other in said for other in others)
    ]
    return flow.safety[min(found)].id if found else None


START = 4
"""Characters of a word's beginning, with the blank before it, by which phrases of danger are looked up."""


@lru_cache(maxsize=64)
def _signs(flow: Flow, words: Words) -> Mapping[str, Sequence[tuple[int, str, Sequence[str]]]]:
    """The phrases of danger by how they start, so that few have to be looked for: the rank of the sign, and
    what must all occur."""
    found: dict[str, list[tuple[int, str, Sequence[str]]]] = {}
    for rank, sign in enumerate(flow.safety):
        lists = f"{words.text(f'hear.{sign.id}', sign.words)};{sign.words}"
        for phrase in dict.fromkeys(lists.split(";")):
            parts = [sought for part in phrase.split("+") if (sought := _sought(part)).strip()]
            if parts:
                start = parts[0][:START] if parts[0][0] == " " else parts[0][0]
                found.setdefault(start, []).append((rank, parts[0], parts[1:]))
    return found


def wish(flow: Flow, text: str, words: Words) -> Asked | None:
    """A wish in words: a command, or what one of the wishes' buttons says."""
    return _wishes(flow, words).get(
        fold(text.removeprefix("/").partition("@")[0] if text.startswith("/") else text)
    )


@lru_cache(maxsize=64)
def _wishes(flow: Flow, words: Words) -> Mapping[str, Asked]:
    """Every wish by the folded words for it. What two wishes share means the first.

    The button that does what a menu asks about comes before the words that lead to the menu.
    """
    ear, found = Ear(words, flow.heard), dict[str, Asked]()
    for what in SETTLED:
        found[_button(flow, words, what)] = Asked(what)
    for tag, name in words.languages.items():
        for said in (fold(name), tag.casefold()):
            found.setdefault(said, Asked("language", tag))
    for what in COMMANDS:
        for said in (what, *map(fold, ear.all(what))):
            found.setdefault(said, Asked(what))
    for what in COMMANDS_AND_TAPS:
        if label := flow.says.get(f"button_{what}"):
            found.setdefault(fold(words.text(f"say.button_{what}", label)), Asked(what))
    for question in flow.faq:
        found.setdefault(fold(words.text(f"faq.{question.id}", question.text)), Asked("answer", question.id))
    for sign in flow.safety:
        found.setdefault(fold(words.text(f"safety.{sign.id}", sign.label)), Asked("unwell", sign.id))
    return found


def _button(flow: Flow, words: Words, name: str) -> str:
    """What a button of the product says, folded."""
    return fold(words.text(f"say.button_{name}", flow.says[f"button_{name}"]))


def _earlier(flow: Flow, conversation: Conversation, text: str, words: Words) -> Asked | None:
    """An answer that is to be changed, by the name it has on the check page."""
    named = _labels(flow, words).get(fold(text), ())
    on_path = place(flow, conversation.answers).on_path if named else {}
    found = [step for step in named if step in on_path]
    return Asked("change", found[0]) if len(found) == 1 else None


@lru_cache(maxsize=64)
def _labels(flow: Flow, words: Words) -> Mapping[str, Sequence[StepId]]:
    """The steps that the check page lists, by their folded names."""
    found: dict[str, list[StepId]] = {}
    for step in flow.steps[: flow.index[CHECK]]:
        if step.part != flow.steps[0].part:
            found.setdefault(fold(step_name(step, flow, words)), []).append(step.id)
    return found


MENTIONED: tuple[What, ...] = (
    "person", "delete", "unwell", "language", "privacy", "stop", "help", "faq", "pictures",
)  # fmt: skip
"""Wishes that are heard inside a sentence, too: each only shows something, and changes nothing."""


def _mentioned(flow: Flow, text: str, words: Words) -> Asked | None:
    """A wish that a longer message holds: "can I talk to a person?". Single words are too little to tell."""
    said = bare(text)
    return next((Asked(what) for phrase, what in _phrases(flow, words) if within(phrase, said)), None)


@lru_cache(maxsize=64)
def _phrases(flow: Flow, words: Words) -> Sequence[tuple[str, What]]:
    ear = Ear(words, flow.heard)
    listed = [(bare(phrase), what) for what in MENTIONED for phrase in ear.all(what)]
    return [(said, what) for said, what in listed if " " in said or (dense(said) and len(said) > 2)]


_MARKS = ("?", "？", "؟")


def _asking(flow: Flow, text: str, words: Words) -> Asked | None:
    """A question of theirs: answered if it is one of those that are approved, else a matter for a person."""
    starts = _heard(Ear(words, flow.heard), "question")
    said = bare(text)
    asks = text.rstrip().endswith(_MARKS) or any(said.startswith(f"{start} ") for start in starts)
    asks = asks or any(dense(start) and start in said for start in starts)
    if not asks or not (" " in said or dense(said)):  # "what?" asks for nothing that could be answered
        return None
    return _approved(flow, text, words) or Asked("question")


def _approved(flow: Flow, text: str, words: Words) -> Asked | None:
    """The one approved answer that fits; None if there is none, or several."""
    said = bare(text)
    found = [about for about, phrases in _topics(flow, words) if any(within(phrase, said) for phrase in phrases)]
    return Asked("answer", found[0]) if len(found) == 1 else None


@lru_cache(maxsize=64)
def _topics(flow: Flow, words: Words) -> Sequence[tuple[str, frozenset[str]]]:
    def of(question: Question) -> frozenset[str]:
        both = f"{words.text(f'faq.{question.id}', question.heard)};{question.heard}"
        return frozenset(map(bare, both.split(";"))) - {""}

    return [(question.id, of(question)) for question in flow.faq]


def _pending(flow: Flow, conversation: Conversation, text: str, ear: Ear, now: datetime) -> Reply | None:
    pending = conversation.pending
    assert pending is not None
    said = fold(text)
    if pending.why in ("sure", "planned", "change"):
        if said in _heard(ear, "yes") or said == _button(flow, ear.words, "yes"):
            return Confirmed(True)
        if said in _heard(ear, "no") | {_button(flow, ear.words, name) for name in ("no", "change_it")}:
            return Confirmed(False)
    if pending.why in ("month", "day"):
        if said in _heard(ear, "not_sure"):
            return Confirmed(True)
        today = today_of(flow, now)
        if isinstance(pending.value, Span):
            closer = dates.read_closer(text, pending.value, pending.why, ear, today)
            if closer is not None:
                return Gave(closer, f"{pending.said} / {text.strip()}")
    if pending.why == "unit":
        for unit in measure.UNITS_ASKED[flow.step_by_id[pending.step].unit]:
            if said in _heard(ear, f"unit_{unit}"):
                return Narrowed(unit)
    return None


def _answer(step: Step, text: str, ear: Ear, today: date) -> Reply:
    if step.unsure and fold(text) in _unsure(step, ear):
        return Gave(None, text.strip())
    if step.kind != "checklist" and (option := choice.named(step, text, ear)) is not None:
        return Gave(option.id, text.strip())
    reply = KINDS[step.kind].read(step, text, ear, today)
    if isinstance(reply, Garbled) and (lasted := _lasted(step, text, ear, today)) is not None:
        return Gave(lasted, text.strip(), sure=False)
    if isinstance(reply, Garbled) and step.kind == "measure" and reply.reason == "unit":
        number = measure.bare_number(text)
        return reply if number is None else Bare(number, text.strip())
    return reply


def _lasted(step: Step, text: str, ear: Ear, today: date) -> str | None:
    """The option whose stretch of time holds all of the time that was told: "5 years" is over a year ago."""
    stretches = [option for option in step.options if any(option.since)]
    told = dates.read(step, text, ear, today) if stretches else None
    if not isinstance(told, Gave) or not isinstance(told.value, Span):
        return None
    for option in stretches:
        latest, earliest = (today - relativedelta(months=months) for months in option.since)
        if earliest <= told.value.first and told.value.last <= latest:
            return option.id
    return None


@lru_cache(maxsize=4096)
def _unsure(step: Step, ear: Ear) -> frozenset[str]:
    """The folded words for "not sure" at this step."""
    general = fold(ear.words.text("say.button_not_sure", "Not sure"))
    own = fold(ear.words.text(step.context, step.unsure_label))
    return _heard(ear, "not_sure") | {general} | ({own} - {""})


@lru_cache(maxsize=1024)
def _heard(ear: Ear, name: str) -> frozenset[str]:
    return frozenset(map(fold, ear.all(name)))


def _private(text: str, ear: Ear) -> bool:
    said = _padded(text)
    return any(sought in said for sought in _secrets(ear))


@lru_cache(maxsize=64)
def _secrets(ear: Ear) -> Sequence[str]:
    return [_sought(word) for word in ear.all("private")]


_NO_WORD = re.compile(rf"[^\w'{MARKS}]+")


def _spaced(text: str) -> str:
    return " ".join(_NO_WORD.sub(" ", fold_all(text)).split())


def _padded(text: str) -> str:
    """A message in which what is ``_sought`` can be found."""
    return f" {_spaced(text)} "


def _sought(part: str) -> str:
    """A phrase at a word's beginning; anywhere in scripts that write without spaces."""
    spaced = _spaced(part)
    return spaced if dense(spaced) else f" {spaced}"


def fold_all(text: str) -> str:
    """Like ``fold``, for a whole message: danger may stand at the end of a long one."""
    return " ".join(fold(text[at : at + 300]) for at in range(0, len(text), 300))
