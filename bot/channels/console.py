"""The terminal as a channel: the same turns and the same outbox, without a token or a network."""

from __future__ import annotations

import secrets

from bot.messages import Envelope, Inbound, Sent
from flows.tidy import fold, whole_number

NAME = "console"
ME = "you"


class Console:
    """Prints what is sent, and reads a line as an answer or as one of the buttons on the screen."""

    name = NAME

    def __init__(self) -> None:
        self.buttons: list[tuple[str, str]] = []
        self._answers = 0
        self._session, self._lines = secrets.token_hex(4), 0

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        if envelope.share_phone:
            return Sent("sent", "0")
        print(f"\n{envelope.text}")
        answers = [row[0] for row in envelope.rows if len(row) == 1]
        others = [button for row in envelope.rows if len(row) > 1 for button in row]
        for number, (label, _) in enumerate(answers, 1):
            if number > envelope.numbered or label.startswith(("☐", "☑")):
                print(f"  {number}) {label}")
        if others:
            print("  " + " ".join(f"[{label}]" for label, _ in others))
        if envelope.rows:
            self.buttons = [*answers, *others]
            self._answers = len(answers)
        return Sent("sent", "0")

    def hear(self, line: str) -> Inbound:
        """A typed line; the number or the label of a button presses it."""
        key = self.key()
        data = self._button(line)
        if data:
            return Inbound(NAME, key, ME, ME, "press", press=data)
        if line.strip() == "/start":
            return Inbound(NAME, key, ME, ME, "start")
        return Inbound(NAME, key, ME, ME, "text", text=line)

    def _button(self, line: str) -> str:
        number = whole_number(line)
        if number is not None and 1 <= number <= self._answers:
            return self.buttons[number - 1][1]
        said = fold(line)
        found = [data for label, data in self.buttons if fold(label.lstrip("☐☑ ")) == said and said]
        return found[0] if len(found) == 1 else ""

    def key(self) -> str:
        """A new id for each line: nothing in a terminal comes twice."""
        self._lines += 1
        return f"{self._session}:{self._lines}"
