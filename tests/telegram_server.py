"""A Telegram Bot API server on loopback, and the people and groups who talk to the bot through it: it keeps
updates until they are confirmed, by a poll or by the webhook it brings them to, holds the bot to Telegram's
limits, and refuses in Telegram's own words."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from inspect import isawaitable
from ipaddress import ip_address
from itertools import count
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

Json = dict[str, Any]
Wanted = str | re.Pattern[str]
Standing = Literal["stranger", "member", "blocked", "kicked", "left"]
T = TypeVar("T")
# How an answer reaches the bot when it does not simply reach it.
Manner = Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]]
Lane = tuple[str, int]

DAY = 24 * 3600
# Somebody waits for the answer to a tap, so Telegram gives up on telling it far sooner than on a message.
TAP_KEPT = 150
LONGEST_POLL = 50
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LONGEST_RETRY_AFTER = 3600
# A webhook that answers 410 Gone, and nothing else, for so long is closed.
GONE_FOR_GOOD = 23 * 3600
BOT_ID = 7_123_456_789
ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Telegram leaves some kinds out unless a bot asks for them by name.
USUAL_KINDS = words("message edited_message callback_query my_chat_member")
ALL_KINDS = USUAL_KINDS | words("chat_member message_reaction message_reaction_count")
# These stay text even when they look like JSON: "1957" is an answer, not a number.
TEXT_PARAMS = words(
    """text caption parse_mode callback_query_id url language_code name description short_description action
    photo document message_effect_id business_connection_id inline_message_id secret_token ip_address"""
)
CHAT_ACTIONS = words(
    """typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker
    find_location record_video_note upload_video_note"""
)
GIFTS = words("unlimited_gifts limited_gifts unique_gifts premium_subscription gifts_from_channels")
TAG = re.compile(r"<(/?)([^\s/>]*)([^>]*)(>?)")
TAG_ENTITIES = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("span", "tg-spoiler"), "spoiler"),
    **{"a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote"},
}


class RefusalError(Exception):
    """An answer that is not ok; `code` is its HTTP status too, and 0 a connection lost without an answer."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.body: Json = {"ok": False, "error_code": code, "description": description}
        self.body |= {"parameters": parameters} if parameters else {}


def bad_request(reason: str) -> RefusalError:
    return RefusalError(400, f"Bad Request: {reason}")


class Call(NamedTuple):
    """One request of the bot, granted or refused; `at` is the server's clock."""

    method: str
    params: Json
    at: float


class Poll(NamedTuple):
    """The offset one getUpdates call gave, and the ids of the updates that it confirmed."""

    offset: int | None
    confirmed: list[int]
    at: float


class Upload(NamedTuple):
    """A file that came with a request; it stands in `Call.params` under the name of its parameter."""

    name: str
    content: bytes


@dataclass
class Clock:
    """The server's time: real time, and an offset that tests may move."""

    offset: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset


class Delivery(NamedTuple):
    """One POST of an update to the webhook, `at` by the server's clock: the status of the answer, or the error."""

    update_id: int
    chat_id: int
    outcome: int | str
    at: float


@dataclass
class Failure:
    """How the next `times` calls that fit will end; a call `carried_out` takes effect all the same.

    Without an `answer` of its own it leaves the call its own one, and only the `manner` of sending is odd.
    """

    method: str
    times: float
    answer: RefusalError | None
    chat_id: int | None
    carried_out: bool
    manner: Manner | None = None

    def fits(self, method: str, params: Json) -> bool:
        same_chat = self.chat_id is None or params.get("chat_id") == self.chat_id
        return self.times > 0 and self.method in (method, "*") and same_chat


@dataclass
class Press:
    """A tap on an inline button; `answer` is the text the bot answered with, None as long as it has not."""

    id: str
    by: Person
    chat: Chat
    message_id: int
    data: str
    at: float
    answer: str | None = None


@dataclass(frozen=True)
class Update:
    """Something for the bot to know, until it confirms it or it `expires`."""

    update_id: int
    kind: str
    content: Json
    expires: float

    @property
    def payload(self) -> Json:
        return {"update_id": self.update_id, self.kind: self.content}

    @cached_property
    def body(self) -> bytes:
        """What a webhook is sent, the same at every try."""
        return json.dumps(self.payload).encode()

    @property
    def chat_id(self) -> int:
        """The chat that it is about, 0 if it is about none (or is an invention of a test)."""
        try:
            return int((self.content.get("message") or self.content)["chat"]["id"])
        except (AttributeError, KeyError, TypeError, ValueError):
            return 0


class UpdateQueue:
    """The updates not yet confirmed, and the rules of getUpdates about them; the owner locks."""

    def __init__(self, clock: Clock, first_id: int) -> None:
        self.clock = clock
        self.next_id = first_id
        self.allowed = USUAL_KINDS
        self.told: dict[int, Update] = {}
        self.twice = 0
        self.on_add: Callable[[Update], object] | None = None
        self._queue: list[Update] = []
        self._again: list[Update] = []
        self._to_repeat: set[int] = set()
        self._first_expires = float("inf")

    @property
    def pending(self) -> list[Update]:
        self._expire()
        return [*self._again, *self._queue]

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Remembers `allowed_updates` for updates to come; an empty list asks for the usual ones."""
        if kinds is not None:
            self.allowed = ALL_KINDS.intersection(kinds) or USUAL_KINDS

    def add(self, kind: str, content: Json, lasts: float = DAY) -> Update:
        update = Update(self.next_id, kind, content, self.clock.now() + lasts)
        self.next_id += 1
        self.told[update.update_id] = update
        self._queue.append(update)
        self._first_expires = min(self._first_expires, update.expires)
        if self.twice:
            self.twice -= 1
            self._to_repeat.add(update.update_id)
        if self.on_add is not None:
            self.on_add(update)
        return update

    def repeat(self, update: Update) -> None:
        self._again.append(update)
        if self.on_add is not None:
            self.on_add(update)

    def confirm(self, offset: int | None) -> list[int]:
        """Forgets what an offset confirms (a negative one: all but the last ones), and gives the ids."""
        self._expire()
        # An offset well past the newest id dates from before the ids began anew, and Telegram ignores it.
        if offset is None or offset > self.next_id + 10:
            gone = []
        elif offset < 0:
            gone = self._queue[:offset]
        else:
            gone = [update for update in self._queue if update.update_id < offset]
        self._queue = self._queue[len(gone) :]
        self._again += [update for update in gone if update.update_id in self._to_repeat]
        return [update.update_id for update in gone]

    def take(self, limit: int) -> list[Json]:
        batch = self.pending[:limit]
        self._again = self._again[limit:]
        return [update.payload for update in batch]

    def has(self, update: Update) -> bool:
        self._expire()
        return place_of(update, self._again) is not None or place_of(update, self._queue) is not None

    def done(self, update: Update) -> None:
        """Forgets one telling of an update, which is what a webhook confirms."""
        if (place := place_of(update, self._again)) is not None:
            del self._again[place]
        elif (place := place_of(update, self._queue)) is not None:
            del self._queue[place]
            if update.update_id in self._to_repeat:
                self.repeat(update)

    def clear(self) -> None:
        self._queue, self._again = [], []

    def _expire(self) -> None:
        now = self.clock.now()
        if now > self._first_expires:
            self._queue = [update for update in self._queue if update.expires >= now]
            self._first_expires = min((update.expires for update in self._queue), default=float("inf"))


def place_of(update: Update, updates: list[Update]) -> int | None:
    return next((place for place, one in enumerate(updates) if one is update), None)


@dataclass
class Habits:
    """How updates are brought to a webhook, in seconds; a test may change it at any time.

    After the first failure Telegram tries again at once, then after 2 s, and doubles that up to 60 to 120 s.
    """

    timeout: float = 30
    first_pause: float = 0.2
    factor: float = 2
    longest_pause: float = 60
    # Telegram in fact keeps messages in order by chat and taps by person, and nothing in order between them.
    kinds_apart: bool = False


class WebhookFaults:
    """What goes wrong between the server and the webhook; `TelegramServer.heal` ends it."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.clear()

    def clear(self) -> None:
        with self._changed:
            self.late = 0.0
            self._twice, self._cuts, self._overtaken = 0, deque[float | None](), deque[float]()

    def duplicate_next(self, count: int = 1) -> None:
        """Each of the next `count` POSTs is made twice at once; the second answer is the one that counts."""
        with self._changed:
            self._twice += count

    def reorder_next(self, count: int = 1, wait: float = 1) -> None:
        """Each of the next `count` updates, one at a time, lets a later one of another chat go first, unless
        none has been taken within `wait` seconds."""
        with self._changed:
            self._overtaken += [wait] * count

    def cut_next(self, count: int = 1, after: float | None = None) -> None:
        """Each of the next `count` POSTs arrives, but its answer is not read: the connection closes as it
        begins, or even `after` so many seconds, when the bot may still be at work."""
        with self._changed:
            self._cuts += [after] * count

    def delay(self, seconds: float) -> None:
        """Every POST from now on goes out that much later, by the server's clock; 0 ends it."""
        with self._changed:
            self.late = seconds

    def next_is_twice(self) -> bool:
        with self._changed:
            twice = self._twice > 0
            self._twice -= twice
            return twice

    def next_overtaken(self) -> float | None:
        with self._changed:
            return self._overtaken.popleft() if self._overtaken else None

    def next_cut(self) -> tuple[bool, float | None]:
        with self._changed:
            return (True, self._cuts.popleft()) if self._cuts else (False, None)


