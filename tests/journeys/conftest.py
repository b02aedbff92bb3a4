"""A house to talk to: a fake Telegram, the staff's group, and the real bot process on a database of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.flow import Flow
from tests.journeys.bot_process import BotProcess
from tests.journeys.dialogue import Chat, Records
from tests.telegram_server import Group, Person, TelegramServer


@dataclass(frozen=True)
class House:
    """Everything around one running bot."""

    server: TelegramServer
    bot: BotProcess
    team: Group
    boss: Person
    records: Records
    flow: Flow

    def chat(self, name: str = "Rosa", locale: str = "en") -> Chat:
        """A new person, who has not written yet."""
        return Chat(self.server.person(name, locale.replace("_", "-").lower()), self.flow, locale)

    def hires(self, *nurses: Person) -> None:
        """Puts people on the staff list, and lets them open a private chat with the bot."""

        def hire(nurse: Person) -> None:
            self.bot.run("staff", "add", nurse.card["first_name"], "--telegram", str(nurse.id))
            nurse.starts()
            nurse.sees(f"You are on the staff list, {nurse.card['first_name']}.")

        with ThreadPoolExecutor() as desks:
            list(desks.map(hire, nurses))

    def quiet(self, seconds: float = 30.0) -> None:
        """Waits until everything that came in is taken, and everything that is to go out has gone."""
        self.bot.settles(seconds)
        end = time.monotonic() + seconds
        while waiting := self.records.rows("SELECT * FROM outbox WHERE state IN ('due', 'sending')"):
            assert time.monotonic() < end, f"still to be sent: {waiting}"
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return self.bot.log.read_text(encoding="utf-8")


@contextmanager
def opened(folder: Path, flow: Flow) -> Iterator[House]:
    with TelegramServer() as server:
        boss = server.person("Mara")
        team = server.group("Study team", [boss])
        with BotProcess(server, folder, team) as bot:
            yield House(server, bot, team, boss, Records(bot), flow)


@pytest.fixture
def house(tmp_path: Path, flow: Flow) -> Iterator[House]:
    """A house of one test's own."""
    with opened(tmp_path, flow) as house:
        yield house


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, flow: Flow) -> Iterator[House]:
    """A house that the tests of a module share, each with people of its own."""
    with opened(tmp_path_factory.mktemp("house"), flow) as house:
        yield house


@pytest.fixture
def at(shared: House) -> Callable[..., Chat]:
    """``at("knee")``: somebody in the shared house who has come as far as that question."""

    def make(step: str, name: str = "Rosa", locale: str = "en", **other: object) -> Chat:
        chat = shared.chat(name, locale).starts()
        chat.walks_to(step, **other)
        return chat

    return make
