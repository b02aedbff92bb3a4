"""The flow as a Mermaid diagram, from the very ways that the machine is made of."""

from __future__ import annotations

from flows.author.coverage import said
from flows.flow import CHECK, CONTACT, SEND_PERSON, Flow, Step
from flows.machine import asked_if, ways
from flows.rules import Rule


def draw(flow: Flow, part: str | None = None) -> str:
    """Mermaid text. With ``part``, only the steps of that part and where they lead."""
    shown = [step for step in flow.steps if part in (None, step.part)]
    arrows = {(step.id, to): label for step in shown for to, label in _arrows(flow, step).items()}
    states = dict.fromkeys([*(str(step.id) for step in shown), *(to for _, to in arrows)])
    return "\n".join(
        [
            "---",
            f"title: {flow.trial.registry_id} {flow.trial.version}",
            "---",
            "stateDiagram-v2",
            *(f'    state "{_words(flow, state)}" as {_name(state)}' for state in states),
            f"    [*] --> {_name(shown[0].id)}",
            *(f"    {_name(at)} --> {_name(to)}{label and f': {label}'}" for (at, to), label in arrows.items()),
            *(f"    {_name(state)} --> [*]" for state in states if state in flow.ends),
        ]
    )


def _arrows(flow: Flow, step: Step) -> dict[str, str]:
    """Where a step leads, and when."""
    found: dict[str, str] = {}
    for number, (to, condition) in enumerate(ways(flow, step)):
        if condition is None:
            label = "otherwise" if number else ""
        elif to == CHECK and number == 0 and flow.excluding[step.id]:
            label = "ruled out"
        else:
            rules: list[Rule | None] = [route.when for route in step.routes if route.to == to]
            rules = rules or [asked_if(flow, other) for other in flow.steps if other.id == to]
            label = " or ".join(said(rule) for rule in rules if rule)
        found[to] = f"{found[to]}, {label}" if to in found else label
    contact = [other.id for other in flow.steps if other.part == CONTACT]
    if contact and step.id == contact[-1]:
        found[SEND_PERSON] = "a person was asked for"
    return found


def _words(flow: Flow, state: str) -> str:
    step = next((step for step in flow.steps if step.id == state), None)
    return f"{state}: {step.label}".replace('"', "'") if step else state


def _name(state: str) -> str:
    """Mermaid's own names are letters, digits and underscores, and none of its keywords."""
    return f"s_{state.replace('/', '__')}"
