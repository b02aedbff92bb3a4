"""What is to be sent is sent, in order, and as often as it must: through the real channel, over real HTTP."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import bot.store
from bot.channels import transport
from bot.channels.telegram import NAME, Telegram
from bot.limits import Limits
from bot.messages import Envelope, Sent, chunks
from bot.store import Store, outbox
from bot.store.transaction import Transaction
from tests.postgres import Postgres
from tests.shell.conftest import GROUP, Somebody
from tests.shell.house import SECONDS, Housed, Time, Wire, hurries
from tests.shell.test_limits import Strict
from tests.sizes import PERCENT
from tests.telegram_server import Chat, Failure, Manner, Person, TelegramServer

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parent.parent.parent
EVER = float("inf")


class Post(Housed):
    """A house that writes to the people of a fake Telegram."""

    def __init__(self, server: TelegramServer, url: str, **given: Any) -> None:
        self.server = server
        self.channel = Telegram(server.token, given.pop("api", server.base_url))
        super().__init__(Store(url), Wire(self.channel), **given)

    def put(self, to: Person | Chat | str, *texts: str, priority: int = outbox.REPLY) -> None:
        with self.store.begin(self.now) as db:
            for one in texts:
                self._count += 1
                outbox.put(db, NAME, _chat(to), Envelope(one), f"k{self._count}", self.now, priority=priority)

    def due(self, to: Person) -> list[datetime]:
        """When what waits for somebody may go, in order."""
        with self.store.begin() as db:
            rows = db.execute(outbox._outbox.select().where(outbox._outbox.c.lane == f"{NAME}:{to.id}"))
            return [row.not_before for row in sorted(rows, key=lambda row: row.id)]

    def tried(self, to: Person | Chat | None = None) -> int:
        """How many calls got as far as the server."""
        calls = self.server.calls_of("sendMessage")
        return sum(to is None or call.params["chat_id"] == to.id for call in calls)

    def until_all_is_sent(self, **step: float) -> None:
        """Lets time pass until nothing waits any more."""
        for _ in range(1000):
            self.drains()
            if not self.waiting():
                return
            self.waits(**step)
        raise AssertionError(f"{self.waiting()} messages are still waiting")

    def waiting(self) -> int:
        with self.store.begin() as db:
            return outbox.waiting(db)

    def unsure(self) -> int:
        return int(self.one("SELECT sum(unsure) FROM outbox") or 0)

    def closes(self) -> None:
        self.runs(self.channel.close())
        super().closes()


def _chat(to: Person | Chat | str) -> str:
    return to if isinstance(to, str) else str(to.id)


def read(person: Person) -> list[str]:
    """What stands in somebody's chat from the bot."""
    return [message.text for message in person.chat.messages if message.from_bot]


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


