"""TOML text to a Flow, or to every problem in it at once. Pure: the caller reads the files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args

from flows.answer import StepId
from flows.facts import Fact, Period
from flows.flow import (
    LONGEST,
    RETENTION,
    Criterion,
    CriterionId,
    Decision,
    Flow,
    Option,
    Outcome,
    Part,
    Question,
    Route,
    Safety,
    Site,
    Status,
    Step,
    Trial,
    Wait,
)
from flows.rules import Between, Either, Every, Is, Maybe, Not, OutcomeIs, Rule, steps_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file: where, what, and what would mend it."""

    file: str
    place: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.what} {self.remedy}"


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file and the name that problems call it by."""

    name: str
    text: str


def parse(trial: Source, frame: Source) -> Flow | list[Problem]:
    """One trial file within the frame. A Flow only if the shape of both files is right."""
    problems: list[Problem] = []
    trial_table, frame_table = (_load(source, problems) for source in (trial, frame))
    if trial_table is None or frame_table is None:
        return problems
    flow = _flow(trial_table, frame_table)
    trial_table.unknown()
    frame_table.unknown()
    return problems or flow


def _load(source: Source, problems: list[Problem]) -> _Table | None:
    try:
        data = tomllib.loads(source.text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(source.name, "file", f"This is not TOML: {error}.", "Mend the line it names."))
        return None
    return _Table(data, "", source.name, problems)


class _Table:
    """A TOML table that knows its place, checks types, and tells which keys nobody asked for."""

    def __init__(self, data: Mapping[str, Any], place: str, file: str, problems: list[Problem]) -> None:
        self._data, self._place, self._file, self._problems = data, place, file, problems
        self._asked: dict[str, None] = {}
        self._inside: list[_Table] = []

    def problem(self, key: str, what: str, remedy: str) -> None:
        place = f"{self._place}.{key}".strip(".") or "file"
        self._problems.append(Problem(self._file, place, what, remedy))

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The value of ``key``; a problem and an empty value when it is missing or of another type."""
        self._asked[key] = None
        value = self._data.get(key, default)
        if value is None:
            self.problem(key, "This key is missing.", "Add it.")
            return kind()
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problem(key, f"This should be {_NAMES[kind]}.", "Change the value.")
            return kind()
        return value

    def text(self, key: str, default: str | None = None) -> str:
        return self.get(key, str, default)

    def whole(self, key: str) -> int | None:
        return self.get(key, int) if key in self._data else None

    def flag(self, key: str, default: bool) -> bool:
        return self.get(key, bool, default)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of one."""
        self._asked[key] = None
        value = self._data.get(key, [])
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.problem(key, "This should be a list of texts.", "Change the value.")
            return ()
        return tuple(items)

    def one_of(self, key: str, choices: tuple[str, ...], default: str | None = None) -> Any:
        value = self.text(key, default)
        if value not in choices:
            self.problem(key, f"{value!r} is not known here.", f"Use one of: {', '.join(choices)}.")
            return choices[0]
        return value

    def table(self, key: str) -> _Table | None:
        return self._table(key, self.get(key, dict)) if key in self._data else None

    def tables(self, key: str, named: str = "id") -> Iterator[_Table]:
        for number, item in enumerate(self.get(key, list, [])):
            name = item.get(named, number) if isinstance(item, dict) else number
            if isinstance(item, dict):
                yield self._table(f"{key}.{name}" if named == "id" else f"{key}[{number}]", item)
            else:
                self.problem(f"{key}[{number}]", "This should be a table.", "Change the value.")

    def pairs(self, key: str) -> Iterator[tuple[str, Any]]:
        yield from self.get(key, dict, {}).items()

    def strings(self, key: str) -> dict[str, str]:
        found = {}
        for name, value in self.pairs(key):
            if isinstance(value, str):
                found[name] = value
            else:
                self.problem(f"{key}.{name}", "This should be a text.", "Change the value.")
        return found

    def each(self, key: str) -> Iterator[tuple[str, _Table]]:
        for name, value in self.pairs(key):
            if isinstance(value, dict):
                yield name, self._table(f"{key}.{name}", value)
            else:
                self.problem(f"{key}.{name}", "This should be a table.", "Change the value.")

    def number(self, key: str) -> Decimal | None:
        self._asked[key] = None
        value = self._data.get(key)
        if value is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
            if value is not None:
                self.problem(key, "This should be a number.", "Change the value.")
            return None
        return Decimal(value)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def skip(self) -> None:
        """One problem is enough: nothing more is asked about the keys in it."""
        self._asked.update(dict.fromkeys(self._data))

    def unknown(self) -> None:
        for key in self._data:
            if key not in self._asked:
                near = get_close_matches(key, self._asked, 1)
                remedy = f"Did you mean {near[0]!r}?" if near else "Remove it."
                self.problem(key, "This key is not known here.", remedy)
        for table in self._inside:
            table.unknown()

    def _table(self, key: str, data: Mapping[str, Any]) -> _Table:
        table = _Table(data, f"{self._place}.{key}".strip("."), self._file, self._problems)
        self._inside.append(table)
        return table


_NAMES: Mapping[type, str] = {
    str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table",
}  # fmt: skip


def _flow(trial: _Table, frame: _Table) -> Flow:
    head = trial.table("trial") or _Table({}, "trial", "", [])
    about = _trial(head)
    facts = {name: _fact(table) for name, table in trial.each("facts")}
    before = [step for table in frame.tables("before") for step in _steps(table, "frame")]
    asked = [step for table in trial.tables("step") for step in _steps(table, about.slug)]
    after = [step for table in frame.tables("after") for step in _steps(table, "frame")]
    steps = (*before, *asked, *after)
    order = {step.id: number for number, step in enumerate(steps)}
    own = [_part(table) for table in frame.tables("part")]
    parts = (*own[:1], *(_part(table) for table in trial.tables("part")), *own[1:])
    outcomes: dict[Outcome, str] = {}
    words = frame.strings("outcomes")
    for outcome in get_args(Outcome):
        outcomes[outcome] = words.pop(outcome, "")
        if not outcomes[outcome]:
            frame.problem(f"outcomes.{outcome}", "This outcome has no words.", "Add its text.")
    for name in words:
        frame.problem(f"outcomes.{name}", "This is not an outcome.", "Remove it.")
    return Flow(
        trial=about,
        parts=parts,
        steps=steps,
        criteria=tuple(_criterion(table, facts, order) for table in trial.tables("criterion")),
        facts=facts,
        sites=tuple(_site(table) for table in trial.tables("site")),
        safety=tuple(
            Safety(table.text("id"), table.text("label"), table.text("text"), table.text("words"))
            for table in frame.tables("safety")
        ),
        faq=tuple(
            Question(table.text("id"), table.text("text"), table.text("answer"), table.text("heard", ""))
            for table in frame.tables("faq")
        ),
        ends=frame.strings("ends"),
        outcomes=outcomes,
        says=frame.strings("says"),
        heard=frame.strings("heard"),
        emergency={
            country: {key: table.text(key) for key in ("emergency", "hotline") if key in table}
            for country, table in frame.each("emergency")
        },
        phrases=frame.strings("phrases"),
        pictures=trial.strings("pictures"),
        retention=_retention(trial.table("retention")),
    )


def _retention(table: _Table | None) -> dict[str, int]:
    """Days by kind of data."""
    found = {}
    for kind in RETENTION:
        days = table.whole(kind) if table is not None else None
        if table is not None and days is not None and days not in range(1, LONGEST + 1):
            table.problem(kind, f"This should be from 1 to {LONGEST} days.", "Change the value.")
        elif days is not None:
            found[kind] = days
    return found


def _trial(table: _Table) -> Trial:
    keys = (
        "slug", "version", "registry_id", "title", "short_title", "code", "status", "phase", "sponsor",
        "contact", "listed", "ages", "timezone", "text_version",
    )  # fmt: skip
    return Trial(**{key: table.text(key) for key in keys}, ready=table.text("ready", ""))


def _part(table: _Table) -> Part:
    return Part(table.text("id"), table.text("title"), _rule_at(table, "asked_if"), table.flag("counted", False))


def _site(table: _Table) -> Site:
    words = ("id", "name", "city", "country", "timezone", "phone", "hours", "email")
    return Site(
        **{key: table.text(key) for key in words},
        languages=table.texts("languages"),
        places=table.texts("places"),
        postcodes=table.texts("postcodes"),
        example=table.flag("example", False),
    )


def _fact(table: _Table) -> Fact:
    return Fact(table.text("formula"), tuple(StepId(s) for s in table.texts("of")), table.whole("years") or 0)


def _steps(table: _Table, trial: str) -> Iterator[Step]:
    """One step; or, with ``each``, one for every pick of a list."""
    kind = table.text("kind")
    options = tuple(_option(option) for option in table.tables("options"))
    if kind == "yes_no" and not options:
        options = (Option("yes", "Yes"), Option("no", "No"))
    step = Step(
        id=StepId(table.text("id")),
        kind=kind,
        part=table.text("part"),
        label=table.text("label"),
        text=table.text("text").strip(),
        text_helper=table.text("text_helper", ""),
        help=table.text("help", ""),
        why=table.text("why", ""),
        options=options,
        routes=tuple(
            Route(route.text("to"), _rule_at(route, "when")) for route in table.tables("routes", named="to")
        ),
        asked_if=_rule_at(table, "asked_if"),
        unsure=table.flag("unsure", True),
        unsure_label=table.text("unsure_label", ""),
        unsure_say=table.text("unsure_say", ""),
        none_label=table.text("none_label", ""),
        unit=table.text("unit", ""),
        low=table.whole("low"),
        high=table.whole("high"),
        shows=table.text("shows", ""),
        source=table.text("source", ""),
        trial=trial,
        probes=table.texts("probes"),
        picture=table.text("picture", ""),
    )
    each = table.table("each")
    if each is None:
        yield step
        return
    of, picks = StepId(each.text("of")), each.texts("only")
    if not picks:
        each.problem("only", "This names no pick.", "List the picks to ask about.")
    for pick in picks:
        picked = Is(of, (pick,))
        yield replace(
            step,
            id=StepId(f"{step.id}/{pick}"),
            family=step.id,
            asked_if=picked if step.asked_if is None else Every((picked, step.asked_if)),
            item=(of, pick),
        )


def _option(table: _Table) -> Option:
    return Option(
        id=table.text("id"),
        label=table.text("label"),
        detail=table.text("detail", ""),
        say=table.text("say", ""),
        safety=table.text("safety", ""),
        since=_since(table),
        heard=table.text("heard", ""),
        does=table.text("does", ""),
        picture=table.text("picture", ""),
    )


def _since(table: _Table) -> tuple[int, int]:
    """``7..12``: from 7 to 12 months ago; ``12..`` for all before that."""
    text = table.text("since", "")
    stretch = re.fullmatch(r"(\d{1,3})\.\.(\d{0,3})", text)
    low, high = (int(stretch[1]), int(stretch[2] or LONG_AGO)) if stretch else (0, 0)
    if text and not low < high:
        table.problem("since", "This is no stretch of months.", 'Write it as "7..12", or "12.." for all before.')
    return low, high


LONG_AGO = 1200
"""Months that nobody looks back further than."""


def _criterion(table: _Table, facts: Mapping[str, Fact], order: Mapping[StepId, int]) -> Criterion:
    answers: dict[tuple[StepId, str], Status] = {}
    for key, status in table.strings("answers").items():
        step, _, answer = key.rpartition(".")
        if not step or status not in get_args(Status):
            table.problem(f"answers.{key}", "This is not an answer with a status.", 'Write "step.answer" = "OUT".')
            continue
        answers[StepId(step), answer] = cast(Status, status)
    waits = tuple(Wait(_period(wait), _rule_at(wait, "when")) for wait in table.tables("waits", named="after"))
    decisions = tuple(_decision(item) for item in table.tables("decisions", named="then"))
    deciding = {step for step, _ in answers} | {wait.period.after for wait in waits}
    for rule in [w.when for w in waits if w.when] + [d.when for d in decisions]:
        deciding |= steps_of(rule, facts)
    return Criterion(
        id=CriterionId(table.text("id")),
        text=table.text("text"),
        title=table.text("title"),
        handled=table.one_of("handled", ("asked", "site")),
        listed=table.flag("listed", True),
        why=table.text("why", ""),
        site_check=table.text("site_check", ""),
        topic=table.text("topic", ""),
        suggestion=table.text("suggestion", ""),
        answers=answers,
        waits=waits,
        decisions=decisions,
        otherwise=table.one_of("otherwise", get_args(Status), "OK"),
        steps=tuple(sorted(deciding, key=lambda step: (order.get(step, len(order)), step))),
    )


def _decision(table: _Table) -> Decision:
    until = table.table("until")
    return Decision(
        when=_rule_at(table, "when") or OutcomeIs(()),
        then=table.one_of("then", get_args(Status)),
        until=None if until is None else _period(until),
        note=table.text("note", ""),
    )


def _period(table: _Table) -> Period:
    amounts = {key: table.whole(key) or 0 for key in ("years", "months", "weeks", "days")}
    if not any(amounts.values()) or any(not 0 <= amount <= 1200 for amount in amounts.values()):
        table.problem("months", "This period is impossible.", "Give years, months, weeks or days above zero.")
    return Period(StepId(table.text("after")), **amounts)


def _rule_at(table: _Table, key: str) -> Rule | None:
    inner = table.table(key)
    return None if inner is None else _rule(inner)


def _rule(table: _Table) -> Rule:
    """A rule has exactly one of these shapes; anything else is a problem."""
    makers: Mapping[str, Callable[[], Rule]] = {
        "step": lambda: Is(StepId(table.text("step")), table.texts("is")),
        "fact": lambda: Between(table.text("fact"), table.number("at_least"), table.number("below")),
        "outcome": lambda: OutcomeIs(table.texts("outcome")),
        "all": lambda: Every(tuple(_rule(inner) for inner in table.tables("all", named="step"))),
        "any": lambda: Either(tuple(_rule(inner) for inner in table.tables("any", named="step"))),
        "not": lambda: Not(_inner(table, "not")),
        "maybe": lambda: Maybe(_inner(table, "maybe")),
    }
    shapes = [key for key in makers if key in table]
    if len(shapes) != 1:
        table.skip()
        table.problem("", "This is not a rule.", f"Use exactly one of: {', '.join(makers)}.")
        return OutcomeIs(())
    return makers[shapes[0]]()


def _inner(table: _Table, key: str) -> Rule:
    inner = table.table(key)
    return _rule(inner) if inner else OutcomeIs(())
