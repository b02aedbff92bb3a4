"""What the file does not write out: languages on offer, the nearest sites, how an answer is called in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flows.answer import Answer, StepId
from flows.flow import Flow, Option, Site, Step
from flows.tidy import fold
from flows.words import Words

NOWHERE = "none"
"""The answer that no site is within reach."""
MOST_SITES = 3
TOWN = StepId("town")


def with_options(flow: Flow, step: Step, answers: Mapping[StepId, Answer], languages: Mapping[str, str]) -> Step:
    """The step as it is asked of this person."""
    if step.source == "languages":
        return replace(step, options=tuple(Option(tag, name) for tag, name in languages.items()))
    if step.source == "sites":
        town = answers.get(TOWN)
        taking = tuple(site for site in flow.sites if site.id not in flow.closed)
        near = nearest(taking, str(town.value) if town else "")
        options = tuple(Option(site.id, site.city, site.name) for site in near[:MOST_SITES])
        return replace(step, options=(*options, Option(NOWHERE, flow.says["button_none_near"])))
    return step


def step_name(step: Step, flow: Flow, words: Words) -> str:
    """How an answer is called where answers are listed."""
    label = words.text(step.context, step.label)
    return f"{label}: {item_name(step, flow, words)}" if step.item else label


def item_name(step: Step, flow: Flow, words: Words) -> str:
    """The pick that a step asks about, for one of those that are asked about each pick."""
    assert step.item is not None
    of = flow.step_by_id[step.item[0]]
    option = of.option(step.item[1])
    return words.text(of.context, option.say or option.label) if option else ""


def nearest(sites: tuple[Site, ...], town: str) -> list[Site]:
    """The sites, those that know the town or its postal code first. No map is asked."""
    said = fold(town)

    def distance(site: Site) -> int:
        if any(fold(place) in said for place in site.places):
            return 0
        code = "".join(char for char in said if char.isdigit())
        return 1 if code and any(code.startswith(prefix) for prefix in site.postcodes) else 2

    return sorted(sites, key=distance)
