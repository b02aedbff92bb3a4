"""The paths of a flow up to the check page: how each question can be answered, and where that leads.

Two people who stand at the same question and differ in nothing that a later question or criterion can look
at have the same paths ahead of them. ``Paths.sight`` is what makes them equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from flows.answer import Answer, StepId, Value
from flows.author.plain import PlainWords
from flows.flow import CHECK, STATUSES, Criterion, CriterionId, Flow, Outcome, Step
from flows.kinds import KINDS
from flows.machine import Condition, asked_if, ways
from flows.offers import NOWHERE
from flows.reply import Gave
from flows.rules import Between, Is, Known, Rule, inside, steps_of
from flows.screening import find
from flows.words import Ear

Taken = tuple[Value, bool]
"""A value, and whether it was typed."""

TYPED = ("number", "measure", "date", "text", "phone", "email")
"""The kinds whose answers are not all on buttons: the tools try the ``probes`` of the file."""

FINE, DOUBT, PAUSE, OUT = range(4)
"""How bad the statuses of a person are so far, as the outcome sees it."""
_RANK = dict(zip(STATUSES, (FINE, FINE, DOUBT, PAUSE, OUT), strict=True))
OUTCOME_OF: dict[int, Outcome] = {
    FINE: "possible_match", DOUBT: "needs_review", PAUSE: "not_now", OUT: "ruled_out",
}  # fmt: skip

_PLAIN = PlainWords()


class TooManyPaths(Exception):
    """There are more paths than a quick look can go."""


def probe(flow: Flow, step: Step, text: str, today: date) -> Value:
    """What a probe of the file answers; ValueError when nobody would understand it."""
    heard = KINDS[step.kind].read(step, text, Ear(_PLAIN, flow.heard), today)
    if not isinstance(heard, Gave):
        raise ValueError(f"step {step.id}: the probe {text!r} is not understood")
    return heard.value


def answers_to(flow: Flow, step: Step, today: date) -> list[Taken]:
    """Every way to answer a step that can matter."""
    found: list[Taken] = []
    if step.source == "languages":
        return [("en", False)]
    if step.source == "sites":
        return [*((site.id, False) for site in flow.sites), (NOWHERE, False)]
    names = tuple(option.id for option in step.options)
    if step.kind == "checklist":
        # All picks of a list of one are that one pick again.
        found = [((), False), *(((name,), False) for name in names), *[(names, False)] * (len(names) > 1)]
    else:
        found = [(name, False) for name in names]
    found += [(probe(flow, step, text, today), True) for text in step.probes]
    return [*found, (None, False)] if step.unsure else found


@dataclass(frozen=True, slots=True)
class _Horizon:
    """What can be seen from one step of the answers behind it."""

    rules: tuple[tuple[Rule, tuple[StepId, ...]], ...]
    """Simple rules that are asked for later, and that the answers behind decide for good."""
    values: tuple[StepId, ...]
    """Answers that count for something only together with a later one."""


@dataclass(eq=False)
class Paths:
    """The ways through one flow on one day."""

    flow: Flow
    today: date
    _taken: dict[StepId, list[Taken]] = field(default_factory=dict)
    _ways: dict[StepId, list[tuple[str, Condition | None]]] = field(default_factory=dict)
    _horizons: dict[StepId, _Horizon] = field(default_factory=dict)
    _truths: dict[Any, Any] = field(default_factory=dict)
    _ranks: dict[Any, int] = field(default_factory=dict)

    def taken(self, step: StepId) -> list[Taken]:
        if step not in self._taken:
            self._taken[step] = answers_to(self.flow, self.flow.step_by_id[step], self.today)
        return self._taken[step]

    def next(self, at: StepId, path: dict[StepId, Answer]) -> StepId:
        """Where the answer to ``at``, the last of the path, leads: a step or an end."""
        if at not in self._ways:
            self._ways[at] = ways(self.flow, self.flow.step_by_id[at])
        known = Known(path, self.today, self.flow.facts)
        return next(StepId(to) for to, holds in self._ways[at] if holds is None or holds(known))

    # ------------------------------------------------------------------ what matters of a path

    def sight(self, at: StepId, path: dict[StepId, Answer]) -> Any:
        """Equal for two paths to the same step if, and only if, no later question or status tells them apart."""
        if at not in self._horizons:
            self._horizons[at] = self._horizon(at)
        horizon = self._horizons[at]
        truths = tuple([self._truth(rule, steps, path) for rule, steps in horizon.rules])
        return truths, tuple([path[step].value if step in path else ... for step in horizon.values])

    def _truth(self, rule: Rule, steps: tuple[StepId, ...], path: dict[StepId, Answer]) -> Any:
        key = rule, *[path[step].value if step in path else ... for step in steps]
        if key not in self._truths:
            self._truths[key] = rule.holds(Known(path, self.today, self.flow.facts))
        return self._truths[key]

    def _horizon(self, at: StepId) -> _Horizon:
        flow, here = self.flow, self.flow.index[at]
        rules: dict[Rule, tuple[StepId, ...]] = {}
        values: set[StepId] = set()
        for rule in self._rules_from(here):
            for leaf in inside(rule):
                steps = steps_of(leaf, flow.facts) if isinstance(leaf, Is | Between) else set()
                if steps and all(flow.index[step] < here for step in steps):
                    rules[leaf] = tuple(sorted(steps))
                else:
                    values |= steps
        for criterion in flow.criteria:
            if criterion.id not in self._plain and flow.index[criterion.steps[-1]] >= here:
                values |= set(criterion.steps)
        behind = tuple(sorted((s for s in values if flow.index[s] < here), key=flow.index.__getitem__))
        return _Horizon(tuple(rules.items()), behind)

    def _rules_from(self, here: int) -> Iterator[Rule]:
        for step in self.flow.steps[here:]:
            for rule in (asked_if(self.flow, step), *(route.when for route in step.routes)):
                if rule is not None:
                    yield rule

    # ------------------------------------------------------------------ statuses

    @cached_property
    def _plain(self) -> frozenset[CriterionId]:
        """Criteria that an answer can only make worse, so that each answer can be weighed when it is given."""
        return frozenset(
            criterion.id
            for criterion in self.flow.criteria
            if not criterion.decisions
            and not any(wait.when for wait in criterion.waits)
            and _RANK[criterion.otherwise] == FINE
        )

    def worst(self, worst: int, at: StepId, to: StepId, path: dict[StepId, Answer]) -> int:
        """How bad things are after an answer to ``at`` that led on to ``to``.

        A criterion whose answers change each other's meaning is weighed when its last question is behind.
        """
        flow = self.flow
        here, there = flow.index[at], flow.index.get(to, 0)
        for criterion in flow.deciding[at]:
            if criterion.id in self._plain:
                worst = max(worst, self._rank(criterion, path))
        for criterion in self._others:
            last = flow.index[criterion.steps[-1]]
            if last >= here and (last < there or to == CHECK):
                worst = max(worst, self._rank(criterion, path))
        return worst

    @cached_property
    def _others(self) -> tuple[Criterion, ...]:
        return tuple(c for c in self.flow.criteria if c.steps and c.id not in self._plain)

    def _rank(self, criterion: Criterion, path: dict[StepId, Answer]) -> int:
        key = criterion.id, *[path[step].value if step in path else ... for step in criterion.steps]
        if key not in self._ranks:
            finding = find(criterion, Known(path, self.today, self.flow.facts))
            self._ranks[key] = FINE if finding is None else _RANK[finding.status]
        return self._ranks[key]

    # ------------------------------------------------------------------ reach

    def reach(self, most: int = 100_000) -> Iterator[tuple[StepId, dict[StepId, Answer]]]:
        """Every step up to the check page that can be reached, and answers that lead there.

        Raises TooManyPaths for a flow that has more than ``most`` places to stand at.
        """
        open_: list[tuple[StepId, dict[StepId, Answer]]] = [(self.flow.steps[0].id, {})]
        found: set[StepId] = set()
        seen: set[Any] = set()
        while open_:
            at, path = open_.pop()
            key = at, *self.sight(at, path)
            if key in seen:
                continue
            if len(seen) >= most:
                raise TooManyPaths
            seen.add(key)
            if at not in found:
                found.add(at)
                yield at, path
            for value, _ in self.taken(at) if at != CHECK else ():
                longer = {**path, at: Answer(value, self.today)}
                to = self.next(at, longer)
                if to in self.flow.index:
                    open_.append((to, longer))
