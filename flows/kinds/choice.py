"""One pick out of a few: by label, by the number in the list, or by more than half of the label's words."""

from __future__ import annotations

from datetime import date

from flows.answer import Value
from flows.flow import Option, Step
from flows.reply import Garbled, Gave
from flows.tidy import fold, whole_number
from flows.words import Ear, Words


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    option = pick(step, text, ear)
    return Garbled("unclear") if option is None else Gave(option.id, text.strip())


def accept(step: Step, data: object) -> Value:
    if isinstance(data, str) and step.option(data) is not None:
        return data
    raise ValueError("not an option of this question")


def show(step: Step, value: Value, words: Words) -> str:
    option = step.option(str(value))
    return words.text(step.context, option.label) if option else str(value)


def pick(step: Step, text: str, ear: Ear) -> Option | None:
    """The option that the words name without doubt, or None."""
    said = fold(text)
    if not said:
        return None
    found = [option for option in step.options if said in _names(step, option, ear)]
    if not found and step.kind == "yes_no":
        found = [option for option in step.options if said in map(fold, ear.all(option.id))]
    number = whole_number(text)
    if not found and number is not None and 1 <= number <= len(step.options):
        return step.options[number - 1]
    return found[0] if len(found) == 1 else None


def _names(step: Step, option: Option, ear: Ear) -> set[str]:
    names = {option.label, ear.words.text(step.context, option.label)}
    return {fold(name) for name in names} | {fold(part) for name in names for part in name.split(",")}
