"""Stops, outages, second processes and a day away: whoever serves, each update counts once, in order, and none is lost.

The long run does the same for longer: 100 stops, 20 changes of mode, 10,000 updates that waited.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from flows.flow import Flow
from tests.journeys.bot_process import ROOT, BotProcess
from tests.journeys.conftest import House
from tests.journeys.dialogue import Records
from tests.postgres import Postgres
from tests.shell.front_door import SCRIPT
from tests.telegram_server import Person, TelegramServer

pytestmark = pytest.mark.slow

Mode = Literal["polling", "webhook"]
SEED = 6570291
KNEE, DIAGNOSIS, END = SCRIPT[:4], SCRIPT[:5], "joints"
"""What somebody types until the knee is asked, until the diagnosis is, and what is asked after all of it."""


class ServerRecords(Records):
    """The same on PostgreSQL."""

    def read(self, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        address = self.bot.environment["DATABASE_URL"]
        with psycopg.connect(address, row_factory=dict_row) as connection:
            set_json_loads(lambda data: bytes(data).decode(), connection)
            return connection.execute(query.replace("?", "%s"), values).fetchall()  # type: ignore[arg-type]


class Site:
    """A fake Telegram, and processes that serve from databases on it."""

    def __init__(self, server: TelegramServer, folder: Path, flow: Flow, end: ExitStack) -> None:
        self.server, self.folder, self.flow, self._end = server, folder, flow, end
        self.boss = server.person("Mara")
        self.team = server.group("Study team", [self.boss])
        self._count = 0

    def bot(
        self, database: str = "", workers: int = 1, mode: Mode = "polling", changed: str = "", folder: str = ""
    ) -> House:
        """Another process, not yet started. ``changed`` is run in it before the product is: a shorter time-out,
        so that a test need not wait, or something that ends the process."""
        self._count += 1
        place = self.folder / (folder or f"bot{self._count}")
        place.mkdir(exist_ok=True)
        bot = BotProcess(self.server, place, self.team, database, workers)
        if changed:
            (place / "sitecustomize.py").write_text(changed, encoding="utf-8")
            bot.environment["PYTHONPATH"] = f"{place}{os.pathsep}{ROOT}"
        if mode == "webhook":
            by_webhook(bot)
        self._end.callback(_put_down, bot)
        records = ServerRecords(bot) if database.startswith("postgresql") else Records(bot)
        return House(self.server, bot, self.team, self.boss, records, self.flow)


def _put_down(bot: BotProcess) -> None:
    if bot.is_up:
        for pid in [*bot.children(), bot.process.pid]:  # type: ignore[union-attr]
            os.kill(pid, signal.SIGCONT)
        bot.stop()


@pytest.fixture
def site(tmp_path: Path, flow: Flow) -> Iterator[Site]:
    with TelegramServer() as server, ExitStack() as end:
        yield Site(server, tmp_path, flow, end)
    assert server.problems == []


def by_webhook(bot: BotProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    bot.environment |= {
        "BOT_MODE": "webhook",
        "LISTEN": listen,
        "WEBHOOK_URL": f"http://{listen}/telegram",
        "WEBHOOK_SECRET": "s" * 40,
    }


def until(true: Callable[[], object], what: str, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def start(house: House, says: str = "this process polls, sends and sweeps") -> None:
    """Starts it, and waits until it serves."""
    before = house.log.count(says) if house.bot.log.exists() else 0
    house.bot.start()
    until(lambda: house.log.count(says) > before, f"it does not say: {says}")


STANDS_BY = "another process leads"


# ---------------------------------------------------------------------- people who type without waiting


class Crowd:
    """People who type the same words, each in order, whatever is on the screen."""

    def __init__(self, house: House, many: int, words: Sequence[str] = SCRIPT, pause: float = 0.005) -> None:
        self.house, self.words, self.pause = house, words, pause
        self.people = [house.server.person(f"P{n}") for n in range(many)]
        self.said = dict.fromkeys(self.people, 0)
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._types)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.finishes()

    def _types(self) -> None:
        chance = random.Random(SEED)
        while not self._stop.wait(self.pause):
            left = [person for person, said in self.said.items() if said < len(self.words)]
            if not left:
                return
            self.types(chance.choice(left))

    def types(self, person: Person) -> None:
        person.says(self.words[self.said[person]])
        self.said[person] += 1

    def finishes(self) -> None:
        for person in self.people:
            while self.said[person] < len(self.words):
                self.types(person)

    def is_well(self, step: str = END, ambiguous: int = 0) -> None:
        """Each has come to the same question with the same answers, and was told nothing twice."""
        self.house.quiet(60)
        kept = self.house.records.rows("SELECT chat, step, state FROM conversation WHERE lane IS NOT NULL")
        steps = {row["chat"]: row["step"] for row in kept}
        assert Counter(steps.get(str(person.id)) for person in self.people) == {step: len(self.people)}
        receipts = Counter(row["external_id"] for row in self.house.records.rows("SELECT external_id FROM receipt"))
        for person in self.people:
            mine = [message.id for message in person.chat.messages if not message.from_bot]
            assert all(receipts[f"m:{person.id}:{number}"] == 1 for number in mine), "lost"
            assert self.house.records.given_twice(person) == []
        assert sum(map(told_twice, self.people)) <= ambiguous
        assert self.house.records.rows("SELECT * FROM quarantine") == []


def told_twice(person: Person) -> int:
    """How many messages of the bot stand in the chat once more than they should."""
    texts = Counter((m.text, str(m.buttons)) for m in person.chat.messages if m.from_bot)
    return sum(times - 1 for times in texts.values())


# ---------------------------------------------------------------------- stops


ROUNDS = range(int(os.environ.get("ROUNDS", "1")))
"""`make chaos` runs what follows again and again."""


@pytest.mark.parametrize("_round", ROUNDS)
@pytest.mark.parametrize("mode", ["polling", "webhook"])
def test_stops_under_load_lose_nothing_and_repeat_nothing(site: Site, mode: Mode, _round: int) -> None:
    """T05. SIGTERM while thirty people type: the process ends by itself, with 0, and what it sent stays sent."""
    house, chance = site.bot(mode=mode), random.Random(SEED)
    start(house)
    with Crowd(house, 30) as crowd:
        for _ in range(2):
            time.sleep(chance.uniform(0.1, 0.4))
            began = time.monotonic()
            assert house.bot.stop() == 0
            print(f"{mode}: ended after {time.monotonic() - began:.2f} s")
            start(house)
    if mode == "webhook":
        site.server.forward(120)  # Telegram's pauses between its tries are over
    crowd.is_well()


def test_an_update_that_never_ends_does_not_hold_up_the_end(site: Site) -> None:
    """T05. A call with the secret stays in the air half sent; SIGTERM ends the process all the same."""
    house = site.bot(mode="webhook")
    start(house)
    host, _, port = house.bot.environment["LISTEN"].partition(":")
    head = f"POST /telegram HTTP/1.1\r\nHost: here\r\nX-Telegram-Bot-Api-Secret-Token: {'s' * 40}\r\n"
    with socket.create_connection((host, int(port))) as half:
        half.sendall(f'{head}Content-Length: 500\r\n\r\n{{"update_id"'.encode())
        house.chat().starts().asked("language")
        house.quiet()
        assert house.bot.stop() == 0


# ---------------------------------------------------------------------- outages of the database

IMPATIENT = """
import bot.store
bot.store.PRAGMAS["busy_timeout"] = 400
"""


@contextmanager
def unwritable(house: House, postgres: Postgres | None) -> Iterator[None]:
    """Somebody else locks the SQLite file for far longer than we wait, or the server is down."""
    if postgres is not None:
        postgres.stop()
        try:
            yield
        finally:
            postgres.start()
        return
    other = sqlite3.connect(house.bot.folder / "prescreen.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize("mode", ["polling", "webhook"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_while_nothing_can_be_written_nothing_is_confirmed(
    site: Site, mode: Mode, kind: str, request: pytest.FixtureRequest
) -> None:
    """T12, T13. The offset stays where it is, the webhook answers 503; then all of it arrives, in the same process."""
    postgres: Postgres | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    house = site.bot(postgres.database() if postgres else "", mode=mode, changed=IMPATIENT)
    start(house)
    rosa = house.chat().starts().walks_to("knee")
    screen = rosa.asked("knee")
    house.quiet()
    process = house.bot.process
    polls, posts = len(site.server.offsets), len(site.server.deliveries)
    with unwritable(house, postgres):
        rosa.person.presses(rosa.option("knee", "both"), screen)
        crowd = Crowd(house, 10, KNEE)
        crowd.finishes()
        time.sleep(1.5 if postgres is None else 4.5)  # the leader notices within 2 s, and looks again after 1 s
        assert len(site.server.pending) == 1 + 10 * len(KNEE)
        assert [poll.confirmed for poll in site.server.offsets[polls:] if poll.confirmed] == []
        outcomes = {post.outcome for post in site.server.deliveries[posts:]}
        assert outcomes == ({503} if mode == "webhook" else set())
        assert process is not None and process.poll() is None
    if mode == "webhook":
        site.server.forward(5)  # Retry-After is over
    assert rosa.open_step() == "diagnosis"
    crowd.is_well("knee")
    assert house.records.answers(rosa.person)["knee"] == "both"
    assert process.poll() is None, "it must not need a restart"


def test_a_stop_during_an_outage_loses_nothing(site: Site, postgres: Postgres) -> None:
    """T05, T12. Nothing can be written, and the process is told to stop: it does, and the next one gets everything."""
    house = site.bot(postgres.database())
    start(house)
    rosa = house.chat().starts().walks_to("knee")
    house.quiet()
    with unwritable(house, postgres):
        rosa.types("right knee")
        time.sleep(1.0)
        assert house.bot.stop() == 0
        assert "Traceback" not in house.log
    start(house)
    assert rosa.open_step() == "diagnosis"
    assert house.records.answers(rosa.person)["knee"] == "right"


# ---------------------------------------------------------------------- another way for updates to come


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_mode_may_change_while_people_type(site: Site, _round: int) -> None:
    """T14. Polling, webhook, polling, and webhook again: what waits comes the new way, once."""
    house = site.bot(mode="webhook")
    with Crowd(house, 20) as crowd:
        for mode in ("polling", "webhook", "polling"):
            house.bot.environment["BOT_MODE"] = mode
            start(house)
            time.sleep(0.3)
            assert house.bot.stop() == 0
    house.bot.environment["BOT_MODE"] = "webhook"
    start(house)
    site.server.forward(120)
    crowd.is_well()


# ---------------------------------------------------------------------- two processes, by mistake or on purpose


def test_a_second_process_on_one_file_waits_and_takes_over(site: Site) -> None:
    """T15. It says so in its log, and does nothing else until the first one is gone."""
    first = site.bot(folder="one")
    start(first)
    rosa = first.chat().starts().walks_to("knee")
    second = site.bot(database=first.bot.environment["DATABASE_URL"])
    second.bot.start()
    until(lambda: "another process serves this database; waiting" in second.log, second.log)
    rosa.walks_to("how_long")
    first.quiet()
    first.bot.kill()
    rosa.answers("how_long", "over_a_year")
    until(lambda: "this process polls" in second.log, second.log)
    rosa.walks_to("walking_aid")
    first.quiet()
    assert first.records.given_twice(rosa.person) == [] and told_twice(rosa.person) == 0


def test_of_two_processes_on_one_server_one_leads_and_the_other_takes_over(site: Site, postgres: Postgres) -> None:
    """T15. Both serve, one polls and sends; kill -9 for that one, and the other goes on in the same conversation."""
    url = postgres.database()
    first, second = site.bot(url), site.bot(url)
    start(first)
    rosa = first.chat().starts().walks_to("knee")
    start(second, STANDS_BY)
    rosa.walks_to("how_long")
    first.quiet()
    first.bot.kill()
    until(lambda: "this process polls" in second.log, second.log)
    crowd = Crowd(second, 10, KNEE)
    crowd.finishes()
    rosa.walks_to("walking_aid")
    crowd.is_well("knee")
    assert second.records.given_twice(rosa.person) == [] and told_twice(rosa.person) == 0


def test_two_bots_with_one_token_are_told_of_each_other(site: Site) -> None:
    """T15. Two databases, one token: Telegram ends the older call with 409, and the log says what to do."""
    first, second = site.bot(), site.bot()
    start(first)
    first.chat().starts().asked("language")
    second.bot.start()
    until(lambda: "another process polls for this bot" in first.log + second.log, "409 was not explained")
    assert first.bot.is_up and second.bot.is_up
    first.bot.stop()
    second.chat().starts().asked("language")


SHORT_SIGHTED = """
import bot.serving, bot.store
bot.serving.HOLD_SECONDS = 0.5
bot.store.SERVER["idle_in_transaction_session_timeout"] = "3s"
"""


BLIND = """
from bot.leader import Leadership

