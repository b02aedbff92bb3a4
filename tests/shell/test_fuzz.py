"""Ten thousand updates that no messenger would send: none stops the house, and none is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from telegram.constants import MessageType, UpdateType

from bot import poll, web
from bot.channels.telegram import parse
from flows.kinds.text import LONGEST, clean
from tests.shell.front_door import Door, Numbers, Update, Writer, door_to, walks_to
from tests.sizes import PERCENT

pytestmark = pytest.mark.slow


SEED = int(os.environ.get("SEED", "6570291"))
MANY = max(500, 10_000 * PERCENT // 100)
CHATS = 60
ROOT = Path(__file__).parent.parent.parent

HUGE = "ñ🦵x" * 15_000
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]
DEEPER: Any = {}
for _ in range(250):
    DEEPER = {"reply_to_message": [DEEPER]}
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**52 - 1, 2**63, -(2**63) - 1, 2**64, 1e308, 0.5, "", " ", "0", "-5",
    "\x00", "a\x00b", "\ud800", "\udfff text", "\u202edesrever\u202c", "\u2066x", "\u200b", "\u2028", "e\u0301" * 50,
    "👩‍👩‍👧‍👦", "𐍈𝕏𠜎", "مرحبا", "שלום", "'; DROP TABLE answer; --", "{0.__class__}", "%s%n", "<b>", "/start", "/start \x00",
    "/start@prescreen_test_bot x", "/delete", "/language", "/queue", "1staff.1.claim~AAAAAAAA", "x" * 5000, HUGE,
    [], {}, [[]], {"id": {}}, [None], DEEP, DEEPER,
)  # fmt: skip


class Chaos:
    """Makes updates of every type and kind, right ones and spoiled ones; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers = Numbers()
        self.people = [Writer(self.numbers, 6_000_000_000 + n) for n in range(CHATS)]
        self.made = 0

    def update(self, *, spoil: bool = True) -> Update:
        """``fuzz`` is a field that Telegram does not know: by it the update is found again."""
        self.made += 1
        types, kinds = [kind.value for kind in UpdateType], [kind.value for kind in MessageType]
        of, kind = self.chance.choice(types), self.chance.choice(kinds)
        if self.chance.random() < 0.6:
            of = self.chance.choice(["message", "message", "callback_query", "edited_message", "my_chat_member"])
        if self.made <= len(types):  # first each type once, then each kind once, then anything
            of = types[self.made - 1]
        elif self.made <= len(types) + len(kinds):
            of, kind = "message", kinds[self.made - 1 - len(types)]
        update = self._right(of, kind) | {"fuzz": self.made}
        for _ in range(self.chance.choice([0, 1, 1, 2, 4]) if spoil else 0):
            self._spoil(update)
        return update

    def _right(self, of: str, kind: str) -> Update:
        person = self.chance.choice(self.people)
        if of == "callback_query":
            return person.taps(self.chance.choice(["", "x", "1~", "1abcdefg3.0~AAAAAAAA"]))
        if of == "my_chat_member":
            status = self.chance.choice(["kicked", "member"])
            content = {"chat": person.where, "from": person.card, "date": self.chance.randrange(10**9)}
            return self.numbers.update(of, content | {"new_chat_member": {"status": status, "user": person.card}})
        if "message" in of and not of.startswith("deleted"):
            return person.sends(of, **{kind: self._content(kind)})
        return self.numbers.update(of, {"id": "7", "chat": person.where, "from": person.card, "date": 1})

    def _content(self, kind: str) -> Any:
        if kind == "text":
            words = [
                "left knee",
                "1964",
                "none",
                "yes",
                "/start c7kp2",
                "not sure",
                "English",
                "Yes, for me",
                "back",
            ]
            return self.chance.choice(words)
        if kind == "contact":
            return {"phone_number": "34612345678", "first_name": "Rosa", "user_id": 6_000_000_000}
        if kind in ("photo", "new_chat_members"):
            return [{"file_id": "a", "width": 1, "height": 1}]
        return {"file_id": "a", "date": 1, "duration": 3}

    def _spoil(self, update: Update) -> None:
        """Drops, replaces or adds something, anywhere but in its numbers."""
        places = [(update, key) for key in update if key not in ("fuzz", "update_id")]
        for _ in range(self.chance.randrange(4)):
            inner = [(value, key) for at, k in places if isinstance(value := at[k], dict) for key in value]
            places = inner or places
        at, key = self.chance.choice(places) if places else (update, "message")
        match self.chance.randrange(5):
            case 0:
                at.pop(key, None)
            case 1:
                at[self.chance.choice(["new_in_2031", "callback_query", "message", "text", "\x00", "\ud800"])] = (
                    self._odd()
                )
            case _:
                at[key] = self._odd()

    def _odd(self) -> Any:
        odd = self.chance.choice(ODD) if self.chance.random() > 0.02 else HUGE * 3
        return json.loads(json.dumps(odd)) if isinstance(odd, list | dict) else odd  # each its own


