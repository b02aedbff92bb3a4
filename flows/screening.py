"""Weighs answers against the criteria: one status per criterion, one outcome over all of them.

Doubt never excludes: whatever is not surely known becomes REVIEW, which sends the person on to staff
with a point to look at (reading, sections 1 and 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from flows.answer import Answer, Span, StepId, Value
from flows.flow import NOT_SURE, STATUSES, Criterion, CriterionId, Decision, Flow, Outcome, Status, Wait
from flows.rules import NO, UNKNOWN, YES, Known

_RANK = {status: rank for rank, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class Finding:
    """What the answers say about one criterion."""

    criterion: CriterionId
    status: Status
    until: date | None = None
    """For WAIT: the day the reason ends; None while nobody can know."""
    because: tuple[str, ...] = ()
    """The answers behind it, coded as ``step.answer``."""
    unsettled: bool = False
    """A closer date would settle it."""
    note: str = ""
    """For staff, about the day in ``noted``."""
    noted: date | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and everything it rests on. ``outcome`` is None while asked questions are open."""

    outcome: Outcome | None
    eligible_from: date | None
    """For not now: the latest day on which a reason ends. None if one of them has no known end."""
    findings: tuple[Finding, ...]
    """One per criterion whose questions were reached, in the order of the listing."""

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """The findings that are against."""
        return tuple(f for f in self.findings if f.status in ("OUT", "WAIT"))

    @property
    def flags(self) -> tuple[Finding, ...]:
        """The points for staff to verify: everything worse than OK, and notes."""
        return tuple(f for f in self.findings if f.status in ("OUT", "WAIT", "REVIEW") or f.note)


def find(criterion: Criterion, known: Known) -> Finding | None:
    """The finding for one criterion; None when none of its questions was answered.

    The worst of all signs wins: a sure reason against, then a wait (the latest), then doubt.
    """
    if criterion.handled == "site":
        return _plain(criterion.id, "SITE")
    signs: list[Finding] = []
    reached = False
    for step in criterion.steps:
        if (answer := known.answers.get(step)) is not None:
            reached = True
            signs += _tapped(criterion, step, answer.value)
    if not reached:
        return None
    for wait in criterion.waits:
        if (sign := _waited(criterion, wait, known)) is not None:
            signs.append(sign)
    if criterion.decisions and (sign := _decided(criterion, known)) is not None:
        signs.append(sign)
    return _worst(criterion, signs) if signs else _plain(criterion.id, criterion.otherwise)


@lru_cache(maxsize=4096)
def _plain(criterion: CriterionId, status: Status) -> Finding:
    """A finding that no answer is behind: most are."""
    return Finding(criterion, status)


def weigh(flow: Flow, on_path: Mapping[StepId, Answer], today: date) -> Verdict:
    """The verdict over all criteria, taking the answers as complete."""
    known = Known(on_path, today, flow.facts)
    found = [find(criterion, known) for criterion in flow.criteria]
    findings = tuple([finding for finding in found if finding is not None])
    statuses = {finding.status for finding in findings}
    waits = [finding.until for finding in findings if finding.status == "WAIT"]
    outcome: Outcome
    if "OUT" in statuses:
        outcome = "ruled_out"
    elif waits:
        outcome = "not_now"
    elif "REVIEW" in statuses:
        outcome = "needs_review"
    else:
        outcome = "possible_match"
    days = [day for day in waits if day is not None]
    dated = outcome == "not_now" and len(days) == len(waits)
    return Verdict(outcome, max(days) if dated else None, findings)


def excluded(flow: Flow, step: StepId, known: Known) -> bool:
    """Whether the answers rule the person out for good by a criterion that ``step`` decides."""
    for criterion in flow.excluding[step]:
        finding = find(criterion, known)
        if finding is not None and finding.status == "OUT":
            return True
    return False


def _tapped(criterion: Criterion, step: StepId, value: Value) -> list[Finding]:
    """What the picks of an answer say. What is OK needs no sign."""
    otherwise: Status = "OK"
    if value is None:
        value, otherwise = NOT_SURE, "REVIEW"
    signs = []
    for pick in value if isinstance(value, tuple) else (value,):
        status = criterion.answers.get((step, pick), otherwise) if isinstance(pick, str) else otherwise
        if status != "OK":
            signs.append(Finding(criterion.id, status, because=(f"{step}.{pick}",)))
    return signs


def _waited(criterion: Criterion, wait: Wait, known: Known) -> Finding | None:
    ends = wait.period.ends(known.answers)
    applies = YES if wait.when is None else wait.when.holds(known)
    if ends is None or applies is NO or ends.last <= known.today:
        return None
    because = (wait.period.after,)
    if ends.first <= known.today:
        return Finding(criterion.id, "REVIEW", because=because, unsettled=True)
    if applies is UNKNOWN:
        return Finding(criterion.id, "REVIEW", because=because)
    return Finding(criterion.id, "WAIT", ends.last, because)


def _decided(criterion: Criterion, known: Known) -> Finding | None:
    because = tuple(criterion.steps)
    for decision in criterion.decisions:
        truth = decision.when.holds(known)
        if truth is UNKNOWN:
            return Finding(criterion.id, "REVIEW", because=because, unsettled=True)
        if truth is YES:
            ends = _end(decision, known)
            end = None if ends is None else ends.last
            if decision.then == "WAIT":
                return Finding(criterion.id, "WAIT", end, because)
            noted = end if decision.note else None
            return Finding(criterion.id, decision.then, None, because, note=decision.note, noted=noted)
    return None


def _end(decision: Decision, known: Known) -> Span | None:
    return None if decision.until is None else decision.until.ends(known.answers)


def _worst(criterion: Criterion, signs: list[Finding]) -> Finding:
    if len(signs) == 1 and signs[0].status != "OK":
        return signs[0]
    best = _plain(criterion.id, criterion.otherwise)
    status = max((sign.status for sign in signs), key=_RANK.__getitem__)
    unsettled = status == "REVIEW" and any(sign.unsettled for sign in signs)
    noted = next((sign for sign in signs if sign.note), best)
    if status == "OK":
        return Finding(criterion.id, criterion.otherwise, note=noted.note, noted=noted.noted)
    worst = [sign for sign in signs if sign.status == status]
    days = [sign.until for sign in worst]
    until = max((day for day in days if day is not None), default=None) if None not in days else None
    because = tuple(dict.fromkeys(reason for sign in worst for reason in sign.because))
    return Finding(criterion.id, status, until, because, unsettled, noted.note, noted.noted)
