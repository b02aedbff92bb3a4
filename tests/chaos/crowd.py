"""Many people who talk to the bot at once: each answers as soon as a question is on their screen."""

from __future__ import annotations

import random
import time
from typing import Any

from flows.flow import Flow
from tests.conftest import FINE, TYPED
from tests.journeys.dialogue import CONTACT, Chat
from tests.telegram_server import Message, Person, TelegramServer

ANSWERS: dict[str, Any] = {**FINE, **TYPED, **CONTACT, "send_person": "send"}


PATIENCE = 3.0
"""Seconds after which somebody answers a question again that they have answered already."""


class Walker:
    """One person on one of three ways: through every question, to a person at once, or away after a while."""

    def __init__(self, chat: Chat, way: str, chance: random.Random) -> None:
        self.chat, self.way, self.chance = chat, way, chance
        self.person: Person = chat.person
        self.answered: list[str] = []
        self.begun = self.done = False
        self._acted_at = 0.0

    def looks(self, names: dict[Any, str]) -> bool:
        """Does what there is to do now. Returns whether anything was done."""
        if not self.begun:
            self.begun = True
            self.person.starts()
            return True
        screen = self._question()
        if screen is None:
            return False
        key = (screen.text, tuple(label for row in screen.buttons for label in row))
        if key not in names:
            names[key] = self.chat._question(screen)
        step = names[key]
        waited = time.monotonic() - self._acted_at
        if step in self.answered and waited < PATIENCE:  # it was answered: perhaps the next one is on its way
            return False
        self._acted_at = time.monotonic()
        if not step:  # the menu after a wish for a person
            wish = screen.key(self.chat.button("person_now"))
            if wish is not None:
                self.person.presses_data(screen, wish["callback_data"])
            return wish is not None
        if self._has_enough(step):
            self.done = True
        elif self.way == "person" and step == "diagnosis" and "person" not in self.answered:
            self.answered.append("person")
            self.person.says("/person")
        else:
            self._answers(step, screen)
            self.answered.append(step)
        return True

    def _has_enough(self, step: str) -> bool:
        if self.way == "away":
            return len(self.answered) >= 6
        return bool({"send", "send_person"} & set(self.answered)) and step not in ("send", "send_person")

    def _question(self) -> Message | None:
        """The newest question on the screen since the person last acted."""
        chat = self.person.chat
        with chat.server.changed:
            for message in reversed(chat.kept.values()):
                fresh = message.from_bot and message.changed > chat.acted
                if fresh and "inline_keyboard" in message.markup:
                    return message
        return None

    def _answers(self, step: str, screen: Message) -> None:
        value = ANSWERS[step]
        times = 2 if self.chance.random() < 0.1 else 1
        if value is None or value == () or self.chat._step(step).source or self.chat._step(step).option(value):
            label = self._label(step, value)
            data = screen.data(label)
            for _ in range(times):
                self.person.presses_data(screen, data)
        else:
            self.person.says(str(value))

    def _label(self, step: str, value: Any) -> str:
        found = self.chat._step(step)
        if value is None:
            own = found.unsure_label and self.chat.text(found.context, found.unsure_label)
            return own or self.chat.button("not_sure")
        if value == ():
            own = found.none_label and self.chat.text(found.context, found.none_label)
            return own or self.chat.button("none_of_these")
        return self.chat.option(step, value)


class Crowd:
    """``people`` walkers, at most ``at_once`` of them under way."""

    def __init__(self, server: TelegramServer, flow: Flow, people: int, at_once: int, seed: int) -> None:
        chance = random.Random(seed)
        ways = chance.choices(("all", "person", "away"), (1, 5, 4), k=people)
        self.waiting = [Walker(Chat(server.person("Rosa"), flow), way, chance) for way in ways]
        self.all = [*self.waiting]
        self.under_way: list[Walker] = []
        self.at_once = at_once
        self._names: dict[Any, str] = {}

    def tick(self) -> None:
        """Lets everybody who has something on the screen act once."""
        while self.waiting and len(self.under_way) < self.at_once:
            self.under_way.append(self.waiting.pop())
        for walker in self.under_way:
            walker.looks(self._names)
        self.under_way = [walker for walker in self.under_way if not walker.done]

    @property
    def done(self) -> bool:
        return not self.waiting and not self.under_way

    @property
    def leads(self) -> set[str]:
        """The chats of those who sent their request."""
        sent = {"send", "send_person"}
        return {str(walker.person.id) for walker in self.all if sent & set(walker.answered)}

    def story(self) -> str:
        return "\n".join(walker.person.chat.story() for walker in self.under_way[:3])
