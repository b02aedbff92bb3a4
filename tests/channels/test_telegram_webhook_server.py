"""What the fake Telegram server promises of a webhook, and of answers that reach the bot oddly."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from aiohttp import web

from tests.telegram_server import DAY, SECRET_HEADER, Delivery, Message, Person, TelegramServer

pytestmark = pytest.mark.slow


class Answer(NamedTuple):
    """What the bot answers after some time at work, unless it drops the connection."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: str = ""
    work: float = 0
    drops: bool = False


class Arrival(NamedTuple):
    """An update as it came to the bot."""

    chat_id: int
    text: str | None
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Load:
    """How many updates the bot has at work, and had at most."""

    now: int = 0
    most: int = 0


class Receiver:
    """A bot's webhook: it notes what comes, and answers as it is told to; `usual` when it is not."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook?bot=1"
        self.arrivals: list[Arrival] = []
        self.answers: dict[int, deque[Answer]] = defaultdict(deque)
        self.usual = Answer()
        self.load, self.load_of = Load(), defaultdict[int, Load](Load)
        self._ready = threading.Event()

    def answer(self, person: Person, *answers: Answer) -> None:
        self.answers[person.id].extend(answers)

    def texts(self, person: Person | None = None) -> list[str | None]:
        return [one.text for one in self.arrivals if person is None or one.chat_id == person.id]

    @contextmanager
    def up(self) -> Iterator[Receiver]:
        self._ready.clear()
        thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)
        thread.start()
        assert self._ready.wait(5)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._down.set)
            thread.join(5)

    async def _live(self) -> None:
        self._loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/hook", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self._ready.set()
        await self._down.wait()
        await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        update = json.loads(body)
        message = update.get("callback_query", update).get("message") or update.get("edited_message")
        chat_id = message["chat"]["id"]
        self.arrivals.append(Arrival(chat_id, message.get("text"), body, request.headers))
        answer = self.answers[chat_id].popleft() if self.answers[chat_id] else self.usual
        loads = (self.load, self.load_of[chat_id])
        for load in loads:
            load.now += 1
            load.most = max(load.most, load.now)
        await asyncio.sleep(answer.work)
        for load in loads:
            load.now -= 1
        if answer.drops and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, headers=answer.headers, text=answer.body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running
    assert running.problems == []


@pytest.fixture
def bot() -> Iterator[Receiver]:
    with Receiver().up() as receiver:
        yield receiver


@pytest.fixture
def ana(server: TelegramServer) -> Person:
    return server.person("Ana")


@pytest.fixture
def luis(server: TelegramServer) -> Person:
    return server.person("Luis")


def asks(server: TelegramServer, method: str, **params: Any) -> Request:
    url = f"{server.base_url}{server.token}/{method}"
    return Request(url, json.dumps(params).encode(), {"Content-Type": "application/json"})


def call(server: TelegramServer, method: str, **params: Any) -> Any:
    with urlopen(asks(server, method, **params), timeout=5) as answer:
        return json.load(answer)["result"]


def refusal(server: TelegramServer, method: str, **params: Any) -> tuple[int, str]:
    with pytest.raises(HTTPError) as refused:
        call(server, method, **params)
    with refused.value as error:
        return error.code, json.load(error)["description"]


def settles(server: TelegramServer) -> None:
    server.until(lambda: not server.pending, 5, lambda: f"still pending: {server.pending}")


def outcomes(server: TelegramServer) -> list[int | str]:
    return [delivery.outcome for delivery in server.deliveries]


def tries(server: TelegramServer, number: int) -> list[Delivery]:
    return server.until(lambda: server.deliveries[:number] if len(server.deliveries) >= number else None, 5)


def comes(bot: Receiver) -> None:
    """Waits until an update is at the bot, which may not have answered yet."""
    while not bot.arrivals:
        time.sleep(0.01)


# Deliveries


def test_pending_and_new_updates_are_brought_with_the_secret(
    server: TelegramServer, bot: Receiver, ana: Person
) -> None:
    confirmed: list[int] = []
    server.on_confirm = confirmed.extend
    ana.says("before \N{SNOWMAN}")
    call(server, "setWebhook", url=bot.url, secret_token="s3cret_-")
    settles(server)
    ana.says("after")
    settles(server)
    assert bot.texts() == ["before \N{SNOWMAN}", "after"]
    assert [one.headers[SECRET_HEADER] for one in bot.arrivals] == ["s3cret_-"] * 2
    assert {one.headers["Content-Type"] for one in bot.arrivals} == {"application/json"}
    first, second = server.deliveries
    assert (first.update_id, first.chat_id, first.outcome) == (confirmed[0], ana.id, 200)
    assert confirmed == [first.update_id, second.update_id] and first.at < second.at
    assert json.loads(bot.arrivals[0].body) == server.queue.told[first.update_id].payload


def test_without_a_secret_there_is_no_header(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    call(server, "setWebhook", url=bot.url)
    ana.says("hello")
    settles(server)
    assert SECRET_HEADER not in bot.arrivals[0].headers


def test_a_failing_update_holds_up_its_own_chat_only(
    server: TelegramServer, bot: Receiver, ana: Person, luis: Person
) -> None:
    bot.answer(ana, *[Answer(500)] * 3)
    ana.says("one")
    luis.says("uno")
    ana.says("two")
    luis.says("dos")
    call(server, "setWebhook", url=bot.url)
    settles(server)
    assert bot.texts(ana) == ["one"] * 4 + ["two"]
    assert bot.texts(luis) == ["uno", "dos"]
    assert len({one.body for one in bot.arrivals if one.text == "one"}) == 1
    hers = [one for one in server.deliveries if one.chat_id == ana.id]
    assert [one.outcome for one in hers] == [500, 500, 500, 200, 200]
    assert len({one.update_id for one in hers[:4]}) == 1
    at_once, pause, double = (later.at - sooner.at for sooner, later in pairwise(hers[:4]))
    assert at_once < pause < double and pause >= 0.2
    assert all(one.at < hers[3].at for one in server.deliveries if one.chat_id == luis.id)


def test_pauses_grow_to_a_limit(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    server.habits.first_pause, server.habits.factor, server.habits.longest_pause = 0.01, 100, 0.02
    bot.answer(ana, *[Answer(502)] * 6)
    call(server, "setWebhook", url=bot.url)
    ana.says("hello")
    settles(server)
    assert outcomes(server) == [502] * 6 + [200]


@pytest.mark.parametrize(("given", "kept"), [("30", 30), ("86400", 3600)])
def test_retry_after_is_honoured_up_to_an_hour(
    server: TelegramServer, bot: Receiver, ana: Person, luis: Person, given: str, kept: int
) -> None:
    bot.answer(ana, Answer(503, {"Retry-After": given}))
    call(server, "setWebhook", url=bot.url)
    ana.says("hello")
    tries(server, 1)
    luis.says("hola")
    tries(server, 2)
    server.forward(kept - 1.5)
    time.sleep(0.15)
    assert bot.texts(ana) == ["hello"]
    server.forward(1.5)
    settles(server)
    assert bot.texts(ana) == ["hello", "hello"] and bot.texts(luis) == ["hola"]
    assert bot.arrivals[0].body == bot.arrivals[2].body


def test_what_would_expire_before_the_next_try_is_dropped(
    server: TelegramServer, bot: Receiver, ana: Person
) -> None:
    ana.says("/start")
    call(server, "sendMessage", chat_id=ana.id, text="Ready?", reply_markup={"inline_keyboard": [[YES]]})
    ana.presses("Yes")
    bot.answer(ana, Answer(), Answer(503, {"Retry-After": "151"}))
    call(server, "setWebhook", url=bot.url)
    settles(server)
    assert outcomes(server) == [200, 503]
    ana.says("hello")
    settles(server)
    assert bot.texts() == ["/start", "Ready?", "hello"]


def test_what_expired_behind_another_is_not_brought(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    ana.says("/start")
    server.queue.clear()
    call(server, "sendMessage", chat_id=ana.id, text="Ready?", reply_markup={"inline_keyboard": [[YES]]})
    bot.answer(ana, Answer(503, {"Retry-After": "200"}))
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    ana.presses("Yes")
    ana.says("two")
    tries(server, 1)
    server.forward(200)
    settles(server)
    assert bot.texts() == ["one", "one", "two"]


def test_updates_expire_each_in_its_time(server: TelegramServer, ana: Person) -> None:
    for text in ("one", "two", "three"):
        ana.says(text)
        server.forward(3600)
    for left in (["two", "three"], ["three"], []):
        server.forward(DAY - 3 * 3600 + 1 if len(left) == 2 else 3600)
        assert [update.content["text"] for update in server.pending] == left


YES = {"text": "Yes", "callback_data": "y"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(work=0.5), "Read timeout expired"),
        (Answer(drops=True), "Connection closed"),
        (Answer(302, {"Location": "/elsewhere"}), 302),
        (Answer(403), 403),
    ],
)
def test_whatever_is_not_2xx_in_time_is_tried_again(
    server: TelegramServer, bot: Receiver, ana: Person, answer: Answer, error: int | str
) -> None:
    server.habits.timeout = 0.2
    bot.answer(ana, answer, Answer(204))
    call(server, "setWebhook", url=bot.url)
    ana.says("hello")
    settles(server)
    assert outcomes(server) == [error, 204]
    assert bot.arrivals[0].body == bot.arrivals[1].body


def test_updates_wait_for_a_bot_that_is_down(server: TelegramServer, ana: Person) -> None:
    server.habits.longest_pause = 0.05
    bot = Receiver()
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    ana.says("two")
    assert [one.outcome for one in tries(server, 3)] == ["Connection refused"] * 3
    assert call(server, "getWebhookInfo")["last_error_message"] == "Connection refused"
    for text in ("three", "four"):
        with bot.up():
            settles(server)
        ana.says(text)
    with bot.up():
        settles(server)
    assert bot.texts() == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("given", "chats", "most"), [({"max_connections": 3}, 6, 3), ({"max_connections": 0}, 3, 1), ({}, 8, 8)]
)
def test_chats_go_side_by_side_one_update_of_each(
    server: TelegramServer, bot: Receiver, given: dict[str, int], chats: int, most: int
) -> None:
    people = [server.person(f"Nr. {number}") for number in range(chats)]
    bot.usual = Answer(work=0.1)
    for text in ("one", "two"):
        for person in people:
            person.says(text)
    call(server, "setWebhook", url=bot.url, **given)
    settles(server)
    assert bot.load.most == most
    assert {load.most for load in bot.load_of.values()} == {1}
    assert all(bot.texts(person) == ["one", "two"] for person in people)


def test_taps_and_messages_can_go_apart_as_they_do_at_telegram(
    server: TelegramServer, bot: Receiver, ana: Person
) -> None:
    ana.says("/start")
    server.queue.clear()
    call(server, "sendMessage", chat_id=ana.id, text="Ready?", reply_markup={"inline_keyboard": [[YES]]})
    server.habits.kinds_apart = True
    bot.answer(ana, Answer(503, {"Retry-After": "60"}))
    call(server, "setWebhook", url=bot.url)
    message = ana.says("yes")
    tries(server, 1)
    ana.edits(message, "no")
    ana.presses("Yes")
    tries(server, 2)
    assert bot.texts() == ["yes", "Ready?"]
    server.forward(60)
    settles(server)
    assert bot.texts() == ["yes", "Ready?", "yes", "no"]


def test_only_the_kinds_asked_for_are_brought(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    call(server, "setWebhook", url=bot.url, allowed_updates=["edited_message"])
    ana.edits(ana.says("one"), "two")
    settles(server)
    assert bot.texts() == ["two"]
    assert call(server, "getWebhookInfo")["allowed_updates"] == ["edited_message"]


def test_updates_without_a_chat_hold_up_nobody(server: TelegramServer, ana: Person) -> None:
    bot = Receiver()
    call(server, "setWebhook", url=bot.url)
    server.publish("message", {"chat": "nonsense"})
    server.publish("callback_query", {"id": "1"})
    tried = tries(server, 4)
    assert {one.chat_id for one in tried} == {0} and len({one.update_id for one in tried}) == 2
    server.queue.clear()


def test_an_update_can_be_told_again(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    call(server, "setWebhook", url=bot.url)
    server.duplicate_next()
    ana.says("one")
    settles(server)
    server.redeliver()
    settles(server)
    server.redeliver(new_id=True)
    settles(server)
    assert bot.texts() == ["one"] * 4
    assert len({one.update_id for one in server.deliveries}) == 2


def test_the_answer_may_hold_a_call(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    says = {"method": "sendMessage", "chat_id": ana.id, "text": "Hello, Ana"}
    ends, wrong = {"method": "deleteWebhook"}, {"method": "sendMessage", "chat_id": 1, "text": "?"}
    bot.answer(ana, *(Answer(body=json.dumps(given)) for given in (says, ends, wrong, [1])))
    call(server, "setWebhook", url=bot.url)
    for text in ("one", "two", "three", "four"):
        ana.says(text)
    settles(server)
    assert ana.sees("Hello, Ana", all=True)
    assert [one.method for one in server.calls] == ["setWebhook", "sendMessage", "sendMessage"]
    assert outcomes(server) == [200] * 4 and server.webhook is not None


# Setting, deleting and asking


def test_a_webhook_may_be_set_as_telegram_allows(server: TelegramServer, bot: Receiver) -> None:
    for url in ("http://example.org/hook", "http://10.0.0.1/hook"):
        needs_https = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
        assert refusal(server, "setWebhook", url=url) == (400, needs_https)
    for secret, why in (("no spaces", "contains unallowed characters"), ("x" * 257, "is too long")):
        refused = refusal(server, "setWebhook", url=bot.url, secret_token=secret)
        assert refused == (400, f"Bad Request: secret token {why}")
    assert call(server, "getWebhookInfo")["url"] == ""
    for url in ("https://example.org/hook", "http://localhost:1/hook", "http://[::1]:1/hook", bot.url):
        assert call(server, "setWebhook", url=url)
        assert call(server, "getWebhookInfo")["url"] == url


def test_the_info_tells_what_waits_and_the_last_error(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.answer(ana, *[Answer(503, {"Retry-After": "60"})] * 2)
    call(server, "setWebhook", url=bot.url, max_connections=500)
    ana.says("one")
    ana.says("two")
    tried = tries(server, 1)
    told = call(server, "getWebhookInfo")
    assert told["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"
    assert told["last_error_date"] - int(tried[0].at) in (0, 1)
    assert (told["pending_update_count"], told["max_connections"]) == (2, 100)
    call(server, "setWebhook", url=bot.url, max_connections=500, secret_token="new")
    tries(server, 2)
    server.forward(60)
    settles(server)
    told = call(server, "getWebhookInfo")
    assert told["pending_update_count"] == 0 and "last_error_date" in told
    call(server, "deleteWebhook")
    nothing = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
    assert call(server, "getWebhookInfo") == nothing


def test_a_webhook_long_gone_is_closed(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.usual = Answer(410, {"Retry-After": "3600"})
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    tries(server, 1)
    server.forward(23 * 3600 - 60)
    tries(server, 2)
    assert server.webhook is not None
    server.forward(3600)
    server.until(lambda: server.webhook is None, 5)
    assert refusal(server, "setWebhook", url="http://example.org")[0] == 400


def test_dropped_updates_are_never_brought(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.answer(ana, Answer(500), Answer(500))
    call(server, "setWebhook", url=bot.url)
    ana.says("dropped")
    tries(server, 2)
    call(server, "setWebhook", url=bot.url, drop_pending_updates=True)
    ana.says("kept")
    settles(server)
    time.sleep(0.3)
    assert bot.texts() == ["dropped", "dropped", "kept"]


def test_setting_the_same_webhook_again_changes_nothing(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.usual = Answer(work=0.2)
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    comes(bot)
    call(server, "setWebhook", url=bot.url)
    settles(server)
    assert outcomes(server) == [200]


def test_polling_takes_over_what_is_on_its_way(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.usual = Answer(work=0.2)
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    ana.says("two")
    code, conflict = refusal(server, "getUpdates")
    assert code == 409 and "can't use getUpdates method while webhook is active" in conflict
    comes(bot)
    call(server, "deleteWebhook")
    told = call(server, "getUpdates")
    assert [update["message"]["text"] for update in told] == ["one", "two"]
    time.sleep(0.3)
    assert bot.texts() == ["one"] and outcomes(server) == ["Webhook closed"]
    call(server, "getUpdates", offset=told[0]["update_id"] + 1)
    call(server, "setWebhook", url=bot.url)
    ana.says("three")
    settles(server)
    assert bot.texts() == ["one", "two", "three"]


def test_switching_to_and_fro_loses_nothing(server: TelegramServer, bot: Receiver) -> None:
    people = [server.person(f"Nr. {number}") for number in range(4)]
    bot.usual = Answer(work=0.003)
    seen: dict[int, list[str]] = defaultdict(list)

    def talk() -> None:
        for number in range(40):
            for person in people:
                person.says(str(number))
            time.sleep(0.01)

    def read() -> None:
        """Notes what came by webhook so far, and empties the list."""
        for one in bot.arrivals:
            seen[one.chat_id].append(str(one.text))
        bot.arrivals.clear()

    talking = threading.Thread(target=talk)
    talking.start()
    offset = None
    for _ in range(8):
        call(server, "setWebhook", url=bot.url)
        time.sleep(0.04)
        call(server, "deleteWebhook")
        time.sleep(0.02)
        read()
        for update in call(server, "getUpdates", offset=offset, limit=5):
            offset = update["update_id"] + 1
            seen[update["message"]["chat"]["id"]].append(update["message"]["text"])
        call(server, "getUpdates", offset=offset, limit=1)
    talking.join()
    call(server, "setWebhook", url=bot.url)
    settles(server)
    read()
    for person in people:
        once = list(dict.fromkeys(seen[person.id]))
        assert once == [str(number) for number in range(40)]


# Faults on the way to the webhook


def test_an_update_can_come_twice_at_once(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    bot.usual = Answer(work=0.1)
    server.webhook_faults.duplicate_next(2)
    call(server, "setWebhook", url=bot.url)
    for text in ("one", "two", "three"):
        ana.says(text)
    settles(server)
    assert bot.texts() == ["one", "one", "two", "two", "three"]
    assert bot.load.most == 2 and bot.arrivals[0].body == bot.arrivals[1].body
    assert outcomes(server) == [200] * 5


def test_updates_of_two_chats_can_change_places(
    server: TelegramServer, bot: Receiver, ana: Person, luis: Person
) -> None:
    call(server, "setWebhook", url=bot.url, max_connections=1)
    for one, other in ((ana, luis), (luis, ana)):
        server.webhook_faults.reorder_next(wait=5)
        one.says("first")
        one.says("third")
        other.says("second")
        settles(server)
    assert bot.texts() == ["second", "first", "third"] * 2
    assert [one.chat_id for one in bot.arrivals[:3]] == [luis.id, ana.id, ana.id]


def test_alone_an_update_changes_places_with_none(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    server.webhook_faults.reorder_next(wait=0.1)
    call(server, "setWebhook", url=bot.url)
    began = time.monotonic()
    ana.says("one")
    ana.says("two")
    settles(server)
    assert bot.texts() == ["one", "two"] and 0.1 <= time.monotonic() - began < 1


def test_an_answer_can_be_lost(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    confirmed: list[int] = []
    server.on_confirm = confirmed.extend
    server.webhook_faults.cut_next(2)
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    ana.says("two")
    settles(server)
    assert bot.texts() == ["one"] * 3 + ["two"]
    assert outcomes(server) == ["Connection closed"] * 2 + [200] * 2
    assert len(confirmed) == 2
    assert call(server, "getWebhookInfo")["last_error_message"] == "Connection closed"


def test_a_connection_can_close_while_the_bot_is_at_work(
    server: TelegramServer, bot: Receiver, ana: Person
) -> None:
    bot.usual = Answer(work=0.2)
    server.webhook_faults.cut_next(after=0.05)
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    settles(server)
    assert bot.texts() == ["one", "one"] and bot.load_of[ana.id].most == 2


def test_updates_can_come_late(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    server.webhook_faults.delay(3600)
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    time.sleep(0.1)
    assert bot.arrivals == [] and len(server.pending) == 1
    server.forward(3600)
    settles(server)
    server.webhook_faults.delay(0.1)
    ana.says("two")
    settles(server)
    server.webhook_faults.delay(0)
    ana.says("three")
    settles(server)
    assert bot.texts() == ["one", "two", "three"]


def test_healing_ends_the_faults_to_come(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    faults = server.webhook_faults
    faults.delay(60)
    for fault in (faults.duplicate_next, faults.reorder_next, faults.cut_next):
        fault(5)
    server.heal()
    call(server, "setWebhook", url=bot.url)
    ana.says("one")
    settles(server)
    assert outcomes(server) == [200]


def test_order_is_kept_and_nothing_lost_whatever_goes_wrong(server: TelegramServer, bot: Receiver) -> None:
    chance = random.Random(7)
    people = [server.person(f"Nr. {number}") for number in range(12)]
    server.habits.longest_pause, server.habits.timeout = 0.01, 0.1
    for person in people:
        wrong = [Answer(500), Answer(drops=True), Answer(429), Answer(work=0.15), Answer(), Answer(), Answer()]
        bot.answer(person, *chance.choices(wrong, [5, 5, 5, 1, 20, 20, 20], k=25))
    call(server, "setWebhook", url=bot.url, max_connections=5)
    for number in range(20):
        server.webhook_faults.duplicate_next()
        server.webhook_faults.cut_next()
        server.webhook_faults.reorder_next(wait=0.05)
        for person in people:
            person.says(str(number))
    settles(server)
    assert server.webhook_faults.next_overtaken() is None
    for person in people:
        assert list(dict.fromkeys(bot.texts(person))) == [str(number) for number in range(20)]
        assert bot.texts(person) == sorted(bot.texts(person), key=lambda text: int(text or 0))
    bodies = {(one.chat_id, one.text): one.body for one in bot.arrivals}
    assert all(one.body == bodies[one.chat_id, one.text] for one in bot.arrivals)
    taken = Counter(one.update_id for one in server.deliveries if one.outcome == 200)
    assert len(taken) == 240


def test_thousands_of_pending_updates_are_brought_soon(server: TelegramServer, bot: Receiver, ana: Person) -> None:
    people = [server.person(f"Nr. {number}") for number in range(20)]
    for person in [ana] * 1000 + people * 50:
        person.says("?")
    began = time.monotonic()
    call(server, "setWebhook", url=bot.url)
    settles(server)
    assert time.monotonic() - began < 5 and len(bot.arrivals) == 2000


# Answers that reach the bot oddly


def spoken(server: TelegramServer, person: Person) -> Callable[[], list[Message]]:
    person.says("/start")
    return lambda: [message for message in person.chat.messages if message.from_bot]


def test_an_answer_can_drip(server: TelegramServer, ana: Person) -> None:
    said = spoken(server, ana)
    server.slow("sendMessage", 0.4, times=1)
    began = time.monotonic()
    with urlopen(asks(server, "sendMessage", chat_id=ana.id, text="Hello"), timeout=5) as answer:
        assert answer.status == 200  # the head comes before the body
        assert len(said()) == 1
        half = answer.read(int(answer.headers["Content-Length"]) // 2)
        assert time.monotonic() - began > 0.15
        assert json.loads(half + answer.read())["result"]["text"] == "Hello"
    assert time.monotonic() - began >= 0.4
    assert call(server, "sendMessage", chat_id=ana.id, text="Again")


def test_an_answer_can_come_late(server: TelegramServer, ana: Person) -> None:
    said = spoken(server, ana)
    server.slow("sendMessage", 5, chat_id=ana.id, drip=False)
    with pytest.raises(TimeoutError):
        urlopen(asks(server, "sendMessage", chat_id=ana.id, text="Hello"), timeout=0.2)
    assert len(said()) == 1
    server.slow("*", 0.2, drip=False)
    began = time.monotonic()
    code, _ = refusal(server, "sendMessage", chat_id=ana.id, text="")
    assert code == 400 and time.monotonic() - began >= 0.2


def test_an_answer_can_be_a_page_of_something_else(server: TelegramServer, ana: Person) -> None:
    said = spoken(server, ana)
    server.malformed("sendMessage")
    server.malformed("sendMessage", carried_out=True)
    for number in (0, 1):
        with urlopen(asks(server, "sendMessage", chat_id=ana.id, text="Hello"), timeout=5) as answer:
            assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")
            assert b"<html>" in answer.read()
        assert len(said()) == number
    assert call(server, "getMe")["is_bot"]


def test_an_answer_can_break_off(server: TelegramServer, ana: Person) -> None:
    said = spoken(server, ana)
    server.torn("sendMessage", times=2)
    asked = asks(server, "sendMessage", chat_id=ana.id, text="Hello")
    for number in (1, 2):
        # urlopen would ask for the connection to be closed, and so not see that it breaks.
        connection = HTTPConnection(asked.host, timeout=2)
        connection.request("POST", asked.selector, asked.data, dict(asked.headers))
        with connection.getresponse() as answer, pytest.raises(IncompleteRead):
            answer.read()
        connection.close()
        assert answer.status == 200 and len(said()) == number
    assert call(server, "sendMessage", chat_id=ana.id, text="Again")
    server.torn("getMe")
    server.heal()
    assert call(server, "getMe")["is_bot"]


def test_what_a_poll_is_told_can_be_lost_on_its_way(server: TelegramServer, ana: Person) -> None:
    ana.says("one")
    server.malformed("getUpdates", carried_out=True)
    with urlopen(asks(server, "getUpdates"), timeout=5) as answer:
        assert b"<html>" in answer.read()
    (update,) = call(server, "getUpdates")
    assert update["message"]["text"] == "one"
    server.forward(DAY + 1)
    assert call(server, "getUpdates") == []
