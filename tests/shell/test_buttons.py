"""Buttons: every reply fits in 64 bytes and comes back; what is stale, foreign or forged does not."""

from __future__ import annotations

import pytest

from bot.buttons import Buttons
from flows.answer import StepId
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import COMMANDS_AND_TAPS, Asked, Confirmed, Gave, Narrowed, Reply, Sent, Ticked

KEY, TAG, CHAT = Buttons(b"k" * 32), "Ab3-_9", "6611178002"


def every_reply(flow: Flow) -> list[Reply]:
    replies: list[Reply] = [Asked(what) for what in COMMANDS_AND_TAPS]
    replies += [Asked("language", "zh_Hans"), Asked("faq", "how_long"), Asked("unwell", "emergency")]
    for step in flow.steps:
        replies += [Gave(option.id, step=step.id) for option in step.options]
        replies += [
            Gave(None, step=step.id),
            Asked("change", step.id),
            Confirmed(True, step.id),
            Narrowed("12", step.id),
        ]
        if step.kind == "checklist":
            replies += [Gave((), step=step.id), Sent(step.id)]
            replies += [Ticked(option.id, step.id) for option in step.options]
    return [*replies, Gave("zh_Hans", step=StepId("language")), Gave("harbour", step=StepId("site"))]


def test_every_button_fits_and_comes_back(flow: Flow) -> None:
    conversation = Conversation(flow.name, "en")
    for reply in every_reply(flow):
        data = KEY.write(flow, TAG, CHAT, reply)
        assert len(data.encode()) <= 40
        assert KEY.read(flow, conversation, TAG, CHAT, data) == reply


@pytest.mark.parametrize("spoil", ["other tag", "other chat", "other key", "changed", "cut", "empty", "long"])
def test_a_button_that_is_not_ours_says_nothing(flow: Flow, spoil: str) -> None:
    data = KEY.write(flow, TAG, CHAT, Gave("left", step=StepId("knee")))
    tag, chat, key = TAG, CHAT, KEY
    match spoil:
        case "other tag":
            tag = "zzzzzz"
        case "other chat":
            chat = "1"
        case "other key":
            key = Buttons(b"another")
        case "changed":
            data = data.replace("g", "t", 1)
        case "cut":
            data = data[:-1]
        case "empty":
            data = ""
        case "long":
            data = "\ud83e" + "é" * 200
    assert key.read(flow, Conversation(flow.name, "en"), tag, chat, data) is None