class Tried(NamedTuple):
    """What one POST came to; `error` is empty if the update was taken."""

    delivery: Delivery
    error: str = ""
    retry_after: int = 0
    reply: bytes = b""


class Courier:
    """Brings updates to one webhook: those of a chat one by one, each until it was answered with 2xx, and those
    of several chats at a time. It lives in the server's loop, and so do its methods."""

    def __init__(self, server: TelegramServer, hook: Json, pending: Iterable[Update]) -> None:
        self.server = server
        self.error: Json = {}
        secret = {SECRET_HEADER: hook["secret_token"]} if hook.get("secret_token") else {}
        self._url, self._headers = hook["url"], {"Content-Type": "application/json"} | secret
        self._free = asyncio.Semaphore(connections_of(hook))
        self._lanes: dict[Lane, deque[Update]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._clock_moved = asyncio.Event()
        self._held: Update | None = None
        self._overtaken = asyncio.Event()
        self._gone_since: float | None = None
        self._stopped = False
        for update in pending:
            self.take(update)
        self.task = asyncio.create_task(self._run())

    def take(self, update: Update) -> None:
        if self._stopped:
            return
        key = self._lane_of(update)
        if key in self._lanes:
            self._lanes[key].append(update)
            return
        self._lanes[key] = deque([update])
        if self._group is not None:
            self._group.create_task(self._serve(key))

    def stop(self) -> None:
        """Ends at once: what is on its way may arrive, but its answer counts no more."""
        self._stopped = True
        self.task.cancel()

    def look_at_clock(self) -> None:
        self._clock_moved.set()
        self._clock_moved.clear()

    def _lane_of(self, update: Update) -> Lane:
        if not update.chat_id:
            return "alone", update.update_id
        if not self.server.habits.kinds_apart:
            return "chat", update.chat_id
        if update.kind == "callback_query":
            return update.kind, update.content.get("from", {}).get("id", 0)
        return update.kind.removeprefix("edited_"), update.chat_id

    async def _run(self) -> None:
        session = ClientSession(
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(),
            skip_auto_headers=["User-Agent"],
        )
        async with session as self._session, asyncio.TaskGroup() as self._group:
            for key in self._lanes:
                self._group.create_task(self._serve(key))
            await asyncio.Event().wait()

    async def _serve(self, key: Lane) -> None:
        lane = self._lanes[key]
        while lane:
            try:
                await self._bring(lane[0])
            except Exception as error:
                self.server.problems.append(f"webhook: the server itself failed: {error!r}.")
            lane.popleft()
        del self._lanes[key]

    async def _bring(self, update: Update) -> None:
        """Tries until the update is taken, or no longer waits, or would not before the next try."""
        habits, clock = self.server.habits, self.server.clock
        await self._let_another_pass(update)
        pause = habits.first_pause
        for tries in count(1):
            await self._sleep(self.server.webhook_faults.late)
            async with self._free:
                with self.server.changed:
                    if self._stopped or not self.server.queue.has(update):
                        return
                tried = await self._try(update)
            if not tried[-1].error:
                self._gone_since = None
                await self._obey(tried[-1].reply)
                self.server.record([one.delivery for one in tried], taken=update)
                if self._held is not None and update.update_id > self._held.update_id:
                    self._overtaken.set()
                return
            self.error = {"last_error_date": self.server.date, "last_error_message": tried[-1].error}
            self.server.record([one.delivery for one in tried])
            if self._is_gone(tried[-1].delivery.outcome):
                self.server.hang_up()
            wait = float(tried[-1].retry_after)
            if not wait and tries > 1:
                wait, pause = min(pause, habits.longest_pause), pause * habits.factor
            if clock.now() + wait > update.expires:
                self.server.give_up(update)
                return
            await self._sleep(wait)

    async def _try(self, update: Update) -> list[Tried]:
        times = 2 if self.server.webhook_faults.next_is_twice() else 1
        return list(await asyncio.gather(*(self._post(update) for _ in range(times))))

    async def _post(self, update: Update) -> Tried:
        at = self.server.clock.now()
        cut, after = self.server.webhook_faults.next_cut()

        def came_to(outcome: int | str) -> Delivery:
            return Delivery(update.update_id, update.chat_id, outcome, at)

        def broke(error: str) -> Tried:
            return Tried(came_to(error), error)

        try:
            async with asyncio.timeout(self.server.habits.timeout if after is None else after):
                post = self._session.post(self._url, data=update.body, headers=self._headers, allow_redirects=False)
                async with post as response:
                    if cut:
                        response.close()
                        return broke("Connection closed")
                    reply = await response.read()
        except TimeoutError:
            return broke("Connection closed" if cut else "Read timeout expired")
        except ConnectionRefusedError:
            return broke("Connection refused")
        except (ClientError, OSError) as error:
            refused = isinstance(error.__cause__, ConnectionRefusedError)
            return broke("Connection refused" if refused else "Connection closed")
        except asyncio.CancelledError:
            self.server.record([came_to("Webhook closed")])
            raise
        if 200 <= response.status <= 299:
            return Tried(came_to(response.status), reply=reply)
        wrong = f"Wrong response from the webhook: {response.status} {response.reason}"
        wait = response.headers.get("Retry-After", "")
        retry_after = min(int(wait), LONGEST_RETRY_AFTER) if re.fullmatch("[0-9]{1,9}", wait) else 0
        return Tried(came_to(response.status), wrong, retry_after)

    async def _obey(self, reply: bytes) -> None:
        """Carries out the call that an answer may hold; nobody is told what comes of it."""
        try:
            params = json.loads(reply)
        except ValueError:
            return
        if isinstance(params, dict) and isinstance(name := params.pop("method", None), str):
            if re.match("get|(setwebhook|deletewebhook|close|logout)$", name, re.IGNORECASE):
                return
            with suppress(RefusalError):
                await self.server.carry_out(name, {k: read_param(k, v) for k, v in params.items()})

    def _is_gone(self, outcome: int | str) -> bool:
        """Whether the webhook has answered with 410, and nothing but 410, for too long."""
        if outcome != 410:
            self._gone_since = self._gone_since if isinstance(outcome, str) else None
            return False
        now = self.server.clock.now()
        self._gone_since = self._gone_since or now
        return now > self._gone_since + GONE_FOR_GOOD

    async def _let_another_pass(self, update: Update) -> None:
        wait = None if self._held else self.server.webhook_faults.next_overtaken()
        if wait is not None:
            self._held = update
            self._overtaken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._overtaken.wait()
            self._held = None

    async def _sleep(self, seconds: float) -> None:
        """Waits by the server's clock, which a test may move."""
        due = self.server.clock.now() + seconds
        while (left := due - self.server.clock.now()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._clock_moved.wait()


_ISOLATES = dict.fromkeys((0x2066, 0x2069))


@dataclass(frozen=True)
class Message:
    """A message as it was at one moment: an edit makes a new one, so one kept by a test is an old screen."""

    chat: Chat = field(repr=False)
    raw: Json
    markup: Json
    from_bot: bool
    changed: int

    @property
    def id(self) -> int:
        return int(self.raw["message_id"])

    @property
    def text(self) -> str:
        """As it is read: without the marks that keep a number together in Arabic."""
        return str(self.raw.get("text", self.raw.get("caption", ""))).translate(_ISOLATES)

    @property
    def rows(self) -> list[list[Json]]:
        """The buttons of an inline or a reply keyboard, as Telegram's objects."""
        rows = self.markup.get("inline_keyboard") or self.markup.get("keyboard") or []
        return [[{"text": key} if isinstance(key, str) else key for key in row] for row in rows]

    @property
    def buttons(self) -> list[list[str]]:
        return [[key["text"] for key in row] for row in self.rows]

    @property
    def protected(self) -> bool:
        return bool(self.raw.get("has_protected_content"))

    @property
    def edited(self) -> bool:
        return "edit_date" in self.raw

    def key(self, label: Wanted) -> Json | None:
        """The button with this very label, or else one that starts with it, or that the pattern finds."""
        keys = [key for row in self.rows for key in row]
        if isinstance(label, re.Pattern):
            return next((key for key in keys if label.search(key["text"])), None)
        begun = [key for key in keys if key["text"].startswith(label)]
        return min(begun, key=lambda key: key["text"] != label, default=None)

    def data(self, label: Wanted) -> str:
        """The callback data behind a button."""
        key = self.key(label)
        assert key is not None and "callback_data" in key, f"no callback button {label!r} on {self}"
        return str(key["callback_data"])

    def says(self, wanted: Wanted) -> bool:
        return bool(wanted.search(self.text)) if isinstance(wanted, re.Pattern) else wanted in self.text

    def __str__(self) -> str:
        keys = "".join(f" [{label}]" for row in self.buttons for label in row)
        return f"{'bot' if self.from_bot else self.raw['from']['first_name']}: {self.text!r}{keys}"


@dataclass(eq=False)
class Chat:
    """A private chat or a group; `standing` is what the bot is in it, `kept` what is in it now."""

    server: TelegramServer = field(repr=False)
    card: Json
    members: list[Person] = field(repr=False)
    standing: Standing = "member"
    migrated_to: Chat | None = field(default=None, repr=False)
    kept: dict[int, Message] = field(default_factory=dict, repr=False)
    newest_id: int = 0
    acted: int = 0

    @property
    def id(self) -> int:
        return int(self.card["id"])

    @property
    def type(self) -> str:
        return str(self.card["type"])

    @property
    def messages(self) -> list[Message]:
        """What people see in the chat, after edits and deletions, oldest first."""
        with self.server.changed:
            return list(self.kept.values())

    @property
    def last(self) -> Message:
        """The newest message from the bot."""
        from_bot = [message for message in self.messages if message.from_bot]
        assert from_bot, "the bot has written nothing here"
        return from_bot[-1]

    def sees(self, wanted: Wanted, timeout: float = 20, all: bool = False) -> Message:
        """Waits for words of the bot, sent or edited in since somebody here last acted (`all`: ever)."""

        def newest() -> Message | None:
            fresh = [m for m in self.kept.values() if m.from_bot and (all or m.changed > self.acted)]
            return max((m for m in fresh if m.says(wanted)), key=lambda m: m.changed, default=None)

        return self.server.until(newest, timeout, lambda: f"{wanted!r} was not seen; {self.story()}")

    def story(self) -> str:
        """The end of the chat for the text of a failure; a star marks what is new since the last action."""
        lines = [f"{'*' if m.changed > self.acted else ' '} {m}" for m in self.messages[-8:]]
        return "\n".join(["the chat ends:", *lines, *self.server.problems])

    def refusal(self) -> RefusalError | None:
        """Why the bot may not write here, if it may not."""
        if self.migrated_to is not None:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            return RefusalError(400, description, migrate_to_chat_id=self.migrated_to.id)
        reasons = {
            "stranger": "bot can't initiate conversation with a user",
            "blocked": "bot was blocked by the user",
            "kicked": f"bot was kicked from the {self.type} chat",
            "left": f"bot is not a member of the {self.type} chat",
        }
        return RefusalError(403, f"Forbidden: {reasons[self.standing]}") if self.standing in reasons else None

    def blank(self, sender: Json) -> Json:
        """What every new message has."""
        self.newest_id += 1
        return {"message_id": self.newest_id, "date": self.server.date, "chat": self.card, "from": sender}

    def keep(self, raw: Json, markup: Json | None = None, from_bot: bool = False) -> Message:
        message = Message(self, raw, markup or {}, from_bot, self.server.tick())
        self.kept[message.id] = message
        return message

    def hears(self, person: Person, raw: Json, kind: str = "message") -> Message:
        """Takes a person's message, new or edited, and tells the bot of it if it may know."""
        with self.server.changed:
            self._act(person)
            message = self.keep(raw)
            if self._is_for_bot(raw):
                self.server.publish(kind, raw)
            return message

    def taps(self, person: Person, message_id: int, data: str, anonymous: bool = False) -> Press:
        with self.server.changed:
            self._act(person)
            press = Press(self.server.new_query_id(), person, self, message_id, data, self.server.clock.now())
            self.server.presses[press.id] = press
            shown = self.kept.get(message_id)
            message = shown.raw if shown else {"message_id": message_id, "chat": self.card, "date": 0}
            query = {"id": press.id, "chat_instance": str(self.id), "message": message, "data": data}
            sender = {"from": ANONYMOUS_ADMIN if anonymous else person.card}
            self.server.publish("callback_query", query | sender, TAP_KEPT)
            return press

    def stand(self, standing: Standing, by: Json) -> None:
        """Changes what the bot is here, and tells it."""

        def member(standing: Standing) -> Json:
            gone = standing in ("blocked", "kicked")
            status = {"status": "kicked", "until_date": 0} if gone else {"status": standing}
            return {"user": self.server.bot} | status

        with self.server.changed:
            change = {"old_chat_member": member(self.standing), "new_chat_member": member(standing)}
            self.standing = standing
            about = {"chat": self.card, "from": by, "date": self.server.date}
            self.server.publish("my_chat_member", about | change)

    def _act(self, person: Person) -> None:
        assert self.standing != "blocked", "who blocks the bot cannot write to it"
        self.standing = "member" if self.standing == "stranger" else self.standing
        self.acted = self.server.tick()

    def _is_for_bot(self, raw: Json) -> bool:
        """In a group a bot hears commands, replies to it and mentions, unless its privacy mode is off."""
        if self.type == "private" or "text" not in raw:
            return True
        to_bot = raw.get("reply_to_message", {}).get("from", {}).get("id") == BOT_ID
        named = raw["text"].startswith("/") or f"@{self.server.username}" in raw["text"]
        return self.standing == "member" and (to_bot or named or self.server.reads_all_group_messages)


@dataclass(eq=False)
class Person:
    """Somebody with a Telegram account and a private chat with the bot, who may act in groups too."""

    server: TelegramServer = field(repr=False)
    card: Json
    chat: Chat = field(init=False)
    alerts: list[str] = field(default_factory=list)

    @property
    def id(self) -> int:
        return int(self.card["id"])

    @property
    def last(self) -> Message:
        return self.chat.last

    def sees(self, wanted: Wanted, timeout: float = 20, all: bool = False) -> Message:
        return self.chat.sees(wanted, timeout, all)

    def starts(self, payload: str | None = None) -> Message:
        """Presses Start; the apps drop the payload of a link that is not 1 to 64 of A-Z a-z 0-9 _ -."""
        kept = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload or "")
        return self.says(f"/start {payload}" if kept else "/start")

    def says(
        self, text: str, chat: Chat | None = None, reply_to: Message | None = None, anonymous: bool = False
    ) -> Message:
        """Writes; an `anonymous` admin does so in the name of the group."""
        content: Json = {"text": text}
        if command := re.match(r"/\w{1,32}(@\w+)?", text, re.ASCII):
            content["entities"] = [{"type": "bot_command", "offset": 0, "length": command.end()}]
        if reply_to is not None:
            content["reply_to_message"] = without_reply(reply_to.raw)
        return self._sends(content, chat, anonymous)

    def edits(self, message: Message, text: str) -> Message:
        raw = message.raw | {"text": text, "edit_date": self.server.date}
        return message.chat.hears(self, raw, "edited_message")

    def sends_photo(self, caption: str | None = None) -> Message:
        photo = {"photo": [a_file("photo") | {"width": 90, "height": 90}]}
        return self._sends(photo | ({"caption": caption} if caption else {}))

    def sends_voice(self) -> Message:
        return self._sends({"voice": a_file("voice") | {"duration": 3, "mime_type": "audio/ogg"}})

    def sends_sticker(self) -> Message:
        shape = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self._sends({"sticker": a_file("sticker") | shape})

    def sends_location(self) -> Message:
        return self._sends({"location": {"latitude": 40.4168, "longitude": -3.7038}})

    def sends_document(self, name: str = "letter.pdf") -> Message:
        return self._sends({"document": a_file("document") | {"file_name": name}})

    def forwards(self, text: str, of: Person | None = None) -> Message:
        """Forwards somebody's words; without `of`, those of one who hides their account."""
        hidden = {"type": "hidden_user", "sender_user_name": "Somebody"}
        origin = {"type": "user", "sender_user": of.card} if of else hidden
        return self._sends({"text": text, "forward_origin": origin | {"date": self.server.date - 60}})

    def shares_contact(self, phone: str, of: Person | None = None) -> Message:
        """Shares their own contact, as the button that asks for it does, or another one's."""
        shared = of or self
        contact = {"phone_number": phone, "first_name": shared.card["first_name"], "user_id": shared.id}
        return self._sends({"contact": contact})

    def presses(
        self,
        label: Wanted,
        message: Message | None = None,
        chat: Chat | None = None,
        anonymous: bool = False,
        timeout: float = 20,
    ) -> Press:
        """Taps an inline button of `message` as given, or of the newest in the chat that has one so labelled.

        A key of a reply keyboard is no such button: it writes, as `says` and `shares_contact` do. In a tap
        Telegram names even an anonymous admin; `anonymous` names the stand-in, whom no bot may credit.
        """
        where = chat or self.chat

        def newest() -> Message | None:
            inline = (m for m in reversed(where.kept.values()) if "inline_keyboard" in m.markup)
            return next((m for m in inline if m.key(label)), None)

        complaint = f"{self.card['first_name']} found no button {label!r}; "
        found = message or self.server.until(newest, timeout, lambda: complaint + where.story())
        return self.presses_data(found, found.data(label), anonymous)

    def presses_data(self, message: Message, data: str, anonymous: bool = False) -> Press:
        """Sends a tap with any data, as an outdated screen or a forged client would."""
        return message.chat.taps(self, message.id, data, anonymous)

    def blocks(self) -> None:
        self.chat.stand("blocked", self.card)

    def unblocks(self) -> None:
        self.chat.stand("member", self.card)

    def _sends(self, content: Json, chat: Chat | None = None, anonymous: bool = False) -> Message:
        where = chat or self.chat
        with self.server.changed:
            group = {"sender_chat": where.card} if anonymous else {}
            raw = where.blank(ANONYMOUS_ADMIN if anonymous else self.card)
            return where.hears(self, raw | group | content)


@dataclass(eq=False)
class Group:
    """A group with the bot in it; `chat` is the supergroup's chat once it has become one."""

    chat: Chat

    @property
    def last(self) -> Message:
        return self.chat.last

    def sees(self, wanted: Wanted, timeout: float = 20, all: bool = False) -> Message:
        return self.chat.sees(wanted, timeout, all)

    def kicks_bot(self) -> None:
        self.chat.stand("kicked", self.chat.members[0].card)


class TelegramServer:
    """The server: what a test calls is synchronous, and may be called from any thread."""

    def __init__(
        self,
        token: str = f"{BOT_ID}:AA-not-a-real-token",
        username: str = "prescreen_test_bot",
        query_life: float = 15,
        reads_all_group_messages: bool = False,
        seed: int = 1,
    ) -> None:
        self.token, self.username = token, username
        self.query_life, self.reads_all_group_messages = query_life, reads_all_group_messages
        self.clock = Clock()
        self.changed = threading.Condition(threading.RLock())
        self.calls: list[Call] = []
        self.offsets: list[Poll] = []
        self.deliveries: list[Delivery] = []
        self.problems: list[str] = []
        self.chats: dict[int, Chat] = {}
        self.presses: dict[str, Press] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.profile: dict[str, dict[str, str]] = {"name": {}, "description": {}, "short_description": {}}
        self.menu_buttons: dict[int, Json] = {}
        self.webhook: Json | None = None
        self.webhook_faults = WebhookFaults(self.changed)
        self.habits = Habits()
        self.on_confirm: Callable[[list[int]], None] | None = None
        self._random = random.Random(seed)
        self.queue = UpdateQueue(self.clock, self._random.randrange(400_000_000, 900_000_000))
        self._failures: list[Failure] = []
        self._ticks = 0
        self._waiting: asyncio.Future[None] | None = None
        self._courier: Courier | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._polls, self._ended_by = 0, ""
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    # Up and down

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10), "the server did not come up"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        """What python-telegram-bot takes as its `base_url`; the token follows straight after it."""
        return f"http://127.0.0.1:{self._port}/bot"

    async def _live(self) -> None:
        self._loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        # Cancelling lets a poll end with the bot that asked, however it died.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        self._up.set()
        await self._down.wait()
        self.hang_up()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await runner.cleanup()

    # People and groups

    def person(
        self,
        first_name: str,
        language_code: str = "en",
        last_name: str | None = None,
        username: str | None = None,
    ) -> Person:
        names = {"first_name": first_name, "last_name": last_name, "username": username}
        card = {"id": 6_000_000_000 + self._random.randrange(10**9)} | {k: v for k, v in names.items() if v}
        person = Person(self, card | {"is_bot": False, "language_code": language_code})
        person.chat = self.chats[person.id] = Chat(self, card | {"type": "private"}, [person], "stranger")
        return person

    def group(
        self,
        title: str,
        members: Sequence[Person],
        kind: Literal["group", "supergroup", "forum"] = "group",
    ) -> Group:
        """A group to which its first member has just added the bot."""
        type_ = {"type": "group"} if kind == "group" else {"type": "supergroup"}
        forum = {"is_forum": True} if kind == "forum" else {}
        card: Json = {"id": self._group_id(kind != "group"), "title": title} | type_ | forum
        chat = self.chats[card["id"]] = Chat(self, card, [*members], "left")
        chat.stand("member", members[0].card)
        return Group(chat)

    def supergroup(self, group: Group) -> Chat:
        """Upgrades a group: its chat gets a new id, and the old one only a refusal that names the new."""
        with self.changed:
            old, owner = group.chat, group.chat.members[0]
            card = old.card | {"id": self._group_id(True), "type": "supergroup"}
            new = self.chats[card["id"]] = group.chat = old.migrated_to = Chat(self, card, old.members)
            old.hears(owner, old.blank(owner.card) | {"migrate_to_chat_id": new.id})
            new.hears(owner, new.blank(ANONYMOUS_ADMIN) | {"migrate_from_chat_id": old.id})
            return new

    def press_by(self, person: Person, message: Message, label: Wanted) -> Press:
        return person.presses(label, message)

    def _group_id(self, supergroup: bool) -> int:
        return -(1_002_000_000_000 if supergroup else 4_000_000_000) - self._random.randrange(10**8)

    # Time, faults and repeated deliveries

    def forward(self, seconds: float) -> None:
        with self.changed:
            self.clock.offset += seconds
            self.tick()
            self._loop.call_soon_threadsafe(self._tell_courier_the_time)

    def fail(
        self,
        method: str,
        times: float = 1,
        code: int = 429,
        retry_after: int = 1,
        description: str | None = None,
        chat_id: int | None = None,
        carried_out: bool = False,
    ) -> None:
        """Lets the next calls of `method` ("*": any) fail; code 0 drops the connection without an answer."""
        usual = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
        usual |= {400: "Bad Request", 500: "Internal Server Error", 502: "Bad Gateway"}
        wait = {"retry_after": retry_after} if code == 429 else {}
        why = description or usual.get(code, "Error") + (f": retry after {retry_after}" if wait else "")
        answer = RefusalError(code, why, **wait)
        with self.changed:
            self._failures.append(Failure(method, times, answer, chat_id, carried_out))

    def slow(
        self, method: str, seconds: float, times: float = 1, chat_id: int | None = None, drip: bool = True
    ) -> None:
        """The next calls of `method` take effect, and their answers take `seconds`: the header comes at once
        and the body byte by byte, or, without `drip`, nothing comes until all of it does."""
        manner = drips(seconds) if drip else comes_late(seconds)
        with self.changed:
            self._failures.append(Failure(method, times, None, chat_id, True, manner))

    def malformed(
        self, method: str, times: float = 1, chat_id: int | None = None, carried_out: bool = False
    ) -> None:
        """The next calls of `method` are answered by something in between: a page of HTML with status 200."""
        with self.changed:
            ok = RefusalError(200, "OK")
            self._failures.append(Failure(method, times, ok, chat_id, carried_out, becomes_html))

    def torn(self, method: str, times: float = 1, chat_id: int | None = None) -> None:
        """The next calls of `method` take effect, and the connection breaks in the middle of their answers."""
        with self.changed:
            self._failures.append(Failure(method, times, None, chat_id, True, breaks_off))

    def heal(self) -> None:
        """Ends the failures still to come, and those on the way to the webhook."""
        with self.changed:
            self._failures.clear()
            self.webhook_faults.clear()

    def duplicate_next(self, count: int = 1) -> None:
        """Each of the next `count` updates comes a second time, under its own id, after it was confirmed."""
        with self.changed:
            self.queue.twice += count

    def redeliver(self, update_id: int | None = None, new_id: bool = False) -> int:
        """Tells an update (the newest, unless one is named) once more, confirmed or not, and gives its id."""
        with self.changed:
            update = self.queue.told[update_id or next(reversed(self.queue.told))]
            if new_id:
                update = self.queue.add(update.kind, update.content)
            else:
                self.queue.repeat(update)
            self.tick()
            return update.update_id

    def restart_ids(self, lower: bool = True) -> None:
        """Begins the update ids anew at random, as after an idle week; waits until nothing is pending."""
        self.until(lambda: not self.pending, 10, lambda: f"still pending: {self.pending}")
        with self.changed:
            now = self.queue.next_id
            low, high = (10**6, now - 10**6) if lower else (now + 10**6, 2**31 - 10**6)
            self.queue.next_id = self._random.randrange(low, high)

    # What came of it

    @property
    def pending(self) -> list[Update]:
        """The updates not yet confirmed, oldest first."""
        with self.changed:
            return self.queue.pending

    @property
    def unanswered(self) -> list[Press]:
        """The taps the bot has not answered."""
        with self.changed:
            return [press for press in self.presses.values() if press.answer is None]

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def until(
        self, found: Callable[[], T | None], timeout: float = 20, otherwise: Callable[[], str] | None = None
    ) -> T:
        """Waits until `found` gives something true, and gives that; else the test fails."""
        result: T | None = None

        def is_there() -> bool:
            nonlocal result
            result = found()
            return bool(result)

        with self.changed:
            if not self.changed.wait_for(is_there, timeout) or result is None:
                raise AssertionError(f"after {timeout} s: {otherwise() if otherwise else found}")
            return result

    # What chats and methods work with

    @property
    def date(self) -> int:
        return int(self.clock.now())

    @property
    def bot(self) -> Json:
        name = self.profile["name"].get("", "Prescreen")
        return {"id": BOT_ID, "is_bot": True, "first_name": name, "username": self.username}

    def tick(self) -> int:
        """Counts a change, so that what came later is known to be later, and wakes all who wait for one."""
        with self.changed:
            self._ticks += 1
            self.changed.notify_all()
            self._loop.call_soon_threadsafe(self._wake)
            return self._ticks

    def publish(self, kind: str, content: Json, lasts: float = DAY) -> None:
        if kind in self.queue.allowed:
            self.queue.add(kind, content, lasts)
            self.tick()

    def new_query_id(self) -> str:
        return str(self._random.randrange(10**17, 10**18))

    async def poll(self, offset: int | None, limit: int, timeout: float) -> list[Json]:
        """The next updates, as soon as there are any; a poll that still waits gives way to this one."""
        self.end_poll("other getUpdates request; make sure that only one bot instance is running")
        turn, ends = self._polls, self._loop.time() + timeout
        with self.changed:
            confirmed = self.queue.confirm(offset)
            self.offsets.append(Poll(offset, confirmed, self.clock.now()))
            if confirmed and self.on_confirm is not None:
                self.on_confirm(confirmed)
            batch = self.queue.take(limit)
        while not batch and self._loop.time() < ends:
            waiting = self._waiting = self._loop.create_future()
            try:
                await asyncio.wait_for(waiting, ends - self._loop.time())
            except TimeoutError:
                break
            if self._polls != turn:
                raise RefusalError(409, f"Conflict: terminated by {self._ended_by}")
            with self.changed:
                batch = self.queue.take(limit)
        return batch

    def connect(self, hook: Json) -> None:
        """Sets a webhook, to which pending and new updates are brought from now on.

        Telegram wants https. This server never leaves loopback: it brings updates to http:// there, as what
        ends the TLS in front of a bot does, and keeps them, until a poll asks, for any https:// elsewhere.
        """
        with self.changed:
            self.webhook = hook
            if hook["url"].lower().startswith("http:"):
                courier = self._courier = Courier(self, hook, self.queue.pending)
                self._leaving.add(courier.task)
                courier.task.add_done_callback(self._leaving.discard)
                self.queue.on_add = lambda update: self._loop.call_soon_threadsafe(courier.take, update)

    def hang_up(self) -> None:
        """Ends the webhook; what was not taken stays in the queue, also what is on its way."""
        with self.changed:
            self.webhook = self.queue.on_add = None
            if self._courier is not None:
                self._courier.stop()
                self._courier = None
            self.tick()

    def record(self, deliveries: Sequence[Delivery], taken: Update | None = None) -> None:
        """Notes what came of POSTs, and that their update was `taken` if it was."""
        with self.changed:
            self.deliveries += deliveries
            if taken is not None:
                self.queue.done(taken)
                if self.on_confirm is not None:
                    self.on_confirm([taken.update_id])
            self.tick()

    def give_up(self, update: Update) -> None:
        """Drops an update that will have expired by the time of its next try."""
        with self.changed:
            self.queue.done(update)
            self.tick()

    @property
    def webhook_error(self) -> Json:
        """The last error of the webhook there is, as getWebhookInfo tells it."""
        return self._courier.error if self._courier is not None else {}

    def _tell_courier_the_time(self) -> None:
        if self._courier is not None:
            self._courier.look_at_clock()

    def end_poll(self, by: str) -> None:
        self._polls, self._ended_by = self._polls + 1, by
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # HTTP

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        token, _, name = request.path.removeprefix("/bot").partition("/")
        manner: Manner | None = None
        try:
            if token != self.token:
                raise RefusalError(401, "Unauthorized")
            params = await read_params(request)
            failure = self._failure_of(name, params)
            manner = failure.manner if failure is not None else None
            result = await self._carry_out(name, params, failure)
            answer = web.json_response({"ok": True, "result": result})
        except RefusalError as refusal:
            if not refusal.code:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            answer = web.json_response(refusal.body, status=refusal.code)
        except Exception as error:
            self.problems.append(f"{name}: the server itself failed: {error!r}.")
            answer = web.json_response(RefusalError(500, "Internal Server Error").body, status=500)
        return answer if manner is None else await manner(request, answer)

    async def carry_out(self, name: str, params: Json) -> object:
        return await self._carry_out(name, params, self._failure_of(name, params))

    def _failure_of(self, name: str, params: Json) -> Failure | None:
        with self.changed:
            known = known_name(name)
            fitting = (failure for failure in self._failures if failure.fits(known, params))
            failure = next(fitting, None) if known in METHODS else None
            if failure is not None:
                failure.times -= 1
            return failure

    async def _carry_out(self, name: str, params: Json, failure: Failure | None) -> object:
        name = known_name(name)
        with self.changed:
            self.calls.append(Call(name, params, self.clock.now()))
            self.tick()
            if name not in METHODS:
                self.problems.append(f"{name}: this server knows no such method.")
                raise RefusalError(404, "Not Found: method not found")
            unknown = sorted(params.keys() - METHODS[name].params)
            self.problems += [f"{name}: Telegram knows no parameter {param!r} here." for param in unknown]
            if failure is not None and failure.answer is not None and not failure.carried_out:
                raise failure.answer
            result = METHODS[name].handle(self, params)
        if isawaitable(result):
            result = await result
        if failure is not None and failure.answer is not None:
            raise failure.answer
        return result


