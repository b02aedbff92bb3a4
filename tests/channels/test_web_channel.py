"""The web channel: what forms mean, what counts once, and who is woken."""

from __future__ import annotations

import asyncio

import pytest

from bot.channels.web import LONGEST, NAME, Web, chat_of, parse
from bot.messages import Envelope

ID = "abcdefgh12345678"


@pytest.mark.parametrize(
    ("form", "kind", "press", "text"),
    [
        ({"press": ["1abc"]}, "press", "1abc", ""),
        ({"text": [" yes "]}, "text", "", " yes "),
        ({"press": ["picks"], "pick": ["1a", "1b"]}, "picks", "1a 1b", ""),
        ({"press": ["picks"]}, "picks", "", ""),
        ({"press": ["1abc"], "pick": ["1a"]}, "press", "1abc", ""),
        ({"text": ["a" * 9000]}, "text", "", "a" * (LONGEST + 1)),
        ({"text": ["<script>"]}, "text", "", "<script>"),
    ],
)
def test_what_a_form_means(form: dict[str, list[str]], kind: str, press: str, text: str) -> None:
    inbound = parse("w1", {"id": [ID], **form}, "es")
    assert inbound is not None
    assert (inbound.channel, inbound.chat, inbound.sender, inbound.language) == (NAME, "w1", "w1", "es")
    assert (inbound.kind, inbound.press, inbound.text) == (kind, press, text)
    assert inbound.external_id.startswith(f"w1:{ID}:")


@pytest.mark.parametrize("form", [{}, {"text": ["  \n"]}, {"press": [""]}])
def test_an_empty_form_says_nothing(form: dict[str, list[str]]) -> None:
    assert parse("w1", {"id": [ID], **form}) is None


@pytest.mark.parametrize("number", ["", "short", "a b c d e f g h", "x" * 65, "abcdefgh\x00", "é" * 10])
def test_an_odd_id_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        parse("w1", {"id": [number], "text": ["hello"]})


def test_the_same_words_under_the_same_id_are_one_message_and_others_are_not() -> None:
    """A browser may bring an old page back, and its form with it: another answer there is no resend."""
    first, again, other = (parse("w1", {"id": [ID], "text": [text]}) for text in ("yes", "yes", "no"))
    assert first and again and other
    assert first.external_id == again.external_id != other.external_id
    elsewhere = parse("w2", {"id": [ID], "text": ["yes"]})
    assert elsewhere is not None and elsewhere.external_id != first.external_id


def test_a_chat_is_not_its_token() -> None:
    chat = chat_of("secret")
    assert "secret" not in chat and len(chat) == 65 and chat != chat_of("secret2")
    assert not chat.isdigit()  # never a number of Telegram's


def test_a_send_wakes_who_looks_at_that_chat_and_nobody_else() -> None:
    async def run() -> None:
        web = Web()
        with web.watch("w1") as mine, web.watch("w2") as other:
            assert sorted(web.watched) == ["w1", "w2"]
            sent = await web.send("w1", Envelope("hello"), "")
            assert (sent.fate, mine.is_set(), other.is_set()) == ("sent", True, False)
        assert web.watched == []
        assert (await web.send("w1", Envelope("hello"), "")).fate == "sent"

    asyncio.run(run())
