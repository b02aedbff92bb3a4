"""Raw updates through the real intake into the real house and its database; only Telegram itself is not there."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import orjson
from sqlalchemy import text

from bot.buttons import Buttons
from bot.channels.telegram import parse
from bot.deployment import Deployment
from bot.house import House
from bot.intake import Came, Intake
from bot.messages import Envelope, Inbound, Sent, lane_of
from bot.pace import Pace
from bot.poll import Poller
from bot.store import Store, conversations
from bot.store.conversations import Kept
from flows.tidy import fold
from tests.conftest import FINE, TYPED
from tests.patient import LANGUAGES
from tests.shell.conftest import GROUP, LIBRARY
from tests.unsealed import unsealed

T = TypeVar("T")
Update = dict[str, Any]

SCRIPT = (
    "/start", "English", "Yes, for me", "1964", "Left knee", "Yes", "Over a year ago", "Some", "No", "none", "none",
)  # fmt: skip
"""What somebody types from the first word to the question about joints."""
DEPLOYMENT = Deployment(LIBRARY, LANGUAGES, Buttons(b"a key"), "nct06570291", 30, staff_group=GROUP)


class Screen:
    """Stands where the messenger is: shows what is sent, if our transport could have sent it."""

    name = "telegram"

    def __init__(self) -> None:
        self.shown: defaultdict[str, list[Envelope]] = defaultdict(list)
        self._count = count(1)

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        orjson.dumps([int(chat), envelope.to_json()])
        assert 0 < len(envelope.text.encode("utf-16-le")) // 2 <= 4096
        self.shown[chat].append(envelope)
        return Sent("sent", str(next(self._count)))


class Line:
    """Telegram's queue of updates for a poller: what an offset confirms is gone, the rest comes again."""

    def __init__(self, updates: Iterable[Any], at_once: int = 100) -> None:
        self.waiting, self.at_once = list(updates), at_once
        self.stop = asyncio.Event()
        self.asked = 0

    async def updates(self, offset: int | None) -> list[Any]:
        self.asked += 1
        if offset is not None:
            known = [place for place, one in enumerate(self.waiting) if _number(one) == offset - 1]
            if known:
                self.waiting = self.waiting[known[-1] + 1 :]
        if not self.waiting:
            self.stop.set()
        return self.waiting[: self.at_once]


def _number(update: Any) -> Any:
    return update.get("update_id") if isinstance(update, dict) else None


