"""Several processes on one database, as ``prescreen serve --workers`` runs them: one sends for all of them.

Each has the phones of its own patients. What the one that leads sends to the others' is passed on to their process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import orjson

from benchmarks.phones import Switchboard, fresh
from benchmarks.product import Product
from bot.leader import calls


class Worker:
    """Number ``number`` of ``of``; number 0 leads."""

    def __init__(self, number: int, of: int, folder: Path) -> None:
        self.number, self.of, self.folder = number, of, folder
        self.board = Switchboard(ids=count(fresh() * of + number, of))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._place(number).unlink(missing_ok=True)
        self._done(number).unlink(missing_ok=True)
        self.socket.bind(str(self._place(number)))

    def _place(self, number: int) -> Path:
        return self.folder / f"worker-{number}"

    def _done(self, number: int) -> Path:
        return self.folder / f"worker-{number}-done"

    @asynccontextmanager
    async def at_work(self, product: Product) -> AsyncIterator[None]:
        """Opens the product; at the end the one that leads waits for all others."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        await product.open(leads=self.number == 0)
        tasks = []
        if self.number == 0:
            self.board.elsewhere = self._pass_on
            tasks = [asyncio.create_task(product.house.delivery.run(stop))]
            if product.store.server:
                tasks.append(asyncio.create_task(self._listen(product, stop)))
        else:
            self.socket.setblocking(False)
            loop.add_reader(self.socket, self._passed)
        try:
            yield
            self._done(self.number).touch()
            while self.number == 0 and not all(self._done(number).exists() for number in range(self.of)):
                await asyncio.sleep(0.05)
        finally:
            stop.set()
            loop.remove_reader(self.socket)
            await asyncio.gather(*tasks)
            self.socket.close()

    def _pass_on(self, message: dict[str, object]) -> None:
        chat: int = message["chat"]["id"]  # type: ignore[index]
        with contextlib.suppress(OSError):  # they are gone already
            self.socket.sendto(orjson.dumps(message), str(self._place(chat % self.of)))

    def _passed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                message = orjson.loads(self.socket.recv(1 << 20))
                if (phone := self.board.phones.get(message["chat"]["id"])) is not None:
                    phone.sees(message)

    async def _listen(self, product: Product, stop: asyncio.Event) -> None:
        async for _ in calls(product.store, stop):
            product.house.delivery.wake.set()
