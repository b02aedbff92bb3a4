"""The process may die at any moment: nothing that was confirmed is lost, and nothing is asked twice."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from bot.channels.telegram import parse
from tests.conftest import FINE
from tests.journeys.conftest import House
from tests.journeys.dialogue import CONTACT, Chat

pytestmark = pytest.mark.slow


def test_the_buttons_on_the_screen_survive_a_kill(shared: House) -> None:
    rosa = shared.chat().starts().walks_to("mri")
    screen = rosa.asked("mri")
    shared.quiet()
    shared.bot.kill()
    shared.bot.start()
    rosa.person.presses(rosa.button("none_of_these"), screen)
    page = rosa.walks_to("check").asked("check")
    for step in ("knee", "how_long", "past_week", "walking_aid"):
        assert page.says(rosa.shown(step, rosa.option(step, FINE[step])))
    assert page.says(rosa.shown("mri", rosa.button("none_of_these")))
    assert page.says(rosa.shown("birth", "1964"))
    assert _asked_twice(rosa) == []
    assert shared.server.problems == []


def test_what_comes_while_nobody_is_there_is_answered_afterwards(shared: House) -> None:
    rosa, li = shared.chat().starts().walks_to("knee"), shared.chat("Li", "zh_Hans")
    screen = rosa.asked("knee")
    shared.quiet()
    shared.bot.kill()
    rosa.person.presses(rosa.option("knee", "both"), screen)
    li.starts()
    assert len(shared.server.pending) == 2
    shared.bot.start()
    assert rosa.open_step() == "diagnosis"
    assert li.open_step() == "language"
    shared.quiet()
    assert shared.records.answers(rosa.person)["knee"] == "both"
    assert shared.server.problems == []


def test_an_update_is_confirmed_only_after_its_receipt_is_kept(shared: House) -> None:
    confirmed, without = _receipts_watched(shared)
    rosa = shared.chat().starts().walks_to("diagnosis")
    rosa.types("perhaps, who knows").person.sends_photo()
    rosa.walks_to("walking_aid")
    shared.quiet()
    assert len(confirmed) > 8 and without == []
    assert shared.server.problems == []


def test_a_stop_is_clean_and_loses_nothing(shared: House) -> None:
    rosa = shared.chat().starts().walks_to("knee")
    rosa.answers("knee", "left")
    assert shared.bot.stop() == 0
    shared.bot.start()
    rosa.asked("diagnosis")
    shared.quiet()
    assert shared.records.answers(rosa.person)["knee"] == "left"
    assert shared.server.problems == []


def test_ten_kills_in_one_conversation(shared: House) -> None:
    """At random moments while a turn is in the making. A question may be sent again, but none asked anew."""
    chance = random.Random(6570291)
    kills = set(chance.sample(range(30), 10))
    confirmed, without = _receipts_watched(shared)
    rosa, given = shared.chat().starts(), dict[str, Any]()
    while (step := rosa.open_step()) != "other_trials":
        value = {**FINE, **CONTACT, **_TYPED}[step]
        rosa.answers(step, value)
        if len(given) in kills:
            time.sleep(chance.uniform(0, 0.04))
            shared.bot.kill()
            shared.bot.start()
            shared.quiet()  # a question that was just leaving is sent again, before the next one
        given[step] = value
    shared.quiet()
    assert len(given) > 30 and len(confirmed) >= len(given) and without == []
    answers = shared.records.answers(rosa.person)
    assert answers.keys() == given.keys()
    assert {step: answers[step] for step in given if step not in _TYPED} == {
        step: list(value) if isinstance(value, tuple) else value
        for step, value in given.items()
        if step not in _TYPED
    }
    assert shared.records.given_twice(rosa.person) == []
    (lead,) = shared.records.leads(rosa.person)
    assert lead["outcome"] == "possible_match" and lead["status"] == "new"
    assert shared.team.sees(f"New lead K-{lead['id']:04d}", all=True)
    assert shared.server.problems == []


_TYPED = {"birth": "1964", "height": "165 cm", "weight": "65 kg", "phone": "+34 612 34 56 78"}
"""What is kept in another form than it is written."""


def _receipts_watched(house: House) -> tuple[list[str], list[str]]:
    """The ids confirmed from now on, and those of them that had no receipt at that moment."""
    confirmed: list[str] = []
    without: list[str] = []

    def look(updates: list[int]) -> None:
        kept = {row["external_id"] for row in house.records.rows("SELECT external_id FROM receipt")}
        for update in updates:
            inbound = parse(house.server.queue.told[update].payload)
            if inbound is not None:
                confirmed.append(inbound.external_id)
                without.extend({inbound.external_id} - kept)

    house.server.on_confirm = look
    return confirmed, without


def _asked_twice(chat: Chat) -> list[str]:
    """Questions that stand more than once in the chat."""
    bot = [message for message in chat.person.chat.messages if message.from_bot]
    times = {step.id: sum(chat.asks(message, step.id) for message in bot) for step in chat.flow.steps}
    return [step for step, number in times.items() if number > 1]
