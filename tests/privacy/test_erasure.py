"""Erasing: two taps in any state, and nothing comes back, whatever arrives late and whatever was under way."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from bot.messages import Envelope, Inbound, Sent
from bot.store import Store, tombstones
from tests.patient import NOW
from tests.shell.conftest import GROUP, Desk, Somebody
from tests.shell.house import Housed, Wire, hurries

ORDERS = 200
TABLES = ("conversation", "answer", "message", "interest", "quarantine", "consent", "carry")
"""Where anything of a person lies. A lead stays, without details."""


def left(desk: Desk, chat: str) -> dict[str, int]:
    """Rows of a chat by table: those of the first table lead to the others."""
    mine = "(SELECT id FROM conversation WHERE chat = :chat)"
    where = {
        "answer": f"conversation_id IN {mine}", "message": f"conversation_id IN {mine}", "carry": "lane = :lane",
    }  # fmt: skip
    counted = {
        table: desk.rows(
            f"SELECT count(*) FROM {table} WHERE {where.get(table, 'chat = :chat')}",
            **({"lane": f"telegram:{chat}"} if table == "carry" else {"chat": chat}),
        )[0][0]
        for table in TABLES
    }
    return {table: number for table, number in counted.items() if number}


def erases(somebody: Somebody) -> None:
    somebody.says("delete").presses("Yes, delete all")


# ---------------------------------------------------------------------- what comes late


def test_an_old_button_and_late_words_revive_nothing(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    old = rosa.data("Left knee")
    erases(rosa)
    assert left(desk, "501") == {}
    desk.take("press", "501", press=old, message="7")
    rosa.says("1964").says("my knee hurts")
    assert left(desk, "501") == {}
    assert desk.sent()[-1].text.endswith("Write /start to begin anew.")


def test_danger_comes_first_even_then(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    erases(rosa)
    rosa.says("I have chest pain")
    first, last = desk.sent()[-2:]
    assert "emergency" in first.text and "/start" in last.text
    assert left(desk, "501") == {}


def test_what_was_taken_before_and_comes_again_is_known(desk: Desk, rosa: Somebody) -> None:
    """The receipts are gone, since they name the chat."""
    rosa.starts()
    desk.take("press", "501", key="m:501:77", press=rosa.data("English"), message="1")
    erases(rosa)
    assert desk.rows("SELECT external_id FROM receipt WHERE external_id LIKE '%501%'") == []
    before = len(desk.sent())
    desk.take("press", "501", key="m:501:77", press="x", message="1")
    assert len(desk.sent()) == before
    rosa.starts()
    assert rosa.step == "language"
    desk.take("text", "501", key="m:501:77", text="English")  # once more, and somebody is there again
    assert rosa.step == "language"


def test_a_start_begins_anew_and_can_be_erased_again(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    erases(rosa)
    first = desk.one("SELECT at FROM tombstone WHERE kind = 'chat'")
    desk.waits(days=1)
    rosa.starts().walks_to("birth")
    assert rosa.step == "birth"
    erases(rosa)
    assert left(desk, "501") == {}
    assert desk.one("SELECT at FROM tombstone WHERE kind = 'chat'") > first


def test_the_receipt_names_the_tombstone(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    erases(rosa)
    stone = desk.one("SELECT hash FROM tombstone WHERE kind = 'chat'")
    assert tombstones.reference(stone) in desk.sent()[-1].text
    assert "501" not in stone and "study team" not in desk.sent()[-1].text


def test_who_has_a_lead_is_told_to_delete_and_the_person_is_told_so(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    erases(rosa)
    assert "The study team was asked to delete" in desk.sent()[-1].text
    assert any("Please delete what you noted" in told.text for told in desk.sent(GROUP))
    assert tuple(desk.rows("SELECT status, chat FROM lead")[0]) == ("withdrawn", "")


def test_a_tombstone_tells_nobody_whose_it_is(database: str) -> None:
    store = Store(database)
    with store.begin() as db:
        stone = tombstones.bury(db, "telegram", "501", NOW)
        db.key = b"another key"
        assert tombstones.buried(db, ["telegram:501"]) == {}
        assert tombstones.hash_of(db, "chat", "telegram:501") != stone
    store.close()


# ---------------------------------------------------------------------- races


class SlowWire(Wire):
    """Sends take a moment, of different length; it notes what was called when."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        await asyncio.sleep(self.dice.choice((0, 0, 0.001, 0.004)))
        return await super().send(chat, envelope, last)


