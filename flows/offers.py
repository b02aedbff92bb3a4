"""The options of a choice that are not written in the file: the languages on offer, the nearest sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flows.answer import Answer, StepId
from flows.flow import Flow, Option, Site, Step
from flows.tidy import fold

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


def nearest(sites: tuple[Site, ...], town: str) -> list[Site]:
    """The sites, those that know the town or its postal code first. No map is asked."""
    said = fold(town)

    def distance(site: Site) -> int:
        if any(fold(place) in said for place in site.places):
            return 0
        code = "".join(char for char in said if char.isdigit())
        return 1 if code and any(code.startswith(prefix) for prefix in site.postcodes) else 2

    return sorted(sites, key=distance)
