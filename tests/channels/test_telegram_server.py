"""What the fake Telegram server promises, asked of it by the client library the product uses."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from threading import Timer
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    MenuButtonCommands,
    Message,
    MessageEntity,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    ReplyParameters,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from tests.telegram_server import ANONYMOUS_ADMIN, BOT_ID, Person, TelegramServer

pytestmark = pytest.mark.slow

T = TypeVar("T")


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running
    assert running.problems == []


@pytest.fixture
def rosa(server: TelegramServer) -> Person:
    """Somebody who has started the bot, which has heard of it."""
    person = server.person("Rosa", language_code="es")
    person.starts()
    server.queue.clear()
    return person


def client(server: TelegramServer, token: str | None = None) -> Bot:
    # Reading the certificate store takes far longer than any call on loopback, hence verify=False.
    quick = [HTTPXRequest(httpx_kwargs={"verify": False}) for _ in range(2)]
    return Bot(token or server.token, server.base_url, request=quick[0], get_updates_request=quick[1])


def ask(server: TelegramServer, talk: Callable[[Bot], Awaitable[T]]) -> T:
    async def run() -> T:
        async with client(server) as bot:
            return await talk(bot)

    return asyncio.run(run())


def refusal(server: TelegramServer, talk: Callable[[Bot], Awaitable[object]]) -> str:
    with pytest.raises(BadRequest) as refused:
        ask(server, talk)
    return refused.value.message.lower()


def updates(server: TelegramServer, offset: int | None = None, **options: Any) -> tuple[Update, ...]:
    return ask(server, lambda bot: bot.get_updates(offset=offset, **options))


def texts(told: tuple[Update, ...]) -> list[str | None]:
    return [update.message.text if update.message else None for update in told]


def keys(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in rows]
    )


def says(server: TelegramServer, chat_id: int, text: str, **options: Any) -> Message:
    return ask(server, lambda bot: bot.send_message(chat_id, text, **options))


def post(server: TelegramServer, method: str, body: object, token: str = "") -> tuple[int, Any]:
    """A call without the client library, for what that never sends."""
    url = f"{server.base_url}{token or server.token}/{method}"
    call = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(call, timeout=5) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


# Updates


def test_updates_come_again_until_a_later_offset_confirms_them(server: TelegramServer, rosa: Person) -> None:
    rosa.says("one")
    rosa.says("two")
    first = updates(server)
    assert texts(first) == texts(updates(server)) == ["one", "two"]
    assert texts(updates(server, first[0].update_id + 1)) == ["two"]
    assert [update.update_id for update in server.pending] == [first[1].update_id]
    assert updates(server, first[1].update_id + 1) == ()
    assert server.pending == []
    assert [poll.confirmed for poll in server.offsets] == [[], [], [first[0].update_id], [first[1].update_id]]
    assert server.offsets[-1].offset == first[1].update_id + 1


def test_a_test_can_look_on_just_as_updates_are_confirmed(server: TelegramServer, rosa: Person) -> None:
    seen: list[list[int]] = []
    server.on_confirm = seen.append
    rosa.says("one")
    update_id = updates(server)[0].update_id
    assert seen == []
    updates(server, update_id + 1)
    assert seen == [[update_id]]


def test_limit_and_negative_offset(server: TelegramServer, rosa: Person) -> None:
    for text in ("one", "two", "three"):
        rosa.says(text)
    assert texts(updates(server, limit=2)) == ["one", "two"]
    assert texts(updates(server, -2)) == ["two", "three"]
    assert texts(updates(server)) == ["two", "three"]


def test_a_killed_bot_is_told_again_and_its_poll_takes_nothing_away(server: TelegramServer, rosa: Person) -> None:
    rosa.says("known already")
    known = updates(server)[0].update_id
    poll = f"{server.base_url}{server.token}/getUpdates?timeout=50&offset={known + 1}"
    code = f"import urllib.request; urllib.request.urlopen({poll!r}).read()"
    with subprocess.Popen([sys.executable, "-c", code]) as bot:
        server.until(lambda: server.offsets[-1].confirmed)
        bot.kill()
    time.sleep(0.1)
    server.redeliver(known)
    rosa.says("still there?")
    assert texts(updates(server)) == ["known already", "still there?"]
    assert texts(updates(server)) == ["still there?"]


def test_a_waiting_poll_wakes_at_once(server: TelegramServer, rosa: Person) -> None:
    Timer(0.2, rosa.says, ["hello"]).start()
    begun = time.monotonic()
    assert texts(updates(server, timeout=20)) == ["hello"]
    assert 0.15 < time.monotonic() - begun < 1


def test_a_poll_ends_empty_when_its_time_is_up(server: TelegramServer) -> None:
    begun = time.monotonic()
    assert updates(server, timeout=1) == ()
    assert 0.9 < time.monotonic() - begun < 2


def test_a_second_poll_ends_the_first(server: TelegramServer, rosa: Person) -> None:
    async def two_polls(bot: Bot) -> tuple[Update, ...]:
        first = asyncio.create_task(bot.get_updates(timeout=20))
        while not server.offsets:
            await asyncio.sleep(0.01)
        async with client(server) as other:
            second = asyncio.create_task(other.get_updates(timeout=20))
            with pytest.raises(Conflict, match="terminated by other getUpdates request"):
                await first
            rosa.says("to the second")
            return await second

    assert texts(ask(server, two_polls)) == ["to the second"]


def test_a_webhook_excludes_polling(server: TelegramServer, rosa: Person) -> None:
    url = "https://example.org/hook"
    ask(server, lambda bot: bot.set_webhook(url, secret_token="s3cret", max_connections=5))
    rosa.says("kept")
    with pytest.raises(Conflict, match="webhook is active"):
        updates(server)
    info = ask(server, lambda bot: bot.get_webhook_info())
    assert (info.url, info.pending_update_count, info.max_connections) == (url, 1, 5)
    assert server.webhook is not None and server.webhook["secret_token"] == "s3cret"
    ask(server, lambda bot: bot.delete_webhook())
    assert server.webhook is None
    assert texts(updates(server)) == ["kept"]
    ask(server, lambda bot: bot.delete_webhook(drop_pending_updates=True))
    assert server.pending == []
    assert server.calls_of("deleteWebhook")[-1].params == {"drop_pending_updates": True}


def test_setting_a_webhook_ends_a_poll(server: TelegramServer) -> None:
    async def poll_then_hook(bot: Bot) -> None:
        poll = asyncio.create_task(bot.get_updates(timeout=20))
        while not server.offsets:
            await asyncio.sleep(0.01)
        await bot.set_webhook("https://example.org/hook")
        with pytest.raises(Conflict, match="terminated by setWebhook request"):
            await poll

    ask(server, poll_then_hook)


def test_allowed_updates_are_remembered_for_updates_to_come(server: TelegramServer, rosa: Person) -> None:
    rosa.says("before")
    updates(server, allowed_updates=["callback_query"])
    rosa.says("not told")
    assert texts(updates(server)) == ["before"]
    updates(server, allowed_updates=[])
    rosa.says("told")
    assert texts(updates(server)) == ["before", "told"]


def test_updates_expire_a_tap_sooner_than_a_message(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))
    rosa.presses("Yes")
    rosa.says("yes")
    server.forward(23 * 3600)
    assert texts(updates(server)) == ["yes"]
    server.forward(3600 + 1)
    assert updates(server) == ()


def test_ids_restart_lower_and_an_old_offset_is_ignored(server: TelegramServer, rosa: Person) -> None:
    rosa.says("old")
    old = updates(server)[0].update_id
    updates(server, old + 1)
    server.restart_ids(lower=True)
    rosa.says("new")
    told = updates(server, old + 1)
    assert texts(told) == ["new"]
    assert told[0].update_id < old
    assert texts(updates(server)) == ["new"]


def test_a_confirmed_update_comes_again_under_its_id_or_another(server: TelegramServer, rosa: Person) -> None:
    rosa.says("hello")
    first = updates(server)[0].update_id
    assert updates(server, first + 1) == ()
    assert server.redeliver(first) == first
    again = updates(server, first + 1)
    assert (texts(again), again[0].update_id) == (["hello"], first)
    second = server.redeliver(new_id=True)
    assert second > first
    assert [update.update_id for update in updates(server, first + 1)] == [second]


def test_the_next_updates_can_be_told_twice(server: TelegramServer, rosa: Person) -> None:
    server.duplicate_next()
    rosa.says("twice")
    rosa.says("once")
    told = updates(server)
    last = told[-1].update_id
    assert texts(updates(server, last + 1)) == ["twice"]
    assert updates(server, last + 1) == ()


# What people do


def test_people_look_like_telegram_users(server: TelegramServer) -> None:
    rosa = server.person("Rosa", language_code="es", last_name="Gil", username="rosag")
    rosa.starts()
    message = updates(server)[0].message
    assert message is not None and message.from_user is not None
    user = message.from_user
    assert (user.full_name, user.username, user.language_code) == ("Rosa Gil", "rosag", "es")
    assert user.id == message.chat.id == rosa.id > 2**32
    assert message.chat.type == "private"


@pytest.mark.parametrize(
    ("payload", "text"),
    [(None, "/start"), ("c7kp2", "/start c7kp2"), ("no spaces", "/start"), ("x" * 65, "/start")],
)
def test_a_deep_link_carries_its_payload(server: TelegramServer, payload: str | None, text: str) -> None:
    server.person("Rosa").starts(payload)
    message = updates(server)[0].message
    assert message is not None and message.text == text
    assert [entity.type for entity in message.entities] == ["bot_command"]


def test_an_edited_message_is_told_as_such(server: TelegramServer, rosa: Person) -> None:
    sent = rosa.says("62")
    rosa.edits(sent, "63")
    edited = updates(server)[1]
    assert edited.message is None and edited.edited_message is not None
    assert edited.edited_message.text == "63"
    assert edited.edited_message.message_id == sent.id
    assert [message.text for message in rosa.chat.messages] == ["/start", "63"]


def test_photos_and_the_like_can_be_told_apart(server: TelegramServer, rosa: Person) -> None:
    rosa.sends_photo(caption="my knee")
    rosa.sends_voice()
    rosa.sends_sticker()
    rosa.sends_location()
    rosa.sends_document("scan.pdf")
    rosa.forwards("take two a day", of=server.person("Doctor"))
    photo, voice, sticker, place, document, forwarded = (update.message for update in updates(server))
    assert photo and photo.photo and photo.caption == "my knee"
    assert voice and voice.voice
    assert sticker and sticker.sticker
    assert place and place.location
    assert document and document.document and document.document.file_name == "scan.pdf"
    assert forwarded and forwarded.forward_origin and forwarded.forward_origin.type == "user"


def test_a_shared_contact_says_whose_it_is(server: TelegramServer, rosa: Person) -> None:
    ask_for_it = ReplyKeyboardMarkup([[KeyboardButton("Share my number", request_contact=True)], ["No"]])
    says(server, rosa.id, "What number?", reply_markup=ask_for_it)
    assert rosa.last.buttons == [["Share my number"], ["No"]]
    luis = server.person("Luis")
    rosa.shares_contact("+34600000001")
    rosa.shares_contact("+34600000002", of=luis)
    own, other = (update.message.contact for update in updates(server) if update.message)
    assert own and (own.phone_number, own.user_id) == ("+34600000001", rosa.id)
    assert other and (other.phone_number, other.user_id) == ("+34600000002", luis.id)


def test_a_person_sees_what_came_since_they_last_acted(server: TelegramServer, rosa: Person) -> None:
    old = says(server, rosa.id, "First question?")
    assert rosa.sees("First").id == old.message_id
    rosa.says("an answer")
    with pytest.raises(AssertionError, match=r"'First' was not seen(.|\n)*bot: 'First question\?'"):
        rosa.sees("First", timeout=0.05)
    assert rosa.sees("First", all=True).id == old.message_id
    Timer(0.1, says, [server, rosa.id, "Second question?"]).start()
    assert rosa.sees(re.compile("^second", re.IGNORECASE)).text == "Second question?"
    ask(server, lambda bot: bot.edit_message_text("First question, answered", rosa.id, old.message_id))
    assert rosa.sees("answered").edited
    assert rosa.last.text == "Second question?"


def test_a_press_finds_the_newest_button(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "1?", reply_markup=keys([("Yes", "1y")]))
    says(server, rosa.id, "2?", reply_markup=keys([("Yes, both knees", "2b"), ("Yes", "2y")]))
    assert rosa.presses("Yes").data == "2y"
    assert rosa.presses("Yes, b").data == rosa.presses(re.compile("knees")).data == "2b"
    with pytest.raises(AssertionError, match="found no button 'Maybe'"):
        rosa.presses("Maybe", timeout=0.05)


def test_a_stale_or_forged_press(server: TelegramServer, rosa: Person) -> None:
    sent = says(server, rosa.id, "1?", reply_markup=keys([("Yes", "1y")]))
    screen = rosa.last
    ask(server, lambda bot: bot.edit_message_text("1? Yes.", rosa.id, sent.message_id))
    rosa.presses("Yes", message=screen)
    rosa.presses_data(screen, "forged")
    ask(server, lambda bot: bot.delete_message(rosa.id, sent.message_id))
    rosa.presses("Yes", message=screen)
    stale, forged, gone = (update.callback_query for update in updates(server))
    assert stale and stale.data == "1y"
    assert stale.message and stale.message.is_accessible
    assert forged and forged.data == "forged"
    assert gone and gone.message and not gone.message.is_accessible


# Answers to taps


def test_an_answered_tap_shows_its_text_once(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))
    press = rosa.presses("Yes")
    assert server.unanswered == [press]
    query = updates(server)[0].callback_query
    assert query and query.id == press.id
    ask(server, lambda bot: bot.answer_callback_query(query.id, text="Noted."))
    assert (rosa.alerts, press.answer, server.unanswered) == (["Noted."], "Noted.", [])
    assert "query is too old" in refusal(server, lambda bot: bot.answer_callback_query(query.id))


def test_a_tap_answered_late_or_never_made_is_refused(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))
    press = rosa.presses("Yes")
    server.forward(16)
    late = refusal(server, lambda bot: bot.answer_callback_query(press.id))
    assert late == "query is too old and response timeout expired or query id is invalid"
    assert refusal(server, lambda bot: bot.answer_callback_query("12345")) == late
    assert rosa.alerts == []


def test_an_answer_to_a_tap_has_200_characters(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))
    press = rosa.presses("Yes")
    assert "message_too_long" in refusal(server, lambda bot: bot.answer_callback_query(press.id, "x" * 201))
    ask(server, lambda bot: bot.answer_callback_query(press.id, "x" * 200))


# Messages and their limits


def test_messages_keep_what_they_were_given(server: TelegramServer, rosa: Person) -> None:
    yes_or_no = keys([("Yes", "y"), ("No", "n")])
    question = says(server, rosa.id, "1957", protect_content=True, reply_markup=yes_or_no)
    answer = ReplyParameters(question.message_id)
    reply = says(server, rosa.id, "Why?", reply_parameters=answer, reply_markup=ForceReply())
    assert question.text == "1957" and question.has_protected_content
    assert reply.reply_to_message and reply.reply_to_message.message_id == question.message_id
    _, shown, last = rosa.chat.messages
    assert (shown.text, shown.protected, shown.edited) == ("1957", True, False)
    assert (shown.buttons, shown.data("No")) == ([["Yes", "No"]], "n")
    assert last == rosa.last and not last.protected
    assert server.calls_of("sendMessage")[0].params["chat_id"] == rosa.id
    lost = ReplyParameters(99)
    assert "message to be replied not found" in refusal(
        server, lambda bot: bot.send_message(rosa.id, "?", reply_parameters=lost)
    )


def test_photos_and_documents_are_received(server: TelegramServer, rosa: Person) -> None:
    ask(server, lambda bot: bot.send_photo(rosa.id, b"png", caption="<b>Your</b> knee", parse_mode="HTML"))
    sent = ask(server, lambda bot: bot.send_document(rosa.id, b"a,b", filename="answers.csv"))
    assert sent.document and sent.document.file_name == "answers.csv"
    assert server.calls_of("sendDocument")[0].params["document"].content == b"a,b"
    assert [message.text for message in rosa.chat.messages[1:]] == ["Your knee", ""]
    assert server.problems == []


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("", "message text is empty"),
        (" \n", "text must be non-empty"),
        ("x" * 4097, "message is too long"),
        ("\N{GRINNING FACE}" * 2049, "message is too long"),
    ],
)
def test_a_text_has_1_to_4096_utf16_units(
    server: TelegramServer, rosa: Person, text: str, description: str
) -> None:
    assert description in refusal(server, lambda bot: bot.send_message(rosa.id, text))
    says(server, rosa.id, "\N{GRINNING FACE}" * 2048)
    assert len(rosa.chat.messages) == 2


def test_a_caption_has_1024_characters(server: TelegramServer, rosa: Person) -> None:
    too_long = refusal(server, lambda bot: bot.send_photo(rosa.id, "file-id", caption="x" * 1025))
    assert too_long == "message caption is too long"
    ask(server, lambda bot: bot.send_photo(rosa.id, "file-id", caption="x" * 1024))


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        (keys([("Yes", "\N{SNOWMAN}" * 21 + "xx")]), "button_data_invalid"),
        (keys(*([("Yes", "y")] for _ in range(101))), "reply markup is too long"),
        (InlineKeyboardMarkup([[InlineKeyboardButton("Yes")]]), "text buttons are unallowed"),
        (
            InlineKeyboardMarkup([[InlineKeyboardButton("Call", url="tel:+34600")]]),
            "unsupported url protocol",
        ),
    ],
)
def test_inline_keyboards_have_limits(
    server: TelegramServer, rosa: Person, markup: InlineKeyboardMarkup, description: str
) -> None:
    assert description in refusal(server, lambda bot: bot.send_message(rosa.id, "?", reply_markup=markup))
    full = keys(*([(f"No. {number}", "x" * 64)] for number in range(100)))
    says(server, rosa.id, "?", reply_markup=full)


def test_formatted_text(server: TelegramServer, rosa: Person) -> None:
    html = '<b>Rosa</b> &lt;3 <a href="https://example.org">this <i>one</i></a>'
    sent = says(server, rosa.id, html, parse_mode="HTML")
    assert sent.text == "Rosa <3 this one"
    assert sent.parse_entities() == {
        MessageEntity(MessageEntity.BOLD, 0, 4): "Rosa",
        MessageEntity(MessageEntity.TEXT_LINK, 8, 8, url="https://example.org"): "this one",
        MessageEntity(MessageEntity.ITALIC, 13, 3): "one",
    }
    wide = "\N{GRINNING FACE} bold"
    assert says(server, rosa.id, wide, entities=[MessageEntity("bold", 3, 4)]).entities[0].length == 4
    entities = [MessageEntity("bold", 1, 4)]
    past = refusal(server, lambda bot: bot.send_message(rosa.id, "bold", entities=entities))
    assert past == "entity beginning at utf-16 offset 1 ends after the end of the text at utf-16 offset 5"


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<b>x", 'can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "unexpected end tag at byte offset 1"),
        ("\N{SNOWMAN}<b>x</i>", 'unmatched end tag at byte offset 7, expected "</b>", found "</i>"'),
        ("for <rosa>", 'unsupported start tag "rosa" at byte offset 4'),
        ("a <b", "unclosed start tag at byte offset 2"),
    ],
)
def test_broken_html_is_refused(server: TelegramServer, rosa: Person, html: str, reason: str) -> None:
    answer = refusal(server, lambda bot: bot.send_message(rosa.id, html, parse_mode="HTML"))
    assert answer == f"can't parse entities: {reason}"


def test_an_edit_must_change_something_of_the_bots(server: TelegramServer, rosa: Person) -> None:
    sent = says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))

    def edit(text: str, message_id: int, **options: Any) -> Callable[[Bot], Awaitable[object]]:
        return lambda bot: bot.edit_message_text(text, rosa.id, message_id, **options)

    same = edit("Ready?", sent.message_id, reply_markup=keys([("Yes", "y")]))
    assert "message is not modified" in refusal(server, same)
    assert refusal(server, edit("?", 99)) == "message to edit not found"
    assert refusal(server, edit("?", rosa.chat.messages[0].id)) == "message can't be edited"
    with_keyboard = says(server, rosa.id, "!", reply_markup=ReplyKeyboardRemove())
    assert refusal(server, edit("?", with_keyboard.message_id)) == "message can't be edited"
    photo = ask(server, lambda bot: bot.send_photo(rosa.id, "file-id"))
    assert "no text in the message" in refusal(server, edit("?", photo.message_id))
    ask(server, edit("Ready? Yes.", sent.message_id))
    edited = rosa.chat.messages[1]
    assert (edited.text, edited.buttons, edited.edited) == ("Ready? Yes.", [], True)


def test_a_keyboard_can_be_edited_alone(server: TelegramServer, rosa: Person) -> None:
    sent = says(server, rosa.id, "Ready?", reply_markup=keys([("Yes", "y")]))

    def edit(markup: InlineKeyboardMarkup | None) -> Callable[[Bot], Awaitable[object]]:
        return lambda bot: bot.edit_message_reply_markup(rosa.id, sent.message_id, reply_markup=markup)

    ask(server, edit(keys([("No", "n")])))
    assert (rosa.last.text, rosa.last.buttons) == ("Ready?", [["No"]])
    ask(server, edit(None))
    assert rosa.last.buttons == []
    assert "message is not modified" in refusal(server, edit(None))


def test_messages_can_be_deleted_for_48_hours(server: TelegramServer, rosa: Person) -> None:
    first, second, third = (says(server, rosa.id, text).message_id for text in ("one", "two", "three"))
    ask(server, lambda bot: bot.delete_message(rosa.id, first))
    assert "not found" in refusal(server, lambda bot: bot.delete_message(rosa.id, first))
    ask(server, lambda bot: bot.delete_messages(rosa.id, [first, second, rosa.chat.messages[0].id]))
    assert [message.text for message in rosa.chat.messages] == ["three"]
    server.forward(48 * 3600 + 1)
    assert "can't be deleted" in refusal(server, lambda bot: bot.delete_message(rosa.id, third))
    assert "can't be deleted" in refusal(server, lambda bot: bot.delete_messages(rosa.id, [third]))
    too_many = [*range(1, 102)]
    assert "too many" in refusal(server, lambda bot: bot.delete_messages(rosa.id, too_many))


# Refusals


def test_who_blocks_the_bot_is_out_of_reach(server: TelegramServer, rosa: Person) -> None:
    rosa.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        says(server, rosa.id, "Hello?")
    with pytest.raises(AssertionError, match="blocks the bot"):
        rosa.says("hello")
    rosa.unblocks()
    says(server, rosa.id, "Welcome back.")
    blocked, unblocked = (update.my_chat_member for update in updates(server))
    assert blocked and blocked.old_chat_member.status == "member"
    assert blocked.new_chat_member.status == "kicked"
    assert unblocked and unblocked.new_chat_member.status == "member"


def test_a_bot_may_not_write_first(server: TelegramServer) -> None:
    stranger = server.person("Sam")
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        says(server, stranger.id, "Hello?")
    assert refusal(server, lambda bot: bot.send_message(12345, "Hello?")) == "chat not found"


def test_failures_can_be_planned(server: TelegramServer, rosa: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    luis = server.person("Luis")
    luis.starts()
    server.fail("sendMessage", retry_after=7, chat_id=rosa.id)
    says(server, luis.id, "Hello")
    with pytest.raises(RetryAfter) as flooded:
        says(server, rosa.id, "Hello")
    assert flooded.value.retry_after == timedelta(seconds=7)
    says(server, rosa.id, "Hello")
    server.fail("*", times=2, code=502)
    for _ in range(2):
        with pytest.raises(NetworkError, match="Bad Gateway"):
            ask(server, lambda bot: bot.get_me())
    server.fail("sendChatAction", times=float("inf"), code=400, description="Bad Request: no")
    assert refusal(server, lambda bot: bot.send_chat_action(rosa.id, "typing")) == "no"
    server.heal()
    ask(server, lambda bot: bot.send_chat_action(rosa.id, "typing"))
    assert "wrong parameter action" in refusal(server, lambda bot: bot.send_chat_action(rosa.id, "sleeping"))


def test_a_call_can_take_effect_and_its_answer_be_lost(server: TelegramServer, rosa: Person) -> None:
    server.fail("sendMessage", code=0, carried_out=True)
    with pytest.raises(NetworkError) as lost:
        says(server, rosa.id, "Did you get this?")
    assert type(lost.value) is NetworkError
    assert rosa.sees("Did you get this?")


def test_tokens_and_methods_must_be_known(server: TelegramServer) -> None:
    async def enter(token: str) -> None:
        bot = client(server, token)
        try:
            await bot.initialize()
        finally:
            await bot.shutdown()

    with pytest.raises(InvalidToken):
        asyncio.run(enter("123:wrong"))
    assert post(server, "getMe", {}, token="123:wrong")[1]["error_code"] == 401
    answer = {"ok": False, "error_code": 404, "description": "Not Found: method not found"}
    assert post(server, "sendMusic", {}) == (404, answer)
    server.problems.clear()
    assert post(server, "getme", {})[1]["result"]["id"] == BOT_ID


def test_a_json_body_is_understood(server: TelegramServer, rosa: Person) -> None:
    keyboard = [[{"text": "Yes", "callback_data": "y"}]]
    body = {"chat_id": rosa.id, "text": "1", "reply_markup": {"inline_keyboard": keyboard}}
    status, answer = post(server, "sendMessage", body)
    assert (status, answer["ok"], answer["result"]["text"]) == (200, True, "1")
    assert rosa.last.data("Yes") == "y"
    server.fail("sendMessage", retry_after=3)
    status, answer = post(server, "sendMessage", body)
    assert (status, answer["parameters"]) == (429, {"retry_after": 3})


# Groups


def test_two_people_press_in_a_group(server: TelegramServer) -> None:
    ana, li = server.person("Ana"), server.person("Li")
    team = server.group("Site team", members=[ana, li])
    card = says(server, team.chat.id, "New lead K-0147", reply_markup=keys([("Claim", "c:147")]))
    assert team.sees("K-0147") == team.last
    press = ana.presses("Claim", chat=team.chat)
    server.press_by(li, team.last, "Claim")
    ana.presses("Claim", chat=team.chat, anonymous=True)
    added, *taps = updates(server)
    assert added.my_chat_member and added.my_chat_member.new_chat_member.status == "member"
    queries = [tap.callback_query for tap in taps if tap.callback_query]
    assert [query.from_user.id for query in queries] == [ana.id, li.id, ANONYMOUS_ADMIN["id"]]
    assert {query.message.chat.id for query in queries if query.message} == {team.chat.id}
    ask(server, lambda bot: bot.answer_callback_query(queries[1].id, "Ana has it"))
    assert (ana.alerts, li.alerts, press.answer) == ([], ["Ana has it"], None)
    ask(server, lambda bot: bot.edit_message_text("K-0147: Ana", team.chat.id, card.message_id))
    assert team.sees("Ana").buttons == []


def test_in_a_group_the_bot_hears_what_is_meant_for_it(server: TelegramServer) -> None:
    ana = server.person("Ana")
    team = server.group("Site team", members=[ana])
    says(server, team.chat.id, "Morning")
    chat = ana.says("who has coffee?", chat=team.chat)
    ana.says("/queue", chat=team.chat)
    ana.says("thanks", chat=team.chat, reply_to=team.last)
    ana.says("/mine", chat=team.chat, anonymous=True)
    told = updates(server)[1:]
    assert texts(told) == ["/queue", "thanks", "/mine"]
    anonymous = told[-1].message
    assert anonymous and anonymous.from_user and anonymous.from_user.id == ANONYMOUS_ADMIN["id"]
    assert anonymous.sender_chat and anonymous.sender_chat.id == team.chat.id
    assert "can't be deleted" in refusal(server, lambda bot: bot.delete_message(team.chat.id, chat.id))


def test_only_a_private_chat_can_be_asked_for_a_contact(server: TelegramServer) -> None:
    team = server.group("Site team", members=[server.person("Ana")])
    markup = ReplyKeyboardMarkup([[KeyboardButton("Share", request_contact=True)]])
    refused = refusal(server, lambda bot: bot.send_message(team.chat.id, "?", reply_markup=markup))
    assert refused == "phone number can be requested in private chats only"


def test_a_group_becomes_a_supergroup(server: TelegramServer) -> None:
    team = server.group("Site team", members=[server.person("Ana")])
    old = team.chat.id
    says(server, old, "before")
    new = server.supergroup(team).id
    assert old < 0 and str(new).startswith("-100") and team.chat.id == new
    with pytest.raises(ChatMigrated) as migrated:
        says(server, old, "after")
    assert migrated.value.new_chat_id == new
    says(server, new, "after")
    assert team.sees("after").from_bot
    _, leaving, arriving = (update.message for update in updates(server))
    assert leaving and (leaving.chat.id, leaving.migrate_to_chat_id) == (old, new)
    assert arriving and (arriving.chat.id, arriving.migrate_from_chat_id) == (new, old)


def test_a_bot_can_leave_and_be_thrown_out(server: TelegramServer) -> None:
    ana = server.person("Ana")
    left, kicked = server.group("A", [ana]), server.group("B", [ana], kind="supergroup")
    ask(server, lambda bot: bot.leave_chat(left.chat.id))
    kicked.kicks_bot()
    with pytest.raises(Forbidden, match="bot is not a member of the group chat"):
        says(server, left.chat.id, "?")
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        says(server, kicked.chat.id, "?")
    ana.says("/queue", chat=left.chat)
    last = updates(server)[-1].my_chat_member
    assert last and (last.chat.id, last.new_chat_member.status) == (kicked.chat.id, "kicked")


def test_a_forum_keeps_topics(server: TelegramServer) -> None:
    forum = server.group("Site team", [server.person("Ana")], kind="forum")
    assert says(server, forum.chat.id, "In a topic", message_thread_id=7).message_thread_id == 7
    assert forum.last.raw["message_thread_id"] == 7


def test_chats_and_members_can_be_looked_up(server: TelegramServer, rosa: Person) -> None:
    ana = server.person("Ana")
    team = server.group("Site team", members=[ana])
    assert ask(server, lambda bot: bot.get_chat(team.chat.id)).title == "Site team"
    assert ask(server, lambda bot: bot.get_chat_member(team.chat.id, ana.id)).status == "member"
    assert ask(server, lambda bot: bot.get_chat_member(team.chat.id, rosa.id)).status == "left"
    assert refusal(server, lambda bot: bot.get_chat(ana.id)) == "chat not found"


# The profile


def test_commands_stand_per_scope_and_language(server: TelegramServer, rosa: Person) -> None:
    english, spanish = [BotCommand("help", "Get help")], [BotCommand("help", "Ayuda")]
    private, hers = BotCommandScopeAllPrivateChats(), BotCommandScopeChat(rosa.id)

    async def talk(bot: Bot) -> None:
        await bot.set_my_commands(english)
        await bot.set_my_commands(spanish, scope=private, language_code="es")
        await bot.set_my_commands(spanish, scope=hers)
        assert await bot.get_my_commands() == tuple(english)
        assert await bot.get_my_commands(scope=private, language_code="es") == tuple(spanish)
        assert await bot.get_my_commands(scope=private) == ()
        await bot.delete_my_commands(scope=hers)

    ask(server, talk)
    assert server.commands.keys() == {("default", ""), ("all_private_chats", "es")}
    assert server.commands["default", ""] == [{"command": "help", "description": "Get help"}]


@pytest.mark.parametrize(
    ("commands", "description"),
    [
        ([("Help", "Get help")], "bot_command_invalid"),
        ([("x" * 33, "Get help")], "command length must not exceed 32"),
        ([("help", " ")], "command description must be non-empty"),
        ([("help", "x" * 257)], "command description length must not exceed 256"),
        ([(f"help_{number}", "Get help") for number in range(101)], "bot_commands_too_much"),
    ],
)
def test_commands_have_limits(server: TelegramServer, commands: list[tuple[str, str]], description: str) -> None:
    assert refusal(server, lambda bot: bot.set_my_commands(commands)) == description
    assert "language code" in refusal(server, lambda bot: bot.set_my_commands([], language_code="pt-BR"))


def test_the_profile_stands_per_language(server: TelegramServer, rosa: Person) -> None:
    async def talk(bot: Bot) -> None:
        await bot.set_my_name("Knee study", language_code="en")
        await bot.set_my_description("Hola", language_code="es")
        await bot.set_my_short_description("Hi")
        assert (await bot.get_my_name("en")).name == "Knee study"
        assert (await bot.get_my_description("es")).description == "Hola"
        assert (await bot.get_my_description()).description == ""
        assert (await bot.get_my_short_description()).short_description == "Hi"
        await bot.set_my_description("", language_code="es")
        await bot.set_chat_menu_button(rosa.id, MenuButtonCommands())

    ask(server, talk)
    assert server.profile["description"] == {}
    assert server.menu_buttons == {rosa.id: {"type": "commands"}}
    assert "too long" in refusal(server, lambda bot: bot.set_my_name("x" * 65))
    assert "too long" in refusal(server, lambda bot: bot.set_my_description("x" * 513))
    assert "too long" in refusal(server, lambda bot: bot.set_my_short_description("x" * 121))


# What the server notes down


def test_what_is_allowed_but_wrong_is_a_problem(server: TelegramServer, rosa: Person) -> None:
    label = "Talk to the study team"
    says(server, rosa.id, "fine", reply_markup=keys([(label, "t")], [("Yes", "y"), ("No", "n")]))
    assert server.problems == []
    says(server, rosa.id, "cut off", reply_markup=keys([(label, "t"), ("No", "n")]))
    ask(server, lambda bot: bot.get_me(api_kwargs={"colour": "red"}))
    with pytest.raises(TelegramError):
        ask(server, lambda bot: bot.send_dice(rosa.id))
    assert server.problems == [
        f"The button '{label}' shares its row and has 22 characters; over 20, a phone cuts it off.",
        "getMe: Telegram knows no parameter 'colour' here.",
        "sendDice: this server knows no such method.",
    ]
    server.problems.clear()


def test_calls_are_noted_in_order_with_their_time(server: TelegramServer, rosa: Person) -> None:
    says(server, rosa.id, "now")
    server.forward(3600)
    says(server, rosa.id, "in an hour")
    assert [call.method for call in server.calls] == ["getMe", "sendMessage"] * 2
    first, second = server.calls_of("sendMessage")
    assert 3600 <= second.at - first.at < 3610
    assert [message.raw["date"] for message in rosa.chat.messages[1:]] == [int(first.at), int(second.at)]
