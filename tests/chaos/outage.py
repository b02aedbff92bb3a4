"""23 hours of outage with 10,000 updates waiting: how long they take to drain, in which order, and what people see."""

from __future__ import annotations

import time
from pathlib import Path

from flows.flow import Flow
from tests.chaos.checks import Figures, check
from tests.journeys.bot_process import BotProcess
from tests.journeys.dialogue import Chat
from tests.telegram_server import Message, TelegramServer

HOURS = 23 * 3600


def lasts(
    folder: Path, flow: Flow, people: int = 1000, each: int = 10, speed: str = "1"
) -> tuple[Figures, float, float]:
    """Returns what was found, the seconds until every update was taken, and until every reply had gone.

    ``speed``: times Telegram's standard limits, which bind here: 25 messages a second.
    """
    with TelegramServer() as server:
        team = server.group("Study team", [server.person("Mara")])
        bot = BotProcess(server, folder, team)
        chats = [Chat(server.person("Rosa"), flow) for _ in range(people)]
        screens: list[Message] = []
        bot.start()
        for chat in chats:
            chat.starts()
        for chat in chats:
            screens.append(chat.asked("language"))
        bot.settles(120)
        bot.stop()
        server.forward(60)
        for number in range(each - 1):
            for chat in chats:
                chat.types(f"is somebody there? {number}")
        server.forward(HOURS)
        for chat, screen in zip(chats, screens, strict=True):
            chat.person.presses_data(screen, screen.data("English"))  # an old button, and still the right one
        waiting = len(server.pending)
        began = time.monotonic()
        bot.environment["SEND_SPEED"] = speed
        bot.start()
        bot.settles(600)
        drained = time.monotonic() - began
        while [chat for chat in chats if not _asked_on(chat)]:
            assert time.monotonic() - began < 900, "somebody was not answered"
            time.sleep(0.5)
        bot.stop()
        figures = check(server, bot.environment["DATABASE_URL"], team.chat.id, folder, Figures(), set())
        if waiting != people * each:
            figures.problems.append(f"{waiting} updates waited, not {people * each}")
        return figures, drained, time.monotonic() - began


def _asked_on(chat: Chat) -> bool:
    """The language was taken, so the consent page is the last thing on the screen."""
    return any(chat.asks(message, "consent") for message in chat.news())
