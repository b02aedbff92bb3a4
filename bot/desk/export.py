"""Leads as files for other programs: without anybody's identity unless a reason was given, which is in the audit.

No form of it holds what a person wrote in their own words, and none a lead that was withdrawn.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, Literal, get_args

import orjson

from bot.deployment import Deployment
from bot.desk import rights
from bot.desk.actions import NotThere, Refused
from bot.desk.cards import CLOSING, FIT, STATUS
from bot.store import audit, exports
from bot.store.leads import Lead, reference
from bot.store.staff import Member
from bot.store.transaction import Transaction
from flows.flow import CONTACT, Flow

Form = Literal["csv", "jsonl", "redcap", "redcap-dictionary"]
FORMS: tuple[Form, ...] = get_args(Form)
ENDING: Mapping[Form, str] = {"csv": "csv", "jsonl": "jsonl", "redcap": "csv", "redcap-dictionary": "csv"}
MEDIA: Mapping[str, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

REASON = range(10, 301)
"""Characters of a reason for an export with identity."""
NO_REASON = "Say why you need names and numbers: {low} to {high} characters. No patient's name here."
LINES = (NO_REASON,)

SPONSOR: Mapping[str, str] = {
    "new": "potentialCandidate",
    **dict.fromkeys(
        ("claimed", "attempt_1", "attempt_2", "attempt_3", "call_later", "reached", "considering"), "preScreening"
    ),
    "scheduled": "firstVisitScheduled",
    "consented": "inScreening",
    "enrolled": "enrolled",
    "not_a_fit": "preScreenFailure",
    "screen_failure": "screenFailure",
}
"""Our status, or the reason of what is closed, in the words that sponsors' tools share. What has no such word is
``closed`` there, and its reason says the rest."""


def sponsor_word(lead: Mapping[Any, Any]) -> str:
    return SPONSOR.get(lead["reason"] if lead["status"] == "closed" else lead["status"], "closed")


def begin(
    db: Transaction, deployment: Deployment, member: Member | None, form: Form, reason: str = "", *,
    identified: bool = False,
) -> None:  # fmt: skip
    """To be committed before anything is given out: checks the right and the reason, and writes the audit.

    ``member`` is None for the operator's command line. Raises NotThere and Refused.
    """
    if member is not None and not rights.may(member, "lead_site"):
        raise NotThere
    reason = " ".join(reason.split())
    if identified and len(reason) not in REASON:
        raise Refused(NO_REASON, low=str(REASON[0]), high=str(REASON[-1]))
    what = "export.identified" if identified else "export"
    audit.record(
        db, what, member["id"] if member is not None else None, None, ": ".join(filter(None, (form, reason)))
    )


def written(
    db: Transaction, deployment: Deployment, form: Form, sites: Sequence[str] = (), *, identified: bool = False
) -> Iterator[str]:
    """The file, piece by piece, on a look at the database. ``sites`` are those to export; () is all."""
    flow = deployment.library.newest(deployment.trial)
    leads = exports.leads(db, deployment.trial, sites)
    match form:
        case "csv":
            columns = _columns(flow, identified)
            yield from _csv([column.name for column in columns], (_cells(columns, lead) for lead in leads))
        case "jsonl":
            columns = _columns(flow, identified)
            for lead in leads:
                row = {column.name: column.value(lead) for column in columns}
                yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z).decode()
        case "redcap":
            fields = _fields(flow, deployment, identified)
            heads = [head for field in fields for head in field.heads()]
            yield from _csv(heads, ([c for field in fields for c in field.cells(lead)] for lead in leads))
        case "redcap-dictionary":
            fields = _fields(flow, deployment, identified)
            yield from _csv(DICTIONARY, (field.described() for field in fields))


# ---------------------------------------------------------------------- cells that no program runs

_STARTERS = frozenset("=+-@\t\r\n\x00")


def inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before one that might be.

    Full-width and small forms count as what they look like, also after blanks and what nobody sees.
    """
    text = text.replace("\x00", "")
    if text[:1] in _STARTERS:
        return f"'{text}"
    for char in text:
        plain = unicodedata.normalize("NFKC", char)[:1]
        if plain in _STARTERS:
            return f"'{text}"
        if not (plain.isspace() or unicodedata.category(char)[0] in "CM"):
            break
    return text


