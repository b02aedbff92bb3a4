"""One turn in the making: what every reply may do, and how a turn ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from flows.answer import Answer, StepId, Value
from flows.conversation import Conversation, Life, Pending
from flows.flow import Flow, Step
from flows.kinds import KINDS
from flows.machine import Place
from flows.offers import NOWHERE
from flows.turn import Ask, Cleared, Ended, Event, Menu, ReadBack, Say, Show, Turn


@dataclass(frozen=True, slots=True)
class Turning:
    """One turn in the making."""

    flow: Flow
    before: Conversation
    today: date

    @property
    def step(self) -> Step:
        assert self.before.step is not None
        return self.flow.step_by_id[self.before.step]

    def done(self, *said: Say, event: Event | None = None, **changes: object) -> Turn:
        after = replace(self.before, **changes) if changes else self.before  # type: ignore[arg-type]
        return Turn(after, said, (event,) if event else ())

    def ask(self, *first: Say, event: Event | None = None, brief: bool = False, **changes: object) -> Turn:
        """The open question again, after ``first``; ``brief``: only its last paragraph."""
        if self.before.pending is not None and "pending" not in changes:
            return self.done(*first, ReadBack(self.before.pending), event=event, **changes)
        if self.before.step is None:
            return self.done(*first, Menu("done"), event=event, **changes)
        question = Ask(self.before.step, self.before.draft, brief=brief)
        return self.done(*first, question, event=event, **changes)

    def read_back(self, pending: Pending) -> Turn:
        return self.done(ReadBack(pending), pending=pending)

    def on(self, conversation: Conversation) -> Turning:
        """The same turn, from another conversation."""
        return replace(self, before=conversation)


def without(flow: Flow, conversation: Conversation, step: StepId, to_check: bool = True) -> Conversation:
    """Takes an answer back and remembers it. A change also takes back what was confirmed or sent after it."""
    confirmed = {other.id for other in flow.steps if to_check and any(option.does for option in other.options)}
    gone = ({step} | confirmed) & set(conversation.answers)
    return replace(
        conversation,
        answers={key: value for key, value in conversation.answers.items() if key not in gone},
        before={step: conversation.answers[step], **conversation.before},
    )


def lacking(answers: Mapping[StepId, Answer], gone: StepId | None) -> Mapping[StepId, Answer]:
    """The same answers but one."""
    return {step: answer for step, answer in answers.items() if step != gone}


def close(new: Conversation, here: Place, said: list[Say], events: list[Event]) -> Turn:
    """Ends the turn with the next question, or with the end."""
    if not here.end:
        assert here.step is not None
        if here.step in new.answers:  # its site takes nobody now: it is no answer any more, also if it does again
            events.append(Cleared(here.step))
            new = replace(new, answers=lacking(new.answers, here.step))
        return Turn(new, (*said, Ask(here.step)), tuple(events))
    life: Life = "declined" if here.end == "declined" else "stopped" if here.end == "stopped" else "done"
    return Turn(
        replace(new, life=life, end=here.end),
        (*said, Show("end", here.end), *((Menu("done"),) if life == "done" else ())),
        (*events, Ended(here.end)),
    )


def fits(flow: Flow, step: Step, value: Value) -> bool:
    """Whether a value can be an answer to the step, wherever it came from."""
    if value is None:
        return step.unsure
    if step.source:
        known = value == NOWHERE or (isinstance(value, str) and bool(flow.site(value)) and value not in flow.closed)
        return isinstance(value, str) and (step.source != "sites" or known)
    if isinstance(value, str) and step.option(value) is not None:
        return True
    try:
        return KINDS[step.kind].accept(step, value) == value
    except (ValueError, TypeError):
        return False
