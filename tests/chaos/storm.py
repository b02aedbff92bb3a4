"""A crowd, a bot, and everything that goes wrong at once: kills, a database that dies, a Telegram that fails."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from flows.flow import Flow
from tests.chaos.checks import Figures, check
from tests.chaos.crowd import Crowd
from tests.journeys.bot_process import BotProcess
from tests.postgres import Postgres
from tests.telegram_server import TelegramServer

EVERY = 0.05
"""Seconds between two looks at whether something is to go wrong."""


@dataclass
class Storm:
    """How bad it gets. Rates are per call of the bot, in the way Telegram fails."""

    people: int
    kills: int
    at_once: int = 300
    seed: int = 1
    faults: float = 0.04
    """How many sends in a hundred go wrong: too many requests, server errors, lost answers."""
    calm: tuple[float, float] = (0.2, 2.5)
    """Seconds from a start to the next kill, between these."""
    restarts: tuple[float, float] = (5.0, 40.0)
    """Seconds between two immediate restarts of the database server."""
    patience: float = 600.0

    def rages(
        self,
        folder: Path,
        flow: Flow,
        postgres: Postgres | None = None,
        workers: int = 1,
        say: Callable[[str], None] = print,
    ) -> Figures:
        """Lets the crowd talk through it, heals everything, waits until all is quiet, and checks."""
        url = postgres.database() if postgres else f"sqlite:///{folder / 'prescreen.db'}"
        with TelegramServer(seed=self.seed) as server:
            team = server.group("Study team", [server.person("Mara")])
            bot = BotProcess(server, folder, team, url, workers)
            figures = Figures()
            crowd = Crowd(server, flow, self.people, self.at_once, self.seed)
            try:
                _Raging(self, server, bot, crowd, figures, url, postgres).run()
                server.heal()
                if not bot.is_up:
                    bot.start()
                until_quiet(server, url, lambda: None if bot.is_up else bot.start())
                code = bot.stop()
                if code != 0:
                    figures.problems.append(f"the bot ended with code {code}")
            finally:
                if bot.is_up:
                    bot.kill()
            say(f"{figures.kills} kills over {self.people} people; checking")
            return check(server, url, team.chat.id, folder, figures, crowd.leads)


class _Raging:
    def __init__(
        self,
        storm: Storm,
        server: TelegramServer,
        bot: BotProcess,
        crowd: Crowd,
        figures: Figures,
        url: str,
        postgres: Postgres | None,
    ) -> None:
        self.storm, self.server, self.bot, self.crowd = storm, server, bot, crowd
        self.figures, self.postgres = figures, postgres
        self.chance = random.Random(storm.seed)
        self.engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        self.next_kill = self.next_restart = self.next_fault = 0.0

    def run(self) -> None:
        until = time.monotonic() + self.storm.patience
        self._start()
        self.next_restart = time.monotonic() + self.chance.uniform(*self.storm.restarts)
        while not self.crowd.done or self.figures.kills < self.storm.kills:
            assert time.monotonic() < until, f"{len(self.crowd.under_way)} people wait:\n{self.crowd.story()}"
            self.crowd.tick()
            self._goes_wrong()
            with self.server.changed:
                self.server.changed.wait(EVERY)

    def _goes_wrong(self) -> None:
        now = time.monotonic()
        if now > self.next_fault:
            self.next_fault = now + EVERY
            self._telegram_fails()
        if self.figures.kills < self.storm.kills and now > self.next_kill:
            self._kill()
            self._start()
        if self.postgres is not None and now > self.next_restart and not self.crowd.done:
            self.figures.in_flight += self._under_way()
            self.postgres.restart()  # who led until now cannot say any more what became of what it sent
            self.figures.in_flight += self._under_way()
            self.figures.restarts += 1
            self.next_restart = time.monotonic() + self.chance.uniform(*self.storm.restarts)

    def _start(self) -> None:
        if not self.bot.is_up:
            self.bot.start()
        self.next_kill = time.monotonic() + self.chance.uniform(*self.storm.calm)

    def _kill(self) -> None:
        """One worker, where there are several; now and then the process that looks after them."""
        workers = self.bot.children() if self.bot.workers > 1 else []
        if workers and self.chance.random() < 0.8:
            victim = self.chance.choice(workers)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGSTOP)  # another one that takes over would send what was under way
                self.figures.in_flight += self._under_way()
                os.kill(victim, signal.SIGKILL)
        else:
            self.bot.kill()
            self.figures.in_flight += self._under_way()
        self.figures.kills += 1

    def _under_way(self) -> int:
        """How many messages are being sent just now; asked again while the database server starts."""
        query = text("SELECT count(*) FROM outbox WHERE state = 'sending'")
        for _ in range(100):
            try:
                with self.engine.connect() as connection:
                    return int(connection.execute(query).scalar_one())
            except OperationalError:
                if self.postgres is None:
                    break
                time.sleep(0.05)
            except ProgrammingError:
                break
        return 0  # it died before it had made its tables

    def _telegram_fails(self) -> None:
        """As many failures as ``faults`` asks for, measured on the calls since the last time."""
        calls = len(self.server.calls)
        for _ in range(calls - getattr(self, "_calls", 0)):
            roll = self.chance.random()
            if roll >= self.storm.faults:
                continue
            kind = self.chance.choice(("429", "429", "500", "500", "accepted", "torn", "html"))
            if kind == "429":
                self.server.fail("sendMessage", code=429, retry_after=1)
            elif kind == "500":
                self.server.fail("sendMessage", code=500)
            else:
                self.figures.ambiguous += 1
                if kind == "accepted":
                    self.server.fail("sendMessage", code=0, carried_out=True)
                elif kind == "torn":
                    self.server.torn("sendMessage")
                else:
                    self.server.malformed("sendMessage", carried_out=True)
        self._calls = calls


def until_quiet(server: TelegramServer, url: str, revive: Callable[[], None], seconds: float = 120.0) -> None:
    """Until every update is taken and every message has gone."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        revive()
        if server.pending:  # asked first: what is no longer pending is in the database
            time.sleep(0.1)
            continue
        with suppress(Exception), engine.connect() as connection:
            if not connection.execute(text("SELECT count(*) FROM outbox WHERE lane IS NOT NULL")).scalar():
                break
        time.sleep(0.1)
    engine.dispose()
