"""The Telegram channel: what raw updates mean, what errors mean, and what goes over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot import pictures
from bot.channels.telegram import NAME, Telegram, fate_of, parse
from bot.channels.transport import Cut, NeverLeft
from bot.deliver import Delivery
from bot.intake import Intake
from bot.messages import Envelope, Inbound
from bot.poll import Poller
from bot.store import Store, outbox
from bot.writer import Writer
from tests.telegram_server import Person, TelegramServer

FROM = {"id": 6_000_000_000, "is_bot": False, "first_name": "Rosa", "language_code": "es"}
CHAT = {"id": 6_000_000_000, "type": "private"}
MESSAGE = {"message_id": 7, "date": 1, "chat": CHAT, "from": FROM}
GROUP = {**MESSAGE, "chat": {"id": -100, "type": "supergroup"}}


@pytest.mark.parametrize(
    ("update", "kind", "said", "key"),
    [
        ({"message": {**MESSAGE, "text": "hello"}}, "text", "hello", "m:6000000000:7"),
        ({"message": {**MESSAGE, "text": "/start c7kp2"}}, "start", "c7kp2", "m:6000000000:7"),
        ({"message": {**MESSAGE, "text": "/start@our_bot"}}, "start", "", "m:6000000000:7"),
        ({"message": {**MESSAGE, "text": "/help"}}, "text", "/help", "m:6000000000:7"),
        ({"message": {**MESSAGE, "voice": {}}}, "media", "", "m:6000000000:7"),
        ({"message": {**MESSAGE, "sticker": {}}}, "media", "", "m:6000000000:7"),
        ({"message": {**MESSAGE, "location": {}}}, "media", "", "m:6000000000:7"),
        ({"message": {**MESSAGE, "contact": {"phone_number": "34612", "user_id": 6_000_000_000}}}, "contact", "34612", "m:6000000000:7"),
        ({"edited_message": {**MESSAGE, "text": "x", "edit_date": 9}}, "edited", None, "e:6000000000:7:9"),
        ({"callback_query": {"id": "44", "from": FROM, "message": MESSAGE, "data": "d"}}, "press", "", "c:44"),
        ({"my_chat_member": {"chat": CHAT, "date": 5, "new_chat_member": {"status": "kicked"}}}, "blocked", "", "s:6000000000:5:kicked"),
        ({"my_chat_member": {"chat": CHAT, "date": 6, "new_chat_member": {"status": "member"}}}, "unblocked", "", "s:6000000000:6:member"),
    ],
)  # fmt: skip
def test_what_an_update_means(update: dict[str, Any], kind: str, said: str | None, key: str) -> None:
    inbound = parse({"update_id": 1, **update})
    assert inbound is not None
    assert (inbound.kind, inbound.external_id, inbound.chat) == (kind, key, "6000000000")
    assert said is None or inbound.text == said


def test_a_number_of_somebody_else_is_not_verified() -> None:
    for contact, verified in (({"user_id": 6_000_000_000}, True), ({"user_id": 1}, False), ({}, False)):
        inbound = parse({"message": {**MESSAGE, "contact": {"phone_number": "1", **contact}}})
        assert inbound is not None and inbound.verified is verified


@pytest.mark.parametrize(
    "update",
    [{"poll": {}}, {"message": {**GROUP, "new_chat_members": []}}, {"message": {**MESSAGE, "pinned_message": {}}},
     {"my_chat_member": {"chat": GROUP["chat"], "date": 1, "new_chat_member": {"status": "member"}}},
     {"callback_query": {"id": "1", "from": FROM, "inline_message_id": "x", "data": "d"}}],
)  # fmt: skip
def test_what_means_nothing_here(update: dict[str, Any]) -> None:
    assert parse({"update_id": 1, **update}) is None


def because(error: TelegramError, cause: Exception | None = None) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (RetryAfter(timedelta(seconds=7)), "later"),
        (ChatMigrated(-1005), "moved"),
        (Forbidden("bot was blocked by the user"), "gone"),
        (BadRequest("chat not found"), "refused"),
        (because(TimedOut(), NeverLeft()), "later"),
        (because(TimedOut(), NeverLeft()), "later"),
        (because(TimedOut(), Cut()), "unsure"),
        (because(TimedOut(), Cut()), "unsure"),
        (because(NetworkError(""), NeverLeft()), "later"),
        (because(NetworkError(""), Cut()), "unsure"),
        (because(NetworkError(""), Cut()), "unsure"),
        (NetworkError("Internal Server Error"), "later"),
        (NetworkError("Bad Gateway"), "unsure"),
        (Conflict("terminated by other getUpdates request"), "later"),
    ],
)
def test_what_an_error_means(error: TelegramError, fate: str) -> None:
    sent = fate_of(error)
    assert sent.fate == fate
    if isinstance(error, RetryAfter):
        assert sent.wait == 7
    if isinstance(error, ChatMigrated):
        assert sent.provider_id == "-1005"


class Sending:
    """A store, the real channel, and the fake server behind it."""

    def __init__(self, server: TelegramServer, folder: Path) -> None:
        self.server, self.store = server, Store(f"sqlite:///{folder / 'p.db'}")
        self.count = 0

    def put(self, person: Person, envelope: Envelope) -> None:
        self.count += 1
        with self.store.begin() as db:
            outbox.put(db, NAME, str(person.chat.id), envelope, f"k{self.count}", datetime.now(UTC))

    def drains(self, seconds: float = 20) -> None:
        async def run() -> None:
            channel = Telegram(self.server.token, self.server.base_url)
            writer = Writer(self.store, lambda: datetime.now(UTC))
            delivery = Delivery(writer, {NAME: channel})
            stop = asyncio.Event()
            running = asyncio.create_task(delivery.run(stop))
            async with asyncio.timeout(seconds):
                while self.states() - {"sent", "dead"}:
                    await asyncio.sleep(0.02)
            stop.set()
            await running
            writer.close()
            await channel.close()

        asyncio.run(run())

    def states(self) -> set[str]:
        with self.store.begin() as db:
            return {row[0] for row in db.execute(text("SELECT state FROM outbox"))}


@pytest.fixture
def sending(tmp_path: Path) -> Any:
    with TelegramServer() as server:
        made = Sending(server, tmp_path)
        yield made
        made.store.close()


def test_messages_of_one_chat_keep_their_order(sending: Sending) -> None:
    people = [sending.server.person(name) for name in ("Rosa", "Wei", "Omar")]
    for person in people:
        person.starts()
    for number in range(6):
        for person in people:
            sending.put(person, Envelope(f"line {number}"))
    sending.drains()
    for person in people:
        assert [m.text for m in person.chat.messages if m.from_bot] == [f"line {n}" for n in range(6)]
    assert sending.server.problems == []


def test_a_full_server_is_waited_for_and_only_that_lane_waits(sending: Sending) -> None:
    rosa, wei = sending.server.person("Rosa"), sending.server.person("Wei")
    rosa.starts(), wei.starts()
    sending.server.fail("sendMessage", times=1, code=429, retry_after=1, chat_id=rosa.chat.id)
    for person in (rosa, wei):
        sending.put(person, Envelope("one"))
        sending.put(person, Envelope("two"))
    sending.drains()
    assert [m.text for m in rosa.chat.messages if m.from_bot] == ["one", "two"]
    order = [call.params["chat_id"] for call in sending.server.calls_of("sendMessage")]
    assert order.index(wei.chat.id) < len(order) - 2


@pytest.mark.slow
def test_an_answer_that_is_lost_is_sent_again(sending: Sending) -> None:
    """At least once, and it says so: the first was carried out, but nobody knows."""
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.server.fail("sendMessage", times=1, code=0, carried_out=True)
    sending.put(rosa, Envelope("one"))
    sending.drains()
    assert [m.text for m in rosa.chat.messages if m.from_bot] == ["one", "one"]
    with sending.store.begin() as db:
        assert db.execute(text("SELECT unsure FROM outbox")).scalar() == 1


def test_a_blocked_bot_stops_the_lane(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    rosa.blocks()
    sending.put(rosa, Envelope("one"))
    sending.put(rosa, Envelope("two"))
    sending.drains()
    assert sending.states() == {"dead"}
    assert len(sending.server.calls_of("sendMessage")) == 1


def test_a_refused_message_does_not_hold_up_the_next(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.put(rosa, Envelope(" "))
    sending.put(rosa, Envelope("two"))
    sending.drains()
    assert [m.text for m in rosa.chat.messages if m.from_bot] == ["two"]


KNEES = Envelope("Your own knees.", picture="nct06570291/knee")


def test_a_picture_goes_as_a_photo_with_its_words(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.put(rosa, KNEES)
    sending.put(rosa, Envelope("Which knee?", ((("Left knee", "d"),),)))
    sending.drains()
    (call,) = sending.server.calls_of("sendPhoto")
    assert call.params["photo"].content == pictures.png("nct06570291/knee")
    assert call.params["caption"] == "Your own knees." and "reply_markup" not in call.params
    assert [m.text for m in rosa.chat.messages if m.from_bot] == ["Your own knees.", "Which knee?"]
    assert rosa.last.buttons == [["Left knee"]] and sending.server.problems == []


@pytest.mark.parametrize(
    "envelope",
    [KNEES, replace(KNEES, picture="nct06570291/no_such"), replace(KNEES, picture="../../etc"), replace(KNEES, text="x" * 1025)],
    ids=["refused", "not there", "no name of ours", "too long a caption"],
)  # fmt: skip
def test_where_no_photo_can_go_its_words_do(sending: Sending, envelope: Envelope) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.server.fail("sendPhoto", times=1, code=400, description="Bad Request: IMAGE_PROCESS_FAILED")
    sending.put(rosa, envelope)
    sending.put(rosa, Envelope("Which knee?"))
    sending.drains()
    assert [m.text for m in rosa.chat.messages if m.from_bot] == [envelope.text, "Which knee?"]
    assert sending.states() == {"sent"}


@pytest.mark.slow
def test_a_photo_that_must_wait_is_sent_as_a_photo(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.server.fail("sendPhoto", times=1, code=429, retry_after=1)
    sending.put(rosa, KNEES)
    sending.drains()
    assert len(sending.server.calls_of("sendPhoto")) == 2 and sending.server.calls_of("sendMessage") == []


def test_a_photo_to_somebody_who_blocked_the_bot_ends_the_lane(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    rosa.blocks()
    sending.put(rosa, KNEES)
    sending.drains()
    assert sending.states() == {"dead"} and sending.server.calls_of("sendMessage") == []


def test_what_was_sent_leaves_no_words_in_the_outbox(sending: Sending) -> None:
    rosa = sending.server.person("Rosa")
    rosa.starts()
    sending.put(rosa, Envelope("canary"))
    sending.drains()
    with sending.store.begin() as db:
        assert "canary" not in str(list(db.execute(text("SELECT * FROM outbox"))))


def test_a_group_that_became_a_supergroup_still_gets_its_notice(sending: Sending) -> None:
    team = sending.server.group("Team", [sending.server.person("Ana")], kind="group")
    old = str(team.chat.id)
    sending.server.supergroup(team)
    with sending.store.begin() as db:
        outbox.put(db, NAME, old, Envelope("notice"), "n1", datetime.now(UTC))
    sending.drains()
    team.sees("notice", all=True)


Take = Callable[[Inbound], Coroutine[Any, Any, None]]


class Feed:
    """Updates as a server would give them, for the loop alone."""

    def __init__(self, updates: list[dict[str, Any]]) -> None:
        self.updates_left, self.offsets = updates, list[int | None]()

    async def updates(self, offset: int | None) -> list[dict[str, Any]]:
        self.offsets.append(offset)
        left = [u for u in self.updates_left if offset is None or u["update_id"] >= offset]
        if not left:
            await asyncio.sleep(3600)
        return left

    async def acknowledge(self, callback: str) -> None:
        raise AssertionError("nothing was pressed")


def polls(updates: list[dict[str, Any]], take: Take, until: Callable[[], bool]) -> tuple[Feed, list[Any]]:
    aside: list[Any] = []

    async def set_aside(update: Any, _inbound: Any) -> None:
        aside.append(update)

    async def run() -> Feed:
        feed, stop = Feed(updates), asyncio.Event()
        intake = Intake(parse, take, set_aside, feed.acknowledge)
        running = asyncio.create_task(Poller(feed, intake).run(stop))
        async with asyncio.timeout(20):
            while not until():
                await asyncio.sleep(0.01)
        stop.set()
        await running
        return feed

    return asyncio.run(run()), aside


def said(number: int) -> dict[str, Any]:
    return {"update_id": number, "message": {**MESSAGE, "message_id": number, "text": str(number)}}


def test_an_update_that_cannot_be_read_is_set_aside_and_the_others_go_on() -> None:
    taken: list[str] = []

    async def take(inbound: Inbound) -> None:
        taken.append(inbound.text)

    bad = {"update_id": 2, "message": {"message_id": "x"}}
    feed, aside = polls([said(1), bad, said(3)], take, lambda: "3" in taken)
    assert taken == ["1", "3"] and aside == [bad]
    assert feed.offsets[0] is None


@pytest.mark.slow
def test_an_update_that_fails_by_itself_is_set_aside_after_five_tries() -> None:
    tries: list[str] = []

    async def take(inbound: Inbound) -> None:
        tries.append(inbound.text)
        if inbound.text == "1":
            raise ValueError("poison")

    _, aside = polls([said(1), said(2)], take, lambda: "2" in tries)
    assert tries == ["1"] * 5 + ["2"] and aside == [said(1)]
