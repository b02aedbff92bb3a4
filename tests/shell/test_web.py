"""The webhook over real HTTP: who may call, what is answered before and after the commit, and the health pages."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from bot import web
from bot.channels.telegram import parse
from bot.intake import Intake
from bot.messages import Inbound

SECRET = "s" * 40
CHAT = {"id": 6_000_000_000, "type": "private"}


def update(number: int, **message: Any) -> dict[str, Any]:
    return {
        "update_id": number,
        "message": {"message_id": number, "date": 1, "chat": CHAT, "from": CHAT, **message},
    }


class House:
    """What stands behind the web page: it takes, or cannot."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.aside: list[Mapping[str, Any]] = []
        self.well = True
        self.poison = ""
        self.gate: asyncio.Event | None = None

    async def take(self, inbound: Inbound) -> None:
        if not self.well:
            raise OperationalError("", {}, Exception())
        if self.gate is not None:
            await self.gate.wait()
        if inbound.text == self.poison:
            raise ValueError("poison")
        self.taken.append(inbound.text)

    async def set_aside(self, raw: Mapping[str, Any], _inbound: Inbound | None) -> None:
        self.aside.append(raw)

    async def acknowledge(self, callback: str) -> None:
        return

    async def measure(self) -> bytes:
        return b"prescreen_up 1\n"

    async def probe(self) -> None:
        if not self.well:
            raise OperationalError("", {}, Exception())


Talk = Callable[[httpx.AsyncClient, House], Awaitable[None]]


def serve(talk: Talk, *, webhook: bool = True) -> None:
    """A real server on a port of the system's, and a client that talks to it."""

    async def run() -> None:
        listening = web.listener("127.0.0.1:0")
        listen = f"127.0.0.1:{listening.getsockname()[1]}"
        house, stop = House(), asyncio.Event()
        intake = Intake(parse, house.take, house.set_aside, house.acknowledge) if webhook else None
        page = web.make(house.probe, house.probe, house.measure, intake, SECRET)
        serving = asyncio.create_task(web.serve(page, listening, stop))
        try:
            async with httpx.AsyncClient(base_url=f"http://{listen}", timeout=10) as client:
                for _ in range(200):
                    try:
                        await client.get("/healthz")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.02)
                async with asyncio.timeout(20):
                    await talk(client, house)
        finally:
            stop.set()
            await serving

    asyncio.run(run())


async def post(client: httpx.AsyncClient, body: Any, secret: str | None = SECRET) -> httpx.Response:
    headers = {} if secret is None else {web.SECRET_HEADER: secret}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(web.PATH, content=content, headers=headers)


@pytest.mark.parametrize("secret", [None, "", "s" * 39, "s" * 41, "x" * 40])
def test_without_the_secret_nothing_is_taken(secret: str | None) -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        answer = await post(client, update(1, text="a"), secret)
        assert (answer.status_code, answer.content, house.taken) == (403, b"", [])

    serve(talk)


def test_the_answer_comes_after_the_commit() -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        house.gate = asyncio.Event()
        asking = asyncio.create_task(post(client, update(1, text="a")))
        await asyncio.sleep(0.2)
        assert not asking.done()
        house.gate.set()
        assert (await asking).status_code == 200 and house.taken == ["a"]

    serve(talk)


def test_what_cannot_be_stored_is_asked_for_again() -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        house.well = False
        answer = await post(client, update(1, text="a"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await client.get("/healthz")).status_code == 503
        house.well = True
        assert (await post(client, update(1, text="a"))).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert house.taken == ["a"] and house.aside == []

    serve(talk)


def test_poison_is_set_aside_and_the_next_goes_on() -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        house.poison = "bad"
        poisoned, good = await asyncio.gather(
            post(client, update(1, text="bad")), post(client, update(2, text="good"))
        )
        assert (poisoned.status_code, good.status_code) == (200, 200)
        assert house.taken == ["good"] and house.aside == [update(1, text="bad")]

    serve(talk)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b'"x"', b"[" * 5000])
def test_an_unreadable_body_is_kept_and_not_sent_again(body: bytes) -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        assert (await post(client, body)).status_code == 200
        assert len(house.aside) == 1 and house.taken == []

    serve(talk)


def test_a_body_that_is_too_big_is_refused() -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        assert (await post(client, b"x" * (web.BIGGEST + 1))).status_code == 413
        assert house.taken == house.aside == []

    serve(talk)


def test_too_many_at_once_are_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST", 3)

    async def talk(client: httpx.AsyncClient, house: House) -> None:
        house.gate = asyncio.Event()
        waiting = [asyncio.create_task(post(client, update(n, text=str(n)))) for n in range(3)]
        await asyncio.sleep(0.2)
        assert (await post(client, update(9, text="9"))).status_code == 503
        house.gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}

    serve(talk)


def test_without_a_webhook_only_the_health_pages_are_there() -> None:
    async def talk(client: httpx.AsyncClient, house: House) -> None:
        assert (await post(client, update(1, text="a"))).status_code == 404
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/readyz")).text == "ok\n"

    serve(talk, webhook=False)


def test_a_port_in_use_is_an_error_at_once() -> None:
    with web.listener("127.0.0.1:0") as taken, pytest.raises(OSError):
        web.listener(f"127.0.0.1:{taken.getsockname()[1]}")


def test_the_end_of_an_answer_does_not_wait_for_its_beginning_to_be_confirmed() -> None:
    with web.listener("127.0.0.1:0") as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
