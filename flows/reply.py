"""What can happen next in a conversation: all that the engine ever hears."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from flows.answer import StepId, Value

What = Literal[
    "back", "help", "why", "person", "language", "stop", "delete", "start", "change", "faq", "privacy",
    "unwell", "resume", "copy", "reason",
    "stop_now", "delete_now", "start_over", "person_now", "recheck", "later",
    "status", "time", "withdraw", "slot", "withdraw_now", "send_again", "answer", "question",
    "pictures",
    "web",
    "no_reminder", "no_notices",
    "plain", "plain_off",
]  # fmt: skip
"""What somebody can ask for at any step; some of it by a second tap, inside a menu.

Buttons that are out name a wish by its number here: new ones come last.
"""

COMMANDS_AND_TAPS: tuple[What, ...] = get_args(What)


@dataclass(frozen=True, slots=True)
class Gave:
    """An answer, by button or by words. ``step`` is None for the question that is open."""

    value: Value
    said: str = ""
    sure: bool = True
    """False when the words were read, but could mean something else: read back before it counts."""
    step: StepId | None = None


@dataclass(frozen=True, slots=True)
class Ticked:
    """A list item tapped on or off, before the list is sent."""

    option: str
    step: StepId


@dataclass(frozen=True, slots=True)
class Sent:
    """The ticked list is complete."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Yes or no to what was read back; ``step`` is None when it was typed."""

    yes: bool
    step: StepId | None = None


@dataclass(frozen=True, slots=True)
class Bare:
    """A number that needs a unit before it means anything."""

    number: Decimal
    said: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A closer answer to what is pending: a month or a day by number, or a unit."""

    by: str
    step: StepId | None = None


@dataclass(frozen=True, slots=True)
class Garbled:
    """Something that is no answer to the open question."""

    reason: Literal["unclear", "range", "future", "media", "long", "edited", "private", "unit", "stale", "premium"]


@dataclass(frozen=True, slots=True)
class Signalled:
    """Words that may mean danger (reading, section 8). They are not kept."""

    sign: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish that is no answer: back, help, a person, another language."""

    what: What
    about: str = ""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Time went by: a reminder that was asked for is due."""

    what: Literal["reminder"]


Reply = Gave | Ticked | Sent | Confirmed | Bare | Narrowed | Garbled | Signalled | Asked | Elapsed
