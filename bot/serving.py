"""One process that serves: the web face always, and what only one process may do while it leads."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.types import ASGIApp

from bot import crash, web
from bot.channels import telegram
from bot.channels.web import Web
from bot.deployment import Deployment
from bot.house import House
from bot.intake import Intake
from bot.leader import Leadership, calls
from bot.limits import Limits
from bot.messages import WEB, Channel
from bot.pace import Pace
from bot.poll import Poller
from bot.settings import Settings
from bot.store import Store, unstorable
from bot.turns import commands
from bot.words import SOURCE
from flows.speak import fill

log = logging.getLogger(__name__)

SWEEP_SECONDS, HOLD_SECONDS = 60.0, 2.0


class Serving:
    """What runs until ``stop``, and how it is started and ended."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        deployed: Deployment,
        channel: telegram.Telegram | None,
        stop: asyncio.Event,
        others: Mapping[str, Channel] | None = None,
    ) -> None:
        """``others`` are the channels that only send, by name. Without ``channel`` people come by the web chat."""
        self.settings, self.deployed, self.channel, self.stop = settings, deployed, channel, stop
        self.web = Web()
        channels: dict[str, Channel] = {WEB: self.web, **(others or {})}
        if channel is not None:
            channels[telegram.NAME] = channel
        self.house = House(store, deployed, channels, {telegram.NAME: Limits(settings.send_speed)})
        self.house.pace = Pace(settings.updates_a_minute)
        self.house.delivery.leads = False
        self.leadership = Leadership(store)
        self.webhook = channel is not None and settings.bot_mode == "webhook"
        self.secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""

    async def run(self, listening: socket.socket | None) -> None:
        if not self.house.store.server and not await self._alone():
            return
        house, stop = self.house, self.stop
        house.store.make_sure()
        count = house.count if await house.begin() else None
        crash.point("started")
        intake = None
        if self.channel is not None:
            intake = Intake(telegram.parse, house.take, house.set_aside, self.channel.acknowledge, count)
        page = web.make(
            *(house.probe, house.ready, house.measure, intake if self.webhook else None, self.secret),
            *(self._desk(), self._chat(), self._demo()),
        )
        log.info("serving %s by %s", self.deployed.trial, self.settings.bot_mode if intake else "web")
        async with asyncio.TaskGroup() as group:
            if listening is not None:
                group.create_task(web.serve(page, listening, stop))
            group.create_task(self._lead(intake))
            group.create_task(self._watch())
        crash.point("stopping")
        try:
            await house.end()
        except Exception as error:
            if not unstorable(error):
                raise
            log.warning(
                "that this process stops cannot be noted, so the next one is careful: %s", type(error).__name__
            )

    def _desk(self) -> ASGIApp | None:
        """The web inbox, where it has an address."""
        if not self.deployed.desk_url:
            return None
        from bot.desk.pages import app, room  # noqa: PLC0415 (slow to import, and not everybody has it)

        house = self.house
        return app.make(room.Room(self.deployed, house.store, house.writer, house.clock))

    def _demo(self) -> ASGIApp | None:
        if not self.deployed.demo:
            return None
        from bot.demo import page  # noqa: PLC0415
        from bot.desk.pages import room  # noqa: PLC0415

        house = self.house
        return page.make(room.Room(self.deployed, house.store, house.writer, house.clock))

    def _chat(self) -> ASGIApp | None:
        """The web chat and the trial's page, where they have an address."""
        if not self.deployed.chat_url:
            return None
        from bot.chat import app, room  # noqa: PLC0415

        house, settings = self.house, self.settings
        return app.make(
            room.Room(
                self.deployed,
                house.store,
                house.take,
                house.writer.write,
                house.clock,
                self.web,
                self.stop,
                self.deployed.chat_url,
                (settings.telegram_name or "").lstrip("@"),
                ("'self'",) if self.deployed.demo else tuple(filter(None, settings.embed_sites.split(","))),
            )
        )

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

    async def _lead(self, intake: Intake | None) -> None:
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

    async def _while_leading(self, intake: Intake | None) -> None:
        over = asyncio.Event()
        try:
            await self.house.lead(self.leadership.token)
        except Exception as error:
            log.error("cannot lead now: %s", type(error).__name__)
            return
        crash.point("leading")
        log.info("this process polls, sends and sweeps")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold(over))
            if self.channel is not None and intake is not None:
                self._hear(self.channel, intake, group, over)
            group.create_task(self.house.delivery.run(over))
            if self.house.store.server:
                group.create_task(self._listen(over))
            group.create_task(self._sweep(over))

    def _hear(
        self, channel: telegram.Telegram, intake: Intake, group: asyncio.TaskGroup, over: asyncio.Event
    ) -> None:
        """Telegram: how updates come, and how the bot introduces itself."""
        if self.webhook:
            url = self.settings.webhook_url or ""
            told = partial(channel.by_webhook, url, self.secret)
            group.create_task(_until_done(told, "the webhook", over))
        else:
            group.create_task(_poll(channel, Poller(channel, intake), over))
        group.create_task(_until_done(partial(_introduce, channel, self.deployed), "the profile", over))

    async def _hold(self, over: asyncio.Event) -> None:
        """Until this process is told to stop, or leads no longer."""
        while not self.stop.is_set() and await asyncio.to_thread(self.leadership.holds):
            await _pause(self.stop, HOLD_SECONDS)
        over.set()

    async def _listen(self, over: asyncio.Event) -> None:
        """Hears from the other processes that they put something into the outbox. Only a hurry."""
        while not over.is_set():
            try:
                async for _ in calls(self.house.store, over):
                    self.house.delivery.wake.set()
            except Exception as error:
                log.warning("cannot listen to the other processes now: %s", type(error).__name__)
            await _pause(over, 1.0)

    async def _sweep(self, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                await self.house.sweep()
            except Exception as error:
                log.error("a sweep failed and will run again: %s", type(error).__name__)
            await _pause(over, SWEEP_SECONDS)

    async def _watch(self) -> None:
        """Stops the process when its database can no longer be trusted, or nobody looks after it any more."""
        parent = multiprocessing.parent_process()
        while not self.stop.is_set():
            if parent is not None and not parent.is_alive():
                log.error("stopping: the process that started this one is gone")
                self.stop.set()
            if self.house.writer.broken is not None:
                log.critical("stopping: start again once the disk is well")
                self.stop.set()
            await _pause(self.stop, 1.0)


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


async def _pause(until: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return
