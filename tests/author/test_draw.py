"""``draw``: Mermaid that a renderer takes, with each step once and every way that the machine has."""

from __future__ import annotations

import re

import pytest

from flows.author.draw import draw
from flows.flow import Flow
from flows.machine import machine_of
from tests.definitions.loading import VALID, flow_of

STATE = re.compile(r'    state "([^"{}]+)" as (\w+)')
ARROW = re.compile(r"    (\w+|\[\*\]) --> (\w+|\[\*\])(?:: ([^:;#{}]+))?")
"""What the grammar of state diagrams takes: a label ends at a colon, a semicolon or the line's end."""


def parsed(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The states and the arrows; every line must be one of the two."""
    head, *lines = text.removeprefix("---\ntitle: ").split("\n---\n", 1)[1].splitlines()
    assert head == "stateDiagram-v2"
    states, arrows = [], []
    for line in lines:
        if state := STATE.fullmatch(line):
            states.append(state[2])
        else:
            arrow = ARROW.fullmatch(line)
            assert arrow, line
            arrows.append((arrow[1], arrow[2]))
    return states, arrows


@pytest.mark.parametrize("name", [*VALID, "real"])
def test_each_step_is_drawn_once_with_every_way(name: str, flow: Flow) -> None:
    drawn = flow if name == "real" else flow_of(name)
    states, arrows = parsed(draw(drawn))
    reached = {route.to for step in drawn.steps for route in step.routes} | {"done"}
    wanted = [*drawn.index, *(end for end in drawn.ends if end in reached)]
    assert sorted(states) == sorted(f"s_{name.replace('/', '__')}" for name in wanted)
    assert len(arrows) == len(set(arrows))
    assert {name for arrow in arrows for name in arrow} - {"[*]"} == set(states)
    machine = machine_of(drawn)
    ways = {
        (f"s_{at.replace('/', '__')}", f"s_{way.dest.replace('/', '__')}")
        for at, found in machine.events["answered"].transitions.items()
        for way in found
    }
    assert ways <= set(arrows)
    assert ("[*]", "s_language") in arrows and ("s_done", "[*]") in arrows


def test_an_arrow_tells_when(flow: Flow) -> None:
    text = draw(flow)
    assert text.startswith("---\ntitle: NCT06570291 v1\n---\nstateDiagram-v2\n")
    assert 'state "knee: Sore knee" as s_knee' in text
    assert "s_knee --> s_check: ruled out" in text
    assert "s_how_long --> s_knee_start: how_long is about_half or less" in text
    assert "s_consent --> s_declined: consent is no" in text
    assert "s_call_time --> s_send_person: a person was asked for" in text
    assert "s_joints --> s_joint_sure__rare: joints is rare" in text
    assert "s_diagnosis --> s_how_long\n" in text


def test_one_part(flow: Flow) -> None:
    states, arrows = parsed(draw(flow, "knee"))
    inside = {f"s_{step.id}" for step in flow.steps if step.part == "knee"}
    assert inside <= set(states) and set(states) - inside == {"s_mri", "s_check"}
    assert {at for at, _ in arrows} == {*inside, "[*]"}


def test_two_ways_to_one_step_are_one_arrow() -> None:
    """A rule leads where the exclusion leads too."""
    text = """
[[step]]
id = "pain"
kind = "yes_no"
part = "body"
label = "Pain"
text = "Do you have pain?"
why = "The study is for people with pain."
routes = [{ when = { step = "pain", is = "yes" }, to = "check" }]
[[step]]
id = "more"
kind = "yes_no"
part = "body"
label = "More"
text = "And more?"
why = "It matters."
[[criterion]]
id = "I1"
text = "Pain"
title = "Pain"
handled = "asked"
topic = "the answer about pain"
[criterion.answers]
"pain.no" = "OUT"
"""
    assert "s_pain --> s_check: ruled out, pain is yes\n" in draw(flow_of("two_ways", text))
