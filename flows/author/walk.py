"""Walks every distinct path of a flow: what can be reached, how it ends, how long it takes.

Each question is answered in every way that can matter: each option, "not sure", and for lists none, each
single pick and all picks; for typed questions the ``probes`` of the file. Paths that agree in everything a
later question or criterion can look at are walked once and counted together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from flows.answer import Answer, StepId, Value
from flows.author.paths import DOUBT, FINE, OUT, OUTCOME_OF, PAUSE, Paths
from flows.flow import CHECK, NOT_SURE, OUTCOMES, PERSON, Flow, Step
from flows.machine import DONE, asked_if, place
from flows.rules import OutcomeIs, Rule, inside, steps_of


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
    walking = _Walk(flow, Paths(flow, today))
    roads = walking.roads(flow.steps[0].id, {}, FINE)
    walking.walk_on()
    return {
        "trial": flow.name,
        "on": today.isoformat(),
        "paths": {outcome: road.paths for outcome, road in sorted(roads.items())},
        "shortest": {outcome: road.shortest[0] for outcome, road in sorted(roads.items())},
        "longest": {outcome: road.longest for outcome, road in sorted(roads.items())},
        "fully_eligible": walking.budgets(),
        "steps": len(walking.visited),
        "never_reached": list(walking.never_reached()),
    }


def ways_to(flow: Flow, today: date) -> dict[StepId, dict[StepId, Answer]]:
    """Every step that can be reached, and one set of answers that leads there."""
    walking = _Walk(flow, Paths(flow, today))
    walking.roads(flow.steps[0].id, {}, FINE)
    walking.walk_on()
    return walking.ways


def as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['trial']} on {report['on']}: {report['steps']} steps visited"]
    for outcome, paths in report["paths"].items():
        shortest, longest = report["shortest"][outcome], report["longest"][outcome]
        lines.append(f"  {outcome:<15} {paths:>31,} paths, {shortest} to {longest} answers")
    lines.append("A fully eligible person, from consent to the last question, by the first typed answer:")
    for probe, budget in report["fully_eligible"].items():
        lines.append(f"  {probe}: {budget['steps']} steps, {budget['taps']} taps, {budget['typed']} typed")
    lines += [f"Never reached: {missing}" for missing in report["never_reached"]]
    return "\n".join(lines)


@dataclass(eq=False)
class _Walk:
    flow: Flow
    paths: Paths
    visited: dict[StepId, set[str]] = field(default_factory=dict)
    """For each step reached, the answers taken there."""
    ways: dict[StepId, dict[StepId, Answer]] = field(default_factory=dict)
    """For each step reached, the answers that led there first."""
    ends: set[str] = field(default_factory=set)
    checked: dict[str, dict[StepId, Answer]] = field(default_factory=dict)
    """One set of answers for each outcome that stands on the check page."""
    _known: dict[Any, Roads] = field(default_factory=dict)

    def roads(self, at: StepId, path: dict[StepId, Answer], worst: int) -> Roads:
        """What lies ahead of a step, by outcome."""
        if at == CHECK:
            outcome = OUTCOME_OF[worst]
            self.checked.setdefault(outcome, path)
            return {outcome: Road(1, (0, 0), 0)}
        if at in self.flow.ends:
            self.ends.add(at)
            return {str(at): Road(1, (0, 0), 0)}
        key = at, worst, *self.paths.sight(at, path)
        if key not in self._known:
            self._known[key] = self._ahead(at, path, worst)
        return self._known[key]

    def _ahead(self, at: StepId, path: dict[StepId, Answer], worst: int) -> Roads:
        step, roads = self.flow.step_by_id[at], Roads()
        self.ways.setdefault(at, path)
        for value, typed in self.paths.taken(at):
            self._visit(step, value)
            longer = {**path, at: Answer(value, self.paths.today)}
            to = self.paths.next(at, longer)
            for outcome, road in self.roads(to, longer, self.paths.worst(worst, at, to, longer)).items():
                road = road.after(typed)  # noqa: PLW2901 - the same road, seen from here
                roads[outcome] = road.beside(roads[outcome]) if outcome in roads else road
        return roads

    def budgets(self) -> dict[str, dict[str, int]]:
        """The shortest way to a possible match for each way to answer the first typed question.

        Before it every question gets its first answer.
        """
        flow, paths = self.flow, self.paths
        at, path, worst = flow.steps[0].id, dict[StepId, Answer](), FINE
        while at in flow.index and at != CHECK and not flow.step_by_id[at].probes:
            at, path, worst = self._on_with(at, path, worst, paths.taken(at)[0][0])
        if at == CHECK or at not in flow.index:
            whole = self.roads(flow.steps[0].id, {}, FINE).get("possible_match")
            return {"anybody": _budget(*whole.shortest)} if whole else {}
        found: dict[str, dict[str, int]] = {}
        values = [value for value, typed in paths.taken(at) if typed]
        for probe, value in zip(flow.step_by_id[at].probes, values, strict=True):
            road = self.roads(*self._on_with(at, path, worst, value)).get("possible_match")
            if road is not None:
                steps, words = road.shortest
                found[probe] = _budget(steps + len(path) + 1, words + 1)
        return found

    def _on_with(
        self, at: StepId, path: dict[StepId, Answer], worst: int, value: Value
    ) -> tuple[StepId, dict[StepId, Answer], int]:
        longer = {**path, at: Answer(value, self.paths.today)}
        to = self.paths.next(at, longer)
        return to, longer, self.paths.worst(worst, at, to, longer)

    # ------------------------------------------------------------------ after the check page

    def walk_on(self) -> None:
        """From the check page to every end, once for each outcome; and the way of a person request."""
        for answers in tuple(self.checked.values()):
            self._on(dict(answers), set())
        first = self.flow.steps[0]
        value, _ = self.paths.taken(first.id)[0]
        today = self.paths.today
        self._on({first.id: Answer(value, today), PERSON: Answer("yes", today)}, set(), only_contact=True)

    def _on(self, answers: dict[StepId, Answer], seen: set[Any], *, only_contact: bool = False) -> None:
        here = place(self.flow, answers)
        if here.step is None:
            self.ends.add(here.end)
            return
        after_check = self.flow.index[here.step] >= self.flow.index[CHECK]
        key = here.step, tuple(answers[s].value for s in answers if s in self._matters)
        if key in seen or (only_contact and not after_check):
            return
        seen.add(key)
        self.ways.setdefault(here.step, answers)
        step = self.flow.step_by_id[here.step]
        for value, _ in self.paths.taken(step.id):
            self._visit(step, value)
            self._on({**answers, step.id: Answer(value, self.paths.today)}, seen, only_contact=only_contact)

    @cached_property
    def _matters(self) -> set[StepId]:
        """The answers that a question after the check page asks for."""
        later = self.flow.steps[self.flow.index[CHECK] :]
        rules = [asked_if(self.flow, step) for step in later] + [r.when for s in later for r in s.routes]
        return {step for rule in rules if rule is not None for step in steps_of(rule, self.flow.facts)}

    def _visit(self, step: Step, value: Value) -> None:
        taken = self.visited.setdefault(step.id, set())
        taken.update(value if isinstance(value, tuple) else {NOT_SURE if value is None else str(value)})

    # ------------------------------------------------------------------ what is missing

    def never_reached(self) -> Iterator[str]:
        """Steps, answers, outcomes and ends that no path holds, though the file knows of them."""
        possible = self._possible()
        for step in self.flow.steps:
            if step.id not in self.visited:
                if not _only_after(asked_if(self.flow, step), {o for o in OUTCOMES if o not in possible}):
                    yield f"step {step.id}"
                continue
            wanted = [option.id for option in step.options] + [NOT_SURE] * step.unsure
            yield from (f"answer {step.id}.{w}" for w in wanted if w not in self.visited[step.id])
        yield from (f"outcome {o}" for o in self.flow.outcomes if o in possible and o not in self.checked)
        routes = {route.to for step in self.flow.steps for route in step.routes}
        yield from (f"end {e}" for e in self.flow.ends if e not in self.ends and e in {DONE, *routes})

    def _possible(self) -> set[str]:
        """The outcomes that the criteria speak of: a trial without waits has no "not now"."""
        statuses = {"OK"}
        for criterion in self.flow.criteria:
            statuses |= {*criterion.answers.values(), criterion.otherwise, *(d.then for d in criterion.decisions)}
            statuses |= {"WAIT", "REVIEW"} if criterion.waits else set()
            statuses |= {"REVIEW"} if any(self.flow.step_by_id[step].unsure for step in criterion.steps) else set()
        ranks = {"OUT": OUT, "WAIT": PAUSE, "REVIEW": DOUBT}
        return {OUTCOME_OF[ranks.get(status, FINE)] for status in statuses}


def _budget(steps: int, typed: int) -> dict[str, int]:
    """The language is a side button, and does not count."""
    return {"steps": steps - 1, "taps": steps - 1 - typed, "typed": typed}


def _only_after(rule: Rule | None, outcomes: Collection[str]) -> bool:
    """Whether a rule waits for nothing but these outcomes."""
    parts = [part for part in inside(rule) if isinstance(part, OutcomeIs)] if rule else []
    return bool(parts) and all(set(part.outcomes) <= set(outcomes) for part in parts)
