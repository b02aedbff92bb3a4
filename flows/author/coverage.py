"""How each criterion is handled: asked in which steps, decided by which answers, or left to the site."""

from __future__ import annotations

from typing import Any

from flows.facts import Period
from flows.flow import Criterion, Flow
from flows.machine import asked_if
from flows.rules import Between, Either, Every, Is, Maybe, Not, OutcomeIs, Rule


def coverage(flow: Flow) -> list[dict[str, Any]]:
    """One row per criterion of the listing, in its order."""
    return [_row(criterion) for criterion in flow.criteria if criterion.listed]


def _row(criterion: Criterion) -> dict[str, Any]:
    decided = [f"{step}.{answer} -> {status}" for (step, answer), status in criterion.answers.items()]
    for wait in criterion.waits:
        condition = f" if {said(wait.when)}" if wait.when else ""
        decided.append(f"{wait.period.after} -> WAIT {_period(wait.period)} after it{condition}")
    for decision in criterion.decisions:
        until = f" until {_period(decision.until)} after {decision.until.after}" if decision.until else ""
        decided.append(f"{said(decision.when)} -> {decision.then}{until}")
    return {
        "criterion": criterion.id,
        "title": criterion.title,
        "handled": criterion.handled,
        "asked_in": list(criterion.steps),
        "decided_by": decided,
        "otherwise": criterion.otherwise if criterion.handled == "asked" else "SITE",
        "left_to_site": criterion.site_check,
        "why": criterion.why,
        "listing": criterion.text,
    }


def as_text(flow: Flow, rows: list[dict[str, Any]]) -> str:
    lines = [f"{flow.trial.registry_id} {flow.trial.version}: {len(rows)} criteria"]
    for row in rows:
        lines.append(f"\n{row['criterion']}  {row['title']}")
        if row["handled"] == "site":
            lines.append(f"  left to the site: {row['why']}")
            continue
        lines.append(f"  asked in: {', '.join(row['asked_in'])}")
        lines += [f"  {decided}" for decided in row["decided_by"]]
        lines.append(f"  otherwise -> {row['otherwise']}; not sure -> REVIEW unless said")
        if row["left_to_site"]:
            lines.append(f"  the site also checks: {row['left_to_site']}")
    return "\n".join(lines)


def steps(flow: Flow) -> list[dict[str, Any]]:
    """Every step as a machine may read it."""
    rows = []
    for step in flow.steps:
        rule = asked_if(flow, step)
        rows.append(
            {
                "id": step.id,
                "part": step.part,
                "kind": step.kind,
                "text": step.text,
                "options": [option.id for option in step.options],
                "not_sure": step.unsure,
                "criteria": [criterion.id for criterion in flow.deciding[step.id]],
                "asked_if": said(rule) if rule else None,
            }
        )
    return rows


def said(rule: Rule) -> str:
    """A rule in words."""
    match rule:
        case Is(step, options):
            return f"{step} is {' or '.join(options)}"
        case Between(fact, at_least, below):
            limits = [f"at least {at_least}"] * (at_least is not None) + [f"below {below}"] * (below is not None)
            return f"{fact} is {' and '.join(limits)}"
        case OutcomeIs(outcomes):
            return f"the outcome is {' or '.join(outcomes) or 'none'}"
        case Every(rules):
            return " and ".join(f"({said(inner)})" for inner in rules)
        case Either(rules):
            return " or ".join(f"({said(inner)})" for inner in rules)
        case Not(inner):
            return f"not ({said(inner)})"
        case Maybe(inner):
            return f"perhaps ({said(inner)})"
        case _:
            return type(rule).__name__


def _period(period: Period) -> str:
    amounts = {
        "year": period.years, "month": period.months, "week": period.weeks, "day": period.days,
    }  # fmt: skip
    said_amounts = [f"{n} {unit}{'s' if n > 1 else ''}" for unit, n in amounts.items() if n]
    return " and ".join(said_amounts)
