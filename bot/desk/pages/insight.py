"""How it goes: the funnel, where people stop, what rules out, how long leads wait, and what the sites found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from bot.desk import insight
from bot.desk.actions import NotThere
from bot.desk.cards import FINDING, Cards, cards_for
from bot.desk.insight import FEW, STAGE, Number, Table
from bot.desk.pages import lines
from bot.desk.pages.room import Room, Tongue, caller_of, render, room_of, tongue_of
from flows.answer import StepId
from flows.flow import Flow

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Shown:
    """A table in words, and the chart of it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    total: tuple[str, ...]
    chart: dict[str, Any]


@router.get("/insight")
async def show(request: Request) -> Response:
    room, caller, tongue = room_of(request), caller_of(request), tongue_of(request)
    if not caller.may("counts"):
        raise NotThere
    flow = room.deployment.library.newest(room.deployment.trial)
    view = await room.look(lambda db: insight.view(db, flow, caller.member))
    if view is None:
        return render(request, "insight.html", view=None, few=FEW)
    cards = cards_for(room.deployment, flow, caller.member["language"])
    names = _Names(room, flow, cards, tongue)
    return render(
        request,
        "insight.html",
        view=view,
        few=FEW,
        at=tongue.moment(view.at, ZoneInfo(flow.trial.timezone)),
        funnels=[
            ("source", names.table(view.source, names.source, STAGE)),
            ("locale", names.table(view.locale, names.language, STAGE)),
            ("site", names.table(view.site, names.site, STAGE)),
        ],
        whole=_of_total(view.source, tongue),
        stopped=names.table(view.stopped, names.step, {"stopped": lines.STOPPED}),
        findings=names.table(view.findings, names.criterion, FINDING),
        waits=[
            (names.site(one.site), names.number(one.number), *map(names.minutes, (
                one.claim, one.claim_ninth, one.call, one.call_ninth)))
            for one in view.waits
        ],
        verdicts=[
            (names.criterion(one.criterion), names.share(one.flagged_failed, one.flagged),
             names.share(one.passed_failed, one.passed))
            for one in view.verdicts
        ],
    )  # fmt: skip


def _of_total(table: Table, tongue: Tongue) -> dict[str, Any]:
    """The chart of how far everybody came."""
    labels = [tongue(STAGE[stage]) for stage in table.columns]
    return {"labels": labels, "sets": [{"label": "", "data": list(table.total)}], "stacked": False, "lying": False}


class _Names:
    """The keys of a count in the words of who reads it."""

    def __init__(self, room: Room, flow: Flow, cards: Cards, tongue: Tongue) -> None:
        self.room, self.flow, self.cards, self.tongue = room, flow, cards, tongue

    def table(self, table: Table, name: Any, columns: dict[str, str]) -> Shown:
        heads = tuple(self.tongue(columns[column]) for column in table.columns)
        rows = tuple((name(row.key), tuple(map(self.number, row.numbers))) for row in table.rows)
        sets = [{"label": head, "data": [row.numbers[at] for row in table.rows]} for at, head in enumerate(heads)]
        short = [row.key if row.key in self._criteria() else name(row.key) for row in table.rows]
        chart = {"labels": short, "sets": sets, "stacked": True, "lying": True}
        return Shown(heads, rows, tuple(map(self.number, table.total)), chart)

    def number(self, number: Number) -> str:
        return self.tongue(lines.HIDDEN) if number is None else self.tongue.words.number(number)

    def share(self, failed: Number, whole: Number) -> str:
        """``12 of 80 (15%)``."""
        if failed is None or whole is None:
            return self.tongue(lines.HIDDEN)
        return f"{failed}/{whole} ({round(100 * failed / whole)}%)" if whole else "0"

    def minutes(self, minutes: Number) -> str:
        return "–" if minutes is None else self.tongue.lasting(timedelta(minutes=minutes))

    def source(self, code: str) -> str:
        return code or self.tongue(lines.NO_SOURCE)

    def language(self, tag: str) -> str:
        return self.room.deployment.languages.every.get(tag, tag)

    def site(self, key: str) -> str:
        site = self.flow.site(key)
        if site is None:
            return self.tongue(lines.NO_SITE)
        return self.cards.patient.text(f"{self.flow.trial.slug}.site", site.name)

    def step(self, step_id: str) -> str:
        step = self.flow.step_by_id.get(StepId(step_id))
        return self.cards.patient.text(step.context, step.label) if step else step_id

    def criterion(self, criterion: str) -> str:
        title = self._criteria().get(criterion)
        if title is None:
            return criterion
        return f"{criterion} {self.tongue.words.text(f'{self.flow.trial.slug}.{criterion}', title)}"

    def _criteria(self) -> dict[str, str]:
        return {str(one.id): one.title for one in self.flow.criteria}
