"""Anything in any order: people, a nurse, the messenger and the clock do what they like, and the house stays whole.

By default some thousand steps. Ten thousand steps for each of fifty seeds, as before a release:

    export EXAMPLES=1000
    for seed in $(seq 50); do .venv/bin/pytest tests/shell/test_stateful.py --hypothesis-seed=$seed || break; done

A failure is shrunk to its shortest story, and printed as a program of rule calls.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from bot.messages import Came, Envelope, Sent
from bot.store import Store
from flows import place
from flows.answer import value_to_json
from flows.conversation import Conversation
from flows.flow import CONSENT, PERSON
from tests.conftest import FINE, TYPED
from tests.shell.conftest import ANA, GROUP, LIBRARY, Somebody, plain
from tests.shell.house import Housed, Time, Wire, hurries
from tests.sizes import PERCENT
from tests.unsealed import unsealed

pytestmark = pytest.mark.slow


STEPS = int(os.environ.get("STEPS", "40"))
RUNS = max(5, 25 * PERCENT // 100)
FIRST = LIBRARY.newest("nct06570291")
CHATS = ("501", "502", "503")
SAID = (
    "hello", "1964", "165 cm", "65", "none", "not sure", "left", "yes", "no", "2", "/start", "/help", "back",
    "delete", "stop", "change", "I cannot breathe", "膝盖", "2026-11-14", "Suzhou", "🦵🏽" * 30, "x" * 5000, "\x00\u202e",
)  # fmt: skip
CONTACT = {
    "first_name": "Rosa", "last_name": "Example", "town": "Suzhou", "phone": "+34 612 34 56 78",
    "email": "rosa@example.org",
}  # fmt: skip
FATES = {
    "refused for now": (Sent("later", wait=30, limited=True), False),
    "never left": (Sent("later", wait=5), False),
    "lost": (Sent("unsure", wait=5), False),
    "arrived, nobody knows": (Sent("unsure", wait=5), True),
    "refused for good": (Sent("refused"), False),
    "gone": (Sent("gone"), False),
}

chats = st.sampled_from(CHATS)
steps_of_clock = st.sampled_from((-90_000, -3600, -60, 1, 3600, 90_000))
lapses = st.sampled_from((1, 3, 60, 3600, 86_400, 40 * 86_400))


class Nervous(Wire):
    """Besides, the process may end in the middle of a send."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.dies: str = ""
        self.died = False
        self.fate = lambda *_: FATES[self.told.pop()] if self.told else (None, True)

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        if self.died:
            raise asyncio.CancelledError  # nobody is there any more
        if self.dies:
            how, self.dies, self.died = self.dies, "", True
            if how == "after":
                await super().send(chat, envelope, last)
            raise asyncio.CancelledError
        return await super().send(chat, envelope, last)