@pytest.fixture
def post(server: TelegramServer, tmp_path: Path) -> Iterator[Post]:
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}")
    yield post
    post.closes()
    assert post.wire.crowded == set(), "a lane had two messages under way"
    assert server.problems == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel gives up soon."""
    monkeypatch.setattr(transport, "READ", 0.3)
    monkeypatch.setattr(transport, "POOL", 0.5)
    monkeypatch.setattr(transport, "CONNECT", 0.3)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    hurries(monkeypatch)


def people(server: TelegramServer, number: int) -> list[Person]:
    found = [server.person(f"P{count}") for count in range(number)]
    for person in found:
        person.starts()
    return found


# ---------------------------------------------------------------------- T19: too many requests


@pytest.mark.parametrize("seconds", [1, 30, 600])
def test_a_chat_that_is_refused_waits_as_long_as_it_was_told_and_no_other_does(post: Post, seconds: int) -> None:
    rosa, wei = people(post.server, 2)
    post.server.fail("sendMessage", code=429, retry_after=seconds, chat_id=rosa.id)
    post.put(rosa, "one", "two")
    post.put(wei, "one", "two")
    post.drains()
    assert read(wei) == ["one", "two"] and read(rosa) == []
    assert post.due(rosa)[0] == post.now + timedelta(seconds=seconds)
    post.waits(seconds=seconds - 0.001)
    post.drains()
    assert post.tried(rosa) == 1, "it was tried before its time"
    post.waits(seconds=0.001)
    post.drains()
    assert read(rosa) == ["one", "two"]


def test_one_in_ten_refused_loses_nothing_and_nothing_goes_before_its_time(hasty: None, post: Post) -> None:
    chance, crowd = random.Random(19), people(post.server, 12)
    texts = [str(number) for number in range(5)]
    for person in crowd:
        post.put(person, *texts)
    for person in chance.sample(crowd, 6):
        post.server.fail("sendMessage", code=429, retry_after=chance.choice((1, 30, 600)), chat_id=person.id)
    for _ in range(1000):
        early = {person.id for person in crowd if (due := post.due(person)) and due[0] > post.now}
        before = {person.id: post.tried(person) for person in crowd}
        post.drains()
        assert not [one for one in crowd if one.id in early and post.tried(one) > before[one.id]]
        if not post.waiting():
            break
        post.waits(seconds=7)
    assert all(read(person) == texts for person in crowd)


def test_three_chats_refused_at_once_make_all_of_them_wait(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time()
    clock.rules(monkeypatch)
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}", time=clock, limits=Limits(100))
    try:
        *refused, wei = people(server, 4)
        for number, person in enumerate(refused):
            server.fail("sendMessage", code=429, retry_after=30, chat_id=person.id)
            post.put(person, "one")
            post.drains()
            post.put(wei, str(number))
            post.drains()
            post.waits(seconds=1)
        assert read(wei) == ["0", "1"], "two refusals are two chats' own matter, three are everybody's"
        post.waits(seconds=28)  # 29 s after the third one
        post.drains()
        assert read(wei) == ["0", "1"]
        post.until_all_is_sent(seconds=1)
        assert read(wei) == ["0", "1", "2"] and all(read(person) == ["one"] for person in refused)
    finally:
        post.closes()


# ---------------------------------------------------------------------- T20: an hour of failures


@pytest.mark.parametrize("code", [500, 502])
def test_an_hour_without_the_server_loses_nothing_and_no_order(hasty: None, post: Post, code: int) -> None:
    crowd = people(post.server, 3)
    post.server.fail("sendMessage", times=EVER, code=code)
    for minute in range(60):
        if minute % 12 == 0:
            for person in crowd:
                post.put(person, str(minute // 12))
        post.drains()
        post.waits(minutes=1)
    assert all(read(person) == [] for person in crowd)
    post.server.heal()
    post.waits(seconds=outbox.LONGEST_WAIT.total_seconds() / 12)  # five minutes after the end
    post.drains()
    assert all(read(person) == ["0", "1", "2", "3", "4"] for person in crowd)
    assert (post.unsure() > 0) == (code == 502), "a gateway does not know what became of the request"


# ---------------------------------------------------------------------- T21, T23: nobody knows whether it arrived


async def nonsense(request: web.Request, answer: web.Response) -> web.StreamResponse:
    """JSON, but no answer of Telegram's."""
    return web.json_response([{"ok": "perhaps"}])


async def no_result(request: web.Request, answer: web.Response) -> web.StreamResponse:
    return web.json_response({"ok": True})


async def odd_result(request: web.Request, answer: web.Response) -> web.StreamResponse:
    return web.json_response({"ok": True, "result": True})


def odd(server: TelegramServer, manner: Manner) -> None:
    server._failures.append(Failure("sendMessage", 1, None, None, True, manner))