def mark(payload: Any) -> int:
    """Which update lies in the quarantine, also where it could only be kept as text."""
    if isinstance(payload, dict) and "fuzz" in payload:
        return int(payload["fuzz"])
    found = re.search(r'fuzz\\*["\']: (\d+)', json.dumps(payload))
    assert found, f"nobody could say which update this was: {str(payload)[:300]}"
    return int(found.group(1))


def fate_is_known(door: Door, updates: list[Update]) -> Counter[str]:
    """Each update is taken, or means nothing here, or is in quarantine; returns how many of each."""
    receipts, aside, fates = door.receipts(), {mark(payload) for payload in door.quarantined()}, Counter[str]()
    for update in updates:
        try:
            inbound = parse(update)
        except Exception:
            assert update["fuzz"] in aside, f"unreadable, and not kept: {str(update)[:300]}"
            fates["quarantine"] += 1
            continue
        if update["fuzz"] in aside:
            fates["quarantine"] += 1
        elif inbound is None:
            fates["meaningless"] += 1
        else:
            assert inbound.external_id in receipts, f"lost: {str(update)[:300]}"
            fates["taken"] += 1
    return fates


def still_serves(door: Door) -> None:
    """A whole conversation of somebody new, and somebody who had his share of oddities can go on as well."""
    fresh = Writer(Numbers(900_000_000), 6_999_999_999)
    door.takes(fresh.says("/start"))
    walks_to(door, fresh, "check")
    assert "1964" in door.shown(fresh.chat)[-1].text
    old = Writer(Numbers(910_000_000), 6_000_000_000)
    old._messages = iter(range(10**9, 2 * 10**9))  # type: ignore[assignment]
    door.takes(old.says("delete"), old.says("yes, delete all"), old.says("/start"))
    walks_to(door, old, "knee")


