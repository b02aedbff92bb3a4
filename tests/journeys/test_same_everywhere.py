"""The same answers in Telegram, on the web and in a terminal make the same verdict, with the same reasons and lead."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.channels.console import ME, Console
from bot.channels.console import NAME as CONSOLE
from bot.house import House
from bot.messages import Inbound
from bot.store import Store
from flows.flow import Flow, Step
from flows.offers import with_options
from tests.conftest import FINE, TYPED
from tests.journeys.dialogue import CONTACT
from tests.patient import LANGUAGES
from tests.shell.conftest import Desk, Somebody, plain
from tests.sizes import PERCENT
from tests.visitor import ChatPages

pytestmark = pytest.mark.slow

RUNS = max(4, 12 * PERCENT // 100)
COLUMNS = "site, locale, outcome, eligible_from, flags, contact, helper, changed, wants_person, source, status"


@dataclass(frozen=True)
class Deed:
    """What somebody does with the open question."""

    ticks: tuple[str, ...] = ()
    press: str = ""
    words: str = ""


class Door(Protocol):
    """A way to talk with the bot."""

    lane: str

    def does(self, deed: Deed) -> None: ...


class ByTelegram:
    lane = "telegram:501"

    def __init__(self, desk: Desk) -> None:
        self.somebody = Somebody(desk).starts("c7kp2")

    def does(self, deed: Deed) -> None:
        for label in deed.ticks:
            self.somebody.presses(label)
        if deed.words:
            self.somebody.says(deed.words)
        else:
            self.somebody.presses("Done" if deed.ticks else deed.press)


class ByWeb:
    lane = "web:%"

    def __init__(self, desk: Desk) -> None:
        self.chat = ChatPages(desk)
        self.visitor = self.chat.visitor()
        self.visitor.get("/chat?s=c7kp2")

    def does(self, deed: Deed) -> None:
        if not self.visitor.cookies:
            self.visitor.starts(path="/chat?s=c7kp2")
        elif deed.ticks:
            self.visitor.ticks(*deed.ticks)
        elif deed.words:
            self.visitor.types(deed.words)
        else:
            self.visitor.presses(deed.press)


class ByTerminal:
    lane = f"{CONSOLE}:{ME}"

    def __init__(self, desk: Desk) -> None:
        self.console = Console()
        self.house = House(desk.store, desk.deployment, {CONSOLE: self.console}, clock=desk.clock)
        self._takes(Inbound(CONSOLE, self.console.key(), ME, ME, "start", text="c7kp2"))

    def _takes(self, inbound: Inbound) -> None:
        async def taken() -> None:
            await self.house.take(inbound)
            await self.house.delivery.drain()

        asyncio.run(taken())

    def does(self, deed: Deed) -> None:
        lines = [*deed.ticks, deed.words or ("Done" if deed.ticks else deed.press)]
        for line in lines:
            self._takes(self.console.hear(line))


def chosen(flow: Flow, step: Step, answers: Any, dice: random.Random) -> Deed:
    """An answer to the step: more often one that speaks against nothing than any of the others."""
    asked = with_options(flow, step, answers, LANGUAGES.names)
    labels = {option.id: option.label for option in asked.options}
    fine = {**FINE, **TYPED, **CONTACT, "offer_wait": "call", "send_person": "send"}.get(step.id)
    unsure, none = step.unsure_label or "Not sure", step.none_label or "None of these"
    if step.id == "language":
        return Deed(press="English")
    if step.id == "consent":
        return Deed(press=labels[dice.choice(["me", "me", "helper", "not_here"])])
    if step.id in fixed or dice.random() < 0.6:
        if fine is None:
            return Deed(press=unsure) if step.unsure else Deed(words=step.probes[0])
        if fine == ():
            return Deed(press=none)
        return Deed(press=labels[fine]) if fine in labels else Deed(words=str(fine))
    if step.kind == "checklist":
        picks = tuple(label for label in labels.values() if dice.random() < 0.25)
        return Deed(ticks=picks) if picks else Deed(press=dice.choice([none, unsure] if step.unsure else [none]))
    ways = [Deed(press=label) for label in labels.values()] + [Deed(words=words) for words in step.probes]
    return dice.choice([*ways, Deed(press=unsure)] if step.unsure else ways)


fixed = ("check", "offer", "offer_wait", "send", "send_person", "site", "phone", "email")


def held(flow: Flow, door: type[Any], dice: random.Random) -> tuple[Any, ...]:
    """A whole conversation by one door: its answers, what the screening found, and its lead."""
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'p.db'}")
        desk = Desk(store)
        way: Door = door(desk)
        try:
            state: dict[str, Any] = {"step": "language", "life": "open", "answers": {}, "pending": None}
            for _ in range(80):
                if state["life"] != "open":
                    break
                way.does(_next(flow, state, dice))
                query = "SELECT state FROM conversation WHERE lane LIKE :lane"
                found = desk.rows(query, lane=way.lane)
                state = plain(found[0][0])
            assert state["life"] in ("done", "stopped"), state["step"]
            values = {step: answer["value"] for step, answer in state["answers"].items()}
            found = desk.rows("SELECT outcome, findings FROM conversation WHERE lane LIKE :lane", lane=way.lane)
            leads = [tuple(map(plain, row)) for row in desk.rows(f"SELECT {COLUMNS} FROM lead")]
            return values, tuple(found[0]), leads
        finally:
            for part in ("house", "chat"):
                if hasattr(way, part):
                    getattr(way, part).close()
            store.close()


def _next(flow: Flow, state: dict[str, Any], dice: random.Random) -> Deed:
    step = flow.step_by_id[state["step"]]
    pending = state["pending"]
    if pending is None:
        return chosen(flow, step, {}, dice)
    if pending["why"] in ("month", "day"):
        return Deed(press="Not sure")
    return Deed(press="Yes")


@settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_the_same_verdict_reasons_and_lead_by_every_door(flow: Flow, seed: int) -> None:
    telegram, web, terminal = (held(flow, door, random.Random(seed)) for door in (ByTelegram, ByWeb, ByTerminal))
    assert telegram == web == terminal
