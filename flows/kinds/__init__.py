"""The kinds of question, one file each. A kind reads words, accepts a machine's value and shows it again."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Protocol

from flows.answer import Value
from flows.flow import Step
from flows.kinds import checklist, choice, date, email, measure, number, phone, text, yes_no
from flows.reply import Garbled, Gave
from flows.words import Ear, Words


class Kind(Protocol):
    def read(self, step: Step, text: str, ear: Ear, today: datetime.date) -> Gave | Garbled:
        """What the person's words answer. Never guesses: unsure readings say so, others are Garbled."""

    def accept(self, step: Step, data: object) -> Value:
        """The value in a machine's form (a button, an answers file); ValueError when it is none."""

    def show(self, step: Step, value: Value, words: Words) -> str:
        """The value as the person would say it."""


KINDS: Mapping[str, Kind] = {
    "yes_no": yes_no,
    "choice": choice,
    "checklist": checklist,
    "number": number,
    "measure": measure,
    "date": date,
    "text": text,
    "phone": phone,
    "email": email,
}
