"""Any number of picks out of a list; none of them is the empty tuple, and an answer like any other."""

from __future__ import annotations

import re
from datetime import date

from flows.answer import Value
from flows.flow import Step
from flows.kinds.choice import hinted, named
from flows.reply import Garbled, Gave
from flows.tidy import fold
from flows.words import Ear, Words

_BETWEEN = re.compile(r"[,;，、；/&+\n]|\s(?:and|y|e|和)\s|(?<=\d)\s+(?=\d)")


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """Numbers or labels, several in one message; every part must be understood, or none is taken."""
    none = {fold(ear.words.text("say.button_none_of_these", "None of these")), *map(fold, ear.all("none"))}
    if fold(text) in none:
        return Gave((), text.strip())
    parts = [part for part in _BETWEEN.split(text[:500]) if part.strip()]
    sure = [named(step, part, ear) for part in parts]
    picks = [option or hinted(step, part, ear) for option, part in zip(sure, parts, strict=True)]
    if not picks or None in picks:
        return Garbled("unclear")
    chosen = _in_order(step, {option.id for option in picks if option is not None})
    return Gave(chosen, text.strip(), sure=None not in sure)


def accept(step: Step, data: object) -> Value:
    if isinstance(data, list | tuple) and all(step.option(str(item)) for item in data):
        return _in_order(step, {str(item) for item in data})
    raise ValueError("not a list of this question's options")


def show(step: Step, value: Value, words: Words) -> str:
    if not value or not isinstance(value, tuple):
        return words.text("say.button_none_of_these", "None of these")
    labels = [words.text(step.context, option.label) for option in step.options if option.id in value]
    return words.listed(labels)


def _in_order(step: Step, picks: set[str]) -> tuple[str, ...]:
    return tuple(option.id for option in step.options if option.id in picks)
