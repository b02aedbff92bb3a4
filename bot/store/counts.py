"""How many people came how far: counted over what is kept, and over the tally of what no longer is. Never who.

Up to the outcome a person is a chat, however often they began; their answers may be erased, and the tally keeps the
number. From the send on a person is a chat with leads. Leads stay, without details where somebody withdrew: who
withdrew and sends again counts twice there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, exists, func, literal, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from bot.store import vault
from bot.store.tables import ConversationRow, LeadEvent, LeadRow, Tally
from bot.store.transaction import Transaction

_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]
_event = LeadEvent.__table__  # type: ignore[attr-defined]
_tally = Tally.__table__  # type: ignore[attr-defined]

ANSWERING, WORKED = ("started", "consented", "finished", "may_fit"), ("sent", "reached", "booked", "enrolled")
STAGES = (*ANSWERING, *WORKED)
"""How far a person came. May fit: a possible match, or one to review. Sent also counts who asked for a person."""

_FURTHER = {
    "reached": ("reached", "considering", "scheduled", "consented", "enrolled"),
    "booked": ("scheduled", "consented", "enrolled"),
    "enrolled": ("enrolled",),
}
"""The steps in a lead's history that say so. One that was undone does not count."""
_LAST = "other_trials"
"""The question that is asked when all is said: who leaves it open has not stopped."""
_STOPPED = "stopped."
"""A stage of the tally: the question at which somebody stopped. A finding is one too: ``E18:OUT``."""


