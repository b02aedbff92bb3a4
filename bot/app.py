"""The composition root: the only place where settings, store and channels are put together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot import catalogues, signatures, web
from bot.buttons import Buttons
from bot.channels import telegram
from bot.channels.console import ME, Console
from bot.channels.console import NAME as CONSOLE
from bot.channels.hook import Hook
from bot.channels.mail import Mail
from bot.deployment import Deployment
from bot.house import House, now
from bot.keyring import keyring
from bot.library import BadTrials, Library, load
from bot.messages import Inbound
from bot.serving import Serving
from bot.settings import BadSettings, Settings
from bot.store import BadDatabase, Store, conversations
from bot.surroundings import examine
from bot.words import Languages
from bot.workers import keep

log = logging.getLogger(__name__)


def deployment(settings: Settings, library: Library | None = None, *, drafts: bool = True) -> Deployment:
    """Everything a turn needs but the database. Raises BadTrials or BadSettings.

    Without ``drafts`` only languages are offered whose words a medical reviewer signed as they are.
    """
    library = library or load()
    if settings.trial not in library.slugs:
        raise BadSettings([f"TRIAL names no trial. Known: {', '.join(library.slugs)}."])
    token = settings.telegram_token
    secret = token.get_secret_value() if token else "a terminal needs no secret"
    return Deployment(
        library=library,
        languages=Languages(offered=None if drafts else _signed(library)),
        buttons=Buttons(hashlib.sha256(b"prescreen buttons " + secret.encode()).digest()),
        trial=settings.trial,
        keep_days=settings.keep_days,
        staff_group=str(settings.staff_group) if settings.staff_group else "",
        staff_language=settings.staff_language,
        desk_url=settings.desk_url or "",
        chat_url=(settings.public_url or "") if settings.web_chat else "",
        mail=settings.mail_server is not None,
        hook=settings.hook_url is not None,
    )


def store_of(settings: Settings) -> Store:
    """The database of a deployment. Raises BadDatabase, BadSettings and BadKey."""
    return Store(settings.database_url, keyring(settings))


def on(store: Store, deployed: Deployment, settings: Settings) -> Deployment:
    """The deployment with the secrets that its database keeps, which outlive the token and the master key."""
    if settings.telegram_token is None:
        made = Buttons(hashlib.sha256(b"prescreen buttons " + store.secret).digest())
        deployed = replace(deployed, buttons=made)
    return replace(deployed, key=store.secret)


def _signed(library: Library) -> list[str]:
    """The languages that may be offered to patients. Raises BadSettings where there is none."""
    found = [one.tag for one in signatures.every(library.flows.values()) if one.offered]
    if not found:
        raise BadSettings(
            [
                "No language is signed by a medical reviewer as it is now: see `prescreen i18n status`. "
                "Set ALLOW_DRAFT_LANGUAGES=yes to try the bot out with drafts and invented people."
            ]
        )
    return found


def serve(settings: Settings, workers: int = 1) -> None:
    """Telegram and the web, until SIGTERM or SIGINT. Nobody is served a file or a language with problems."""
    deployed = deployment(settings, drafts=settings.allow_draft_languages)
    if problems := catalogues.check(deployed.library.flows.values()):
        raise BadTrials(problems)
    listening = listener(settings)
    store = store_of(settings)
    if workers > 1 and not store.server:
        raise BadSettings(["DATABASE_URL names SQLite, which one process serves. Use PostgreSQL, or one worker."])
    for found in examine(store, datetime.now(UTC)):
        if not found.well:
            log.warning("%s: %s", found.what, found.remedy)
        if not found.well and found.grave:
            raise BadDatabase(found.remedy)
    store.close()

    def work() -> None:
        asyncio.run(_serve(settings, deployed, listening))

    if workers == 1:
        work()
    else:
        keep(workers, work)
        store = store_of(settings)
        with store.begin() as db:
            conversations.beat(db, datetime.now(UTC), running=False)
        store.close()
    log.info("stopped; everything taken is stored")


async def _serve(settings: Settings, deployed: Deployment, listening: socket.socket | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = store_of(settings)
    token, channel = settings.telegram_token, None
    if token is not None:
        channel = telegram.Telegram(token.get_secret_value(), settings.telegram_api)
    mailing, calling = mail_of(settings), _hook_of(settings)
    others = {other.name: other for other in (mailing, calling) if other is not None}
    serving = Serving(settings, store, on(store, deployed, settings), channel, stop, others)
    try:
        await serving.run(listening)
    finally:
        if channel is not None:
            await channel.close()
        if calling is not None:
            await calling.close()
        serving.house.close()
        store.close()
    if serving.house.writer.broken is not None:
        raise BadDatabase("the disk did not keep what it was given")


def mail_of(settings: Settings) -> Mail | None:
    """The mail channel, where there is a mail server."""
    if settings.mail_server is None or settings.mail_from is None:
        return None
    password = settings.mail_password.get_secret_value() if settings.mail_password else ""
    return Mail(settings.mail_server, settings.mail_from, password, now)


def _hook_of(settings: Settings) -> Hook | None:
    if settings.hook_url is None or settings.hook_secret is None:
        return None
    secret = settings.hook_secret.get_secret_value()
    return Hook(settings.hook_url, secret, now, private=settings.hook_private)


def serve_demo(settings: Settings, listening: socket.socket | None) -> None:
    """The web chat and the inbox, filled with invented people, until it is told to stop."""
    asyncio.run(_serve(settings, replace(deployment(settings), demo=True), listening))


TAKEN = "LISTEN cannot be used: the port is taken or not ours. Choose another."


def listener(settings: Settings, taken: str = TAKEN) -> socket.socket | None:
    """The port, taken. Raises BadSettings with the words ``taken`` where it cannot be."""
    try:
        return web.listener(settings.listen) if settings.listen else None
    except (OSError, OverflowError):
        raise BadSettings([taken]) from None


async def chat(settings: Settings, language: str, lines: Any) -> None:
    """The whole conversation in a terminal. ``lines`` yields what is typed; its end ends the chat."""
    store = store_of(settings)
    store.make_sure()
    console = Console()
    house = House(store, on(store, deployment(settings), settings), {CONSOLE: console})
    try:
        await house.take(Inbound(CONSOLE, console.key(), ME, ME, "start", language=language))
        await house.delivery.drain()
        for line in lines:
            await house.take(console.hear(line))
            await house.delivery.drain()
    finally:
        house.close()
        store.close()
