"""Telegram, over python-telegram-bot's client: reads raw updates, renders envelopes, names what became of them."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    MenuButtonCommands,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot import pictures
from bot.channels.transport import Cut, NeverLeft, Transport
from bot.messages import Envelope, Inbound, Sent

log = logging.getLogger(__name__)

# We read updates as raw JSON on purpose: one that the client cannot parse must not block the others.
warnings.filterwarnings("ignore", message="Please use 'Bot.getUpdates'")

NAME = "telegram"
UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 25
BATCH = 100
PAUSE = 5.0
CAPTION = 1024
"""UTF-16 units below a photo."""
NO_PICTURE = "NoPicture"
"""The code of a message that was to be a picture and is words, for the metrics."""


class Telegram:
    """The Telegram channel. See ``bot.messages.Channel`` for the promises."""

    name = NAME

    def __init__(self, token: str, api: str) -> None:
        sending, polling = Transport(connections=64), Transport(connections=1)
        self._requests, self._sending = (sending, polling), sending
        self._bot = Bot(token, base_url=api, request=sending, get_updates_request=polling)

    async def open(self) -> None:
        await self._bot.initialize()

    async def close(self) -> None:
        """Closes the connections, also those of a bot that never got as far as its name."""
        for request in self._requests:
            await request.shutdown()

    # ------------------------------------------------------------------ in

    async def updates(self, offset: int | None) -> list[dict[str, Any]]:
        """The updates from ``offset`` on, raw. Asking with an offset confirms everything below it.

        Raises TelegramError when Telegram cannot be reached or another poller is at work.
        """
        found = await self._bot.do_api_request(
            "getUpdates",
            api_kwargs={
                "timeout": POLL_SECONDS,
                "limit": BATCH,
                "allowed_updates": UPDATES,
                **({} if offset is None else {"offset": offset}),
            },
            read_timeout=POLL_SECONDS + 10,
        )
        return found if isinstance(found, list) else []

    async def acknowledge(self, callback: str) -> None:
        """Stops the button's waiting sign. Best effort: a late or lost one changes nothing."""
        with contextlib.suppress(TelegramError):
            await self._call("answerCallbackQuery", callback_query_id=callback)

    async def by_webhook(self, url: str, secret: str) -> None:
        """From now on Telegram calls ``url``; what is waiting comes that way too."""
        await self._bot.set_webhook(url, secret_token=secret, allowed_updates=UPDATES)

    async def by_polling(self) -> None:
        """From now on updates are asked for; what is waiting stays."""
        await self._bot.delete_webhook()

    # ------------------------------------------------------------------ out

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        try:
            return await self._send(int(chat), envelope, last)
        except TelegramError as error:
            return fate_of(error)
        except (AttributeError, KeyError, TypeError) as error:  # JSON that is no answer of Telegram's
            log.error("an answer made no sense: %s", type(error).__name__)
            return Sent("unsure", wait=PAUSE, code=type(error).__name__)

    async def _send(self, chat: int, envelope: Envelope, last: str) -> Sent:
        edited = envelope.edits or (last if envelope.again else "")
        if edited and await self._edit(chat, int(edited), envelope):
            return Sent("sent", edited)
        if not envelope.text:  # nothing to say, only to take away
            await self._delete(chat, envelope.deletes)
            return Sent("sent")
        words = {"reply_markup": keyboard(envelope), "protect_content": envelope.protect or None}
        message = await self._photo(chat, envelope, words) if envelope.picture else None
        code = NO_PICTURE if envelope.picture and message is None else ""
        if message is None:
            message = await self._call("sendMessage", chat_id=chat, text=envelope.text, **words)
        number = str(message["message_id"])
        if envelope.rows and last and not envelope.protect:
            await self._freeze(chat, int(last))
        if envelope.deletes:
            await self._delete(chat, envelope.deletes)
        if envelope.commands:
            await self._menu(chat, envelope.commands)
        return Sent("sent", number, code=code)

    async def _photo(self, chat: int, envelope: Envelope, words: Mapping[str, Any]) -> Any:
        """The picture with its words as the caption; None if Telegram takes no such picture, or there is none."""
        png = pictures.png(envelope.picture)
        if png is None or len(envelope.text.encode("utf-16-le")) > 2 * CAPTION:
            return None
        url = f"{self._bot.base_url}/sendPhoto"
        try:
            return await self._sending.upload(url, "photo", png, chat_id=chat, caption=envelope.text, **words)
        except BadRequest:  # of the photo, or of the chat: the words alone will tell
            log.warning("a picture was refused; its words go instead")
            return None

    async def _call(self, method: str, **words: Any) -> Any:
        return await self._sending.call(f"{self._bot.base_url}/{method}", **words)

    async def _edit(self, chat: int, message: int, envelope: Envelope) -> bool:
        """Whether the message now shows the envelope; if it cannot be edited, it is sent anew."""
        try:
            await self._call(
                "editMessageText",
                chat_id=chat,
                message_id=message,
                text=envelope.text,
                reply_markup=inline(envelope),
            )
        except BadRequest as error:
            return "not modified" in str(error).lower()
        return True

    async def _freeze(self, chat: int, message: int) -> None:
        """Takes the buttons off a question that is no longer open. Cosmetic: nothing depends on it."""
        with contextlib.suppress(TelegramError):
            await self._call("editMessageReplyMarkup", chat_id=chat, message_id=message)

    # ------------------------------------------------------------------ examined

    async def examine(self, group: int, *, webhook: bool) -> list[tuple[str, str]]:
        """What was looked at, each with a remedy, or "" if all is well."""
        try:
            await self._bot.get_me()
        except TelegramError as error:
            return [("Telegram knows the bot", f"{type(error).__name__}. Check TELEGRAM_TOKEN and the network.")]
        found = [("Telegram knows the bot", "")]
        try:
            chat = await self._bot.get_chat(group)
            odd = "" if chat.type in ("group", "supergroup") else "STAFF_GROUP is no group."
            found.append(("the bot is in the staff group", odd))
        except TelegramError:
            found.append(("the bot is in the staff group", "Add the bot to the group, or change STAFF_GROUP."))
        info = await self._bot.get_webhook_info()
        set_wrongly = bool(info.url) != webhook
        remedy = "Another mode is set at Telegram; `prescreen serve` changes it when it starts."
        found.append(("updates come as BOT_MODE says", remedy if set_wrongly else ""))
        late = info.last_error_message is not None and webhook
        found.append(("Telegram reaches the webhook", "Its last call failed. Check WEBHOOK_URL." if late else ""))
        await self.close()
        return found

    # ------------------------------------------------------------------ profile

    async def introduce(self, language: str, profile: Mapping[str, str], commands: Mapping[str, str]) -> None:
        """Sets the bot's texts and command menu for one two-letter language; "" is the default one.

        Only what differs is set: Telegram counts these calls strictly, and a bot may restart often.
        """
        bot, code = self._bot, language or None
        short, long = profile["short"], profile["description"]
        if (await bot.get_my_short_description(language_code=code)).short_description != short:
            await bot.set_my_short_description(short, language_code=code)
        if (await bot.get_my_description(language_code=code)).description != long:
            await bot.set_my_description(long, language_code=code)
        listed = [BotCommand(name, text) for name, text in commands.items()]
        if list(await bot.get_my_commands(language_code=code)) != listed:
            await bot.set_my_commands(listed, language_code=code)
        if code is None:
            await bot.set_chat_menu_button(menu_button=MenuButtonCommands())

    async def _delete(self, chat: int, messages: Sequence[str]) -> None:
        """Takes back what Telegram lets a bot take back: messages of the last 48 hours. Best effort."""
        for at in range(0, len(messages), BATCH):
            with contextlib.suppress(TelegramError):
                await self._bot.delete_messages(chat, [int(number) for number in messages[at : at + BATCH]])

    async def _menu(self, chat: int, commands: Sequence[tuple[str, str]]) -> None:
        """The command menu in the language the person chose, which may not be the phone's. Cosmetic."""
        listed = [BotCommand(name, text) for name, text in commands]
        with contextlib.suppress(TelegramError):
            await self._bot.set_my_commands(listed, scope=BotCommandScopeChat(chat))


