"""The composition root: the only place where settings, store, channels and loops are put together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot import catalogues, web
from bot.buttons import Buttons
from bot.channels import telegram
from bot.channels.console import ME, Console
from bot.channels.console import NAME as CONSOLE
from bot.deliver import Delivery
from bot.deployment import Deployment
from bot.desk.work import hand_back, take_staff
from bot.intake import Intake
from bot.library import BadTrials, Library, load
from bot.limits import Limits
from bot.messages import Channel, Envelope, Inbound
from bot.poll import Poller
from bot.settings import BadSettings, Settings
from bot.store import Store, conversations, outbox
from bot.store.outbox import Due
from bot.sweep import sweep
from bot.turns import commands, take_turn
from bot.words import SOURCE, Languages
from flows.speak import fill

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
STUCK = timedelta(minutes=10)
"""After this long something due to be sent is not late but stuck."""


def now() -> datetime:
    return datetime.now(UTC)


def deployment(settings: Settings, library: Library | None = None) -> Deployment:
    """Everything a turn needs but the database. Raises BadTrials or BadSettings."""
    library = library or load()
    if settings.trial not in library.slugs:
        raise BadSettings([f"TRIAL names no trial. Known: {', '.join(library.slugs)}."])
    token = settings.telegram_token
    secret = token.get_secret_value() if token else "a terminal needs no secret"
    return Deployment(
        library=library,
        languages=Languages(),
        buttons=Buttons(hashlib.sha256(b"prescreen buttons " + secret.encode()).digest()),
        trial=settings.trial,
        keep_days=settings.keep_days,
        staff_group=str(settings.staff_group) if settings.staff_group else "",
        staff_language=settings.staff_language,
    )


class Conversations:
    """The two doors of the shell: what patients and staff do goes in, what is due goes out."""

    def __init__(
        self,
        store: Store,
        deployed: Deployment,
        channels: Mapping[str, Channel],
        limits: Limits | None = None,
    ) -> None:
        self.store, self.deployed = store, deployed
        self.delivery = Delivery(store, channels, now, limits, self._gone)

    def _gone(self, db: Connection, due: Due, at: datetime) -> None:
        hand_back(db, self.deployed, due, at)

    async def take(self, inbound: Inbound) -> None:
        await asyncio.to_thread(self._take, inbound)
        self.delivery.wake.set()

    def _take(self, inbound: Inbound) -> None:
        at = now()
        if not take_staff(inbound, self.store, self.deployed, at):
            take_turn(inbound, self.store, self.deployed, at)

    async def set_aside(self, update: Mapping[str, Any], inbound: Inbound | None) -> None:
        """Keeps an update that cannot be taken, and tells the person that it is not their fault."""
        await asyncio.to_thread(self._set_aside, update, inbound)
        self.delivery.wake.set()

    def _set_aside(self, update: Mapping[str, Any], inbound: Inbound | None) -> None:
        at = now()
        with self.store.begin() as db:
            conversations.set_aside(db, telegram.NAME, inbound.chat if inbound else "", update, at)
            if inbound is None or inbound.group:
                return
            flow = self.deployed.library.newest(self.deployed.trial)
            tag = self.deployed.languages.resolve(inbound.language) or SOURCE
            text = self.deployed.languages.patient(tag).text("say.trouble", flow.says["trouble"])
            key = f"trouble:{inbound.channel}:{inbound.external_id}:{at.isoformat()}"  # it may fail again
            outbox.put(db, inbound.channel, inbound.chat, Envelope(text), key, at)

    async def probe(self) -> None:
        """Raises unless an update could be stored now."""
        await asyncio.to_thread(self._probe)

    def _probe(self) -> None:
        with self.store.begin() as db:
            conversations.beat(db, now())

    async def ready(self) -> None:
        """Raises unless updates can be stored and nothing has waited to be sent for too long."""
        await asyncio.to_thread(self._ready)

    def _ready(self) -> None:
        self._probe()
        with self.store.begin() as db:
            if outbox.oldest(db) < now() - STUCK:
                raise RuntimeError("the outbox is stuck")

    async def sweep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await asyncio.to_thread(sweep, self.store, self.deployed, now()):
                    self.delivery.wake.set()
            except Exception as error:
                log.error("a sweep failed and will run again: %s", type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue


async def serve(settings: Settings) -> None:
    """Telegram by polling, until SIGTERM or SIGINT. Nobody is served a file or a language with problems."""
    deployed = deployment(settings)
    if problems := catalogues.check(deployed.library.flows.values()):
        raise BadTrials(problems)
    assert settings.telegram_token is not None
    listening = _listener(settings)
    store = Store(settings.database_url)
    channel = telegram.Telegram(settings.telegram_token.get_secret_value(), settings.telegram_api)
    house = Conversations(store, deployed, {telegram.NAME: channel}, Limits(settings.send_speed))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    intake = Intake(telegram.parse, house.take, house.set_aside, channel.acknowledge)
    webhook = settings.bot_mode == "webhook"
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    page = web.make(house.probe, house.ready, intake if webhook else None, secret)
    log.info("serving %s by %s", deployed.trial, settings.bot_mode)
    try:
        async with asyncio.TaskGroup() as group:
            if listening is not None:
                group.create_task(web.serve(page, listening, stop))
            if webhook:
                url = settings.webhook_url or ""
                group.create_task(_until_done(lambda: channel.by_webhook(url, secret), "the webhook", stop))
            else:
                group.create_task(_poll(channel, Poller(channel, intake), stop))
            group.create_task(_until_done(lambda: _introduce(channel, deployed), "the profile", stop))
            group.create_task(house.delivery.run(stop))
            group.create_task(house.sweep(stop))
    finally:
        await channel.close()
        store.close()
    log.info("stopped; everything taken is stored")


def _listener(settings: Settings) -> socket.socket | None:
    try:
        return web.listener(settings.listen) if settings.listen else None
    except (OSError, OverflowError):
        raise BadSettings(["LISTEN cannot be used: the port is taken or not ours. Choose another."]) from None


async def _poll(channel: telegram.Telegram, poller: Poller, stop: asyncio.Event) -> None:
    await _until_done(channel.by_polling, "polling", stop)
    await poller.run(stop)


async def _introduce(channel: telegram.Telegram, deployed: Deployment) -> None:
    """Sets the profile and the command menus."""
    await channel.open()
    for code, profile, menu in profiles(deployed):
        await channel.introduce(code, profile, menu)


async def _until_done(call: Callable[[], Awaitable[None]], what: str, stop: asyncio.Event) -> None:
    """Tries until Telegram takes it: a bot that starts during an outage must not need a second start."""
    pause = 1.0
    while not stop.is_set():
        try:
            await call()
            return
        except Exception as error:
            log.warning("%s is not set yet: %s", what, type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, 60.0)


def profiles(deployed: Deployment) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """The profile texts and commands per two-letter language; "" is for everybody else."""
    flow = deployed.library.newest(deployed.trial)
    made = []
    for tag in ("", *deployed.languages.names):
        words = deployed.languages.patient(tag or SOURCE)
        title = words.text(f"{flow.trial.slug}.trial", flow.trial.short_title)
        values = {"short_title": title, "sponsor": flow.trial.sponsor}
        profile = {
            part: fill(words.text(f"say.profile_{part}", flow.says[f"profile_{part}"]), values)
            for part in ("short", "description")
        }
        made.append((tag.partition("_")[0], profile, dict(commands(flow, words))))
    return made


async def chat(settings: Settings, language: str, lines: Any) -> None:
    """The whole conversation in a terminal. ``lines`` yields what is typed; its end ends the chat."""
    store = Store(settings.database_url)
    console = Console()
    house = Conversations(store, deployment(settings), {CONSOLE: console})
    try:
        await house.take(Inbound(CONSOLE, console.key(), ME, ME, "start", language=language))
        await house.delivery.drain()
        for line in lines:
            await house.take(console.hear(line))
            await house.delivery.drain()
    finally:
        store.close()
