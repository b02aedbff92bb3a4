"""The whole product as the load drives it: everything is real but Telegram's socket."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
from sqlalchemy import text

from benchmarks.phones import GROUP, TOKEN, Act, Network, Phone, Switchboard
from bot.buttons import Buttons
from bot.channels import telegram
from bot.channels.transport import Transport
from bot.deployment import Deployment
from bot.house import House
from bot.intake import Intake
from bot.library import Library, load
from bot.pace import Pace
from bot.store import Store, conversations
from bot.surroundings import examine
from bot.words import Languages
from flows.tidy import fold

TRIAL = "nct06570291"
TYPED = {"how_long": "over a year ago", "mri": "none", "ever": "none", "xray": "not sure", "health_now": "none"}
"""What is typed beside what has no buttons; anything else is tapped."""
LAST = "check"


def deployed(library: Library | None = None) -> Deployment:
    key = hashlib.sha256(TOKEN.encode()).digest()
    keep = 3650  # so that a sweep has nothing to erase; what erasing takes is timed by itself
    return Deployment(library or load(), Languages(), Buttons(key), TRIAL, keep, staff_group=str(GROUP))


class Wire(Network, Transport):
    """Our own transport up to its socket."""


class Product:
    """From the bytes of an update to its commit; the calls out are taken by the ``board``."""

    sends = None

    def __init__(self, url: str, board: Switchboard, deployment: Deployment | None = None) -> None:
        self.deployed = deployment or deployed()
        began = time.perf_counter()
        self.store = Store(url)
        list(examine(self.store, datetime.now(UTC)))
        with patch.object(telegram, "Transport", lambda **_: Wire(board)):
            self.channel = telegram.Telegram(TOKEN, "https://api.invalid/bot")
        self.house = House(self.store, self.deployed, {telegram.NAME: self.channel})
        self.house.pace = Pace(1_000_000)
        self.start_ms = round((time.perf_counter() - began) * 1e3, 1)
        self.intake = Intake(telegram.parse, self.house.take, self.house.set_aside, self.channel.acknowledge)

    async def open(self, leads: bool = True) -> None:
        """As a process starts to serve; the time until it could take its first update counts as start."""
        began = time.perf_counter()
        await self.house.begin()
        self.house.delivery.leads = leads
        if leads:
            await self.house.lead("")
            await self.house.delivery.look()
        self.start_ms += round((time.perf_counter() - began) * 1e3, 1)

    async def take(self, body: bytes) -> None:
        fate = await self.intake.one(self.intake.read(orjson.loads(body)), 0)
        assert fate == "done", fate

    def measured(self, on: bool) -> None:
        pass

    async def rests(self) -> None:
        """Until everything that is under way has ended."""
        while self.house.delivery._sends:
            await asyncio.sleep(0.005)

    async def sweeps(self) -> float:
        """Milliseconds of one sweep with nothing to sweep, during which no turn is taken."""
        began = time.perf_counter()
        await self.house.sweep()
        return round((time.perf_counter() - began) * 1e3, 1)

    async def erases(self, chat: int) -> float:
        """Milliseconds of erasing one person, during which no turn is taken."""
        began = time.perf_counter()
        await self.house.writer.write(lambda db: conversations.erase(db, telegram.NAME, str(chat)))
        return round((time.perf_counter() - began) * 1e3, 1)

    def close(self) -> None:
        self.house.close()
        self.store.close()


class Rehearsal:
    """One person's whole screening on the real trial, up to its outcome: what they do becomes the script."""

    def __init__(self, folder: Path, watch: Callable[[Rehearsal], None] | None = None) -> None:
        """``watch`` is called after every act, with what is in ``file`` by then."""
        self.file = folder / "rehearsal.db"
        self.file.unlink(missing_ok=True)
        self.board = Switchboard()
        self.script: list[Act] = []
        self.watch = watch
        self._folder = folder

        from tests import conftest  # noqa: PLC0415 (not in the process that is measured)

        self.types = conftest.TYPED | TYPED
        self.taps = {**conftest.FINE, LAST: "right"}

    async def hold(self) -> Sequence[Act]:
        product = Product(f"sqlite:///{self.file}", self.board)
        await product.open()
        try:
            phone = self.board.phone(self.script)
            await self._does(product, phone, types="/start")
            while self.script[-1].step != LAST:
                step = self._step(product)
                if step in self.types:
                    await self._does(product, phone, step, types=self.types[step])
                else:
                    await self._does(product, phone, step, presses=self._label(product, step))
                assert len(self.script) < 60, f"the rehearsal does not get beyond {step}"
        finally:
            product.close()
        return self.script

    async def _does(
        self, product: Product, phone: Phone, step: str = "", *, types: str = "", presses: str = ""
    ) -> None:
        markup = phone.shown.get("reply_markup", {}).get("inline_keyboard", [])
        labels = tuple(tuple(button["text"] for button in row) for row in markup)
        row, column = _place(labels, presses) if presses else (0, 0)
        act = Act(types, row, column, 0, step, str(phone.shown.get("text", "")), labels)
        self.script.append(act)
        await product.take(phone.acts(sends=0))
        await product.house.delivery.drain()
        self.script[-1] = Act(types, row, column, -phone.left, step, act.text, labels)
        if self.watch is not None:
            self.watch(self)

    def _label(self, product: Product, step: str) -> str:
        flow, value = product.deployed.library.newest(TRIAL), self.taps[step]
        if step == "language":
            return product.deployed.languages.names[value]
        if value in ((), None):
            return flow.says["button_not_sure" if value is None else "button_none_of_these"]
        option = flow.step_by_id[step].option(value)  # type: ignore[index]
        assert option is not None
        return option.label

    def _step(self, product: Product) -> str:
        with product.store.begin() as db:
            row: Any = db.execute(text("SELECT step FROM conversation")).scalar()
        return str(row)


def _place(labels: Sequence[Sequence[str]], wanted: str) -> tuple[int, int]:
    for at, row in enumerate(labels):
        for column, label in enumerate(row):
            if fold(label.lstrip("☐☑ ")) == fold(wanted):
                return at, column
    raise AssertionError(f"no button {wanted!r} among {labels}")
