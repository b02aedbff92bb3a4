"""Who may see what, and do what. Pure: asked for every single lead, and never answered by what a menu shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Right = Literal["work", "lead_site", "counts", "administer"]
"""work: see and work the leads of one's sites. lead_site: also other people's leads there, the site's intake
and exports. counts: how many, never who. administer: staff and sites."""

_RIGHTS: Mapping[str, frozenset[Right]] = {
    "coordinator": frozenset({"work"}),
    "site_lead": frozenset({"work", "lead_site", "counts"}),
    "sponsor": frozenset({"counts"}),
    "admin": frozenset({"work", "lead_site", "counts", "administer"}),
}


def may(member: Mapping[Any, Any], right: Right) -> bool:
    """Whether the role has the right at all. An unknown role has none."""
    return bool(member["active"]) and right in _RIGHTS.get(member["role"], ())


def at_site(member: Mapping[Any, Any], site: str) -> bool:
    """Whether a site is theirs; "" is the study desk, which belongs to those who have every site."""
    return not member["sites"] or site in member["sites"]


def sees(member: Mapping[Any, Any], lead: Mapping[Any, Any]) -> bool:
    """Whether this lead exists for them at all: another site's lead does not."""
    return may(member, "work") and at_site(member, lead["site"])