def known_name(name: str) -> str:
    """Telegram takes the name of a method in any case."""
    return next((known for known in METHODS if known.lower() == name.lower()), name)


# Odd manners of answering


def comes_late(seconds: float) -> Manner:
    async def send(request: web.Request, answer: web.Response) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return answer

    return send


def drips(seconds: float) -> Manner:
    async def send(request: web.Request, answer: web.Response) -> web.StreamResponse:
        response, body = await begin(request, answer)
        begun = time.monotonic()
        for sent in range(len(body)):
            await asyncio.sleep(begun + seconds * (sent + 1) / len(body) - time.monotonic())
            await response.write(body[sent : sent + 1])
        return response

    return send


async def becomes_html(request: web.Request, answer: web.Response) -> web.StreamResponse:
    page = "<html><head><title>Please wait</title></head><body><h1>Back in a moment</h1></body></html>"
    return web.Response(status=200, text=page, content_type="text/html")


async def breaks_off(request: web.Request, answer: web.Response) -> web.StreamResponse:
    response, body = await begin(request, answer)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def begin(request: web.Request, answer: web.Response) -> tuple[web.StreamResponse, bytes]:
    """Sends the header of an answer, and gives the body that it promises."""
    body = (answer.text or "").encode()
    header = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    response = web.StreamResponse(status=answer.status, headers=header)
    await response.prepare(request)
    return response, body