WAYS: dict[str, Any] = {
    "accepted, then silent": lambda server: server.slow("sendMessage", 2, drip=False),
    "drop by drop": lambda server: server.slow("sendMessage", 120),
    "reset instead of an answer": lambda server: server.fail("sendMessage", code=0, carried_out=True),
    "reset in the middle": lambda server: server.torn("sendMessage"),
    "a page of HTML": lambda server: server.malformed("sendMessage", carried_out=True),
    "a list": lambda server: odd(server, nonsense),
    "no result": lambda server: odd(server, no_result),
    "a result that is no message": lambda server: odd(server, odd_result),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_may_have_arrived_is_sent_again_once_and_counted(post: Post, way: str, impatient: None) -> None:
    rosa, wei = people(post.server, 2)
    WAYS[way](post.server)
    post.put(rosa, "one", "two")
    post.drains()
    assert read(rosa) == ["one"] and post.unsure() == 1
    post.put(wei, "meanwhile")
    post.drains()
    assert read(wei) == ["meanwhile"], "one chat in doubt holds nobody else up"
    post.until_all_is_sent(seconds=5)
    assert read(rosa) == ["one", "one", "two"] and post.unsure() == 1


def test_one_in_twenty_in_doubt_makes_no_more_duplicates_than_doubts(post: Post, impatient: None) -> None:
    chance, crowd = random.Random(21), people(post.server, 10)
    texts = [str(number) for number in range(8)]
    for person in crowd:
        post.put(person, *texts)
    for person in chance.choices(crowd, k=5):
        way = chance.choice(("slow", "torn"))
        if way == "slow":
            post.server.slow("sendMessage", 2, drip=False, chat_id=person.id)
        else:
            post.server.torn("sendMessage", chat_id=person.id)
    post.until_all_is_sent(seconds=5)
    twice = 0
    for person in crowd:
        got = read(person)
        assert list(dict.fromkeys(got)) == texts, "lost, or out of order"
        twice += len(got) - len(texts)
    assert 0 < twice <= post.unsure() == 5


# ---------------------------------------------------------------------- T22: it never left


class Gate:
    """A port in front of the server: open, shut (nobody listens), or full (nobody answers the knock)."""

    def __init__(self, server: TelegramServer) -> None:
        self.target = int(server.base_url.split(":")[-1].split("/")[0])
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/bot"
        self._listening: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()
        self._full: list[socket.socket] = []

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._pass, "127.0.0.1", self.port, reuse_address=True)

    async def shut(self) -> None:
        for knock in self._full:
            knock.close()
        self._full = []
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def fill(self) -> None:
        """Somebody listens, and never says hello: the next one to knock waits at the door."""
        await self.shut()
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.port))
        door.listen(0)
        self._full = [door]
        for _ in range(4):
            knock = socket.socket()
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.1", self.port))
            self._full.append(knock)
        await asyncio.sleep(0.05)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways.add(way)
        there, to = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, to))
                group.create_task(_copy(there, writer))
        finally:
            self._ways.discard(way)
            to.close()
            writer.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        to.write(data)
        await to.drain()
    to.close()


def test_what_could_not_leave_is_sent_once(
    server: TelegramServer, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "READ", 10.0)  # a slow machine is no lost answer
    gate = Gate(server)
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}", api=gate.api)
    try:
        crowd = people(server, 5)
        for number in range(5):
            for person in crowd:
                post.put(person, str(number))
        for way in (gate.fill, gate.shut):  # the knock is not answered; nobody is at home
            post.runs(way())
            post.drains()
            assert post.tried() == 0 and post.unsure() == 0
            assert post.waiting() == 25
            post.waits(seconds=5)
        post.runs(gate.open())
        post.until_all_is_sent(seconds=5)
        assert all(read(person) == ["0", "1", "2", "3", "4"] for person in crowd)
        assert post.unsure() == 0
    finally:
        post.runs(gate.shut())
        post.closes()


def test_who_finds_no_free_connection_sends_once(
    server: TelegramServer, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "POOL", 0.1)
    monkeypatch.setattr(transport, "READ", 10.0)
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}")
    post.channel._requests[0]._connections = 1  # type: ignore[attr-defined]
    try:
        crowd = people(server, 4)
        server.slow("sendMessage", 0.4, times=1, drip=False)
        for person in crowd:
            post.put(person, "one")
        post.drains()
        assert post.waiting() == 3 and post.tried() == 1
        post.until_all_is_sent(seconds=5)
        assert all(read(person) == ["one"] for person in crowd) and post.unsure() == 0
    finally:
        post.closes()


