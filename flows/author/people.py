"""Screens people from a file of answers: what the conversation would have told them, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flows.answer import Answer, Span, StepId
from flows.flow import NOT_SURE, Flow, Step
from flows.kinds import KINDS
from flows.machine import place, screen
from flows.offers import NOWHERE
from flows.screening import Finding


class BadAnswers(Exception):
    """A file of answers names steps or values that are not there; every problem at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def screen_person(flow: Flow, person: object) -> dict[str, Any]:
    """``{"id": ..., "date": "2026-11-22", "answers": {step: value}}`` to outcome, reasons and flags.

    Values: an option id, a list of them, ``"not_sure"``, a date (``2026-11-14``, ``2026-11``, ``2026``
    or ``{"from": ..., "to": ...}``), a measure (``{"cm": 165}``), a number or a text. Raises BadAnswers.
    """
    if not isinstance(person, dict) or not isinstance(person.get("answers"), dict):
        raise BadAnswers(['A person needs "date" and "answers".'])
    try:
        today = date.fromisoformat(str(person.get("date")))
    except ValueError:
        raise BadAnswers(['"date" must be a day like 2026-11-22.']) from None
    answers = _answers(flow, person["answers"], today)
    here = place(flow, answers)
    verdict = screen(flow, answers, today)
    return {
        "id": person.get("id"),
        "outcome": verdict.outcome,
        "eligible_from": verdict.eligible_from and verdict.eligible_from.isoformat(),
        "reasons": [_finding(finding) for finding in verdict.reasons],
        "flags": [_finding(finding) for finding in verdict.flags],
        "open_step": here.step if verdict.outcome is None else None,
        "not_counted": [step for step in answers if step not in here.on_path],
    }


def _answers(flow: Flow, given: Mapping[str, Any], today: date) -> dict[StepId, Answer]:
    answers, problems = {}, []
    for name, raw in given.items():
        step = flow.step_by_id.get(StepId(name))
        if step is None:
            problems.append(f"There is no step {name!r}.")
            continue
        try:
            value = _value(flow, step, raw)
        except (ValueError, TypeError):
            problems.append(f"This is no answer to step {name!r}.")
            continue
        if isinstance(value, Span):
            if value.first > today:
                problems.append(f"The day of step {name!r} lies ahead of the person's date.")
                continue
            value = Span(value.first, min(value.last, today))  # as in the conversation, a span ends by today
        answers[step.id] = Answer(value, today)
    if problems:
        raise BadAnswers(problems)
    return answers


def _value(flow: Flow, step: Step, raw: Any) -> Any:
    if raw is None or raw == NOT_SURE:
        if not step.unsure:
            raise ValueError("not sure is not offered here")
        return None
    if step.source == "languages":
        return str(raw)
    if step.source == "sites":
        if raw != NOWHERE and flow.site(str(raw)) is None:
            raise ValueError("no such site")
        return raw
    if isinstance(raw, str) and step.option(raw):
        return (raw,) if step.kind == "checklist" else raw
    return KINDS[step.kind].accept(step, raw)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "criterion": finding.criterion,
        "status": finding.status,
        "until": finding.until and finding.until.isoformat(),
        "because": list(finding.because),
        "note": finding.note or None,
    }
