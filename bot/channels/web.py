"""The web chat as a channel: reads what its forms bring, and wakes those who look at a chat."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bot.messages import WEB, Envelope, Inbound, Sent

NAME = WEB
LONGEST = 4096
"""Characters of what is typed; above it, so many are read that the conversation can say that it is too much."""
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


def chat_of(token: str) -> str:
    """The chat behind a browser's token. The token itself is never stored."""
    return "w" + hashlib.sha256(token.encode()).hexdigest()


def parse(chat: str, form: Mapping[str, Sequence[str]], language: str = "") -> Inbound | None:
    """What a form of the page means; None for one that says nothing. Raises ValueError where it has no id.

    The id is made with the form: sent again, or pressed twice, it counts once. Other words under the same id
    are another message, as a browser may bring an old page back.
    """
    number = _first(form, "id")
    if not _ID.fullmatch(number):
        raise ValueError("no id")
    press, text, picks = _first(form, "press"), _first(form, "text")[: LONGEST + 1], form.get("pick", ())
    said = "\0".join((press, text, *picks))
    key = f"{chat}:{number}:{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    if press == PICKS:
        return Inbound(NAME, key, chat, chat, "picks", press=" ".join(picks), language=language)
    if press:
        return Inbound(NAME, key, chat, chat, "press", press=press, language=language)
    if text.strip():
        return Inbound(NAME, key, chat, chat, "text", text=text, language=language)
    return None


PICKS = "picks"
"""What the button below a list says instead of data: the boxes are the answer."""


def _first(form: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(form.get(name, ())), "")


class Web:
    """The web channel. See ``bot.messages.Channel`` for the promises."""

    name = NAME

    def __init__(self) -> None:
        self._watching: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        """There is nothing to carry: the transcript has it. Whoever looks at the chat in this process is woken."""
        self.wake(chat)
        return Sent("sent")

    def wake(self, chat: str) -> None:
        for event in self._watching.get(chat, ()):
            event.set()

    @property
    def watched(self) -> list[str]:
        """The chats that somebody looks at here."""
        return list(self._watching)

    @contextmanager
    def watch(self, chat: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever something may be new in this chat."""
        event = asyncio.Event()
        self._watching[chat].add(event)
        try:
            yield event
        finally:
            self._watching[chat].discard(event)
            if not self._watching[chat]:
                del self._watching[chat]

    def looks(self, chat: str) -> int:
        """How many look at a chat here."""
        return len(self._watching.get(chat, ()))