def test_what_was_claimed_and_not_called_for_is_not_sent(database: str) -> None:
    housed = Housed(Store(database))
    somebody = Somebody(housed, "77").starts()
    gone = somebody.says("delete").data("Yes, delete all")
    go, held = housed.house.delivery.go, []
    housed.house.delivery.go = held.append  # type: ignore[method-assign]

    async def meanwhile() -> None:
        await housed.house.take(Inbound("telegram", "m:77:5", "77", "77", "text", text="language", language="en"))
        await housed.house.take(_press("77", "c:77:1", gone))
        housed.house.delivery.go = go  # type: ignore[method-assign]
        before = len(housed.wire.calls)
        for claimed in held:
            go(claimed)
        await housed.house.delivery.drain()
        assert [text for _, text in housed.wire.calls[before:]] == [housed.wire.texts("77")[-1]]

    housed.runs(meanwhile())
    assert "deleted here" in housed.wire.texts("77")[-1]
    housed.closes()


def test_what_was_on_its_way_is_taken_back_once_it_arrives(database: str) -> None:
    wire = Wire()
    housed = Housed(Store(database), wire)
    somebody = Somebody(housed, "78").starts()
    gone = somebody.says("delete").data("Yes, delete all")
    real, arrives = wire.send, asyncio.Event()

    async def send(chat: str, envelope: Envelope, last: str) -> Sent:
        if "Which language" in envelope.text:
            await arrives.wait()
        return await real(chat, envelope, last)

    wire.send = send  # type: ignore[method-assign]

    async def meanwhile() -> None:
        await housed.house.take(Inbound("telegram", "m:78:5", "78", "78", "text", text="language", language="en"))
        await asyncio.sleep(0.01)
        await housed.house.take(_press("78", "c:78:1", gone))
        arrives.set()
        await housed.house.delivery.drain()

    housed.runs(meanwhile())
    told = wire.arrived["78"]
    late = next(number for number, one in enumerate(told) if "Which language" in one.text)
    taken_back = [one for one in told[late + 1 :] if not one.text]
    assert len(taken_back) == 1 and len(taken_back[0].deletes) == 1
    housed.closes()


@pytest.mark.slow
def test_erasing_races_with_answers_and_sends_in_two_hundred_orders(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer, a second tap, an old button, a retry and messages under way: nothing is left, nothing is sent."""
    hurries(monkeypatch)
    dice = random.Random(6570)
    housed = Housed(Store(database), SlowWire(dice))
    started: dict[str, int] = {}
    calls: list[tuple[str, str]] = []
    committed = housed.house.delivery.committed
    real = housed.wire.send

    async def send(chat: str, envelope: Envelope, last: str) -> Sent:
        calls.append((chat, envelope.text))
        return await real(chat, envelope, last)

    def notes(db: Any) -> None:
        committed(db)
        started.update({lane.removeprefix("telegram:"): len(calls) for lane in db.gone})

    monkeypatch.setattr(housed.wire, "send", send)
    monkeypatch.setattr(housed.house.delivery, "committed", notes)
    for order in range(ORDERS):
        chat = str(90_000 + order)
        somebody = Somebody(housed, chat).starts()
        somebody.presses("English").presses("Yes, for me").says("delete")
        old, gone = somebody.data("Yes, for me"), somebody.data("Yes, delete all")
        came = [
            _press(chat, f"c:{chat}:1", gone), _press(chat, f"c:{chat}:2", gone), _press(chat, f"c:{chat}:3", old),
            Inbound("telegram", f"m:{chat}:9", chat, chat, "text", text="1964", language="en"),
            Inbound("telegram", f"m:{chat}:9", chat, chat, "text", text="1964", language="en"),
            Inbound("telegram", f"m:{chat}:10", chat, chat, "text", text="my left knee", language="en"),
        ]  # fmt: skip
        dice.shuffle(came)
        housed.runs(_all(housed, came, dice))
        assert left(housed, chat) == {}, order
        assert chat in started
        for text in [text for to, text in calls[started[chat] :] if to == chat]:
            assert not text or "deleted here" in text, order
    assert housed.rows("SELECT count(*) FROM outbox WHERE lane IS NOT NULL")[0][0] == 0
    assert housed.rows("SELECT count(*) FROM data_key WHERE lane LIKE 'telegram:9%'")[0][0] == 0
    housed.closes()


def _press(chat: str, key: str, data: str) -> Inbound:
    return Inbound("telegram", key, chat, chat, "press", press=data, message="1", language="en")


async def _all(housed: Housed, came: list[Inbound], dice: random.Random) -> None:
    async def take(inbound: Inbound) -> None:
        await asyncio.sleep(dice.choice((0, 0, 0.002, 0.005)))
        await housed.house.take(inbound)

    await asyncio.gather(*map(take, came), housed.house.delivery.drain())
    await housed.house.delivery.drain()
