"""A person's words to a Reply. Together with speak, the only place where words exist. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from flows.answer import Span
from flows.conversation import Conversation
from flows.engine import today_of
from flows.flow import Flow, Step
from flows.kinds import KINDS, choice, measure
from flows.kinds import date as dates
from flows.offers import with_options
from flows.reply import (
    COMMANDS_AND_TAPS,
    Asked,
    Bare,
    Confirmed,
    Garbled,
    Gave,
    Narrowed,
    Reply,
    Signalled,
    What,
)
from flows.tidy import fold
from flows.words import Ear, Words

COMMANDS: tuple[What, ...] = (
    "back", "help", "why", "person", "language", "stop", "delete", "privacy", "faq", "change", "start",
    "resume", "unwell", "copy",
)  # fmt: skip
"""Wishes that can be typed at any step, in words of the language or as a slash command."""

LONG = 4096


def hear(flow: Flow, conversation: Conversation, text: str, words: Words, now: datetime) -> Reply:
    """What the words mean at this point of the conversation. Certain is taken, probable is read back."""
    ear = Ear(words, flow.heard)
    if (sign := danger(flow, text, words)) is not None:
        return Signalled(sign)
    step = _open_step(flow, conversation, words)
    wish = _wish(text, ear, flow.says)
    if wish is not None and not _answers(step, conversation, text, ear):
        return wish
    if len(text) > LONG:
        return Garbled("long")
    if step is None or text.startswith("/"):
        return Garbled("unclear")  # a command that we do not have is nobody's name or town
    if conversation.pending is not None and (reply := _pending(flow, conversation, text, ear, now)):
        return reply
    answer = _answer(step, text, ear, today_of(flow, now))
    if isinstance(answer, Garbled) and step.kind not in ("text", "email", "phone") and _private(text, ear):
        return Garbled("private")
    return answer


def _open_step(flow: Flow, conversation: Conversation, words: Words) -> Step | None:
    """The open question, with the options this person sees."""
    if conversation.life != "open" or conversation.step is None:
        return None
    step = flow.step_by_id[conversation.step]
    return with_options(flow, step, conversation.answers, words.languages)


def _answers(step: Step | None, conversation: Conversation, text: str, ear: Ear) -> bool:
    """Whether words that are also a wish ("go on") name an answer of the open question, which comes first."""
    if step is None or step.kind != "choice" or conversation.pending is not None or text.startswith("/"):
        return False
    return choice.named(step, text, ear) is not None


def danger(flow: Flow, text: str, words: Words) -> str | None:
    """The safety message that the words call for, if any; a false alarm is better than none."""
    said = f" {_spaced(text[:LONG])} "
    for sign in flow.safety:
        lists = f"{words.text(f'hear.{sign.id}', sign.words)};{sign.words}"
        for phrase in lists.split(";"):
            parts = [_spaced(part) for part in phrase.split("+") if part.strip()]
            if parts and all(_within(part, said) for part in parts):
                return sign.id
    return None


def _wish(text: str, ear: Ear, says: Mapping[str, str]) -> Asked | None:
    """A wish in words: a command, or what one of the wishes' buttons says."""
    said = fold(text.removeprefix("/").partition("@")[0] if text.startswith("/") else text)
    for tag, name in ear.words.languages.items():
        if said in (fold(name), tag.casefold()):
            return Asked("language", tag)
    for what in COMMANDS:
        if said == what or said in map(fold, ear.all(what)):
            return Asked(what)
    for what in COMMANDS_AND_TAPS:
        label = says.get(f"button_{what}")
        if label and said == fold(ear.words.text(f"say.button_{what}", label)):
            return Asked(what)
    return None


def _pending(flow: Flow, conversation: Conversation, text: str, ear: Ear, now: datetime) -> Reply | None:
    pending = conversation.pending
    assert pending is not None
    said = fold(text)
    if pending.why in ("sure", "planned", "change"):
        if said in map(fold, ear.all("yes")):
            return Confirmed(True)
        if said in map(fold, ear.all("no")):
            return Confirmed(False)
    if pending.why in ("month", "day"):
        if said in map(fold, ear.all("not_sure")):
            return Confirmed(True)
        today = today_of(flow, now)
        if isinstance(pending.value, Span):
            closer = dates.read_closer(text, pending.value, pending.why, ear, today)
            if closer is not None:
                return Gave(closer, f"{pending.said} / {text.strip()}")
    if pending.why == "unit":
        for unit in measure.UNITS_ASKED[flow.step_by_id[pending.step].unit]:
            if said in map(fold, ear.all(f"unit_{unit}")):
                return Narrowed(unit)
    return None


def _answer(step: Step, text: str, ear: Ear, today: date) -> Reply:
    said = fold(text)
    if step.unsure and said in {
        *map(fold, ear.all("not_sure")),
        fold(ear.words.text("say.button_not_sure", "Not sure")),
        fold(ear.words.text(step.context, step.unsure_label)) or None,
    }:
        return Gave(None, text.strip())
    if step.kind != "checklist" and (option := choice.named(step, text, ear)) is not None:
        return Gave(option.id, text.strip())
    reply = KINDS[step.kind].read(step, text, ear, today)
    if isinstance(reply, Garbled) and step.kind == "measure" and reply.reason == "unit":
        number = measure.bare_number(text)
        return reply if number is None else Bare(number, text.strip())
    return reply


def _private(text: str, ear: Ear) -> bool:
    said = f" {_spaced(text)} "
    return any(_within(_spaced(word), said) for word in ear.all("private"))


def _spaced(text: str) -> str:
    return " ".join(re.sub(r"[^\w']+", " ", fold_all(text)).split())


def fold_all(text: str) -> str:
    """Like ``fold``, for a whole message: danger may stand at the end of a long one."""
    return " ".join(fold(text[at : at + 300]) for at in range(0, len(text), 300))


def _within(part: str, said: str) -> bool:
    """A phrase at a word's beginning; anywhere in scripts that write without spaces."""
    return part in said if _unspaced(part) else f" {part}" in said


def _unspaced(part: str) -> bool:
    return any("\u3040" <= char <= "\u9fff" for char in part)