def keyboard(envelope: Envelope) -> dict[str, Any] | None:
    """What stands under a message, as the Bot API writes it."""
    if envelope.share_phone:
        button = {"text": envelope.share_phone, "request_contact": True}
        return {"keyboard": [[button]], "resize_keyboard": True, "one_time_keyboard": True}
    if envelope.drop_keyboard:
        return {"remove_keyboard": True}
    return inline(envelope)


def inline(envelope: Envelope) -> dict[str, Any] | None:
    if not envelope.rows:
        return None
    rows = [[{"text": label, "callback_data": data} for label, data in row] for row in envelope.rows]
    return {"inline_keyboard": rows}


def fate_of(error: TelegramError) -> Sent:
    """What a failed send means, by exact class: the library's classes inherit from each other."""
    code = type(error).__name__
    match error:
        case RetryAfter():
            wait = error.retry_after
            seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
            return Sent("later", wait=seconds, code=code, limited=True)
        case ChatMigrated():
            return Sent("moved", str(error.new_chat_id), code=code)
        case Forbidden():
            return Sent("gone", code=code)
        case BadRequest():
            return Sent("refused", code=code)
        case TimedOut():
            never_left = isinstance(error.__cause__, NeverLeft)
            return Sent("later" if never_left else "unsure", wait=PAUSE, code=code)
        case NetworkError():
            answered = error.__cause__ is None and "gateway" not in str(error).lower()
            never_left = isinstance(error.__cause__, NeverLeft)
            return Sent("later" if never_left or answered else "unsure", wait=PAUSE, code=code)
        case _ if isinstance(error.__cause__, Cut):
            return Sent("unsure", wait=PAUSE, code=code)
        case _:
            return Sent("later", wait=PAUSE * 6, code=code)


