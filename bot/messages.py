"""The shell's shared vocabulary: what comes in, what goes out, and what a channel can do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

WEB = "web"
"""The channel whose page is ours: it reads what is said from the transcript."""
MAIL, HOOK = "mail", "hook"
"""Channels that only send: a chat is an address, and the one system that hears what becomes of leads."""
SUBSCRIBER = "subscriber"
"""The one chat of the webhook: its address may be a secret and may change, so no row names it."""


def lane_of(channel: str, chat: str) -> str:
    """One chat of one channel: what happens in it happens in order."""
    return f"{channel}:{chat}"


Came = Literal["text", "press", "picks", "start", "contact", "media", "edited", "blocked", "unblocked", "elapsed"]


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing that one person did, in no channel's own terms."""

    channel: str
    external_id: str
    """The provider's id of the message or the press itself: seen twice, it counts once. Not the id of the
    update around it, which may differ for the same message, or start anew."""
    chat: str
    sender: str
    kind: Came
    text: str = ""
    """What was typed (under a picture, or edited in, too), or the payload of a start link, or what a reminder
    is about."""
    press: str = ""
    """The data of the button that was pressed; for picks, of each box that was ticked, with spaces between."""
    callback: str = ""
    """What the channel wants answered at once, so that the button stops waiting."""
    message: str = ""
    """The provider's id of the message that the press or the edit is on."""
    language: str = ""
    """The language tag of the person's app: a first guess."""
    verified: bool = False
    """A shared phone number belongs to the sender."""
    group: bool = False
    at: datetime | None = None
    """When it was sent, as far as the provider tells; None is now."""

    @property
    def lane(self) -> str:
        return lane_of(self.channel, self.chat)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to send, as the outbox keeps it. Plain data, rendered by the channel when it goes out."""

    text: str
    rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Rows of buttons: label and data."""
    again: bool = False
    """Put in place of the question before it, where the channel can."""
    share_phone: str = ""
    drop_keyboard: bool = False
    protect: bool = False
    """May not be copied or forwarded: it names a person."""
    edits: str = ""
    """The provider's id of the message this one takes the place of."""
    numbered: int = 0
    """How many of the buttons the text already lists with their numbers."""
    deletes: tuple[str, ...] = ()
    """Messages of this chat that go, by the provider's ids, where the channel can."""
    commands: tuple[tuple[str, str], ...] = ()
    """The chat's command menu from now on: name and words."""
    to: str = ""
    """The address it goes to, where the row may not name it: a person's own. The chat is then one of ours."""
    subject: str = ""
    """What stands above it, where the channel has such a line."""
    picture: str = ""
    """``trial/name`` of a drawing (``bot.pictures``), which the text says in words: its caption, its text
    alternative, or all there is where a channel shows no pictures."""
    key: str = ""
    """The same whenever this message is sent again, and no other one's: where the channel can say so, whoever
    gets it twice can tell."""

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "text": self.text,
            "rows": [[list(button) for button in row] for row in self.rows],
            "again": self.again,
            "share_phone": self.share_phone,
            "drop_keyboard": self.drop_keyboard,
            "protect": self.protect,
            "edits": self.edits,
            "numbered": self.numbered,
            "deletes": list(self.deletes),
            "commands": [list(command) for command in self.commands],
        }
        if self.key or self.subject:  # the release before knows neither, and has no channel that needs them
            data |= {"subject": self.subject, "key": self.key}
        if self.to:
            data |= {"to": self.to}
        if self.picture:
            data |= {"picture": self.picture}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Envelope:
        rows = tuple(tuple((label, value) for label, value in row) for row in data["rows"])
        commands = tuple((name, text) for name, text in data["commands"])
        return cls(**{**data, "rows": rows, "commands": commands, "deletes": tuple(data["deletes"])})


Fate = Literal["sent", "later", "unsure", "refused", "gone", "moved"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a send.

    sent: the provider has it. later: it surely does not; try again after ``wait`` seconds. unsure: it may
    have it. refused: it never will (a bad request). gone: the person blocked the bot. moved: the chat has
    the new id ``provider_id``.
    """

    fate: Fate
    provider_id: str = ""
    """What it may be edited by; "" where nothing can be."""
    wait: float = 0.0
    longest: float = 0.0
    """The wait doubles with every try, up to so many seconds; 0 where it stays as it is."""
    code: str = ""
    """What kind of error it was, for the metrics."""
    limited: bool = False
    """The messenger said that we talk too much."""


class Channel(Protocol):
    """A messenger. ``parse`` is pure; ``send`` is the only part that touches the network."""

    @property
    def name(self) -> str: ...

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        """Sends one message. ``last`` is the provider's id of the question before it, "" if none."""


def fingerprint(key: str) -> str:
    """An envelope's key as the world sees it: 32 hexadecimal digits, always the same."""
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


ROOM = 3500
"""UTF-16 units in one message: below every messenger's limit, with room for a tick or two."""


def chunks(text: str, room: int = ROOM) -> list[str]:
    """A long text as several messages, cut at line ends, else at spaces, never inside a character."""
    parts: list[str] = []
    while _units(text) > room:
        cut = room
        while _units(text[:cut]) > room:
            cut -= max(1, (_units(text[:cut]) - room) // 2)
        at = max(text.rfind("\n", 0, cut), 0) or max(text.rfind(" ", 0, cut), 0) or cut
        parts.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*parts, text]


def parts(envelope: Envelope) -> list[Envelope]:
    """An envelope as messages that are short enough: the last has the buttons, and long ones replace none."""
    *first, last = chunks(envelope.text)
    if not first:
        return [envelope]
    whole = replace(envelope, edits="")
    return [*(replace(whole, text=text, rows=()) for text in first), replace(whole, text=last)]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
