"""The small closed vocabulary of conditions. Every rule answers YES, NO or UNKNOWN, never a bare bool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Protocol

from flows.answer import Answer, StepId
from flows.facts import Fact, Interval


class Truth(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, holds: bool) -> Truth:
        return cls.YES if holds else cls.NO


YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN


@dataclass(slots=True)
class Known:
    """What a rule may look at: the answers on the path so far, the day, and what follows from them."""

    answers: Mapping[StepId, Answer]
    today: date
    facts: Mapping[str, Fact] = field(default_factory=dict)
    outcome: Callable[[], str | None] = lambda: None
    _derived: dict[str, Interval] = field(default_factory=dict)

    def fact(self, name: str) -> Interval | None:
        """A derived value. Answers are only ever added to a path, so what is known once stays as it is."""
        if (value := self._derived.get(name)) is None:
            value = self.facts[name].value(self.answers, self.today)
            if value is not None:
                self._derived[name] = value
        return value


class Rule(Protocol):
    def holds(self, known: Known) -> Truth: ...

    def parts(self) -> tuple[Rule, ...]:
        """The rules inside this one."""


@dataclass(frozen=True, slots=True)
class Is:
    """The answer of a step is, or its picks include, one of these. "Not sure" and not asked are UNKNOWN."""

    step: StepId
    options: tuple[str, ...]

    def holds(self, known: Known) -> Truth:
        answer = known.answers.get(self.step)
        if answer is None or answer.value is None:
            return UNKNOWN
        value = answer.value
        if isinstance(value, tuple):
            for option in self.options:
                if option in value:
                    return YES
            return NO
        return YES if value in self.options else NO

    def parts(self) -> tuple[Rule, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Between:
    """A derived value lies from ``at_least`` (included) to ``below`` (excluded)."""

    fact: str
    at_least: Decimal | None = None
    below: Decimal | None = None

    def holds(self, known: Known) -> Truth:
        value = known.fact(self.fact)
        if value is None:
            return UNKNOWN
        low = self.at_least is None or value.low >= self.at_least
        high = self.below is None or value.high < self.below
        if low and high:
            return YES
        outside = (self.at_least is not None and value.high < self.at_least) or (
            self.below is not None and value.low >= self.below
        )
        return NO if outside else UNKNOWN

    def parts(self) -> tuple[Rule, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class OutcomeIs:
    """The confirmed answers lead to one of these outcomes."""

    outcomes: tuple[str, ...]

    def holds(self, known: Known) -> Truth:
        outcome = known.outcome()
        return UNKNOWN if outcome is None else Truth.of(outcome in self.outcomes)

    def parts(self) -> tuple[Rule, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Every:
    rules: tuple[Rule, ...]

    def holds(self, known: Known) -> Truth:
        worst = YES
        for rule in self.rules:
            truth = rule.holds(known)
            if truth is NO:
                return NO
            if truth is UNKNOWN:
                worst = UNKNOWN
        return worst

    def parts(self) -> tuple[Rule, ...]:
        return self.rules


@dataclass(frozen=True, slots=True)
class Either:
    rules: tuple[Rule, ...]

    def holds(self, known: Known) -> Truth:
        best = NO
        for rule in self.rules:
            truth = rule.holds(known)
            if truth is YES:
                return YES
            if truth is UNKNOWN:
                best = UNKNOWN
        return best

    def parts(self) -> tuple[Rule, ...]:
        return self.rules


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule

    def holds(self, known: Known) -> Truth:
        return {YES: NO, NO: YES, UNKNOWN: UNKNOWN}[self.rule.holds(known)]

    def parts(self) -> tuple[Rule, ...]:
        return (self.rule,)


@dataclass(frozen=True, slots=True)
class Maybe:
    """The rule holds, or may hold: the only way in which not knowing can lead somewhere."""

    rule: Rule

    def holds(self, known: Known) -> Truth:
        return Truth.of(self.rule.holds(known) is not NO)

    def parts(self) -> tuple[Rule, ...]:
        return (self.rule,)


def inside(rule: Rule) -> Iterator[Rule]:
    """The rule and every rule within it."""
    yield rule
    for part in rule.parts():
        yield from inside(part)


def steps_of(rule: Rule, facts: Mapping[str, Fact]) -> set[StepId]:
    """The steps whose answers the rule looks at, directly or through a derived value."""
    steps: set[StepId] = set()
    for part in inside(rule):
        if isinstance(part, Is):
            steps.add(part.step)
        elif isinstance(part, Between) and part.fact in facts:
            steps.update(facts[part.fact].of)
    return steps