# ---------------------------------------------------------------------- T24, T25: how fast


class Judge(Wire):
    """Counts strictly, by the test's clock, and refuses what Telegram would."""

    def __init__(self, clock: Time) -> None:
        super().__init__()
        self.strict, self.refused, self.clock = Strict(), 0, clock
        self.times: list[tuple[str, float]] = []
        self.fate = self.judges

    def judges(self, chat: str, envelope: Envelope) -> tuple[Sent | None, bool]:
        now = self.clock.monotonic()
        self.times.append((chat, now))
        if self.strict.accepts(chat, now):
            return None, True
        self.refused += 1
        return Sent("later", wait=1.0, limited=True), False


def test_five_thousand_sends_to_people_and_a_group_are_never_refused() -> None:
    """The limits alone: 490 people and the staff's group, all in a hurry."""
    limits, strict, now = Limits(), Strict(), 0.0
    crowd, notices = deque(str(number % 490) for number in range(4900)), deque(["-100"] * 100)
    done: dict[bool, float] = {}
    while crowd or notices:
        waits = {chat: limits.wait(chat, now) for chat in (*list(crowd)[:20], *list(notices)[:1])}
        chat = min(waits, key=waits.__getitem__)
        now += waits[chat] + 1e-9
        assert strict.accepts(chat, now), "Telegram would have refused it"
        limits.take(chat, now)
        mine = notices if chat == "-100" else crowd
        mine.remove(chat)
        done[mine is crowd] = now
    assert 4900 / done[True] >= 24


