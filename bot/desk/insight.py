"""How it goes, in numbers: counted at most every five minutes, holding nobody up, and shown without small groups.

A number of people from 1 to 4 is not shown, nor is one that would give it away by subtraction from a total in the
same table: the next smallest go with it, until what is hidden is two numbers and five people at least. Differences
between one stage and the next in a row whose group is large enough are shown: each says how many stopped there, of
at least five people. What is kept for the page are counts; who they are of cannot be told from them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from statistics import quantiles
from typing import Any, Literal

from bot.deployment import Deployment
from bot.desk import rights
from bot.store import counts, marks, sites
from bot.store.counts import STAGES, WORKED
from bot.store.staff import Member
from bot.store.transaction import Transaction
from flows.flow import Flow

FEW = 5
"""The smallest group that is shown."""
EVERY = timedelta(minutes=5)
"""How long a count is good for."""
SILENT = timedelta(days=1)
"""Somebody with an open question for longer has stopped there, for now."""
NEWEST = 5_000
"""Leads that times and outcomes are counted over."""
FAILED = ("not_a_fit", "screen_failure")
"""The closings that name a criterion."""

STAGE = {
    "started": "Started", "consented": "Consented", "finished": "Finished", "may_fit": "May fit", "sent": "Sent",
    "reached": "Reached", "booked": "Booked", "enrolled": "Enrolled",
}  # fmt: skip
LINES: tuple[str, ...] = tuple(STAGE.values())

By = Literal["source", "locale", "site"]
_PLACE: Mapping[By, int] = {"source": 0, "locale": 1, "site": 2}
Number = int | None
"""How many; None where it is not shown."""


# ---------------------------------------------------------------------- counting


def due(db: Transaction, trial: str, now: datetime) -> bool:
    """Whether it is time to count again."""
    kept = marks.get(db, _key(trial))
    return kept is None or not timedelta(0) <= now - kept["at"] < EVERY


def count(db: Transaction, deployment: Deployment, now: datetime) -> dict[str, Any]:
    """Counts everything, on a look at the database. The result is plain data without anybody's identity."""
    flow = deployment.library.newest(deployment.trial)
    people = counts.all_of(db, deployment.trial, now - SILENT)
    waits: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"claim": [], "call": []})
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    hours = {site.key: site.open for site in (*sites.every(db, flow), sites.desk(flow))}
    asked = [criterion.id for criterion in flow.criteria if criterion.listed]
    for lead in counts.leads_of(db, deployment.trial, NEWEST):
        open_hours = hours.get(lead["site"], hours[""])
        for what, moment in (("claim", lead["claimed"]), ("call", lead["called"])):
            if moment is not None:
                spent = open_hours.between(lead["created_at"], moment)
                waits[lead["site"]][what].append(spent.total_seconds() / 60)
        if lead["outcome"] is None or not (lead["status"] == "enrolled" or lead["reason"] in FAILED):
            continue
        flagged = {flag["criterion"] for flag in lead["flags"]}
        for criterion in asked:
            side = "flagged" if criterion in flagged else "passed"
            verdicts[criterion][side] += 1
            verdicts[criterion][f"{side}_failed"] += lead["reason"] in FAILED and lead["criterion"] == criterion
    return {
        "groups": [[*group, dict(stages)] for group, stages in people.groups.items()],
        "stopped": dict(people.stopped),
        "findings": dict(people.findings),
        "waits": {site: {what: _spread(spans) for what, spans in both.items()} for site, both in waits.items()},
        "verdicts": {criterion: dict(number) for criterion, number in verdicts.items()},
    }


def keep(db: Transaction, trial: str, counted: Mapping[str, Any], now: datetime) -> None:
    """Puts a count in the place of the one before."""
    marks.put(db, _key(trial), now, counted)


def _key(trial: str) -> str:
    return f"insight:{trial}"


def _spread(minutes: Sequence[float]) -> dict[str, Any]:
    """How many there are, the middle one, and the one that 9 of 10 are not above; in whole minutes."""
    if len(minutes) < FEW:
        return {"number": len(minutes)}
    tenths = quantiles(minutes, n=10, method="inclusive")
    return {"number": len(minutes), "median": round(tenths[4]), "ninth": round(tenths[8])}


# ---------------------------------------------------------------------- showing


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    key: str
    """The source code, language tag, site, question or criterion that it is about; "" for none of them."""
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    total: tuple[Number, ...] = ()
    """Over all rows; () where there is none."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long leads of a site waited, in minutes of its working hours."""

    site: str
    number: Number
    claim: Number
    """Half of them were claimed in this time or less."""
    claim_ninth: Number
    """9 of 10 were."""
    call: Number
    """The same until somebody first rang."""
    call_ninth: Number


@dataclass(frozen=True, slots=True)
class Verdict:
    """What sites say about one question: of those it flagged, and of those it passed, how many failed by it."""

    criterion: str
    flagged: Number
    flagged_failed: Number
    passed: Number
    passed_failed: Number