# Reading a request


async def read_params(request: web.Request) -> Json:
    """The parameters of a call, whether from its query, its JSON body or its form, as plain values."""
    given: Json = dict(request.query)
    given |= await request.json() if request.content_type == "application/json" else await request.post()
    uploads = {k: Upload(v.filename, v.file.read()) for k, v in given.items() if isinstance(v, web.FileField)}
    params = {k: read_param(k, v) for k, v in given.items() if v is not None and k not in uploads}
    for name, value in params.items():
        if isinstance(value, str) and value.startswith("attach://"):
            params[name] = uploads.pop(value.removeprefix("attach://"), value)
    return params | uploads


def read_param(name: str, value: Any) -> Any:
    if name in TEXT_PARAMS:
        return str(value)
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def units(text: str) -> int:
    """The length of a text in UTF-16 units, which is how Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(source: str) -> tuple[str, list[Json]]:
    """The plain text and the entities of a text in Telegram's HTML."""

    def unparsable(what: str) -> RefusalError:
        return bad_request(f"can't parse entities: {what}")

    text, at, opened, entities = "", 0, list[tuple[str, Json]](), list[Json]()
    for tag in TAG.finditer(source):
        text, at = text + unescape(source[at : tag.start()]), tag.end()
        closing, name, rest, end = tag.groups()
        where = f"at byte offset {len(source[: tag.start()].encode())}"
        if not end:
            raise unparsable(f"Unclosed {'end' if closing else 'start'} tag {where}")
        if closing:
            if not opened:
                raise unparsable(f"Unexpected end tag {where}")
            start, entity = opened.pop()
            if name.lower() != start:
                raise unparsable(f'Unmatched end tag {where}, expected "</{start}>", found "</{name}>"')
            entities.append(entity | {"length": units(text) - entity["offset"]})
        elif kind := TAG_ENTITIES.get(name.lower()):
            link = re.search(r"""href=["']?([^"'\s]+)""", rest) if kind == "text_link" else None
            url = {"url": unescape(link.group(1))} if link else {}
            opened.append((name.lower(), {"type": kind, "offset": units(text)} | url))
        else:
            raise unparsable(f'Unsupported start tag "{name}" {where}')
    if opened:
        raise unparsable(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return text + unescape(source[at:]), [entity for entity in entities if entity["length"]]


def check_entities(entities: list[Json], text: str) -> None:
    for entity in entities:
        if not {"type", "offset", "length"} <= entity.keys():
            raise bad_request("can't parse MessageEntity: type, offset and length are needed")
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if not 0 <= start <= end <= units(text):
            past = f"ends after the end of the text at UTF-16 offset {end}"
            raise bad_request(f"entity beginning at UTF-16 offset {start} {past}")


def formatted(server: TelegramServer, params: Json, name: str, entities_name: str) -> Json:
    """A text or caption and its entities, as a message keeps them."""
    text, mode = params.get(name, ""), params.get("parse_mode", "").lower()
    entities = params.get(entities_name) or []
    if mode == "html":
        text, entities = parse_html(text)
    elif mode in ("markdown", "markdownv2"):
        server.problems.append(f"{name}: this server does not read {mode}; send HTML or entities.")
    elif mode:
        raise bad_request("unsupported parse_mode")
    check_entities(entities, text)
    return ({name: text} if text else {}) | ({entities_name: entities} if entities else {})


def text_of(server: TelegramServer, params: Json) -> Json:
    if not params.get("text"):
        raise bad_request("message text is empty")
    content = formatted(server, params, "text", "entities")
    if not content.get("text", "").strip():
        raise bad_request("text must be non-empty")
    if units(content["text"]) > 4096:
        raise bad_request("message is too long")
    return content


def caption_of(server: TelegramServer, params: Json) -> Json:
    content = formatted(server, params, "caption", "caption_entities")
    if units(content.get("caption", "")) > 1024:
        raise bad_request("message caption is too long")
    return content


def markup_of(server: TelegramServer, chat: Chat, params: Json) -> Json:
    """The checked reply markup; a label that a phone would cut off is a problem, though no error."""
    markup = params.get("reply_markup") or {}
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    inline, keyboard = markup.get("inline_keyboard") or [], markup.get("keyboard") or []
    if sum(len(row) for row in [*inline, *keyboard]) > 100:
        raise bad_request("reply markup is too long")
    for row in inline:
        for key in row:
            check_inline_key(key)
            if len(row) > 1 and len(key["text"]) > 20:
                crowded = f"{key['text']!r} shares its row and has {len(key['text'])} characters"
                server.problems.append(f"The button {crowded}; over 20, a phone cuts it off.")
    for key in (key for row in keyboard for key in row if isinstance(key, dict)):
        if chat.type != "private" and key.get("request_contact"):
            raise bad_request("phone number can be requested in private chats only")
        if chat.type != "private" and key.get("request_location"):
            raise bad_request("location can be requested in private chats only")
    return markup if inline or keyboard or markup.get("remove_keyboard") or markup.get("force_reply") else {}


def check_inline_key(key: Json) -> None:
    if not key.get("text"):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if url := key.get("url"):
        if not re.match(r"(https?|tg|ton)://\S", url):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    elif not key.get("callback_data"):
        unallowed = "Text buttons are unallowed in the inline keyboard"
        raise bad_request(f"can't parse inline keyboard button: {unallowed}")
    elif len(key["callback_data"].encode()) > 64:
        raise bad_request("BUTTON_DATA_INVALID")


def chat_of(server: TelegramServer, params: Json, write: bool = True) -> Chat:
    if params.get("chat_id") in (None, ""):
        raise bad_request("chat_id is empty")
    chat = server.chats.get(params["chat_id"])
    if chat is None or (chat.standing == "stranger" and not write):
        raise bad_request("chat not found")
    if write and (refusal := chat.refusal()):
        raise refusal
    return chat


def language_of(params: Json) -> str:
    language = str(params.get("language_code", ""))
    if not re.fullmatch("([a-z]{2})?", language):
        raise bad_request("invalid language code specified")
    return language


def scope_of(server: TelegramServer, params: Json) -> str:
    """A command scope in one text: "default", "all_private_chats", "chat 123", "chat_member -100123 456"."""
    scope = params.get("scope") or {"type": "default"}
    if "chat_id" in scope:
        chat_of(server, {"chat_id": read_param("chat_id", scope["chat_id"])}, write=False)
    return " ".join(str(scope[part]) for part in ("type", "chat_id", "user_id") if part in scope)


def without_reply(raw: Json) -> Json:
    return {name: value for name, value in raw.items() if name != "reply_to_message"}


def a_file(name: str) -> Json:
    return {"file_id": f"{name}-file-id", "file_unique_id": f"{name}-unique-id", "file_size": 2048}


# The methods


async def get_updates(server: TelegramServer, params: Json) -> list[Json]:
    if server.webhook is not None:
        cure = "use deleteWebhook to delete the webhook first"
        raise RefusalError(409, f"Conflict: can't use getUpdates method while webhook is active; {cure}")
    server.queue.allow(params.get("allowed_updates"))
    limit = min(max(params.get("limit", 100), 1), 100)
    timeout = min(max(params.get("timeout", 0), 0), LONGEST_POLL)
    return await server.poll(params.get("offset"), limit, timeout)


def set_webhook(server: TelegramServer, params: Json) -> bool:
    """Sets another webhook or, without a `url`, none; the one there was ends even if the new one is refused."""
    hook, url, drop = server.webhook or {}, params.get("url"), params.get("drop_pending_updates")
    if drop or any(hook.get(name) != params.get(name) for name in WEBHOOK - words("allowed_updates")):
        server.hang_up()
        if drop:
            server.queue.clear()
        if url:
            check_webhook(url, params.get("secret_token", ""))
            server.end_poll("setWebhook request")
            server.connect(params)
    if url:
        server.queue.allow(params.get("allowed_updates"))
    return True


def check_webhook(url: str, secret: str) -> None:
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not re.fullmatch("[A-Za-z0-9_-]*", secret):
        raise bad_request("secret token contains unallowed characters")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        inside = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        inside = False
    if url.lower().startswith("http:") and not inside:
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")


def connections_of(hook: Json) -> int:
    given = hook.get("max_connections")
    return min(max(given, 1), 100) if isinstance(given, int) else 40


def get_webhook_info(server: TelegramServer, params: Json) -> Json:
    info = {"url": "", "has_custom_certificate": False, "pending_update_count": len(server.pending)}
    if server.webhook is not None:
        hook = server.webhook
        info |= {name: hook[name] for name in ("url", "ip_address") if name in hook}
        info |= {"max_connections": connections_of(hook)} | server.webhook_error
    if server.queue.allowed != USUAL_KINDS:
        info["allowed_updates"] = sorted(server.queue.allowed)
    return info


def get_me(server: TelegramServer, params: Json) -> Json:
    can = {"can_join_groups": True, "can_read_all_group_messages": server.reads_all_group_messages}
    return server.bot | can | dict.fromkeys(words("supports_inline_queries can_connect_to_business"), False)


def send(server: TelegramServer, params: Json, content: Json) -> Json:
    chat = chat_of(server, params)
    markup = markup_of(server, chat, params)
    extra: Json = {"reply_markup": markup} if "inline_keyboard" in markup else {}
    if params.get("protect_content"):
        extra["has_protected_content"] = True
    if chat.card.get("is_forum") and "message_thread_id" in params:
        extra |= {"message_thread_id": params["message_thread_id"], "is_topic_message": True}
    if reply := params.get("reply_parameters"):
        answered = chat.kept.get(reply.get("message_id"))
        if answered is None and not reply.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        extra |= {"reply_to_message": without_reply(answered.raw)} if answered else {}
    return chat.keep(chat.blank(server.bot) | content | extra, markup, from_bot=True).raw


def send_message(server: TelegramServer, params: Json) -> Json:
    return send(server, params, text_of(server, params))


def send_photo(server: TelegramServer, params: Json) -> Json:
    if not params.get("photo"):
        raise bad_request("there is no photo in the request")
    content = {"photo": [a_file("photo") | {"width": 800, "height": 600}]}
    return send(server, params, content | caption_of(server, params))


def send_document(server: TelegramServer, params: Json) -> Json:
    given = params.get("document")
    if not given:
        raise bad_request("there is no document in the request")
    name = {"file_name": given.name} if isinstance(given, Upload) else {}
    return send(server, params, {"document": a_file("document") | name} | caption_of(server, params))


def edit(server: TelegramServer, params: Json, content: Json) -> Json:
    """Puts new content, if there is any, and the inline keyboard given, or none, in the place of the old."""
    chat = chat_of(server, params)
    old = chat.kept.get(params.get("message_id", 0))
    if old is None:
        raise bad_request("message to edit not found")
    if not old.from_bot or (old.markup and "inline_keyboard" not in old.markup):
        raise bad_request("message can't be edited")
    if content and "text" not in old.raw:
        raise bad_request("there is no text in the message to edit")
    markup = markup_of(server, chat, params)
    if markup and "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    replaced = words("reply_markup text entities") if content else words("reply_markup")
    raw = {name: value for name, value in old.raw.items() if name not in replaced} | content
    raw |= {"reply_markup": markup} if markup else {}
    if raw == old.raw:
        new, current = "specified new message content and reply markup", "a current content and reply markup"
        raise bad_request(f"message is not modified: {new} are exactly the same as {current} of the message")
    return chat.keep(raw | {"edit_date": server.date}, markup, from_bot=True).raw


def edit_message_text(server: TelegramServer, params: Json) -> Json:
    return edit(server, params, text_of(server, params))


def edit_message_reply_markup(server: TelegramServer, params: Json) -> Json:
    return edit(server, params, {})


def delete_message(server: TelegramServer, params: Json) -> bool:
    if params.get("message_id") not in chat_of(server, params).kept:
        raise bad_request("message to delete not found")
    return delete_messages(server, params | {"message_ids": [params["message_id"]]})


def delete_messages(server: TelegramServer, params: Json) -> bool:
    """Deletes those there are, or, if one of them may not go, none."""
    chat, ids = chat_of(server, params), params.get("message_ids") or []
    if not ids:
        raise bad_request("message identifiers are not specified")
    if len(ids) > 100:
        raise bad_request("too many message identifiers specified")
    found = [chat.kept[message_id] for message_id in ids if message_id in chat.kept]
    if any(server.clock.now() - message.raw["date"] > 2 * DAY for message in found):
        raise bad_request("message can't be deleted for everyone")
    if chat.type != "private" and not all(message.from_bot for message in found):
        raise bad_request("message can't be deleted")
    for message in found:
        chat.kept.pop(message.id, None)
    server.tick()
    return True


def answer_callback_query(server: TelegramServer, params: Json) -> bool:
    press, text = server.presses.get(params.get("callback_query_id", "")), params.get("text", "")
    if press is None or press.answer is not None or server.clock.now() - press.at > server.query_life:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if units(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    press.answer = text
    press.by.alerts += [text] if text else []
    server.tick()
    return True


def send_chat_action(server: TelegramServer, params: Json) -> bool:
    if params.get("action") not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat_of(server, params)
    return True


def set_my_commands(server: TelegramServer, params: Json) -> bool:
    commands = params.get("commands") or []
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if len(command["command"]) > 32:
            raise bad_request("command length must not exceed 32")
        if not re.fullmatch("[a-z0-9_]+", command["command"]):
            raise bad_request("BOT_COMMAND_INVALID")
        if not command["description"].strip():
            raise bad_request("command description must be non-empty")
        if len(command["description"]) > 256:
            raise bad_request("command description length must not exceed 256")
    server.commands[scope_of(server, params), language_of(params)] = commands
    return True


def get_my_commands(server: TelegramServer, params: Json) -> list[Json]:
    return server.commands.get((scope_of(server, params), language_of(params)), [])


def delete_my_commands(server: TelegramServer, params: Json) -> bool:
    server.commands.pop((scope_of(server, params), language_of(params)), None)
    return True


def setter(field: str, limit: int) -> Handler:
    """A method that sets one text of the bot's profile in one language; an empty text removes it."""

    def set_text(server: TelegramServer, params: Json) -> bool:
        language, text = language_of(params), params.get(field, "")
        if units(text) > limit:
            raise bad_request(f"{field.replace('_', ' ')} is too long")
        server.profile[field][language] = text
        if not text:
            del server.profile[field][language]
        return True

    return set_text


def getter(field: str) -> Handler:
    return lambda server, params: {field: server.profile[field].get(language_of(params), "")}


def set_chat_menu_button(server: TelegramServer, params: Json) -> bool:
    chat_id = chat_of(server, params, write=False).id if "chat_id" in params else 0
    server.menu_buttons[chat_id] = params.get("menu_button") or {"type": "default"}
    return True


def get_chat(server: TelegramServer, params: Json) -> Json:
    gifts = {"accepted_gift_types": dict.fromkeys(GIFTS, False)}
    card = chat_of(server, params, write=False).card
    return card | gifts | {"accent_color_id": 0, "max_reaction_count": 11}


def get_chat_member(server: TelegramServer, params: Json) -> Json:
    chat, user_id = chat_of(server, params, write=False), params.get("user_id", 0)
    if user_id == BOT_ID:
        return {"user": server.bot, "status": "member" if chat.standing == "member" else "left"}
    account = server.chats.get(user_id)
    if account is None or account.type != "private":
        raise bad_request("user not found")
    person = account.members[0]
    return {"user": person.card, "status": "member" if person in chat.members else "left"}


def leave_chat(server: TelegramServer, params: Json) -> bool:
    chat = chat_of(server, params)
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    chat.stand("left", server.bot)
    return True


Handler = Callable[[TelegramServer, Json], object]


class Method(NamedTuple):
    handle: Handler
    params: frozenset[str]


SENDING = words(
    """business_connection_id chat_id message_thread_id direct_messages_topic_id disable_notification
    protect_content allow_paid_broadcast message_effect_id suggested_post_parameters reply_parameters
    reply_markup parse_mode"""
)
MEDIA = SENDING | words("caption caption_entities")
EDITING = words("business_connection_id chat_id message_id inline_message_id reply_markup")
TEXT = words("text parse_mode entities link_preview_options")
WEBHOOK = words("url certificate ip_address max_connections allowed_updates secret_token")
DROP = words("drop_pending_updates")
ACTION = words("business_connection_id chat_id message_thread_id action")
ANSWER = words("callback_query_id text show_alert url cache_time")
COMMANDS = words("scope language_code")
LANGUAGE = words("language_code")

METHODS: dict[str, Method] = {
    "getUpdates": Method(get_updates, words("offset limit timeout allowed_updates")),
    "setWebhook": Method(set_webhook, WEBHOOK | DROP),
    "deleteWebhook": Method(set_webhook, DROP),
    "getWebhookInfo": Method(get_webhook_info, words("")),
    "getMe": Method(get_me, words("")),
    "sendMessage": Method(send_message, SENDING | TEXT),
    "sendPhoto": Method(send_photo, MEDIA | words("photo show_caption_above_media has_spoiler")),
    "sendDocument": Method(send_document, MEDIA | words("document thumbnail disable_content_type_detection")),
    "sendChatAction": Method(send_chat_action, ACTION),
    "editMessageText": Method(edit_message_text, EDITING | TEXT),
    "editMessageReplyMarkup": Method(edit_message_reply_markup, EDITING),
    "deleteMessage": Method(delete_message, words("chat_id message_id")),
    "deleteMessages": Method(delete_messages, words("chat_id message_ids")),
    "answerCallbackQuery": Method(answer_callback_query, ANSWER),
    "setMyCommands": Method(set_my_commands, COMMANDS | words("commands")),
    "getMyCommands": Method(get_my_commands, COMMANDS),
    "deleteMyCommands": Method(delete_my_commands, COMMANDS),
    "setMyName": Method(setter("name", 64), LANGUAGE | words("name")),
    "getMyName": Method(getter("name"), LANGUAGE),
    "setMyDescription": Method(setter("description", 512), LANGUAGE | words("description")),
    "getMyDescription": Method(getter("description"), LANGUAGE),
    "setMyShortDescription": Method(setter("short_description", 120), LANGUAGE | words("short_description")),
    "getMyShortDescription": Method(getter("short_description"), LANGUAGE),
    "setChatMenuButton": Method(set_chat_menu_button, words("chat_id menu_button")),
    "getChat": Method(get_chat, words("chat_id")),
    "getChatMember": Method(get_chat_member, words("chat_id user_id")),
    "leaveChat": Method(leave_chat, words("chat_id")),
}
