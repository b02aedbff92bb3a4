"""A whole number within the step's bounds, in digits of any script or in words, and nothing around it."""

from __future__ import annotations

from datetime import date

from flows.answer import Value
from flows.flow import Step
from flows.kinds.numerals import Vocabulary, plain
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

_VOCABULARY = Vocabulary({"numbers": "W", "and": "&"}, {})


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    for tokens in _VOCABULARY.readings(plain(text), ear):
        if len(tokens) == 1 and tokens[0].kind == "N" and tokens[0].value.isdecimal():
            number = int(tokens[0].value)
            return Gave(number, text.strip()) if _fits(step, number) else Garbled("range")
    return Garbled("unclear")


def accept(step: Step, data: object) -> Value:
    """A whole number, or its digits."""
    if isinstance(data, str) and data.isascii() and data.isdecimal() and len(data) < 10:
        data = int(data)
    if isinstance(data, int) and not isinstance(data, bool) and _fits(step, data):
        return data
    raise ValueError("not a number within the bounds of this question")


def show(step: Step, value: Value, words: Words) -> str:
    return words.number(value) if isinstance(value, int) else ""


def _fits(step: Step, number: int) -> bool:
    return (step.low is None or number >= step.low) and (step.high is None or number <= step.high)