def _csv(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    held = io.StringIO()
    writer = csv.writer(held, quoting=csv.QUOTE_ALL)  # a semicolon parts no cells either
    for cells in chain([heads], rows):
        writer.writerow([inert(cell) for cell in cells])
        yield held.getvalue()
        held.seek(0)
        held.truncate()


# ---------------------------------------------------------------------- plain columns


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    value: Callable[[Lead], Any]
    """What JSON may hold: text, a number, a moment, a day, or None."""


def _columns(flow: Flow, identified: bool) -> list[Column]:
    plain = ("site", "locale", "source", "outcome", "eligible_from", "text_version", "helper", "changed", "status")
    columns = [Column("reference", lambda lead: reference(lead["id"])), *map(_plain, plain)]
    columns.append(Column("sponsor_status", sponsor_word))
    columns += map(_plain, ("reason", "criterion", "attempts"))
    columns.append(
        Column("merged_into", lambda lead: reference(lead["merged_into"]) if lead["merged_into"] else None)
    )
    columns += map(_plain, ("created_at", "first_claimed_at", "first_called_at", "due_at", "slot_at", "updated_at"))
    columns += [
        Column(f"criterion_{one.id}", _status_of(one.id)) for one in flow.criteria if one.handled == "asked"
    ]
    if identified:
        columns += [Column(f"contact_{step}", _contact(step)) for step in _contact_steps(flow)]
    return columns


def _plain(name: str) -> Column:
    return Column(name, lambda lead: lead[name])


def _status_of(criterion: str) -> Callable[[Lead], str]:
    """What the answers say of a criterion; OK where nothing stands against it, "" where nobody was screened."""

    def status(lead: Lead) -> str:
        if lead["outcome"] is None:
            return ""
        return next((flag["status"] for flag in lead["flags"] if flag["criterion"] == criterion), "OK")

    return status


def _contact(step: str) -> Callable[[Lead], str]:
    def given(lead: Lead) -> str:
        value = lead["contact"].get(step)
        return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)

    return given


def _contact_steps(flow: Flow) -> list[str]:
    return [step.id for step in flow.steps if step.part == CONTACT and step.id != "site"]


def _cells(columns: Sequence[Column], lead: Lead) -> list[str]:
    return [_text(column.value(lead)) for column in columns]


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return value.isoformat()
    return str(value)


# ---------------------------------------------------------------------- the shape of REDCap

