"""Any number of picks out of a list; none of them is the empty tuple, and an answer like any other."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from flows.answer import Value
from flows.flow import Option, Step
from flows.kinds.choice import hinted, named
from flows.reply import Garbled, Gave
from flows.tidy import dense, fold
from flows.words import Ear, Words

_BETWEEN = r"[,;،؛，、；।/&+\n]|(?<=\d)\s+(?=\d)"


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """Numbers or labels, several in one message; every part must be understood, or none is taken."""
    if fold(text) in _none(step, ear):
        return Gave((), text.strip())
    picks: list[Option] = []
    sure = True
    whole = named(step, text, ear)
    for part in [text] if whole is not None else _between(ear).split(text[:500]):
        if not part.strip():
            continue
        if (option := named(step, part, ear)) is None:
            option, sure = hinted(step, part, ear), False
        if option is None:
            return Garbled("unclear")
        picks.append(option)
    if not picks:
        return Garbled("unclear")
    return Gave(_in_order(step, {option.id for option in picks}), text.strip(), sure)


@lru_cache(maxsize=64)
def _between(ear: Ear) -> re.Pattern[str]:
    """What stands between two picks: a comma, or the language's own word for and."""
    words = sorted(ear.all("and"), key=len, reverse=True)
    spaced = "|".join(re.escape(word) for word in words if not dense(word))
    joined = "|".join(re.escape(word) for word in words if dense(word))
    return re.compile("|".join(filter(None, (_BETWEEN, rf"\s(?:{spaced})\s", joined))), re.IGNORECASE)


@lru_cache(maxsize=1024)
def _none(step: Step, ear: Ear) -> frozenset[str]:
    """The folded words for none of them, the step's own button among them: "any day"."""
    label = ear.words.text("say.button_none_of_these", "None of these")
    own = {fold(step.none_label), fold(ear.words.text(step.context, step.none_label))} - {""}
    return frozenset({fold(label), *own, *map(fold, ear.all("none"))})


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