holds = Leadership.holds

def blind(self):
    self.led = holds(self) or getattr(self, "led", False)
    return self.led

Leadership.holds = blind
"""


@pytest.mark.parametrize("blind", [False, True], ids=["sees it", "is blind"])
def test_a_leader_that_was_stopped_finds_another_one_leading(site: Site, postgres: Postgres, blind: bool) -> None:
    """T06. SIGSTOP under load, so long that the server gives its lead away; then SIGCONT: it writes nothing any more.

    The server's patience is 3 s here, and 15 s in the product: `bot.store.SERVER`. A blind one does not even see
    that it no longer leads; what it wants to send is refused by its token.
    """
    url = postgres.database()
    first = site.bot(url, changed=SHORT_SIGHTED + BLIND * blind)
    second = site.bot(url, changed=SHORT_SIGHTED)
    start(first)
    start(second, STANDS_BY)
    with Crowd(second, 15, pause=0.05) as crowd:
        time.sleep(0.2)
        assert first.bot.process is not None
        first.bot.process.send_signal(signal.SIGSTOP)
        under_way = second.records.rows("SELECT id FROM outbox WHERE state = 'sending'")
        until(lambda: "this process polls" in second.log, second.log)
        first.bot.process.send_signal(signal.SIGCONT)
        until(lambda: blind or STANDS_BY in first.log, first.log)
    print(
        f"{len(under_way)} messages were under way when it was stopped, {sum(map(told_twice, crowd.people))} came twice"
    )
    crowd.is_well(ambiguous=len(under_way))
    assert first.bot.is_up and second.bot.is_up


# ---------------------------------------------------------------------- several workers


def test_three_workers_hold_one_conversation(site: Site, postgres: Postgres) -> None:
    """`serve --workers 3` by webhook: from the first word to the lead; a worker killed on the way is replaced."""
    house = site.bot(postgres.database(), workers=3, mode="webhook")
    start(house)
    until(lambda: len(house.bot.children()) == 3, "three workers")
    rosa, crowd = house.chat().starts(), Crowd(house, 10)
    rosa.walks_to("how_long")
    killed: list[int] = []
    with crowd:
        for step in ("walking_aid", "mri", "ever"):
            killed.append(random.Random(step).choice(house.bot.children()))
            os.kill(killed[-1], signal.SIGKILL)
            site.server.forward(5)
            rosa.walks_to(step)
    rosa.walks_to("other_trials")
    until(lambda: len(house.bot.children()) == 3, "a new worker")
    assert not set(killed) & set(house.bot.children())
    site.server.forward(120)
    crowd.is_well(ambiguous=3 * 40)  # each kill may leave what was just leaving in doubt
    (lead,) = house.records.leads(rosa.person)
    assert house.team.sees(f"New lead K-{lead['id']:04d}", all=True)
    assert house.records.given_twice(rosa.person) == []
    workers = house.bot.children()
    began = time.monotonic()
    assert house.bot.stop() == 0
    print(f"three workers ended after {time.monotonic() - began:.2f} s")
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []
    assert "deadlock" not in house.log.casefold() and "Traceback" not in house.log, house.log


# ---------------------------------------------------------------------- a day away


@pytest.mark.parametrize("mode", ["polling", "webhook"])
def test_a_day_away(site: Site, mode: Mode) -> None:
    """T16. Three messages each of a hundred people have waited 23 hours, and some tap what they saw the day before.

    By webhook, messages and taps come in no order between them, as Telegram in fact does it.
    """
    house = site.bot(mode=mode)
    start(house)
    crowd = Crowd(house, 100, KNEE)
    for person in crowd.people:
        crowd.types(person)
    house.quiet()
    screens = {person: person.last for person in crowd.people}
    assert house.bot.stop() == 0
    site.server.habits.kinds_apart = True
    crowd.finishes()
    site.server.forward(23 * 3600)
    for person in crowd.people[::5]:
        person.presses("English", screens[person])
    assert len(site.server.pending) == 100 * 3 + 20
    began = time.monotonic()
    start(house)
    if mode == "webhook":
        site.server.forward(60)
    house.bot.settles(60)
    print(f"{mode}: 320 updates that waited were taken {time.monotonic() - began:.1f} s after the start")
    crowd.is_well("knee", ambiguous=20)  # who taps what was answered is told so, and asked again
    for person in crowd.people:
        answers = house.records.answers(person)
        assert (answers["language"], answers["consent"]) == ("en", "me"), answers
    assert len(site.server.calls_of("answerCallbackQuery")) == 20


# ---------------------------------------------------------------------- an update that ends the process

DEADLY = """
import os, signal
import bot.intake, bot.turns

