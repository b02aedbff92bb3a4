"""A deployment on a database of its own, and a person who uses it without a messenger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot import sweep
from bot.buttons import Buttons
from bot.deployment import Deployment
from bot.desk.work import take_staff
from bot.library import load
from bot.messages import Came, Envelope, Inbound
from bot.store import Store, staff
from bot.turns import take_turn
from flows.tidy import fold
from tests.conftest import FINE, TYPED
from tests.patient import LANGUAGES, NOW
from tests.unsealed import unsealed

LIBRARY = load()
GROUP = "-100500"
ANA, LI = 7_000_000_001, 7_000_000_002


class Desk:
    """The shell around one store: what people do goes in, what would be sent comes out."""

    def __init__(self, store: Store) -> None:
        self.store, self.now, self._count = store, NOW, 0
        self.deployment = self.deployed()
        with store.begin() as db:
            staff.add(db, "Ana", ANA, "en")
            staff.add(db, "Li", LI, "zh_Hans")

    @staticmethod
    def deployed() -> Deployment:
        return Deployment(LIBRARY, LANGUAGES, Buttons(b"a key"), "nct06570291", 30, staff_group=GROUP)

    def take(self, kind: Came, chat: str = "501", key: str = "", **values: Any) -> bool:
        self._count += 1
        values.setdefault("sender", chat)
        inbound = Inbound("telegram", key or f"k{self._count}", chat, kind=kind, **values)
        with self.store.begin() as db:
            taken = take_staff(inbound, db, self.deployment, self.now)
            return taken or take_turn(inbound, db, self.deployment, self.now)

    def sweeps(self) -> int:
        """What is due because time went by; returns how many reminders went out."""
        at = self.now
        with self.store.begin() as db:
            due = sweep.reminders(db, self.deployment, at)
        given = 0
        for reminder in due:
            with self.store.begin() as db:
                given += sweep.remind(reminder, db, self.deployment, at)
        with self.store.begin() as db:
            sweep.forget(db, self.deployment, at)
        return given

    def sent(self, chat: str = "501") -> list[Envelope]:
        rows = self.rows("SELECT envelope FROM outbox WHERE chat = :chat ORDER BY id", chat=chat)
        return [Envelope.from_json(plain(row[0])) for row in rows]

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.store.begin() as db:
            return unsealed(db, db.execute(text(query), values))

    def one(self, query: str, **values: Any) -> Any:
        return self.rows(query, **values)[0][0]

    def waits(self, **time: float) -> None:
        self.now += timedelta(**time)

    @property
    def clock(self) -> Callable[[], datetime]:
        return lambda: self.now


def plain(value: Any) -> Any:
    """A JSON value as a raw query gives it: SQLite's driver hands over the text, PostgreSQL's the value."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


class Somebody:
    """A person in one chat, who types and presses what is on the screen."""

    def __init__(self, desk: Desk, chat: str = "501", language: str = "en") -> None:
        self.desk, self.chat, self.language = desk, chat, language

    def starts(self, payload: str = "") -> Somebody:
        self.desk.take("start", self.chat, text=payload, language=self.language)
        return self

    def says(self, text: str, **values: Any) -> Somebody:
        self.desk.take("text", self.chat, text=text, language=self.language, **values)
        return self

    def presses(self, label: str) -> Somebody:
        data = self.data(label)
        self.desk.take("press", self.chat, press=data, message=data)  # as if each message had one button
        return self

    def data(self, label: str) -> str:
        """The data of the newest button with this label."""
        for envelope in reversed(self.desk.sent(self.chat)):
            for row in envelope.rows:
                for name, data in row:
                    if fold(name.lstrip("☐☑ ")) == fold(label):
                        return data
        raise AssertionError(f"no button {label!r}")

    @property
    def step(self) -> str | None:
        rows = self.desk.rows(
            "SELECT step FROM conversation WHERE chat = :chat AND lane IS NOT NULL", chat=self.chat
        )
        return str(rows[0][0]) if rows and rows[0][0] else None

    @property
    def seen(self) -> str:
        return "\n".join(envelope.text for envelope in self.desk.sent(self.chat))

    def walks_to(self, step: str, **other: str) -> Somebody:
        """Answers in typed words or by pressing, as somebody with nothing against, except ``other``."""
        flow = self.desk.deployment.library.newest("nct06570291")
        while self.step != step:
            here = flow.step_by_id[self.step or ""]  # type: ignore[index]
            value = other.get(here.id, TYPED.get(here.id) or FINE.get(here.id))
            if here.id in other or here.id in TYPED:
                self.says(str(value))
            elif here.source == "languages":
                self.presses("English")
            elif value == ():
                self.says("none")
            elif value is None:
                self.says("not sure")
            else:
                option = here.option(value)
                assert option is not None
                self.presses(option.label)
        return self

    def sends(self) -> Somebody:
        """From the check page to a sent lead."""
        self.presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi").says("Rosa")
        self.says("Example").says("+34 612 34 56 78").says("rosa@example.org").presses("No other language")
        return self.presses("Any day").presses("Mornings").presses("Send")


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    store = Store(database)
    yield Desk(store)
    store.close()


@pytest.fixture
def rosa(desk: Desk) -> Somebody:
    return Somebody(desk)
