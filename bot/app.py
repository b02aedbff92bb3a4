"""The composition root: the only place where settings, store and channels are put together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
from datetime import UTC, datetime
from typing import Any

from bot import catalogues, web
from bot.buttons import Buttons
from bot.channels import telegram
from bot.channels.console import ME, Console
from bot.channels.console import NAME as CONSOLE
from bot.deployment import Deployment
from bot.house import House
from bot.library import BadTrials, Library, load
from bot.messages import Inbound
from bot.serving import Serving
from bot.settings import BadSettings, Settings
from bot.store import BadDatabase, Store, conversations
from bot.surroundings import examine
from bot.words import Languages
from bot.workers import keep

log = logging.getLogger(__name__)


def deployment(settings: Settings, library: Library | None = None) -> Deployment:
    """Everything a turn needs but the database. Raises BadTrials or BadSettings."""
    library = library or load()
    if settings.trial not in library.slugs:
        raise BadSettings([f"TRIAL names no trial. Known: {', '.join(library.slugs)}."])
    token = settings.telegram_token
    secret = token.get_secret_value() if token else "a terminal needs no secret"
    key = settings.master_key.get_secret_value() if settings.master_key else secret
    return Deployment(
        library=library,
        languages=Languages(),
        buttons=Buttons(hashlib.sha256(b"prescreen buttons " + secret.encode()).digest()),
        trial=settings.trial,
        keep_days=settings.keep_days,
        staff_group=str(settings.staff_group) if settings.staff_group else "",
        staff_language=settings.staff_language,
        desk_url=settings.desk_url or "",
        key=hashlib.sha256(b"prescreen " + key.encode()).digest(),
    )


def serve(settings: Settings, workers: int = 1) -> None:
    """Telegram, until SIGTERM or SIGINT. Nobody is served a file or a language with problems."""
    deployed = deployment(settings)
    if problems := catalogues.check(deployed.library.flows.values()):
        raise BadTrials(problems)
    listening = _listener(settings)
    store = Store(settings.database_url)
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
        store = Store(settings.database_url)
        with store.begin() as db:
            conversations.beat(db, datetime.now(UTC), running=False)
        store.close()
    log.info("stopped; everything taken is stored")


async def _serve(settings: Settings, deployed: Deployment, listening: socket.socket | None) -> None:
    assert settings.telegram_token is not None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = Store(settings.database_url)
    channel = telegram.Telegram(settings.telegram_token.get_secret_value(), settings.telegram_api)
    serving = Serving(settings, store, deployed, channel, stop)
    try:
        await serving.run(listening)
    finally:
        await channel.close()
        serving.house.close()
        store.close()
    if serving.house.writer.broken is not None:
        raise BadDatabase("the disk did not keep what it was given")


def _listener(settings: Settings) -> socket.socket | None:
    try:
        return web.listener(settings.listen) if settings.listen else None
    except (OSError, OverflowError):
        raise BadSettings(["LISTEN cannot be used: the port is taken or not ours. Choose another."]) from None


async def chat(settings: Settings, language: str, lines: Any) -> None:
    """The whole conversation in a terminal. ``lines`` yields what is typed; its end ends the chat."""
    store = Store(settings.database_url)
    store.make_sure()
    console = Console()
    house = House(store, deployment(settings), {CONSOLE: console})
    try:
        await house.take(Inbound(CONSOLE, console.key(), ME, ME, "start", language=language))
        await house.delivery.drain()
        for line in lines:
            await house.take(console.hear(line))
            await house.delivery.drain()
    finally:
        house.close()
        store.close()
