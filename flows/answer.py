"""The values that answers hold, and their JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NewType

StepId = NewType("StepId", str)


@dataclass(frozen=True, slots=True)
class Span:
    """A date as far as somebody knows it: any day from ``first`` to ``last``, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("a span ends before it begins")

    @property
    def exact(self) -> bool:
        return self.first == self.last


Value = str | int | Decimal | Span | tuple[str, ...] | None
"""What an answer can hold: an option or a text, a number, a measure in base units, a date,
the picks of a list (empty for "none of these"), or None for "not sure"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its value, the day it was given (at the trial's site), and the words that were typed."""

    value: Value
    on: date
    said: str = ""


def value_to_json(value: Value) -> Any:
    match value:
        case Span():
            return {"from": value.first.isoformat(), "to": value.last.isoformat()}
        case Decimal():
            return {"number": str(value)}
        case tuple():
            return list(value)
        case _:
            return value


def value_from_json(data: Any) -> Value:
    """The inverse of ``value_to_json``; ValueError for anything else."""
    match data:
        case None | str() | int():
            return data
        case {"from": first, "to": last}:
            return Span(date.fromisoformat(first), date.fromisoformat(last))
        case {"number": number}:
            return Decimal(number)
        case list():
            return tuple([str(item) for item in data])
        case _:
            raise ValueError("not a stored answer")


def answer_to_json(answer: Answer) -> dict[str, Any]:
    return {"value": value_to_json(answer.value), "on": answer.on.isoformat(), "said": answer.said}


def answer_from_json(data: dict[str, Any]) -> Answer:
    return Answer(value_from_json(data["value"]), date.fromisoformat(data["on"]), data["said"])
