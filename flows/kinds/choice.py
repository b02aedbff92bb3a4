"""One pick out of a few: by label, by a word for it, by its number in the list; roughly said ones are read back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flows.answer import Value
from flows.flow import Option, Step
from flows.reply import Garbled, Gave
from flows.tidy import bare, whole_number, within
from flows.words import Ear, Words


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    found = named(step, text, ear)
    if found is not None:
        return Gave(found.id, text.strip())
    rough = hinted(step, text, ear)
    return Garbled("unclear") if rough is None else Gave(rough.id, text.strip(), sure=False)


def accept(step: Step, data: object) -> Value:
    if isinstance(data, str) and step.option(data) is not None:
        return data
    raise ValueError("not an option of this question")


def show(step: Step, value: Value, words: Words) -> str:
    option = step.option(str(value))
    return words.text(step.context, option.label) if option else str(value)


def named(step: Step, text: str, ear: Ear) -> Option | None:
    """The option that the words name without doubt, or None."""
    said = bare(text)
    if not said:
        return None
    found = _only(step, lambda option: said in _labels(step, option, ear))
    found = found or _only(step, lambda option: said in _words(step, option, ear))
    number = whole_number(text)
    if found is None and number is not None and 1 <= number <= len(step.options):
        return step.options[number - 1]
    return found


def hinted(step: Step, text: str, ear: Ear) -> Option | None:
    """The one option that the words may mean, to be read back: part of its label, its label inside a sentence,
    or a telling word that only it has. Words that deny hint at nothing."""
    said = bare(text)
    if step.kind == "yes_no":
        first = said.partition(" ")[0]
        return _only(step, lambda option: first in _words(step, option, ear)) if first else None
    if said in map(bare, ear.all("none")) and (nothing := step.option("no")) is not None:
        return nothing
    if set(said.split()) & _denials(ear):
        return None
    inside = _only(step, lambda option: any(within(label, said) for label in _labels(step, option, ear)))
    if inside is None and len(said) >= SHORTEST:
        inside = _only(step, lambda option: any(within(said, label) for label in _labels(step, option, ear)))
    told = {word for word in said.split() if len(word) > SHORTEST}
    if inside is not None or not told:
        return inside
    return _only(step, lambda option: bool(told & _telling(step, option, ear)))


SHORTEST = 3
"""Fewer characters are no hint, except in scripts where they are whole words."""


def _denials(ear: Ear) -> set[str]:
    words = map(bare, (*ear.all("no"), *ear.all("none")))
    return {word for word in words if " " not in word}


def _telling(step: Step, option: Option, ear: Ear) -> set[str]:
    """The words of an option's label and of what stands beside it in the question."""
    texts = (option.label, option.detail)
    known = " ".join(bare(ear.words.text(step.context, text)) + " " + bare(text) for text in texts if text)
    return set(known.split())


def _only(step: Step, fits: Callable[[Option], bool]) -> Option | None:
    found = [option for option in step.options if fits(option)]
    return found[0] if len(found) == 1 else None


def _labels(step: Step, option: Option, ear: Ear) -> set[str]:
    names = {option.label, ear.words.text(step.context, option.label)}
    return {name for name in map(bare, names) if name}


def _words(step: Step, option: Option, ear: Ear) -> set[str]:
    """What people write for this option: its own list, and the common words for yes and no."""
    own = ear.words.text(step.context, option.heard) + ";" + option.heard if option.heard else ""
    common = ear.all(option.id) if option.id in ("yes", "no") else ()
    return {name for name in map(bare, (*own.split(";"), *common)) if name}
