"""Walks every distinct path of a flow: what can be reached, how it ends, how long it takes.

Each question is answered in every way that can matter: each option, "not sure", and for lists none, each
single pick and all picks; for typed questions the ``probes`` of the file. Paths that agree in everything a
later question or criterion can look at are walked once and counted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flows.answer import Answer, StepId, Value
from flows.author.plain import PlainWords
from flows.flow import CHECK, NOT_SURE, PERSON, Flow, Step
from flows.kinds import KINDS
from flows.machine import asked_if, place, ways
from flows.offers import NOWHERE
from flows.reply import Gave
from flows.rules import Known, steps_of
from flows.screening import find, weigh
from flows.words import Ear

Taken = tuple[Value, bool]
"""A value, and whether it was typed."""


@dataclass(frozen=True, slots=True)
class Road:
    """What lies ahead of a place, for one outcome: how many paths, and how long they are."""

    paths: int
    shortest: tuple[int, int]
    """Steps and typed answers of the shortest."""
    longest: int

    def after(self, typed: bool) -> Road:
        steps, words = self.shortest
        return Road(self.paths, (steps + 1, words + typed), self.longest + 1)

    def beside(self, other: Road) -> Road:
        return Road(self.paths + other.paths, min(self.shortest, other.shortest), max(self.longest, other.longest))


Roads = dict[str, Road]


def walk(flow: Flow, today: date) -> dict[str, Any]:
    """The report, as plain data: counts per outcome, extremes, budgets, and what was never reached."""
    walking = _Walk(flow, today)
    roads = walking.roads(flow.steps[0].id, {})
    walking.walk_on()
    return {
        "trial": flow.name,
        "on": today.isoformat(),
        "paths": {outcome: road.paths for outcome, road in sorted(roads.items())},
        "shortest": {outcome: road.shortest[0] for outcome, road in sorted(roads.items())},
        "longest": {outcome: road.longest for outcome, road in sorted(roads.items())},
        "fully_eligible": _budgets(flow, today),
        "steps": len(walking.visited),
        "never_reached": walking.never_reached(),
    }


def as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['trial']} on {report['on']}: {report['steps']} steps visited"]
    for outcome, paths in report["paths"].items():
        lines.append(
            f"  {outcome:<15} {paths:>24,} paths, {report['shortest'][outcome]} to "
            f"{report['longest'][outcome]} answers"
        )
    lines.append("A fully eligible person, from consent to the last question:")
    for probe, budget in report["fully_eligible"].items():
        lines.append(f"  born {probe}: {budget['steps']} steps, {budget['taps']} taps, {budget['typed']} typed")
    lines += [f"Never reached: {missing}" for missing in report["never_reached"]]
    return "\n".join(lines)


def answers_to(flow: Flow, step: Step, today: date) -> list[Taken]:
    """Every way to answer a step that can matter."""
    found: list[Taken] = []
    if step.source == "languages":
        return [("en", False)]
    if step.source == "sites":
        return [*((site.id, False) for site in flow.sites), (NOWHERE, False)]
    names = tuple(option.id for option in step.options)
    if step.kind == "checklist":
        found = [((), False), *(((name,), False) for name in names), (names, False)]
    else:
        found = [(name, False) for name in names]
    ear = Ear(PlainWords(), flow.heard)
    for probe in step.probes:
        heard = KINDS[step.kind].read(step, probe, ear, today)
        if not isinstance(heard, Gave):
            raise ValueError(f"step {step.id}: the probe {probe!r} is not understood")
        found.append((heard.value, True))
    return [*found, (None, False)] if step.unsure else found


@dataclass(slots=True)
class _Walk:
    flow: Flow
    today: date
    visited: dict[StepId, set[str]] = field(default_factory=dict)
    """For each step reached, the answers taken there."""
    ends: set[str] = field(default_factory=set)
    checked: dict[str, dict[StepId, Answer]] = field(default_factory=dict)
    """One set of answers for each outcome that stands on the check page."""
    _known: dict[Any, Roads] = field(default_factory=dict)
    _needed: dict[StepId, frozenset[StepId]] = field(default_factory=dict)

    def roads(self, at: StepId, on_path: dict[StepId, Answer]) -> Roads:
        """What lies ahead of a step, by outcome."""
        if at == CHECK:
            outcome = str(weigh(self.flow, on_path, self.today).outcome)
            self.checked.setdefault(outcome, dict(on_path))
            return {outcome: Road(1, (0, 0), 0)}
        if at in self.flow.ends:
            self.ends.add(at)
            return {str(at): Road(1, (0, 0), 0)}
        key = self._key(at, on_path)
        if key not in self._known:
            self._known[key] = self._ahead(at, on_path)
        return self._known[key]

    def _ahead(self, at: StepId, on_path: dict[StepId, Answer]) -> Roads:
        step, roads = self.flow.step_by_id[at], Roads()
        for value, typed in answers_to(self.flow, step, self.today):
            self._visit(step, value)
            path = {**on_path, at: Answer(value, self.today)}
            for outcome, road in self.roads(self._next(step, path), path).items():
                road = road.after(typed)
                roads[outcome] = road.beside(roads[outcome]) if outcome in roads else road
        return roads

    def _next(self, step: Step, path: dict[StepId, Answer]) -> StepId:
        known = Known(path, self.today, self.flow.facts)
        for target, condition in ways(self.flow, step):
            if condition is None or condition(known):
                return StepId(target)
        raise LookupError(f"no way leads on from step {step.id}")

    def _key(self, at: StepId, on_path: dict[StepId, Answer]) -> Any:
        """All that the rest of the way can see: some answers, and the statuses so far."""
        needed = self._needed_from(at)
        seen = tuple((step, on_path[step].value) for step in on_path if step in needed)
        here = self.flow.index[at]
        findings = (
            find(criterion, on_path, self.today, self.flow.facts)
            for criterion in self.flow.criteria
            # A rule on a value that is not complete yet says REVIEW for now; its answers are in ``seen``.
            if not (criterion.decisions and any(self.flow.index[step] >= here for step in criterion.steps))
        )
        return at, seen, frozenset(f.status for f in findings if f is not None)

    def _needed_from(self, at: StepId) -> frozenset[StepId]:
        if at not in self._needed:
            flow, here = self.flow, self.flow.index[at]
            needed: set[StepId] = set()
            for step in flow.steps[here:]:
                rules = [asked_if(flow, step), *(route.when for route in step.routes)]
                for rule in rules:
                    needed |= steps_of(rule, flow.facts) if rule else set()
            for criterion in flow.criteria:
                groups = [steps_of(d.when, flow.facts) for d in criterion.decisions]
                groups += [{w.period.after, *steps_of(w.when, flow.facts)} for w in criterion.waits if w.when]
                for group in groups:
                    needed |= group if any(flow.index[s] >= here for s in group) else set()
            self._needed[at] = frozenset(needed)
        return self._needed[at]

    # ------------------------------------------------------------------ after the check page

    def walk_on(self) -> None:
        """From the check page to every end, once for each outcome; and the way of a person request."""
        for answers in tuple(self.checked.values()):
            self._on(dict(answers), set())
        first = self.flow.steps[0]
        asked = {first.id: Answer("en", self.today), PERSON: Answer("yes", self.today)}
        self._on(asked, set(), only_contact=True)

    def _on(self, answers: dict[StepId, Answer], seen: set[Any], *, only_contact: bool = False) -> None:
        here = place(self.flow, answers)
        if here.step is None:
            self.ends.add(here.end)
            return
        after_check = self.flow.index[here.step] >= self.flow.index[CHECK]
        key = (here.step, tuple(answers[s].value for s in answers if s in self._needed_from(here.step)))
        if key in seen or (only_contact and not after_check):
            return
        seen.add(key)
        step = self.flow.step_by_id[here.step]
        for value, _ in answers_to(self.flow, step, self.today):
            self._visit(step, value)
            self._on({**answers, step.id: Answer(value, self.today)}, seen, only_contact=only_contact)

    def _visit(self, step: Step, value: Value) -> None:
        taken = self.visited.setdefault(step.id, set())
        taken.update(value if isinstance(value, tuple) else {NOT_SURE if value is None else str(value)})

    def never_reached(self) -> list[str]:
        return list(self._missing())

    def _missing(self) -> Iterator[str]:
        for step in self.flow.steps:
            if step.id not in self.visited:
                yield f"step {step.id}"
                continue
            wanted = [option.id for option in step.options] + [NOT_SURE] * step.unsure
            yield from (f"answer {step.id}.{w}" for w in wanted if w not in self.visited[step.id])
        yield from (f"outcome {o}" for o in self.flow.outcomes if o not in self.checked)
        yield from (f"end {end}" for end in self.flow.ends if end not in self.ends)


def _budgets(flow: Flow, today: date) -> dict[str, dict[str, int]]:
    """The shortest way to a possible match for each way to answer the first typed question."""
    typed = next((step for step in flow.steps if step.probes), None)
    budgets: dict[str, dict[str, int]] = {}
    for number, probe in enumerate(typed.probes if typed else ()):
        walking = _Walk(flow, today)
        path: dict[StepId, Answer] = {}
        at = flow.steps[0].id
        while typed is not None and at != typed.id:
            value, _ = answers_to(flow, flow.step_by_id[at], today)[0]
            path[at] = Answer(value, today)
            at = walking._next(flow.step_by_id[at], path)
        assert typed is not None
        value = [v for v, was_typed in answers_to(flow, typed, today) if was_typed][number]
        path[at] = Answer(value, today)
        road = walking.roads(walking._next(typed, path), path).get("possible_match")
        if road is not None:
            steps, words = road.shortest
            total = steps + len(path) - 1  # the language is a side button, not a question
            budgets[probe] = {"steps": total, "taps": total - words - 1, "typed": words + 1}
    return budgets
