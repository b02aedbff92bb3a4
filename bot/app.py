"""The composition root: the only place where settings, store, channels and loops are put together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bot import catalogues, sweep, web
from bot.buttons import Buttons
from bot.channels import telegram
from bot.channels.console import ME, Console
from bot.channels.console import NAME as CONSOLE
from bot.deliver import Delivery
from bot.deployment import Deployment
from bot.desk.work import hand_back, take_staff
from bot.intake import Intake
from bot.leader import Leadership
from bot.library import BadTrials, Library, load
from bot.limits import Limits
from bot.messages import Channel, Envelope, Inbound
from bot.poll import Poller
from bot.settings import BadSettings, Settings
from bot.store import BadDatabase, Store, conversations, outbox
from bot.store.outbox import Due
from bot.store.transaction import Transaction
from bot.turns import commands, take_turn
from bot.words import SOURCE, Languages
from bot.writer import Writer
from flows.speak import fill

log = logging.getLogger(__name__)

SWEEP_SECONDS, HOLD_SECONDS = 60.0, 2.0
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
        self.writer = Writer(store, now)
        self.delivery = Delivery(self.writer, channels, limits, self._gone)

    def close(self) -> None:
        self.writer.close()

    def _gone(self, db: Transaction, due: Due, at: datetime) -> None:
        hand_back(db, self.deployed, due, at)

    async def take(self, inbound: Inbound) -> None:
        await self.writer.write(partial(self._take, inbound), inbound)

    def _take(self, inbound: Inbound, db: Transaction) -> None:
        at = now()
        if not take_staff(inbound, db, self.deployed, at):
            take_turn(inbound, db, self.deployed, at)

    async def set_aside(self, update: Mapping[str, Any], inbound: Inbound | None) -> None:
        """Keeps an update that cannot be taken, and tells the person that it is not their fault."""
        await self.writer.write(partial(self._set_aside, update, inbound))

    def _set_aside(self, update: Mapping[str, Any], inbound: Inbound | None, db: Transaction) -> None:
        at = now()
        conversations.set_aside(db, telegram.NAME, inbound.chat if inbound else "", update, at)
        if inbound is None or inbound.group:
            return
        flow = self.deployed.library.newest(self.deployed.trial)
        tag = self.deployed.languages.resolve(inbound.language) or SOURCE
        text = self.deployed.languages.patient(tag).text("say.trouble", flow.says["trouble"])
        key = f"trouble:{inbound.channel}:{inbound.external_id}:{at.isoformat()}"  # it may fail again
        outbox.put(db, inbound.channel, inbound.chat, Envelope(text), key, at)

    async def count(self, key: str) -> int:
        return await self.writer.write(lambda db: conversations.count_attempt(db, key))

    async def begin(self) -> bool:
        """Notes that a process runs. Returns whether the one before it ended without a word."""

        def note(db: Transaction) -> bool:
            house = conversations.heartbeat(db)
            conversations.beat(db, now(), running=True)
            return house is not None and bool(house["running"])

        return await self.writer.write(note)

    async def end(self) -> None:
        """Notes that this process stopped in good order."""

        def note(db: Transaction) -> None:
            conversations.beat(db, now(), running=False)
            conversations.forget_attempts(db)

        await self.writer.write(note)

    async def lead(self, token: str) -> None:
        """From now on this process sends, and no other one."""
        await self.writer.write(lambda db: conversations.beat(db, now(), leader=token))
        self.delivery.token = token

    async def probe(self) -> None:
        """Raises unless an update could be stored now."""
        await self.writer.write(lambda db: conversations.beat(db, now()))

    async def ready(self) -> None:
        """Raises unless updates can be stored and nothing has waited to be sent for too long."""

        def look(db: Transaction) -> None:
            conversations.beat(db, now())
            if outbox.oldest(db) < now() - STUCK:
                raise RuntimeError("the outbox is stuck")

        await self.writer.write(look)

    async def sweep(self) -> None:
        """Takes every step that is due. Each is idempotent."""
        at, deployed = now(), self.deployed
        for reminder in await self.writer.write(partial(sweep.reminders, deployment=deployed, now=at)):
            remind = partial(sweep.remind, reminder, deployment=deployed, now=at)
            await self.writer.write(remind, reminder)
        await self.writer.write(partial(sweep.forget, deployment=deployed, now=at))


async def serve(settings: Settings) -> None:
    """Telegram, until SIGTERM or SIGINT. Nobody is served a file or a language with problems."""
    deployed = deployment(settings)
    if problems := catalogues.check(deployed.library.flows.values()):
        raise BadTrials(problems)
    assert settings.telegram_token is not None
    listening = _listener(settings)
    store = Store(settings.database_url)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    channel = telegram.Telegram(settings.telegram_token.get_secret_value(), settings.telegram_api)
    serving = Serving(settings, store, deployed, channel, stop)
    try:
        await serving.run(listening)
    finally:
        await channel.close()
        serving.house.close()
        store.close()
    if serving.house.writer.broken is not None:
        raise BadDatabase("the disk refused to keep what it was given")
    log.info("stopped; everything taken is stored")


class Serving:
    """One process that serves: the web face always, and what only one process may do while it leads."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        deployed: Deployment,
        channel: telegram.Telegram,
        stop: asyncio.Event,
    ) -> None:
        self.settings, self.deployed, self.channel, self.stop = settings, deployed, channel, stop
        self.house = Conversations(store, deployed, {telegram.NAME: channel}, Limits(settings.send_speed))
        self.house.delivery.leads = False
        self.leadership = Leadership(store)
        self.webhook = settings.bot_mode == "webhook"
        self.secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""

    async def run(self, listening: socket.socket | None) -> None:
        if not self.house.store.server and not await self._alone():
            return
        house, stop = self.house, self.stop
        count = house.count if await house.begin() else None
        intake = Intake(telegram.parse, house.take, house.set_aside, self.channel.acknowledge, count)
        page = web.make(house.probe, house.ready, intake if self.webhook else None, self.secret)
        log.info("serving %s by %s", self.deployed.trial, self.settings.bot_mode)
        async with asyncio.TaskGroup() as group:
            if listening is not None:
                group.create_task(web.serve(page, listening, stop))
            group.create_task(self._lead(intake))
            group.create_task(self._watch())
        await house.end()

    async def _alone(self) -> bool:
        """SQLite is served by one process: a second one waits, and says so."""
        said = False
        while not self.stop.is_set():
            if self.leadership.take():
                return True
            if not said:
                log.warning("another process serves this database; waiting until it stops")
                said = True
            await _pause(self.stop, 1.0)
        return False

    async def _lead(self, intake: Intake) -> None:
        """Polls, sends and sweeps for as long as this process leads."""
        said = False
        while not self.stop.is_set():
            if self.leadership.holds() or await asyncio.to_thread(self.leadership.take):
                said = False
                await self._while_leading(intake)
            elif not said:
                log.info("another process leads; this one is ready to")
                said = True
            await _pause(self.stop, 1.0)
        self.leadership.release()

    async def _while_leading(self, intake: Intake) -> None:
        over = asyncio.Event()
        try:
            await self.house.lead(self.leadership.token)
        except Exception as error:
            log.error("cannot lead now: %s", type(error).__name__)
            return
        log.info("this process polls, sends and sweeps")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold(over))
            if self.webhook:
                url = self.settings.webhook_url or ""
                told = partial(self.channel.by_webhook, url, self.secret)
                group.create_task(_until_done(told, "the webhook", over))
            else:
                group.create_task(_poll(self.channel, Poller(self.channel, intake), over))
            group.create_task(_until_done(partial(_introduce, self.channel, self.deployed), "the profile", over))
            group.create_task(self.house.delivery.run(over))
            group.create_task(self._sweep(over))

    async def _hold(self, over: asyncio.Event) -> None:
        """Until this process is told to stop, or leads no longer."""
        while not self.stop.is_set() and await asyncio.to_thread(self.leadership.holds):
            await _pause(self.stop, HOLD_SECONDS)
        over.set()

    async def _sweep(self, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                await self.house.sweep()
            except Exception as error:
                log.error("a sweep failed and will run again: %s", type(error).__name__)
            await _pause(over, SWEEP_SECONDS)

    async def _watch(self) -> None:
        """Stops the process when its database can no longer be trusted."""
        while not self.stop.is_set():
            if self.house.writer.broken is not None:
                log.critical("stopping: start again once the disk is well")
                self.stop.set()
            await _pause(self.stop, 1.0)


async def _pause(until: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return


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
            await _pause(stop, pause)
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
        house.close()
        store.close()
