"""Compiles a flow to a ``transitions`` machine and folds answers over it. Nobody else here knows the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from typing import Any

from transitions import Event, Machine, State

from flows.answer import Answer, StepId
from flows.flow import CHECK, CONTACT, PERSON, SEND_PERSON, SITE, Flow, Step
from flows.rules import YES, Every, Known, Rule
from flows.screening import Verdict, excluded, weigh

DONE = "done"
BACK_TO_QUESTIONS = "back_to_questions"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answers lead: the open step, or the end, and the answers on the way there, in order."""

    step: StepId | None
    end: str
    on_path: Mapping[StepId, Answer]


class _Cursor:
    """What the machine moves. It is not registered with the machine, so nothing is kept of it."""

    __slots__ = ("state",)

    def __init__(self, state: StepId) -> None:
        self.state = state


def place(flow: Flow, answers: Mapping[StepId, Answer]) -> Place:
    """Folds the answers into a place. Pure: the same answers always lead to the same place.

    The day that dates are counted to is the day of the latest answer, so a place does not move by itself.
    """
    if turned_away(flow, answers):
        answers = {step: answer for step, answer in answers.items() if step != SITE}
    machine = machine_of(flow)
    today = max([answer.on for answer in answers.values()], default=date.min)
    on_path: dict[StepId, Answer] = {}
    known = Known(on_path, today, flow.facts, _Outcome(flow, on_path, today))
    at = _run(machine, "answered", flow.steps[0].id, answers, on_path, known)
    step, end = (None, at) if at in flow.ends else (at, "")
    if PERSON in answers and step not in _contact(flow):
        at = _run(machine, "contacted", _contact(flow)[0], answers, on_path, known)
        if at != BACK_TO_QUESTIONS:
            step, end = at, ""
    return Place(step, end, on_path)


def turned_away(flow: Flow, answers: Mapping[StepId, Answer]) -> str:
    """The site that somebody chose, sent nothing to yet, and that takes nobody any more; "" if there is none."""
    if not flow.closed or SITE not in answers or is_sent(flow, answers):
        return ""
    chosen = answers[SITE].value
    return chosen if isinstance(chosen, str) and chosen in flow.closed else ""


def is_sent(flow: Flow, answers: Mapping[StepId, Answer]) -> bool:
    """Whether one of the answers sent something to a site."""
    return any(step in answers and answers[step].value == option for step, option in flow.sends.items())


def screen(flow: Flow, answers: Mapping[StepId, Answer], today: date) -> Verdict:
    """The verdict on the answers that lie on the path. No outcome while asked questions are open."""
    here = place(flow, answers)
    verdict = weigh(flow, here.on_path, today)
    questions_open = here.step is not None and flow.index[here.step] < flow.index[CHECK]
    stopped = here.end not in ("", DONE)
    return replace(verdict, outcome=None, eligible_from=None) if questions_open or stopped else verdict


def _run(
    machine: Machine,
    trigger: str,
    start: StepId,
    answers: Mapping[StepId, Answer],
    on_path: dict[StepId, Answer],
    known: Known,
) -> StepId:
    cursor = _Cursor(start)
    event = machine.events[trigger]
    while (answer := answers.get(cursor.state)) is not None:
        on_path[cursor.state] = answer
        if not event.trigger(cursor, known):
            raise LookupError(f"no way leads on from step {cursor.state!r}")
    return cursor.state


class _Event(Event):
    """The library's event without what our ways never have. The first way whose conditions hold is taken.

    The library looks for callbacks and logs at every way that it tries, which is ten times the work of judging
    it, and a fold judges every answer again. A test holds both to the same place.
    """

    def trigger(self, model: Any, *args: Any, **kwargs: Any) -> bool:
        for way in self.transitions[model.state]:
            for condition in way.conditions:
                if not condition.func(*args):  # type: ignore[operator]  # ours are never names
                    break
            else:
                model.state = way.dest
                return True
        return False


class _Machine(Machine):
    event_cls = _Event


@lru_cache(maxsize=64)
def machine_of(flow: Flow) -> Machine:
    """One machine per flow: states are steps, and the conditions of ``answered`` are the flow's rules.

    From each step the first way that holds is taken: out of the questions after a permanent exclusion,
    then the step's own routes, then the next step of the file that is to be asked.
    """
    ends = [State(end, final=True) for end in (*flow.ends, BACK_TO_QUESTIONS)]
    machine = _Machine(
        model=None,
        states=[*(str(step.id) for step in flow.steps), *ends],
        initial=flow.steps[0].id,
        auto_transitions=False,
    )
    for step in flow.steps:
        for target, condition in ways(flow, step):
            machine.add_transition("answered", step.id, target, conditions=condition and [condition])
    contact = _contact(flow)
    for here, there in zip(contact, (*contact[1:], BACK_TO_QUESTIONS), strict=True):
        machine.add_transition("contacted", here, there)
    return machine


Condition = Callable[[Known], bool]


def ways(flow: Flow, step: Step) -> list[tuple[str, Condition | None]]:
    """The ways out of a step in the order they are tried; the last one is unconditional."""
    found: list[tuple[str, Condition | None]] = []
    number = flow.index[step.id]
    if flow.excluding[step.id] and number < flow.index.get(CHECK, 0):
        found.append((CHECK, partial(excluded, flow, step.id)))
    for route in step.routes:
        if route.when is None:
            return [*found, (route.to, None)]
        found.append((route.to, partial(_holds, route.when)))
    for later in flow.steps[number + 1 :]:
        if later.id == SEND_PERSON:
            continue
        rule = asked_if(flow, later)
        if rule is None:
            return [*found, (later.id, None)]
        found.append((later.id, partial(_holds, rule)))
    return [*found, (DONE, None)]


def asked_if(flow: Flow, step: Step) -> Rule | None:
    """When a step is asked: its own condition and that of its part."""
    rules = [rule for rule in (flow.part_by_id[step.part].asked_if, step.asked_if) if rule is not None]
    return Every(tuple(rules)) if len(rules) > 1 else next(iter(rules), None)


def _holds(rule: Rule, known: Known) -> bool:
    return rule.holds(known) is YES


@lru_cache(maxsize=64)
def _contact(flow: Flow) -> tuple[StepId, ...]:
    """The steps that a person request asks: the contact details, then its own send."""
    return (*(step.id for step in flow.steps if step.part == CONTACT), SEND_PERSON)


class _Outcome:
    """The outcome of the answers on the path, once the check page is confirmed; worked out once."""

    __slots__ = ("_flow", "_on_path", "_outcome", "_today")

    def __init__(self, flow: Flow, on_path: Mapping[StepId, Answer], today: date) -> None:
        self._flow, self._on_path, self._today = flow, on_path, today
        self._outcome: str | None = None

    def __call__(self) -> str | None:
        if self._outcome is None and CHECK in self._on_path:
            self._outcome = weigh(self._flow, self._on_path, self._today).outcome
        return self._outcome