@dataclass(frozen=True, slots=True)
class View:
    """What one member of staff may see of a count."""

    at: datetime
    source: Table
    locale: Table
    site: Table
    stopped: Table
    findings: Table
    """Columns: OUT, WAIT, REVIEW."""
    waits: tuple[Wait, ...]
    verdicts: tuple[Verdict, ...]


def view(db: Transaction, flow: Flow, member: Member) -> View | None:
    """The newest count as this member may see it; None before the first one, and without the right.

    Who has sites of their own sees only those among the sites.
    """
    kept = marks.get(db, _key(flow.trial.slug))
    if kept is None or not rights.may(member, "counts"):
        return None
    return shown(kept["data"], kept["at"], flow, member)


def shown(counted: Mapping[str, Any], at: datetime, flow: Flow, member: Mapping[Any, Any]) -> View:
    """A count without small groups."""
    order = {step.id: number for number, step in enumerate(flow.steps)}
    stopped = sorted(counted["stopped"].items(), key=lambda one: order.get(one[0], len(order)))
    cells = hide([number for _, number in stopped])
    places = [site.id for site in flow.sites] + [""]
    mine = [site for site in places if rights.at_site(member, site)]
    by_site = _funnel(counted, "site", set(mine) if member["sites"] else None)
    return View(
        at=at,
        source=_funnel(counted, "source"),
        locale=_funnel(counted, "locale"),
        site=by_site,
        stopped=Table(
            ("stopped",),
            tuple(Row(key, (cell,)) for (key, _), cell in zip(stopped, cells, strict=True)),
            (_shown(sum(number for _, number in stopped)),),
        ),
        findings=_findings(counted["findings"], flow),
        waits=tuple(_wait(site, counted["waits"].get(site, {})) for site in mine),
        verdicts=tuple(
            verdict
            for criterion in flow.criteria
            if (verdict := _verdict(criterion.id, counted["verdicts"].get(criterion.id, {}))).flagged != 0
            or verdict.passed_failed != 0
        ),
    )


def hide(numbers: Sequence[int]) -> list[Number]:
    """Numbers that are shown with their total: small ones are not, nor what would give them away."""
    hidden = {place for place, number in enumerate(numbers) if 0 < number < FEW}
    others = sorted((number, place) for place, number in enumerate(numbers) if number >= FEW)
    for _, place in others:
        if not hidden or (len(hidden) > 1 and sum(numbers[one] for one in hidden) >= FEW):
            break
        hidden.add(place)
    return [None if place in hidden else number for place, number in enumerate(numbers)]


def _shown(number: int) -> Number:
    return None if 0 < number < FEW else number


def _funnel(counted: Mapping[str, Any], by: By, only: set[str] | None = None) -> Table:
    """The stages by source, language or site; a site is chosen at the end, and has those from the send on.

    With ``only``, some rows and no total: the rest stays unknown.
    """
    shown_stages = WORKED if by == "site" else STAGES
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for *group, stages in counted["groups"]:
        rows[group[_PLACE[by]]].update({stage: stages.get(stage, 0) for stage in shown_stages})
    keys = [key for key in rows if any(rows[key].values())]
    keys.sort(key=lambda key: (key == "", -rows[key][shown_stages[0]], key))
    columns = [hide([rows[key][stage] for key in keys]) for stage in shown_stages]
    total = [sum(rows[key][stage] for key in keys) for stage in shown_stages]
    made = tuple(Row(key, row) for key, row in zip(keys, zip(*columns, strict=True), strict=True))
    if only is not None:
        return Table(shown_stages, tuple(row for row in made if row.key in only))
    return Table(shown_stages, made, tuple(map(_shown, total)))


_KINDS = ("OUT", "WAIT", "REVIEW")


def _findings(findings: Mapping[str, int], flow: Flow) -> Table:
    """People by criterion; somebody may stand in several rows, so that there is no total."""
    rows = (
        Row(one.id, tuple(_shown(findings.get(f"{one.id}:{kind}", 0)) for kind in _KINDS)) for one in flow.criteria
    )
    return Table(_KINDS, tuple(row for row in rows if any(number != 0 for number in row.numbers)))


def _wait(site: str, spans: Mapping[str, Mapping[str, Any]]) -> Wait:
    claim, call = spans.get("claim", {"number": 0}), spans.get("call", {"number": 0})
    return Wait(
        site,
        _shown(claim["number"]),
        *chain.from_iterable((one.get("median"), one.get("ninth")) for one in (claim, call)),
    )


def _verdict(criterion: str, numbers: Mapping[str, int]) -> Verdict:
    """Neither the part that failed nor the part that did not is shown where it is small."""
    made: list[Number] = []
    for side in ("flagged", "passed"):
        whole, failed = numbers.get(side, 0), numbers.get(f"{side}_failed", 0)
        told = _shown(whole)
        small = told is None or 0 < failed < FEW or 0 < whole - failed < FEW
        made += [told, None if small else failed]
    return Verdict(criterion, *made)