@pytest.mark.slow
def test_ten_thousand_odd_updates(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T18. The numbers are those of ``make test``; EXAMPLES scales them, SEED makes others."""
    print(f"SEED={SEED}")
    monkeypatch.setattr(poll, "PAUSE", 0.0)
    caplog.set_level(logging.WARNING)
    chaos = Chaos(SEED)
    many = MANY if database.startswith("sqlite") else MANY // 4
    updates = [chaos.update() for _ in range(many)]
    with door_to(database) as door:
        door.polls(updates)
        fates = fate_is_known(door, updates)
        assert min(fates["taken"], fates["quarantine"]) > many // 20, fates
        print(dict(fates), "tries of one update, at most:", max(door.taken.values()))
        still_serves(door)
    wrong = [
        r.getMessage() for r in caplog.records if "cannot be set aside" in r.message or "a send failed" in r.message
    ]
    assert wrong == []


def test_every_kind_of_update_that_is_right_is_taken_or_means_nothing(database: str) -> None:
    """What Telegram may really send is never an oddity: nothing of it is set aside."""
    chaos = Chaos(SEED)
    updates = [chaos.update(spoil=False) for _ in range(4 * len(MessageType))]
    assert {kind.value for kind in UpdateType} <= {key for update in updates for key in update}
    assert {kind.value for kind in MessageType} <= {key for u in updates for key in (u.get("message") or {})}
    with door_to(database) as door:
        door.polls(updates)
        fates = fate_is_known(door, updates)
        assert fates["quarantine"] == 0 and fates["taken"] > len(updates) // 2, door.quarantined()
        assert max(door.taken.values()) == 1


@pytest.mark.slow
def test_the_webhook_takes_the_same_oddities(database: str) -> None:
    """Over the real page, in process: each is answered by 200, sooner or later, and kept."""
    chaos = Chaos(SEED + 1)
    updates = [chaos.update() for _ in range(web.MOST)]
    bodies = [json.dumps(update) for update in updates]
    too_big = [len(body) > web.BIGGEST for body in bodies]
    with door_to(database) as door:

        async def nothing() -> None:
            return

        async def page() -> bytes:
            return b""

        application = web.make(nothing, nothing, page, door.intake, "s" * 40)

        async def post_all() -> list[int]:
            transport, headers = httpx.ASGITransport(application), {web.SECRET_HEADER: "s" * 40}
            async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
                posts = [client.post(web.PATH, content=body, timeout=60) for body in bodies]
                return [answer.status_code for answer in await asyncio.gather(*posts)]

        assert door.run(post_all()) == [413 if big else 200 for big in too_big]
        fate_is_known(door, [update for update, big in zip(updates, too_big, strict=True) if not big])
        still_serves(door)


# ---------------------------------------------------------------------- long texts, many of them


def test_a_text_as_long_as_telegram_lets_it_be_is_no_answer_and_no_harm(database: str) -> None:
    """T40. 4,096 characters at every sort of question: told kindly, and the question stays open."""
    with door_to(database) as door:
        person = Writer(Numbers(), 6_000_000_001)
        door.takes(person.says("/start"))
        for step in ("language", "birth", "knee", "mri", "height"):
            walks_to(door, person, step)
            before = door.state(person.chat)
            for long in ("\N{LEG}" * 2048, "ma\N{LATIN SMALL LETTER N WITH TILDE}ana " * 585):
                door.takes(person.says(long))
            after = door.state(person.chat)
            assert (after["step"], after["answers"]) == (before["step"], before["answers"])
            assert len(after["shown"]) == len(before["shown"]) + 2 * 2  # a reply, and the question again


BURST = """
import re, sys
from pathlib import Path
from tests.shell.front_door import Numbers, Writer, door_to

def peak():  # in MB; getrusage would tell of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

with door_to(sys.argv[1]) as door:
    person = Writer(Numbers(), 6_000_000_001)
    door.takes(*person.script(4))
    def burst():
        door.polls([person.says(str(n) + "ñ🦵" * 1365) for n in range(100)])
        door.shown(person.chat).clear()
        return peak()
    door.polls([person.says("perhaps") for _ in range(100)])  # what is loaded at first need is loaded
    door.shown(person.chat).clear()
    before = peak()
    print(before, burst(), burst(), door.one("SELECT count(*) FROM receipt"))
"""


@pytest.mark.slow
def test_a_burst_of_long_texts_fits_into_little_memory(database: str) -> None:
    """T40. A hundred texts of 4,096 UTF-16 units at once, twice, in a process of their own: less than 20 MB more."""
    ran = subprocess.run(
        [sys.executable, "-c", BURST, database], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    before, once, twice, receipts = map(float, ran.stdout.split())
    print(f"resident at most: {before:.1f} MB before, {once:.1f} MB and {twice:.1f} MB after")
    assert receipts == 4 + 100 + 200
    assert twice - before < 20


# ---------------------------------------------------------------------- every script there is

NAMES = {
    "right to left": "مريم بنت خالد",
    "both directions": "Rosa רוזה Example",
    "joined emoji": "Rosa 👩‍👩‍👧‍👦",
    "Persian joiners": "می‌خواهم",
    "Indian joiners": "क्‍ष र्‍य",
    "only beyond 16 bits": "𝕽𝖔𝖘𝖆 𐍈𠜎",
    "composed later": "Zoe\u0308 A\u030angstro\u0308m",
    "many accents": "Z\u0351\u036b\u0343\u036aa\u0341lgo",
    "overrides": "Ro\u202esa\u202c \u2066x\u2069",
    "zero width": "Ro\u200bs\ufeffa\u2060",
    "zero byte": "Ro\x00sa",
    "half characters": "Ro\ud83dsa \udc00",
    "odd spaces": " Ro\u00a0sa\u3000\t Example\u2003",
    "lines": "Rosa\r\nExample\u2028Third",
    "flags and skin": "🇪🇸 Rosa 👍🏽",
    "controls": "Ro\x07\x1b[31msa\x85",
    "as long as it may be": "ñ" * LONGEST,
}


def test_every_script_is_kept_as_it_is_after_the_one_cleaning(database: str) -> None:
    """T41. What is kept and shown is ``flows.kinds.text.clean`` on one line: nothing else is changed."""
    with door_to(database) as door:
        numbers = Numbers()
        people = {name: Writer(numbers, 6_000_001_000 + n) for n, name in enumerate(NAMES)}
        door.polls([person.says("/start") for person in people.values()])
        for name, person in people.items():
            walks_to(door, person, "check")
            for words in ("all correct, go on", "yes, contact me", "Suzhou", "Wuxi"):
                door.takes(person.says(words))
            assert door.state(person.chat)["step"] == "first_name", door.state(person.chat)["shown"][-2:]
            door.takes(person.says(NAMES[name]))
            state, wanted = door.state(person.chat), " ".join(clean(NAMES[name]).split())
            assert state["answers"]["first_name"] == wanted, name
            assert door.one(
                "SELECT text FROM message WHERE NOT outgoing AND conversation_id IN"
                " (SELECT id FROM conversation WHERE chat = :chat) ORDER BY id DESC LIMIT 1",
                chat=person.chat,
            ) == clean(NAMES[name])
            hidden = [c for c in wanted if unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "PDF")]
            assert hidden == [] and unicodedata.is_normalized("NFC", wanted)
        assert door.quarantined() == []