class Anything(RuleBasedStateMachine):
    @initialize()
    def begins(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="prescreen-"))
        file, shown = _fresh()
        shutil.copyfile(file, self.folder / "p.db")
        self.wire, self.time = Nervous(), Time()
        for chat, envelopes in shown.items():
            self.wire.arrived[chat] += envelopes
        self.house = Housed(Store(f"sqlite:///{self.folder / 'p.db'}"), self.wire, self.time)
        self.people = {chat: Somebody(self.house, chat) for chat in CHATS}
        self.heard: list[tuple[Came, str, str, dict[str, Any], float, datetime]] = []
        self.number = 0

    # ------------------------------------------------------------------ people

    def takes(self, kind: Came, chat: str, *, key: str = "", **values: Any) -> None:
        self.number += 1
        key = key or f"s{self.number}"
        self.heard.append((kind, chat, key, values, self.time.even, self.time.wall))
        self.house.take(kind, chat, key, **values)
        self._if_it_died()

    @rule(chat=chats, said=st.sampled_from(SAID) | st.text(max_size=12))
    def says(self, chat: str, said: str) -> None:
        self.takes("start" if said == "/start" else "text", chat, text="" if said == "/start" else said)

    @rule(chat=chats)
    def says_something_to_remember(self, chat: str) -> None:
        self.takes("text", chat, text=f"xylo{chat}")

    @rule(chat=chats, count=st.integers(1, 8))
    def answers(self, chat: str, count: int) -> None:
        """Goes on as somebody with nothing against, up to the lead."""
        for _ in range(count):
            self._answers_one(chat)

    def _answers_one(self, chat: str) -> None:
        name = self.people[chat].step
        if name is None:
            return self.takes("start", chat)
        said = {**TYPED, **CONTACT}.get(name)
        if said is None and name in FINE:
            value = FINE[name]
            option = FIRST.step_by_id[name].option(value) if isinstance(value, str) else None  # type: ignore[index]
            said = "none" if value == () else "not sure" if value is None else option.label if option else "English"
        label = {"check": "All correct, go on", "contact": "Yes, contact me"}.get(name, said)
        found = [data for shown, data in self._buttons(chat)[-24:] if shown.lstrip("☐☑ ") == label]
        if found:
            return self.takes("press", chat, press=found[-1], message=found[-1][:8])
        buttons = self._last_buttons(chat)
        if said is None and buttons:  # whatever comes first leads on
            return self.takes("press", chat, press=buttons[0][1], message=buttons[0][1][:8])
        return self.takes("text", chat, text=said or "Wuxi")

    @rule(chat=chats, back=st.integers(0, 40))
    def taps(self, chat: str, back: int) -> None:
        """Any button that ever was in the chat, the newest first."""
        buttons = self._buttons(chat)
        if buttons:
            data = buttons[-1 - back % len(buttons)][1]
            self.takes("press", chat, press=data, message=data[:8])

    @rule(chat=chats, kind=st.sampled_from(("media", "edited", "contact", "blocked", "unblocked")))
    def does(self, chat: str, kind: Came) -> None:
        self.takes(kind, chat, text="+34612345678" if kind == "contact" else "a caption", verified=chat == "501")

    @rule(chat=chats)
    def deletes(self, chat: str) -> None:
        if not any(row[0] == chat for row in self._all("SELECT chat FROM conversation")):
            return
        self.wire.told, self.wire.dies = [], ""
        self.takes("text", chat, text="delete")
        self._everything_goes()
        found = [data for label, data in self._buttons(chat) if label == "Yes, delete all"]
        if not found:
            return
        self.takes("press", chat, press=found[-1], message="d")
        if self._all("SELECT 1 FROM conversation WHERE chat = :chat", chat=chat):
            return  # the button was of another conversation, or the menu was not there
        for table in ("conversation", "answer", "message", "lead", "outbox", "quarantine", "interest"):
            assert f"xylo{chat}" not in str(self._all(f"SELECT * FROM {table}")), table
        assert self._all("SELECT 1 FROM lead WHERE chat = :chat", chat=chat) == []

    # ------------------------------------------------------------------ staff

    @rule(back=st.integers(0, 20), group=st.booleans())
    def the_nurse_taps(self, back: int, group: bool) -> None:
        chat = GROUP if group else str(ANA)
        buttons = self._buttons(chat)
        if buttons:
            data = buttons[-1 - back % len(buttons)][1]
            self.takes("press", chat, press=data, message="7", sender=str(ANA), group=group)

    @rule()
    def the_nurse_looks(self) -> None:
        self.takes("start", str(ANA))

    # ------------------------------------------------------------------ the world

    @precondition(lambda self: self.heard)
    @rule(back=st.integers(0, 30))
    def comes_again(self, back: int) -> None:
        """Within a day, as Telegram does; unless a wrong clock has made receipts look old."""
        kind, chat, key, values, even, wall = self.heard[-1 - back % len(self.heard)]
        if self.time.even - even > 86_400 or self.time.wall - wall > timedelta(days=6):
            return
        before = self._story()
        self.house.take(kind, chat, key, **values)
        self._if_it_died()
        assert self._story() == before, "it counted twice"

    @rule(fates=st.lists(st.sampled_from(sorted(FATES)), max_size=4))
    def the_messenger_fails(self, fates: list[str]) -> None:
        self.wire.told = fates

    @rule(how=st.sampled_from(("before", "after")))
    def the_process_will_end_while_it_sends(self, how: str) -> None:
        self.wire.dies = how

    @rule()
    def the_process_starts_anew(self) -> None:
        self.house.ends()
        self.house.opens()
        self.house.drains()
        self._if_it_died()

    @rule(seconds=lapses)
    def time_passes(self, seconds: int) -> None:
        self.time.passes(seconds=seconds)
        self.house.drains()
        self._if_it_died()

    @rule(seconds=steps_of_clock)
    def the_clock_is_set(self, seconds: int) -> None:
        self.time.is_set(seconds=seconds)

    @rule()
    def it_sweeps(self) -> None:
        self.house.sweeps()
        self._if_it_died()

    def _if_it_died(self) -> None:
        if self.wire.died:
            self.house.ends()
            self.wire.died = False
            self.house.opens()
            self.house.drains()

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def every_place_is_the_fold_of_its_answers(self) -> None:
        rows = self._all("SELECT id, state, step, life, flow FROM conversation")
        answers: defaultdict[int, dict[str, Any]] = defaultdict(dict)
        for key, step, value, cleared in self._all(
            "SELECT conversation_id, step, value, cleared FROM answer ORDER BY revision, id"
        ):
            answers[key][step] = None if cleared else [plain(value)]
        for key, state, step, life, flow in rows:
            kept = Conversation.from_json(plain(state))
            assert (kept.step, kept.life) == (step, life)
            given = {name: [value_to_json(answer.value)] for name, answer in kept.answers.items()}
            given.pop(PERSON, None)  # that somebody asked for a person stands with the answers, and is none
            assert given == {name: value for name, value in answers[key].items() if value is not None}
            if life == "open":
                assert place(LIBRARY.flow(flow), kept.answers).step == step

    @invariant()
    def nothing_was_answered_before_the_consent(self) -> None:
        given: defaultdict[int, list[str]] = defaultdict(list)
        for key, step in self._all("SELECT conversation_id, step FROM answer ORDER BY revision, id"):
            given[key].append(step)
        early = {FIRST.steps[0].id, CONSENT}
        for steps in given.values():
            later = [number for number, step in enumerate(steps) if step not in early]
            assert not later or CONSENT in steps[: later[0]]

    @invariant()
    def nobody_has_two_open_leads_and_every_send_has_one(self) -> None:
        open_ones = [
            row[0] for row in self._all("SELECT chat FROM lead WHERE status NOT IN ('closed', 'withdrawn')")
        ]
        assert len(open_ones) == len(set(open_ones))
        with_lead = {row[0] for row in self._all("SELECT chat FROM lead")}
        for chat, state in self._all("SELECT chat, state FROM conversation"):
            assert not plain(state)["raised"] or chat in with_lead

    @invariant()
    def lanes_are_in_order(self) -> None:
        assert self.wire.crowded == set(), "two messages of one lane under way"
        late = self._all(
            "SELECT s.id, w.id FROM outbox s JOIN outbox w ON w.chat = s.chat AND w.lane IS NOT NULL"
            " WHERE s.state = 'sent' AND s.id > w.id"
        )
        assert late == [], "a later one was sent first"
        done = self._all("SELECT envelope FROM outbox WHERE lane IS NULL")
        assert all(plain(row[0])["text"] == "" for row in done), "words of what is done with are kept"
        assert self._all("SELECT 1 FROM outbox WHERE lane IS NULL AND state NOT IN ('sent', 'dead')") == []

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self.wire.told, self.wire.dies = [], ""
            self._everything_goes()
            assert self._all("SELECT id, chat, state FROM outbox WHERE lane IS NOT NULL") == []
        finally:
            self.house.closes()
            shutil.rmtree(self.folder)

    # ------------------------------------------------------------------ looking

    def _everything_goes(self) -> None:
        """Time enough for whatever was put off, also by a clock that was set back."""
        for _ in range(3):
            self.house.drains()
            self._if_it_died()
            self.time.passes(seconds=3601)
        self.house.drains()

    def _story(self) -> list[Any]:
        return [
            self._all(f"SELECT * FROM {name} ORDER BY id") for name in ("answer", "message", "lead", "lead_event")
        ]

    def _buttons(self, chat: str) -> list[tuple[str, str]]:
        return [button for said in self.wire.arrived[chat] for row in said.rows for button in row]

    def _last_buttons(self, chat: str) -> list[tuple[str, str]]:
        shown = [said for said in self.wire.arrived[chat] if said.rows]
        return [button for row in shown[-1].rows for button in row] if shown else []

    def _all(self, query: str, **values: Any) -> list[Any]:
        with self.house.store.look() as db:
            return unsealed(db, db.execute(text(query), values))


_made: list[tuple[Path, dict[str, list[Envelope]]]] = []


def _fresh() -> tuple[Path, dict[str, list[Envelope]]]:
    """Made once: one person who has answered everything, one who has sent a request, and what they were shown."""
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="prescreen-"))
        house = Housed(Store(f"sqlite:///{folder / 'p.db'}"))
        Somebody(house, "501").starts().walks_to("check")
        Somebody(house, "502").starts().walks_to("check").sends()
        house.closes()
        _made.append((folder / "p.db", house.wire.arrived))
    return _made[0]


@pytest.mark.slow
def test_anything_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    hurries(monkeypatch)
    relaxed = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        print_blob=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Anything, settings=relaxed)
    finally:
        for file, _ in _made:
            shutil.rmtree(file.parent)
        _made.clear()
