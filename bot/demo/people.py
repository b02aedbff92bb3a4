"""Fills an empty database with invented people, who talk with the real bot, and staff who work their leads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.deployment import Deployment
from bot.desk.actions import Acting
from bot.messages import Inbound
from bot.store import Store, conversations, leads, staff
from bot.store.transaction import Transaction
from bot.turns import take_turn
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import Confirmed, Gave, Reply, Sent, Ticked

PEOPLE = Path(__file__).parent.parent.parent / "examples" / "demo.toml"
CHANNEL = "web"
PACE = timedelta(seconds=12)
"""How long an invented person thinks about an answer."""
MOST = 120
"""Answers of one person: more would be a loop."""


def fill(store: Store, deployment: Deployment, now: datetime, people: Path = PEOPLE) -> int:
    """Everybody in the file, in the languages on offer; returns how many talked. Nothing, if anybody is there."""
    cast = tomllib.loads(people.read_text(encoding="utf-8"))
    with store.begin(now) as db:
        if staff.every(db):
            return 0
        for member in cast["staff"]:
            staff.add(db, member.pop("name"), **member)
    offered = [one for one in cast["person"] if one["answers"]["language"] in deployment.languages.names]
    for number, one in enumerate(sorted(offered, key=lambda one: -one["hours_ago"])):
        _Person(store, deployment, f"example-{number}", {**cast["usual"], **one["answers"]}, one, now).lives()
    return len(offered)


class _Person:
    """One invented person in one chat."""

    def __init__(
        self,
        store: Store,
        deployment: Deployment,
        chat: str,
        answers: Mapping[str, Any],
        one: Mapping[str, Any],
        now: datetime,
    ) -> None:
        self.store, self.deployment, self.chat, self.answers, self.one = store, deployment, chat, answers, one
        self.now, self.at = now, now - timedelta(hours=one["hours_ago"])
        self.said = 0

    def lives(self) -> None:
        flow = self.deployment.library.newest(self.deployment.trial)
        self.does("start", text=self.one["source"])
        while (here := self.here()) is not None and here.life == "open" and here.step != self.one.get("until"):
            assert here.step is not None and self.said < MOST, f"{self.chat} is stuck at {here.step}"
            self.answers_at(flow, here)
        for name, act, hours_ago in self.one.get("staff", ()):
            with self.store.begin(self.now - timedelta(hours=hours_ago)) as db:
                self.staff(db, name, act)

    def here(self) -> Conversation | None:
        with self.store.begin(self.at) as db:
            kept = conversations.current(db, CHANNEL, self.chat)
        return kept.conversation if kept else None

    def answers_at(self, flow: Flow, here: Conversation) -> None:
        """Taps what can be tapped and types the rest; says yes to what is read back."""
        assert here.step is not None
        step, value = flow.step_by_id[here.step], self.answers.get(str(here.step).partition("/")[0], "unsure")
        if here.pending is not None:
            self.presses(flow, Confirmed(True, step.id))
        elif value == "unsure":
            self.presses(flow, Gave(None, step=step.id))
        elif value == []:
            self.presses(flow, Gave((), step=step.id))
        elif isinstance(value, list):
            for pick in value:
                self.presses(flow, Ticked(pick, step.id))
            self.presses(flow, Sent(step.id))
        elif step.option(value) is not None or step.source:
            self.presses(flow, Gave(value, step=step.id))
        else:
            self.does("text", text=value)

    def presses(self, flow: Flow, reply: Reply) -> None:
        with self.store.begin(self.at) as db:
            kept = conversations.current(db, CHANNEL, self.chat)
        assert kept is not None
        self.does("press", press=self.deployment.buttons.write(flow, kept.tag, self.chat, reply))

    def does(self, kind: Any, **values: Any) -> None:
        self.said += 1
        self.at += PACE
        inbound = Inbound(CHANNEL, f"{self.chat}:{self.said}", self.chat, self.chat, kind, **values)
        with self.store.begin(self.at) as db:
            take_turn(inbound, db, self.deployment, self.at)

    def staff(self, db: Transaction, name: str, act: str) -> None:
        member = next(one for one in staff.every(db) if one["name"] == name)
        lead = leads.open_of(db, CHANNEL, self.chat, self.deployment.trial)
        assert lead is not None
        acting = Acting(db, self.deployment, member, db.at, f"{self.chat}:{act}:{db.at.isoformat()}")
        verb, _, reason = act.partition(".")
        if verb == "claim":
            acting.claim(lead["id"])
        elif verb == "close":
            acting.close(lead["id"], reason)
        else:
            acting.step(lead["id"], verb)