@pytest.mark.slow
def test_a_whole_house_in_a_hurry_is_never_refused(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outbox, delivery and limits together, on a clock that jumps to when the next message may go."""
    clock = Time()
    clock.rules(monkeypatch)
    judge = Judge(clock)
    house = Housed(Store(f"sqlite:///{tmp_path / 'p.db'}"), judge, clock, Limits())
    with house.store.begin(house.now) as db:
        for number in range(600):
            chat = GROUP if number % 20 == 0 else str(number % 60)
            outbox.put(db, NAME, chat, Envelope(str(number)), f"k{number}", house.now)
    began = clock.even
    while len(judge.times) < 570:
        house.drains()
        clock.passes(seconds=0.02)
    took = clock.even - began
    assert judge.refused == 0 and 570 / took >= 24
    for chat, texts in judge.arrived.items():
        assert texts == sorted(texts, key=lambda one: int(one.text)), chat
    house.closes()


@pytest.mark.slow
def test_two_real_seconds_in_a_hurry_are_never_refused(tmp_path: Path) -> None:
    house = Housed(Store(f"sqlite:///{tmp_path / 'p.db'}"), limits=Limits())
    judge = Judge(house.time)
    house.time.monotonic = time.monotonic  # type: ignore[method-assign]
    house.wire.fate = judge.judges

    async def hurry() -> None:
        with house.store.begin(house.now) as db:
            for number in range(200):
                outbox.put(db, NAME, str(number % 40), Envelope(str(number)), f"k{number}", house.now)
        stop = asyncio.Event()
        running = asyncio.create_task(house.house.delivery.run(stop))
        await asyncio.sleep(2)
        stop.set()
        await running

    house.runs(hurry())
    assert judge.refused == 0 and len(judge.times) >= 20
    house.closes()


def test_a_burst_of_five_hundred_leads_reaches_the_group_at_its_own_pace(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time()
    clock.rules(monkeypatch)
    judge = Judge(clock)
    house = Housed(Store(f"sqlite:///{tmp_path / 'p.db'}"), judge, clock, Limits())
    with house.store.begin(house.now) as db:
        for number in range(500):
            key = f"lead:{number}:notice"
            outbox.put(db, NAME, GROUP, Envelope(str(number)), key, house.now, priority=outbox.STAFF)
    while len(judge.times) < 500:
        house.drains()
        clock.passes(seconds=1)
        if len(judge.times) % 18 == 0:
            clock.passes(seconds=30)
    assert judge.texts(GROUP) == [str(number) for number in range(500)] and judge.refused == 0
    at = [moment for _, moment in judge.times]
    assert max(sum(start <= moment < start + 60 for moment in at) for start in at) <= 18
    house.closes()


def test_replies_go_before_notices_and_those_before_reminders(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time()
    clock.rules(monkeypatch)
    house = Housed(Store(f"sqlite:///{tmp_path / 'p.db'}"), time=clock, limits=Limits(0.2))  # one at a time
    with house.store.begin(house.now) as db:
        for number, priority in enumerate((2, 1, 0, 2, 1, 0)):
            what = ("reply", "staff", "reminder")[priority]
            outbox.put(db, NAME, str(number), Envelope(what), f"k{number}", house.now, priority=priority)
    for _ in range(60):
        house.drains()
        clock.passes(seconds=0.2)
    assert [said for _, said in house.wire.calls] == ["reply"] * 2 + ["staff"] * 2 + ["reminder"] * 2
    house.closes()


# ---------------------------------------------------------------------- T26, T27: people and groups change


def test_who_blocks_the_bot_mid_flow_keeps_everything_and_goes_on_later(hasty: None, post: Post) -> None:
    rosa = post.server.person("Rosa")
    rosa.starts()
    patient = Somebody(post, str(rosa.id)).starts().walks_to("check").sends().walks_to("other_trials")
    rosa.blocks()
    before = post.tried(rosa)
    post.put(rosa, "one", "two", "three")
    post.rows("UPDATE outbox SET conversation_id = 1 WHERE lane IS NOT NULL RETURNING id")
    post.drains()
    assert post.tried(rosa) == before + 1, "one refusal is enough to know"
    assert post.waiting() == 0
    assert post.one("SELECT count(*) FROM conversation WHERE reachable") == 0
    assert post.rows("SELECT status, chat FROM lead") == [("new", str(rosa.id))]
    post.waits(hours=1)
    post.drains()
    assert post.tried(rosa) == before + 1
    rosa.unblocks()
    step, seen = patient.step, len(read(rosa))
    post.take("unblocked", str(rosa.id))
    post.take("media", str(rosa.id))
    assert len(read(rosa)) > seen and patient.step == step
    assert post.one("SELECT count(*) FROM conversation WHERE reachable") == 1
    assert post.one("SELECT count(*) FROM lead") == 1


def test_a_group_that_changes_its_number_gets_every_notice_in_order(server: TelegramServer, tmp_path: Path) -> None:
    team = server.group("Team", [server.person("Ana")], kind="group")
    old = str(team.chat.id)
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}", staff_group=old)
    try:
        post.put(old, "before")
        post.drains()
        new = str(server.supergroup(team).id)
        post.put(old, "one", "two", priority=outbox.STAFF)
        post.drains()
        post.put(old, "three", priority=outbox.STAFF)  # nobody has changed the setting yet
        post.put(new, "four", priority=outbox.STAFF)
        post.drains()
        said = [message.text for message in team.chat.messages if message.from_bot]
        assert [one for one in said if one in ("one", "two", "three", "four")][:2] == ["one", "two"]
        assert sorted(said) == ["four", "one", "three", "two"] and post.waiting() == 0
    finally:
        post.closes()


# ---------------------------------------------------------------------- T29: nobody can be told


@pytest.mark.slow
def test_a_day_without_a_way_to_the_staff(
    server: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The lead is in the queue at once, the alarm comes after five minutes, and the notice in the end."""
    ana, rosa = server.person("Ana"), server.person("Rosa")
    team = server.group("Team", [ana], kind="supergroup")
    rosa.starts()
    post = Post(server, f"sqlite:///{tmp_path / 'p.db'}", staff_group=str(team.chat.id))
    try:
        server.fail("sendMessage", times=EVER, code=500, chat_id=team.chat.id)
        Somebody(post, str(rosa.id)).starts().walks_to("check").sends()
        assert [row[0] for row in post.rows("SELECT status FROM lead")] == ["new"]
        post.waits(minutes=4)
        post.sweeps()
        assert "no notice" not in caplog.text
        post.waits(minutes=2)
        post.sweeps()
        assert "no notice of them has got through" in caplog.text
        for _ in range(24):
            post.waits(hours=1)
            post.sweeps()
        notice = "SELECT count(*) FROM outbox WHERE lane IS NOT NULL AND lead_id IS NOT NULL"
        assert post.one(notice) == 1
        server.heal()
        post.waits(minutes=1)
        post.drains()
        assert team.sees("K-0001", all=True)
        caplog.clear()
        post.sweeps()
        assert "no notice" not in caplog.text
    finally:
        post.closes()


# ---------------------------------------------------------------------- T43: long texts

WORDS = st.text(st.characters(codec="utf-16", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1)


@given(st.integers(1, 20_000), st.lists(WORDS, min_size=1, max_size=20), st.sampled_from(["", " ", "\n", "\n\n"]))
@settings(max_examples=max(20, PERCENT), deadline=None)
def test_a_text_of_any_length_is_cut_and_can_be_put_together_again(
    units: int, some: list[str], between: str
) -> None:
    whole = between.join(some)
    while len(whole.encode("utf-16-le")) // 2 < units:
        whole += between + whole
    whole = _first_units(whole, units).strip()
    found = chunks(whole)
    assert all(len(one.encode("utf-16-le")) // 2 <= 4096 for one in found)
    assert whole == "" or all(one.strip() for one in found), "Telegram takes no empty message"
    at = 0
    for one in found:  # only white space is between them
        assert one in whole[at:]
        start = whole.index(one, at)
        assert whole[at:start].strip() == ""
        at = start + len(one)
    assert whole[at:].strip() == ""


def _first_units(whole: str, units: int) -> str:
    cut = whole.encode("utf-16-le")[: units * 2].decode("utf-16-le", "ignore")
    return cut or "x"


@pytest.mark.parametrize("units", [1, 3500, 3501, 4096, 4097, 20_000])
def test_a_long_text_arrives_whole(post: Post, units: int) -> None:
    (rosa,) = people(post.server, 1)
    sentence = "Is it 膝盖 or 🦵🏽? "
    whole = _first_units(sentence * units, units).strip() or "x"
    post.put(rosa, *chunks(whole))
    post.drains()
    assert "".join("".join(read(rosa)).split()) == "".join(whole.split())


DELIVER = """
import asyncio, sys
from datetime import UTC, datetime
from bot.channels.telegram import NAME, Telegram
from bot.deliver import Delivery
from bot.store import Store
from bot.writer import Writer
async def run():
    channel, writer = Telegram(sys.argv[1], sys.argv[2]), Writer(Store(sys.argv[3]), lambda: datetime.now(UTC))
    await Delivery(writer, {NAME: channel}).drain()
    await channel.close()
    writer.close()
asyncio.run(run())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("point", "doubled"), [("sending:3", 0), ("sent:3", 1), ("result_stored:3", 0)])
def test_a_kill_between_the_parts_of_a_long_text(post: Post, tmp_path: Path, point: str, doubled: int) -> None:
    """The process ends before, during or after the third of six; another one goes on from there."""
    (rosa,) = people(post.server, 1)
    whole = "\n".join(f"line {number} " + "x" * 90 for number in range(200))
    parts = chunks(whole)
    assert len(parts) >= 6
    post.put(rosa, *parts)
    words = [sys.executable, "-c", DELIVER, post.server.token, post.server.base_url, str(post.store.engine.url)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRESCREEN_CRASH": point}
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == -9, done.stderr
    post.drains()
    got = read(rosa)
    assert list(dict.fromkeys(got)) == parts and len(got) == len(parts) + doubled


# ---------------------------------------------------------------------- the result cannot be stored, or a batch fails


class Afterwards(Wire):
    """Does something to the house right after a message arrived, before anybody is told."""

    then: Callable[[], None]

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        sent = await super().send(chat, envelope, last)
        if envelope.text == "one":
            await asyncio.to_thread(self.then)
        return sent


def test_a_result_that_cannot_be_stored_yet_is_stored_later_and_nothing_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite: somebody else holds the file, for longer than we wait."""
    monkeypatch.setitem(bot.store.PRAGMAS, "busy_timeout", 20)
    wire = Afterwards()
    house = Housed(Store(f"sqlite:///{tmp_path / 'p.db'}"), wire)
    outside = sqlite3.connect(tmp_path / "p.db", check_same_thread=False, isolation_level=None)
    releases = threading.Timer(0.5, lambda: outside.execute("ROLLBACK"))

    def lock() -> None:
        outside.execute("BEGIN IMMEDIATE")
        releases.start()

    wire.then = lock  # type: ignore[method-assign]
    _two_lanes(house)
    _delivers(house)
    releases.join()
    outside.close()
    assert wire.calls.count(("1", "one")) == 1 and len(wire.calls) == 3
    house.closes()


@pytest.mark.slow
def test_a_result_is_stored_when_the_server_is_back(postgres_apart: Postgres) -> None:
    """PostgreSQL: it is killed between the call and its result."""
    wire = Afterwards()
    house = Housed(Store(postgres_apart.database()), wire)
    wire.then = lambda: postgres_apart.restart("immediate")  # type: ignore[method-assign]
    _two_lanes(house)
    _delivers(house)
    assert wire.calls.count(("1", "one")) == 1
    assert wire.texts("1") == ["one", "two"] and wire.texts("2") == ["other"]
    house.closes()


def _two_lanes(house: Housed) -> None:
    with house.store.begin(house.now) as db:
        for number, (chat, said) in enumerate((("1", "one"), ("1", "two"), ("2", "other"))):
            outbox.put(db, NAME, chat, Envelope(said), f"k{number}", house.now)


def _delivers(house: Housed) -> None:
    """As the process does it: a look that fails is followed by another."""

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.house.delivery.run(stop))
        while len(house.wire.texts("1") + house.wire.texts("2")) < 3:
            await asyncio.sleep(0.02)
        stop.set()
        await running

    house.runs(run())
    assert {row[0] for row in house.rows("SELECT state FROM outbox")} == {"sent"}


def test_a_batch_that_fails_leaves_no_lane_busy_for_ever(database: str) -> None:
    """Results, new messages and a job that raises meet in one transaction: only that one fails."""
    house = Housed(Store(database))
    _two_lanes(house)

    async def run() -> None:
        writer, delivery = house.house.writer, house.house.delivery

        def slow(db: Transaction) -> None:
            time.sleep(0.05)  # so that the others meet behind it

        def bad(db: Transaction) -> None:
            db.execute(text("UPDATE outbox SET attempts = 7"))
            raise ZeroDivisionError

        def one_more(number: int) -> Any:
            return lambda db: outbox.put(db, NAME, "1", Envelope(f"more {number}"), f"m{number}", house.now)

        for number in range(5):
            tasks = [writer.write(slow), delivery.look(), writer.write(bad), writer.write(one_more(number))]
            done = await asyncio.gather(*tasks, writer.write(bad), return_exceptions=True)
            assert [isinstance(one, ZeroDivisionError) for one in done] == [False, False, True, False, True]
        await delivery.drain()

    house.runs(run())
    assert house.wire.texts("1") == ["one", "two", *(f"more {number}" for number in range(5))]
    assert house.wire.texts("2") == ["other"] and house.wire.crowded == set()
    with house.store.begin(house.now) as db:
        for chat in ("1", "2"):
            outbox.put(db, NAME, chat, Envelope("the last"), f"last {chat}", house.now)
    house.drains()
    assert house.wire.texts("1")[-1] == house.wire.texts("2")[-1] == "the last", "a lane is busy for ever"
    assert {row[0] for row in house.rows("SELECT state FROM outbox")} == {"sent"}
    assert {row[0] for row in house.rows("SELECT attempts FROM outbox")} == {1}
    house.closes()


def test_a_lane_has_one_message_under_way_whoever_asks(server: TelegramServer, post: Post) -> None:
    """Looks, wake-ups and new messages all at once, while the server is slow."""
    crowd = people(server, 3)
    server.slow("sendMessage", 0.05, times=EVER, drip=False)
    for person in crowd:
        post.put(person, "0", "1")

    async def run() -> None:
        house = post.house
        jobs: list[Any] = [house.delivery.look() for _ in range(5)]

        def put(chat: str, said: str) -> Any:
            return lambda db: outbox.put(db, NAME, chat, Envelope(said), f"{chat}{said}", post.now)

        for person in crowd:
            jobs += [house.writer.write(put(_chat(person), said)) for said in ("2", "3")]
        await asyncio.gather(*jobs)
        await asyncio.gather(*(house.delivery.drain() for _ in range(3)))

    post.runs(run())
    assert all(read(person) == ["0", "1", "2", "3"] for person in crowd)


# ---------------------------------------------------------------------- T30: the database server comes and goes


@pytest.mark.slow
def test_a_database_server_that_is_killed_mid_run_costs_nothing(postgres_apart: Postgres) -> None:
    """Two people go from the start to a lead while the server is killed three times: I1 to I4 hold."""
    wire = Wire()
    house = Housed(Store(postgres_apart.database()), wire)
    desk = Stubborn(house)
    starts: list[threading.Thread] = []

    def kill(number: int) -> None:
        """While people type: it is gone at once, and back after they have tried in vain."""
        if number in (10, 30, 50):
            postgres_apart.stop("immediate")
            starts.append(threading.Timer(0.3, postgres_apart.start))
            starts[-1].start()

    desk.before = kill
    walkers = [Somebody(desk, str(chat)) for chat in (501, 502)]
    for person in walkers:
        person.starts().walks_to("check").sends()
    for start in starts:
        start.join()
    desk.tries(house.drains)
    for person in walkers:
        answers = house.rows(
            "SELECT a.step, a.revision FROM answer a JOIN conversation c ON c.id = a.conversation_id"
            " WHERE c.chat = :chat",
            chat=person.chat,
        )
        assert len({step for step, _ in answers}) == len(answers), "an answer was applied twice"
        assert house.one("SELECT count(*) FROM lead WHERE chat = :chat", chat=person.chat) == 1
        keys = house.one("SELECT count(*) FROM receipt WHERE external_id LIKE :mine", mine=f"{person.chat}.%")
        assert keys == desk.acknowledged[person.chat]
    assert desk.failed >= len(starts) == 3, "the server was never away when it mattered"
    assert {row[0] for row in house.rows("SELECT state FROM outbox")} == {"sent"}
    house.closes()


class Stubborn:
    """A desk for people in front of a house that may fail: Telegram brings everything again until it is taken."""

    def __init__(self, house: Housed) -> None:
        self.house, self.acknowledged, self.failed = house, Counter[str](), 0
        self.before: Callable[[int], None] = lambda _number: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.house, name)

    def take(self, kind: Any, chat: str = "501", **values: Any) -> bool:
        self.acknowledged[chat] += 1
        self.before(self.acknowledged.total())
        key = f"{chat}.{self.acknowledged[chat]}"
        self.tries(lambda: self.house.take(kind, chat, key, **values))
        return True

    def rows(self, query: str, **values: Any) -> list[Any]:
        found: list[Any] = []
        self.tries(lambda: found.append(self.house.rows(query, **values)))
        return list(found[-1])

    def tries(self, do: Any) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                do()
                return
            except Exception:
                self.failed += 1
                assert time.monotonic() < end
                time.sleep(0.05)