class Door:
    """One process's intake and house on a database, in an event loop of its own."""

    def __init__(self, url: str, *, careful: bool = False, deployment: Deployment = DEPLOYMENT) -> None:
        self.store, self.screen = Store(url), Screen()
        self.later = timedelta()
        """How far the clock is ahead."""
        self.house = House(self.store, deployment, {"telegram": self.screen}, clock=self._now)
        self.house.pace = Pace(100_000)
        self.acknowledged: list[str] = []
        self.taken: Counter[str] = Counter()
        """How often the house was asked to take each message."""
        self.intake = Intake(
            parse, self._take, self.house.set_aside, self._acknowledge, self.house.count if careful else None
        )
        self._runner = asyncio.Runner()
        self.unhandled: list[dict[str, Any]] = []
        self._runner.get_loop().set_exception_handler(lambda _, context: self.unhandled.append(context))

    def close(self) -> None:
        self.run(self.house.delivery.drain())
        self.house.close()
        self._runner.close()
        self.store.close()
        assert self.unhandled == []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def _take(self, inbound: Inbound) -> None:
        self.taken[inbound.external_id] += 1
        await self.house.take(inbound)

    async def _acknowledge(self, callback: str) -> None:
        self.acknowledged.append(callback)

    # ------------------------------------------------------------------ in

    def polls(self, updates: Iterable[Any], at_once: int = 100) -> Line:
        """They come by polling, as many at once as Telegram gives; returns when each is confirmed."""
        line = Line(updates, at_once)
        poller = Poller(line, self.intake)

        async def until_done() -> None:
            async with asyncio.timeout(90):
                await poller.run(line.stop)

        self.run(until_done())
        assert line.waiting == []
        return line

    def together(self, updates: Iterable[Update]) -> None:
        """All of them at the same moment, in whatever order they get through, each until it is done with."""

        async def all_of_them() -> None:
            async with asyncio.timeout(120):
                await asyncio.gather(*(self._until_done(self.intake.read(update)) for update in updates))

        self.run(all_of_them())

    def takes(self, *updates: Update) -> None:
        """One after the other, each answered on the screen before the next one comes."""
        for update in updates:
            self.together([update])
            self.run(self.house.delivery.drain())

    async def _until_done(self, came: Came) -> None:
        tries = 0
        while await self.intake.one(came, tries) != "done":
            tries += 1
            await asyncio.sleep(0.01)

    # ------------------------------------------------------------------ out

    def shown(self, chat: str) -> list[Envelope]:
        self.run(self.house.delivery.drain())
        return self.screen.shown[chat]

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.store.begin() as db:
            return unsealed(db, db.execute(text(query), values))

    def one(self, query: str, **values: Any) -> Any:
        return self.rows(query, **values)[0][0]

    def kept(self, chat: str) -> Kept | None:
        with self.store.begin() as db:
            return conversations.current(db, "telegram", chat)

    def receipts(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT external_id FROM receipt")}

    def quarantined(self) -> list[Any]:
        return [row[0] for row in self.rows("SELECT CAST(payload AS text) FROM quarantine ORDER BY id")]

    def state(self, chat: str) -> dict[str, Any]:
        """What counts in a chat: the open question, every answer, and how often each was written down."""
        kept = self.kept(chat)
        assert kept is not None
        written = self.rows("SELECT step FROM answer WHERE conversation_id = :id ORDER BY id", id=kept.id)
        answers = {step: answer.value for step, answer in kept.conversation.answers.items()}
        said = self.rows("SELECT text FROM message WHERE conversation_id = :id ORDER BY id", id=kept.id)
        return {
            "step": kept.conversation.step,
            "answers": answers,
            "written": [row[0] for row in written],
            "revision": kept.revision,
            "said": [row[0] for row in said],
            "shown": [envelope.text for envelope in self.shown(chat)],
        }


@contextmanager
def door_to(url: str, *, careful: bool = False, deployment: Deployment = DEPLOYMENT) -> Iterator[Door]:
    door = Door(url, careful=careful, deployment=deployment)
    try:
        yield door
    finally:
        door.close()


def same(state: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two chats have come to the same point. Questions answered before they could be sent were not shown."""
    shown = Counter(state["shown"]) - Counter(other["shown"])
    last = [one["shown"][-1:] for one in (state, other)]
    return {**state, "shown": None} == {**other, "shown": None} and not shown and last[0] == last[1]


class Numbers:
    """Telegram's own counting: updates over all chats."""

    def __init__(self, first: int = 500_000_000) -> None:
        self.next = first

    def update(self, kind: str, content: Update) -> Update:
        self.next += 1
        return {"update_id": self.next, kind: content}


class Writer:
    """Somebody in a private chat, whose messages and taps become updates that a test may hold back or repeat."""

    def __init__(self, numbers: Numbers, chat: int) -> None:
        self.numbers, self.id, self.chat = numbers, chat, str(chat)
        self._messages, self._taps = count(1), count(1)

    @property
    def card(self) -> Update:
        return {"id": self.id, "is_bot": False, "first_name": "Rosa", "language_code": "en"}

    @property
    def where(self) -> Update:
        return {"id": self.id, "type": "private", "first_name": "Rosa"}

    def sends(self, kind: str = "message", **content: Any) -> Update:
        message = {"message_id": next(self._messages), "date": 1_790_000_000, "chat": self.where, "from": self.card}
        return self.numbers.update(kind, message | content)

    def says(self, words: str) -> Update:
        return self.sends(text=words)

    def taps(self, data: str, message: int = 1, query: str = "") -> Update:
        content = {
            "id": query or f"{self.id}{next(self._taps):05}",
            "from": self.card,
            "chat_instance": "1",
            "data": data,
            "message": {"message_id": message, "date": 1_790_000_000, "chat": self.where},
        }
        return self.numbers.update("callback_query", content)

    def script(self, steps: int = len(SCRIPT)) -> list[Update]:
        return [self.says(words) for words in SCRIPT[:steps]]


def button(door: Door, chat: str, label: str) -> str:
    """The data of the newest button with this label."""
    for envelope in reversed(door.shown(chat)):
        for row in envelope.rows:
            for name, data in row:
                if fold(name.lstrip("☐☑ ")) == fold(label):
                    return data
    raise AssertionError(f"no button {label!r}")


def walks_to(door: Door, person: Writer, step: str, tells: Callable[[str], Update] | None = None) -> None:
    """Answers in typed words whatever is asked, as somebody with nothing against, until ``step`` is asked."""
    tells = tells or person.says
    for _ in range(60):
        kept = door.kept(person.chat)
        assert kept is not None
        here = str(kept.conversation.step)
        if here == step:
            return
        door.takes(tells(words_for(here)))
    raise AssertionError(f"{step} was not asked in 60 messages; {here} is open")


def words_for(step: str) -> str:
    """What somebody with nothing against types at this question."""
    if step in TYPED:
        return TYPED[step]
    value = FINE[step]
    if step == "language":
        return "English"
    if value == ():
        return "none"
    if value is None:
        return "not sure"
    option = LIBRARY.newest("nct06570291").step_by_id[step].option(value)  # type: ignore[index]
    assert option is not None
    return option.label


def lane(chat: str) -> str:
    return lane_of("telegram", chat)
