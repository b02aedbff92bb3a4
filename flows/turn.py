"""What one turn yields: the conversation after it, what to say, and what happened, in the past tense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from flows.answer import Answer, StepId
from flows.conversation import Conversation, Pending

if TYPE_CHECKING:
    from flows.screening import Verdict


@dataclass(frozen=True, slots=True)
class Ask:
    """The open question. ``again`` when it only changes what is already on the screen (a tick).

    ``brief`` after a miss: what a long question says before its last paragraph was just read.
    """

    step: StepId
    draft: tuple[str, ...] = ()
    again: bool = False
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """The open question was not understood: a line that says what would help, never the same twice running."""

    step: StepId
    reason: str
    miss: int


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A value that is shown and asked about before it counts."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class Tell:
    """A line of the product's own, by its key in ``Flow.says``, with what it mentions."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Show:
    """What the trial's file holds: an end, a safety message, a why, an approved answer, a drawing."""

    what: str
    id: str


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome, in the words of the flow."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why, in general words only: the answer that would have passed is never told."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Copy:
    """All answers so far, for the person to keep."""


@dataclass(frozen=True, slots=True)
class Menu:
    """A line with buttons that are wishes, not answers."""

    key: str


Say = Ask | Retry | ReadBack | Tell | Show | Result | Reasons | Copy | Menu


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer was taken, for the first time or anew."""

    step: StepId
    answer: Answer


@dataclass(frozen=True, slots=True)
class Cleared:
    """An answer was taken back; its history stays."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Screened:
    """The person confirmed the answers, and they were weighed."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class LeadRaised:
    """The person said: send. ``verdict`` is None when they only asked for a person."""

    verdict: Verdict | None
    site: str


@dataclass(frozen=True, slots=True)
class ReminderWished:
    """The person wants one message when the wait is over."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class NoticesWished:
    """The person wants to hear of other trials."""


@dataclass(frozen=True, slots=True)
class SafetyShown:
    """A safety message went out. The words that led to it are not kept."""

    sign: str


@dataclass(frozen=True, slots=True)
class PersonWished:
    """Somebody whose details are with the study team already asked for a person."""


@dataclass(frozen=True, slots=True)
class StatusWished:
    """The person asked how their request stands."""


@dataclass(frozen=True, slots=True)
class TimesWished:
    """The person asked for the times at which the team could call."""


@dataclass(frozen=True, slots=True)
class SlotPicked:
    """The person picked a time for the call, which may be taken meanwhile."""

    start: datetime


@dataclass(frozen=True, slots=True)
class CarryWished:
    """The person wants to carry on in another place."""


@dataclass(frozen=True, slots=True)
class ConsentsWished:
    """The person asked what happens to their data, and so what they said yes to."""


@dataclass(frozen=True, slots=True)
class ConsentTakenBack:
    """The person took one yes back: ``kind`` is reminder or notices."""

    kind: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The person took their request back. Their answers stay with them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation reached an end: done, stopped, declined."""

    end: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The person had everything deleted."""


Event = (
    Answered
    | Cleared
    | Screened
    | LeadRaised
    | ReminderWished
    | NoticesWished
    | PersonWished
    | StatusWished
    | TimesWished
    | SlotPicked
    | CarryWished
    | ConsentsWished
    | ConsentTakenBack
    | Withdrawn
    | SafetyShown
    | Ended
    | Deleted
)


@dataclass(frozen=True, slots=True)
class Turn:
    """The result of ``start`` and ``advance``."""

    conversation: Conversation
    says: tuple[Say, ...]
    events: tuple[Event, ...] = ()