@dataclass(slots=True)
class Counts:
    """What ``all_of`` counts."""

    groups: dict[tuple[str, str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """People by source, language and site ("" while there is none), and by stage."""
    stopped: Counter[str] = field(default_factory=Counter)
    """People by the question at which they stopped."""
    findings: Counter[str] = field(default_factory=Counter)
    """People by what their last screening found: ``E18:OUT``."""


def all_of(db: Transaction, trial: str, silent_since: datetime) -> Counts:
    """Counts every person of a trial once. Who has an open question since before ``silent_since`` stopped there."""
    if db.server:
        db.execute(text("SET LOCAL statement_timeout = '120s'"))
    made = Counts()
    mine = _conversation.c.flow.startswith(f"{trial}/", autoescape=True)
    for row in db.execute(_answering(mine, silent_since)).mappings():
        _add(made, row)
    made.findings.update(_findings(db, mine))
    for row in db.execute(_worked(trial)).mappings():
        group = made.groups[row["source"], row["locale"], row["site"]]
        group.update({stage: int(row[stage]) for stage in WORKED if row[stage]})
    for row in db.execute(select(_tally).where(_tally.c.trial == trial)).mappings():
        stage, number = row["stage"], row["number"]
        if stage in STAGES:
            made.groups[row["source"], row["locale"], row["site"]][stage] += number
        elif stage.startswith(_STOPPED):
            made.stopped[stage.removeprefix(_STOPPED)] += number
        else:
            made.findings[stage] += number
    return made


def keep(db: Transaction, channel: str, chat: str) -> None:
    """To be called before a chat is erased: how far its person came stays, as a number."""
    mine = and_(_conversation.c.channel == channel, _conversation.c.chat == chat)
    flow = db.execute(select(func.max(_conversation.c.flow)).where(mine)).scalar()
    if flow is None:
        return
    trial = str(flow).partition("/")[0]
    made = Counts()
    for row in db.execute(_answering(mine, None)).mappings():
        _add(made, row)
    made.findings.update(_findings(db, mine))
    for group, stages in made.groups.items():
        for stage in (*stages, *(f"{_STOPPED}{step}" for step in made.stopped), *made.findings):
            _count(db, trial, group, stage)


def _count(db: Transaction, trial: str, group: tuple[str, str, str], stage: str) -> None:
    row = dict(zip(("source", "locale", "site"), group, strict=True))
    one_more = (
        (postgresql if db.server else sqlite).insert(_tally).values(trial=trial, stage=stage, number=1, **row)
    )
    keys = ["trial", "source", "locale", "site", "stage"]
    db.execute(one_more.on_conflict_do_update(index_elements=keys, set_={"number": _tally.c.number + 1}))


def _add(made: Counts, row: RowMapping) -> None:
    number = int(row["people"])
    group = made.groups[row["source"], row["locale"], ""]
    group.update({stage: int(row[stage]) for stage in ANSWERING if row[stage]})
    if row["stopped"]:
        made.stopped[row["stopped"]] += number


def _findings(db: Transaction, mine: ColumnElement[bool]) -> Counter[str]:
    """How many people have each finding. They are sealed: those of each person's last screening are opened."""
    found = select(_conversation.c.channel, _conversation.c.chat, _conversation.c.findings).where(
        mine, _conversation.c.findings != ""
    )
    newest = _conversation.c.lane.is_not(None), _conversation.c.id
    last: dict[tuple[str, str], RowMapping] = {}
    rows = db.connection.execute(found.order_by(*newest), execution_options={"yield_per": 1000}).mappings()
    last.update(((row["channel"], row["chat"]), row) for row in rows)
    people = list(last.values())
    counted = Counter[str]()
    for first in range(0, len(people), 500):
        for row in vault.opened(db, "conversation", people[first : first + 500]):
            counted.update(row["findings"].split())
    return counted


def _answering(mine: ColumnElement[bool], silent_since: datetime | None) -> Select[*tuple[object, ...]]:
    """People up to their outcome: those who are alike in all that is counted are one row."""
    conversation, current = _conversation.c, _conversation.c.lane.is_not(None)
    sent = exists().where(_lead.c.conversation_id == conversation.id)
    open_still = and_(current, conversation.life == "open", conversation.step != _LAST, ~sent)
    if silent_since is not None:
        open_still = and_(open_still, conversation.updated_at < silent_since)
    signs = {
        "consented": or_(conversation.agreed, conversation.outcome.is_not(None)),
        "finished": conversation.outcome.is_not(None),
        "may_fit": conversation.outcome.in_(("possible_match", "needs_review")),
    }
    people = (
        select(
            func.max(conversation.source).label("source"),
            func.max(case((current, conversation.locale), else_="")).label("locale"),
            func.max(case((open_still, conversation.step), else_="")).label("stopped"),
            *(func.max(case((sign, 1), else_=0)).label(stage) for stage, sign in signs.items()),
        )
        .where(mine)
        .group_by(conversation.channel, conversation.chat)
        .subquery("people")
    )
    alike = [people.c[name] for name in ("source", "locale", "stopped")]
    number = func.count()
    return select(
        *alike,
        number.label("people"),
        number.label("started"),
        *(func.sum(people.c[stage]).label(stage) for stage in signs),
    ).group_by(*alike)


def _worked(trial: str) -> Select[*tuple[object, ...]]:
    """People with a lead, by source, language and site, and how far it came; a duplicate counts where it went."""
    lead = _lead.c
    further = (
        select(_event.c.lead_id, *(_happened(steps).label(stage) for stage, steps in _FURTHER.items()))
        .group_by(_event.c.lead_id)
        .subquery("further")
    )
    person = case((lead.chat != "", lead.channel + literal(":") + lead.chat), else_=cast(lead.id, String))
    people = (
        select(
            *(func.max(lead[name]).label(name) for name in ("source", "locale", "site")),
            *(func.max(case((further.c[stage] > 0, 1), else_=0)).label(stage) for stage in _FURTHER),
        )
        .select_from(_lead)
        .join(further, further.c.lead_id == lead.id, isouter=True)
        .where(lead.trial == trial, lead.merged_into.is_(None))
        .group_by(person)
        .subquery("people")
    )
    group = [people.c[name] for name in ("source", "locale", "site")]
    sums = (func.sum(people.c[stage]).label(stage) for stage in _FURTHER)
    return select(*group, func.count().label("sent"), *sums).group_by(*group)


def _happened(steps: tuple[str, ...]) -> ColumnElement[int]:
    """How often one of these steps happened, less how often it was taken back."""
    undone = and_(_event.c.what == "undone", _event.c.detail.in_(steps))
    return func.sum(case((_event.c.what.in_(steps), literal(1)), (undone, literal(-1)), else_=literal(0)))


_WORKED = (
    *("id", "site", "outcome", "flags", "status", "reason", "criterion", "created_at", "conversation_id"),
    *("locale", "source"),
)


def leads_of(db: Transaction, trial: str, most: int) -> Iterator[Mapping[str, Any]]:
    """The newest leads of a trial that were not withdrawn, each with ``claimed`` and ``called``.

    These are the moments of the first claim and of the first call, None before; one that was undone counts, too.
    """
    first = {"claimed": ("claimed", "reassigned"), "called": ("no_answer", "reached")}
    moments = {
        name: select(func.min(_event.c.at))
        .where(_event.c.lead_id == _lead.c.id, _event.c.what.in_(steps))
        .scalar_subquery()
        .label(name)
        for name, steps in first.items()
    }
    query = (
        select(*(_lead.c[name] for name in _WORKED), *moments.values())
        .where(_lead.c.trial == trial, _lead.c.status != "withdrawn", _lead.c.merged_into.is_(None))
        .order_by(_lead.c.id.desc())
        .limit(most)
    )
    rows = db.connection.execute(query, execution_options={"yield_per": 1000})
    for some in rows.mappings().partitions():
        yield from vault.opened(db, "lead", some)