DICTIONARY = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
    "Text Validation Min", "Text Validation Max", "Identifier?", "Branching Logic (Show field only if...)",
    "Required Field?", "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name",
    "Matrix Ranking?", "Field Annotation",
)  # fmt: skip
"""The columns of a data dictionary."""
_FORM = "prescreen"
_NAME = 26
"""Letters that a field's name may have."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the project: a line of the dictionary, and one column of the data, or one per choice."""

    name: str
    kind: Literal["text", "dropdown", "yesno", "checkbox"]
    label: str
    value: Callable[[Lead], Any]
    """For a checkbox: the set of the choices that are ticked."""
    choices: tuple[tuple[str, str], ...] = ()
    check: str = ""
    """How REDCap validates a text."""
    identifier: bool = False

    def heads(self) -> list[str]:
        if self.kind != "checkbox":
            return [self.name]
        return [f"{self.name}___{code}" for code, _ in self.choices]

    def cells(self, lead: Lead) -> list[str]:
        value = self.value(lead)
        if self.kind == "checkbox":
            return [str(int(code in value)) for code, _ in self.choices]
        if self.kind == "yesno":
            return [str(int(value))]
        if isinstance(value, datetime):
            return [value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")]
        return [_text(value)]

    def described(self) -> list[str]:
        choices = " | ".join(f"{code}, {_bare(label)}" for code, label in self.choices)
        line = dict.fromkeys(DICTIONARY, "")
        line |= dict(zip(DICTIONARY, (self.name, _FORM, "", self.kind, self.label, choices), strict=False))
        line["Text Validation Type OR Show Slider Number"] = self.check
        line["Identifier?"] = "y" if self.identifier else ""
        return list(line.values())


def _fields(flow: Flow, deployment: Deployment, identified: bool) -> list[Field]:
    codes = {one.id: _code(one.id) for one in flow.criteria}
    asked = tuple((codes[one.id], f"{one.id} {one.title}") for one in flow.criteria if one.handled == "asked")
    listed = tuple((codes[one.id], f"{one.id} {one.title}") for one in flow.criteria if one.listed)
    sites = tuple((_code(site.id), site.name) for site in flow.sites)
    words = tuple((word, word) for word in (*dict.fromkeys(SPONSOR.values()), "closed"))
    languages = tuple((_code(tag), name) for tag, name in sorted(deployment.languages.every.items()))

    def coded(name: str) -> Callable[[Lead], str]:
        return lambda lead: _code(lead[name]) if lead[name] else ""

    def ticked(status: str) -> Callable[[Lead], set[str]]:
        return lambda lead: {codes.get(one["criterion"], "") for one in lead["flags"] if one["status"] == status}

    def at(name: str) -> Callable[[Lead], Any]:
        return lambda lead: lead[name]

    moment, day = "datetime_seconds_ymd", "date_ymd"
    fields = [
        Field("record_id", "text", "Reference", lambda lead: reference(lead["id"])),
        Field("site", "dropdown", "Site", coded("site"), sites),
        Field("language", "dropdown", "Language", coded("locale"), languages),
        Field("source", "text", "Source code", at("source")),
        Field("outcome", "dropdown", "Outcome", lambda lead: lead["outcome"] or "asked", _OUTCOMES),
        Field("eligible_from", "text", "Reasons against end on", at("eligible_from"), check=day),
        Field("criteria_version", "text", "Criteria version", at("text_version")),
        Field("helper", "yesno", "Answered by a helper", at("helper")),
        Field("changed", "yesno", "An answer was changed", at("changed")),
        Field("status", "dropdown", "Status", at("status"), tuple(STATUS.items())),
        Field("sponsor_status", "dropdown", "Status for the sponsor", sponsor_word, words),
        Field("reason", "dropdown", "Reason of closing", at("reason"), tuple(CLOSING.items())),
        Field("criterion", "dropdown", "Criterion of closing", coded("criterion"), listed),
        Field("attempts", "text", "Calls in vain", at("attempts"), check="integer"),
        Field("raised_at", "text", "Sent at (UTC)", at("created_at"), check=moment),
        Field("first_claimed_at", "text", "First claimed at (UTC)", at("first_claimed_at"), check=moment),
        Field("first_called_at", "text", "First called at (UTC)", at("first_called_at"), check=moment),
        Field("due_at", "text", "First call due at (UTC)", at("due_at"), check=moment),
        Field("slot_at", "text", "Call slot at (UTC)", at("slot_at"), check=moment),
        Field("points_review", "checkbox", "Points to verify", ticked("REVIEW"), asked),
        Field("points_wait", "checkbox", "Reasons that end", ticked("WAIT"), asked),
        Field("points_out", "checkbox", "Reasons against", ticked("OUT"), asked),
    ]
    if identified:
        labels = {step.id: step.label for step in flow.steps}
        fields += [
            Field(f"contact_{_code(step)}"[:_NAME], "text", labels[step], _contact(step), identifier=True)  # type: ignore[index]
            for step in _contact_steps(flow)
        ]
    return fields


_OUTCOMES = tuple((outcome or "asked", label) for outcome, label in FIT.items())
_CODE = re.compile(r"[^a-z0-9_]+")


def _code(text: str) -> str:
    """Letters, numbers and underscores, as names and choices there are made of."""
    return _CODE.sub("_", text.lower()).strip("_")


def _bare(label: str) -> str:
    """A choice's label without what would end it."""
    return " ".join(label.replace("|", "/").split())