# ---------------------------------------------------------------------- parse


def parse(update: Mapping[str, Any]) -> Inbound | None:
    """One raw update as an Inbound; None for kinds that mean nothing here. KeyError if it is malformed."""
    if "callback_query" in update:
        return _press(update["callback_query"])
    if "edited_message" in update:
        message = update["edited_message"]
        key = f"e:{message['chat']['id']}:{message['message_id']}:{message.get('edit_date', 0)}"
        return _inbound(message, key, "edited", _words(message))
    if "my_chat_member" in update:
        return _membership(update["my_chat_member"])
    return _message(update["message"]) if "message" in update else None


def _message(message: Mapping[str, Any]) -> Inbound | None:
    key = f"m:{message['chat']['id']}:{message['message_id']}"
    text = message.get("text")
    if isinstance(text, str):
        command, _, payload = text.partition(" ")
        if command.partition("@")[0] == "/start":
            return _inbound(message, key, "start", payload.strip())
        return _inbound(message, key, "text", text)
    contact = message.get("contact")
    if isinstance(contact, dict):
        own = contact.get("user_id") == message["from"]["id"]
        return _inbound(message, key, "contact", str(contact["phone_number"]), verified=own)
    silent = (
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "new_chat_members",
        "left_chat_member",
        "pinned_message",
    )
    if any(name in message for name in silent):
        return None
    return _inbound(message, key, "media", _words(message))


def _words(message: Mapping[str, Any]) -> str:
    """What stands under a picture, or what a message was edited to: not an answer, but it may tell of danger."""
    return str(message.get("text") or message.get("caption") or "")


def _inbound(message: Mapping[str, Any], key: str, kind: Any, text: str = "", *, verified: bool = False) -> Inbound:
    sender = message.get("from") or message["chat"]
    return Inbound(
        channel=NAME,
        external_id=key,
        chat=_number(message["chat"]["id"]),
        sender=_number(sender["id"]),
        kind=kind,
        text=text,
        message=str(message["message_id"]),
        language=str(sender.get("language_code", "")),
        verified=verified,
        group=message["chat"]["type"] != "private",
        at=_sent(message),
    )


def _sent(message: Mapping[str, Any]) -> datetime | None:
    """When a message was sent, or edited; a press has no time."""
    seconds = message.get("edit_date") or message.get("date")
    return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int and 0 < seconds < 2**32 else None


def _press(query: Mapping[str, Any]) -> Inbound | None:
    message = query.get("message")
    if not isinstance(message, dict):
        return None
    return Inbound(
        channel=NAME,
        external_id=f"c:{query['id']}",
        chat=_number(message["chat"]["id"]),
        sender=_number(query["from"]["id"]),
        kind="press",
        press=str(query.get("data", "")),
        callback=str(query["id"]),
        message=str(message["message_id"]),
        language=str(query["from"].get("language_code", "")),
        group=message["chat"]["type"] != "private",
    )


def _membership(change: Mapping[str, Any]) -> Inbound | None:
    if change["chat"]["type"] != "private":
        return None
    chat, status = _number(change["chat"]["id"]), change["new_chat_member"]["status"]
    return Inbound(
        channel=NAME,
        external_id=f"s:{chat}:{change['date']}:{status}",
        chat=chat,
        sender=chat,
        kind="blocked" if status in ("kicked", "left") else "unblocked",
    )


def _number(value: object) -> str:
    """An id of Telegram's. TypeError for anything that is none: nothing could be sent there."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise TypeError
    return str(value)
