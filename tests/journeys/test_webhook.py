"""By webhook as by polling: the same conversation, nothing lost through a kill, an outage or a change of mode."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from tests.conftest import FINE
from tests.journeys.conftest import House

pytestmark = pytest.mark.slow


def by_webhook(house: House) -> str:
    """Starts the bot again with a webhook, on a port of the system's; returns where it listens."""
    house.bot.stop()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    house.bot.environment |= {
        "BOT_MODE": "webhook",
        "LISTEN": listen,
        "WEBHOOK_URL": f"http://{listen}/telegram",
        "WEBHOOK_SECRET": "s" * 40,
    }
    house.bot.start()
    return listen


def by_polling(house: House) -> None:
    house.bot.stop()
    house.bot.environment["BOT_MODE"] = "polling"
    house.bot.start()


def test_a_conversation_by_webhook(house: House) -> None:
    listen = by_webhook(house)
    rosa = house.chat().starts().walks_to("mri")
    with urllib.request.urlopen(f"http://{listen}/healthz", timeout=5) as answer:
        assert answer.read() == b"ok\n"
    assert house.server.calls_of("setWebhook")[-1].params["secret_token"] == "s" * 40
    assert {delivery.outcome for delivery in house.server.deliveries} <= {200, "Connection refused"}
    assert house.records.conversation(rosa.person)["step"] == "mri"
    assert house.server.problems == []


def test_nothing_is_lost_through_a_kill_and_an_outage(house: House) -> None:
    by_webhook(house)
    rosa = house.chat().starts().walks_to("knee")
    screen = rosa.asked("knee")
    house.quiet()
    house.bot.kill()
    rosa.person.presses(rosa.option("knee", "both"), screen)  # nobody is there: Telegram keeps it and tries again
    house.bot.start()
    assert rosa.open_step() == "diagnosis"
    rosa.walks_to("walking_aid")
    answers = house.records.answers(rosa.person)
    assert answers["knee"] == "both" and answers["past_week"] == FINE["past_week"]
    assert house.server.problems == []


def test_switching_modes_loses_nothing(house: House) -> None:
    rosa = house.chat().starts().walks_to("knee")
    by_webhook(house)
    rosa.walks_to("how_long")
    by_polling(house)
    rosa.walks_to("walking_aid")
    by_webhook(house)
    rosa.walks_to("mri")
    answers = house.records.answers(rosa.person)
    assert {step: answers[step] for step in ("knee", "how_long", "walking_aid")} == {
        step: FINE[step] for step in ("knee", "how_long", "walking_aid")
    }
    assert house.server.problems == []


def test_what_comes_twice_by_webhook_counts_once(house: House) -> None:
    by_webhook(house)
    rosa = house.chat().starts().walks_to("birth")
    house.server.webhook_faults.duplicate_next(1)
    rosa.types("1964").asked("knee")
    house.quiet()
    assert house.records.given_twice(rosa.person) == []
    house.server.webhook_faults.cut_next(1)
    rosa.walks_to("diagnosis")
    house.quiet()
    assert house.records.given_twice(rosa.person) == []
    assert house.server.problems == []