bot.intake.TRIES = 2

hear = bot.turns.hear

def deadly(flow, conversation, text, *more):
    if text == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return hear(flow, conversation, text, *more)

bot.turns.hear = deadly
"""


@pytest.mark.parametrize("mode", ["polling", "webhook"])
def test_an_update_that_ends_the_process_is_set_aside_and_no_other(site: Site, mode: Mode) -> None:
    """T17. Somebody starts the process again each time it dies; others' updates are in the same batch, and all count.

    Two attempts are enough here, and five in the product: `bot.intake.TRIES`. A batch dies once without a count.
    """
    house = site.bot(mode=mode, changed=DEADLY)
    start(house)
    victim, crowd = house.chat().starts(), Crowd(house, 15, DIAGNOSIS)
    screen = victim.walks_to("knee").asked("knee")
    for person in crowd.people:
        crowd.types(person)
    house.quiet()
    victim.types("deadly")
    crowd.finishes()
    deaths = 0
    while not (set_aside := _quarantine(house)):
        assert deaths <= 5, f"it died {deaths} times"
        if not house.bot.is_up:
            deaths += 1
            start(house)
        if mode == "webhook":
            site.server.forward(2)
        time.sleep(0.1)
    print(f"{mode}: the process died {deaths} times")
    site.server.forward(60)
    house.quiet(60)
    assert len(set_aside) == 1 and set_aside[0]["payload"]["message"]["text"] == "deadly"
    victim.sees("trouble")
    victim.person.presses(victim.option("knee", "left"), screen)
    assert victim.open_step() == "diagnosis"
    steps = {row["chat"]: row["step"] for row in house.records.rows("SELECT chat, step FROM conversation")}
    assert {steps[str(person.id)] for person in crowd.people} == {"diagnosis"}
    assert len(_quarantine(house)) == 1


def _quarantine(house: House) -> list[dict[str, Any]]:
    return house.records.rows("SELECT payload FROM quarantine")
