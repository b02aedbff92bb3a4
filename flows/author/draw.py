"""The flow as a Mermaid diagram, drawn by the same library that runs it."""

from __future__ import annotations

from types import SimpleNamespace

from transitions.extensions import GraphMachine

from flows.author.coverage import said
from flows.flow import CHECK, Flow
from flows.machine import asked_if, ways


def draw(flow: Flow, part: str | None = None) -> str:
    """Mermaid text. With ``part``, only the steps of that part and where they lead."""
    shown = [step for step in flow.steps if part in (None, step.part)]
    states = dict.fromkeys(step.id for step in shown)
    arrows = []
    for step in shown:
        for target, condition in ways(flow, step):
            states.setdefault(target)  # type: ignore[arg-type]
            arrows.append((step.id, target, _label(flow, target, condition is not None)))
    model = SimpleNamespace()
    machine = GraphMachine(
        model=model,
        states=list(states),
        initial=shown[0].id,
        auto_transitions=False,
        graph_engine="mermaid",
        title=f"{flow.trial.registry_id} {flow.trial.version}",
    )
    for source, target, label in arrows:
        machine.add_transition(label, source, target)
    return str(model.get_graph().draw(None))


def _label(flow: Flow, target: str, conditional: bool) -> str:
    if not conditional:
        return "answered"
    if target == CHECK:
        return "ruled out"
    step = flow.step_by_id.get(target)  # type: ignore[call-overload]
    rule = asked_if(flow, step) if step else None
    return said(rule).replace(":", "") if rule else "route"
