"""People with phones for every benchmark: what they type and tap, as the bytes of Telegram's updates, and a network
that takes every call of a bot at once and shows each person what was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
from telegram.request import BaseRequest, RequestData

TOKEN = "110201543:benchmarks-need-no-token"
BOT = {"id": 110201543, "is_bot": True, "first_name": "Prescreen", "username": "prescreen_bot"}
GROUP = -100500
"""The staff's group."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a person does, and what the bot said before and says after it."""

    types: str = ""
    row: int = 0
    column: int = 0
    """Where the button is that they tap, unless they type."""
    sends: int = 1
    """How many messages the product answers with."""
    step: str = ""
    text: str = ""
    """What was asked, to be asked by the peers too."""
    labels: tuple[tuple[str, ...], ...] = ()


class Phone:
    """One person's private chat, held after a script."""

    def __init__(self, chat: int, script: Sequence[Act], ids: count[int]) -> None:
        self.chat, self.script, self._ids = chat, script, ids
        self.who = {"id": chat, "is_bot": False, "first_name": "Rosa", "language_code": "en"}
        self.card = {"id": chat, "type": "private", "first_name": "Rosa"}
        self.at = 0
        self.shown: dict[str, Any] = {}
        """The message with the newest buttons."""
        self.left = 0
        self.answered: asyncio.Future[None] | None = None

    def acts(self, sends: int | None = None) -> bytes:
        """The update that the next act makes; ``sends`` where another number of answers comes than scripted."""
        act = self.script[self.at]
        self.at += 1
        self.left = act.sends if sends is None else sends
        number, now = next(self._ids), int(time.time())
        if act.types:
            message = {"message_id": number, "from": self.who, "chat": self.card, "date": now, "text": act.types}
            if act.types.startswith("/"):
                message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(act.types)}]
            return orjson.dumps({"update_id": number, "message": message})
        query = {
            "id": str(number),
            "from": self.who,
            "message": self.shown,
            "chat_instance": "-5566778899",
            "data": self.shown["reply_markup"]["inline_keyboard"][act.row][act.column]["callback_data"],
        }
        return orjson.dumps({"update_id": number, "callback_query": query})

    def sees(self, message: dict[str, Any]) -> None:
        if "reply_markup" in message:
            self.shown = message
        self.left -= 1
        if self.left <= 0 and self.answered is not None and not self.answered.done():
            self.answered.set_result(None)

    async def waits(self) -> None:
        """Until everything that the bot says to the last act is on the screen."""
        if self.left > 0:
            self.answered = asyncio.get_running_loop().create_future()
            await self.answered
            self.answered = None


def fresh() -> int:
    """A number that no earlier run came up to, though it may have used many in a second: files are used again."""
    return int(time.time() * 1e5)


@dataclass
class Switchboard:
    """Who is called by which number, and what the network answers."""

    phones: dict[int, Phone] = field(default_factory=dict)
    calls: int = 0
    elsewhere: Callable[[dict[str, Any]], None] | None = None
    """Takes messages to people whose phones are in another process."""
    ids: count[int] = field(default_factory=lambda: count(fresh()))
    """Numbers for updates, taps, messages and people."""

    def phone(self, script: Sequence[Act]) -> Phone:
        chat = next(self.ids)
        self.phones[chat] = Phone(chat, script, self.ids)
        return self.phones[chat]

    def leave(self, phone: Phone) -> None:
        del self.phones[phone.chat]

    def answer(self, method: str, params: Mapping[str, Any]) -> bytes:
        """What Telegram answers; the message is on the screen by then."""
        self.calls += 1
        if method in ("sendMessage", "editMessageText"):
            chat = int(params["chat_id"])
            phone = self.phones.get(chat)
            card = phone.card if phone else {"id": chat, "type": "private" if chat > 0 else "supergroup"}
            number = params.get("message_id") or next(self.ids)
            message = {"message_id": number, "from": BOT, "chat": card, "date": int(time.time())}
            message["text"] = params["text"]
            if "inline_keyboard" in (params.get("reply_markup") or {}):
                message["reply_markup"] = params["reply_markup"]
            if phone is not None:
                phone.sees(message)
            elif self.elsewhere is not None and chat > 0:
                self.elsewhere(message)
            return orjson.dumps({"ok": True, "result": message})
        if method == "getMe":
            return orjson.dumps({"ok": True, "result": BOT})
        return b'{"ok":true,"result":true}'


class Network(BaseRequest):
    """Everything of a call but the socket: the body is made, and the answer is bytes."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard

    @property
    def read_timeout(self) -> float:
        return 5.0

    async def initialize(self) -> None:
        pass

    async def shutdown(self) -> None:
        pass

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *_: Any, **__: Any
    ) -> tuple[int, bytes]:
        params = request_data.parameters if request_data is not None else {}
        orjson.dumps(params)  # the body
        return 200, self.switchboard.answer(url.rpartition("/")[2], params)
