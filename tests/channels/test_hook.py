"""The webhook out against a real receiver: what it is sent, what it may answer, and where no call ever goes."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from bot.channels import hook
from bot.channels.hook import LONGEST, PAUSE, Hook, may_be_called
from bot.messages import HOOK, SUBSCRIBER, Envelope, Sent
from bot.store import Store, outbox
from tests.shell.house import Housed, hurries

pytestmark = pytest.mark.slow

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
EVENT = json.dumps(
    {"type": "lead.raised", "timestamp": "2026-11-22T09:30:00+00:00", "data": {"reference": "K-0001"}}
)


class Receiver:
    """Another system: it notes every call with its body, and answers as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.fine
        self.codes: list[int] = []
        self.written = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._runs(self._opens())

    def _runs(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _opens(self) -> int:
        application = web.Application()
        application.router.add_route("*", "/{any:.*}", self._take)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append((request.path, headers, await request.read()))
        return await self.answer(request)

    async def fine(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=self.codes.pop(0) if self.codes else 204)

    async def moves(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async def floods(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = 1 << 30
        await answer.prepare(request)
        for _ in range(1 << 14):
            await answer.write(b"x" * (1 << 16))
            self.written += 1 << 16
        return answer

    async def rambles(self, request: web.Request) -> web.StreamResponse:
        """A header without end."""
        assert request.transport is not None
        for _ in range(1 << 10):
            request.transport.write(b"X-Long: " + b"x" * (1 << 14) + b"\r\n")
            self.written += 1 << 14
            await asyncio.sleep(0)
            if request.transport.is_closing():
                break
        return web.Response()

    async def sleeps(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async def hangs_up(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/events"

    def closes(self) -> None:
        self._runs(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.closes()


def clock() -> datetime:
    return datetime.now(UTC)


def calls(url: str, *envelopes: Envelope, private: bool = True) -> list[Sent]:
    async def run() -> list[Sent]:
        channel = Hook(url, SECRET, clock, private=private)
        try:
            return [await channel.send(SUBSCRIBER, envelope, "") for envelope in envelopes]
        finally:
            await channel.close()

    return asyncio.run(run())


def event(key: str = "lead:1:raised", text: str = EVENT) -> Envelope:
    return Envelope(text, key=key)


# ---------------------------------------------------------------------- what it is sent


def test_an_event_is_signed_so_that_the_library_of_the_convention_takes_it(receiver: Receiver) -> None:
    assert calls(receiver.url(), event(text=EVENT.replace("K-0001", "膝"))) == [Sent("sent")]
    ((path, headers, body),) = receiver.calls
    assert path == "/events" and headers["content-type"] == "application/json"
    told = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "lead.raised" and told["data"] == {"reference": "膝"}
    for wrong in (body + b" ", body.replace(b"raised", b"closed")):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(wrong, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUJD" * 11).verify(body, headers)


def test_the_same_event_has_the_same_id_at_every_try_and_no_other_one_has_it(receiver: Receiver) -> None:
    calls(receiver.url(), event("a"), event("a"), event("b"))
    first, again, other = (headers["webhook-id"] for _, headers, _ in receiver.calls)
    assert first == again != other


# ---------------------------------------------------------------------- what it may answer


@pytest.mark.parametrize(
    ("code", "fate"),
    [(200, "sent"), (204, "sent"), (301, "refused"), (304, "refused"), (400, "refused"), (401, "refused"),
     (404, "refused"), (408, "later"), (410, "gone"), (422, "refused"), (429, "later"), (500, "later"),
     (502, "later"), (503, "later")],
)  # fmt: skip
def test_every_answer_has_its_meaning(receiver: Receiver, code: int, fate: str) -> None:
    receiver.codes = [code]
    (told,) = calls(receiver.url(), event())
    assert told.fate == fate
    if fate == "later":
        assert (told.wait, told.longest) == (PAUSE, LONGEST)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = receiver.moves
    assert calls(receiver.url(), event())[0].fate == "refused"
    assert [path for path, _, _ in receiver.calls] == ["/events"]


def test_of_a_gigabyte_no_more_than_a_little_is_taken_in(receiver: Receiver) -> None:
    receiver.answer = receiver.floods
    began = time.monotonic()
    assert calls(receiver.url(), event()) == [Sent("sent")]
    assert time.monotonic() - began < 5
    time.sleep(0.2)
    # What the receiver could get rid of lies in its own buffers: ours hold 64 KB.
    assert receiver.written < 16_000_000


def test_a_header_without_end_is_cut_off(receiver: Receiver) -> None:
    receiver.answer = receiver.rambles
    assert calls(receiver.url(), event())[0].fate == "unsure"
    assert receiver.written < 8_000_000


@pytest.mark.parametrize("way", ["sleeps", "hangs_up"])
def test_who_took_it_and_says_nothing_is_asked_again_later(
    receiver: Receiver, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "WHOLE", 0.5)
    receiver.answer = getattr(receiver, way)
    assert calls(receiver.url(), event())[0].fate == "unsure"
    assert len(receiver.calls) == 1


def test_nobody_at_home_is_called_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    assert calls(f"http://127.0.0.1:{port}/", event())[0].fate == "later"
    assert calls("https://nowhere.invalid/", event())[0].fate == "later"


# ---------------------------------------------------------------------- T58: where no call goes

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_that_are_not_out_in_the_world(address: str) -> None:
    assert not may_be_called(address)


@pytest.mark.parametrize(
    "address", ["9.9.9.9", "185.15.59.224", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"]
)
def test_addresses_that_are(address: str) -> None:
    assert may_be_called(address) and may_be_called(address, private=True)


def test_ones_own_network_needs_a_word_and_the_machines_own_services_are_never_called() -> None:
    for address in ("127.0.0.1", "10.1.2.3", "::1", "fd00::1", "::ffff:10.0.0.1"):
        assert may_be_called(address, private=True)
    for address in (
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "224.0.0.1",
        "0.0.0.0",
    ):
        assert not may_be_called(address, private=True)


class Door:
    """Listens on this machine, and notes whether anybody ever knocked."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self._door = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self._door.settimeout(0.2)
        self.port = self._door.getsockname()[1]

    def knocked(self) -> bool:
        try:
            self._door.accept()[0].close()
        except TimeoutError:
            return False
        finally:
            self._door.close()
        return True


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_receiver_inside_is_refused_before_anything_is_connected(scheme: str, host: str) -> None:
    try:
        door = Door(socket.AF_INET6 if host == "[::1]" else socket.AF_INET)
    except OSError:
        pytest.skip("this machine has no IPv6")
    (told,) = calls(f"{scheme}://{host}:{door.port}/", event(), private=False)
    assert told.fate in ("refused", "later") and not door.knocked()
    if not host.startswith(("2", "0x")):  # not every resolver knows those for what they are
        assert told == Sent("refused", code="not_allowed")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    door = Door()
    _leads(monkeypatch, lambda asked: [address])
    assert calls(f"https://hooks.example.org:{door.port}/", event(), private=False) == [
        Sent("refused", code="not_allowed")
    ]
    assert not door.knocked()


def test_a_name_that_is_asked_twice_cannot_lead_elsewhere_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: out in the world for whoever checks, inside for whoever connects. Here the two are one."""
    door, asked = Door(), []

    def turns(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) % 2 == 0 else ["192.0.2.1"]

    _leads(monkeypatch, turns)
    for _ in range(4):
        (told,) = calls(f"https://hooks.example.org:{door.port}/", event(), private=False)
        assert told.fate == "refused"
    assert len(asked) == 4, "it is asked once for each call"
    assert not door.knocked()


def test_a_name_with_one_good_and_one_bad_address_never_leads_to_the_bad_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door = Door()
    _leads(monkeypatch, lambda asked: ["192.0.2.1", "127.0.0.1"])
    assert calls(f"https://hooks.example.org:{door.port}/", event(), private=False)[0].fate == "refused"
    assert not door.knocked()


def _leads(monkeypatch: pytest.MonkeyPatch, answers: Callable[[str], list[str]]) -> None:
    """This machine's resolver gives these addresses for every name."""

    def told(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port or 0))) for address in answers(str(host))
        ]

    monkeypatch.setattr(socket, "getaddrinfo", told)


# ---------------------------------------------------------------------- through the outbox


class Calling(Housed):
    """A house whose webhook is real."""

    def __init__(self, url: str, to: str) -> None:
        self.hook = Hook(to, SECRET, clock, private=True)
        super().__init__(Store(url), hook=True)

    def channels(self) -> dict[str, Any]:
        return {"telegram": self.wire, HOOK: self.hook}

    def put(self, *keys: str) -> None:
        with self.store.begin(self.now) as db:
            for key in keys:
                outbox.put(db, HOOK, SUBSCRIBER, event(key), key, self.now)

    def closes(self) -> None:
        self.runs(self.hook.close())
        super().closes()


def test_five_hundreds_and_then_all_is_well_everything_arrives_in_order_and_under_one_id(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurries(monkeypatch)
    house = Calling(f"sqlite:///{tmp_path / 'p.db'}", receiver.url())
    try:
        receiver.codes = [500] * 5
        house.put("a", "b", "c")
        for _ in range(5):
            house.drains()
            house.waits(minutes=15)
        assert len(receiver.calls) == 5
        house.drains()
        ids = [headers["webhook-id"] for _, headers, _ in receiver.calls]
        assert len(set(ids[:6])) == 1 and len(dict.fromkeys(ids)) == 3
        for _, headers, body in receiver.calls:
            Webhook(SECRET).verify(body, headers)
        with house.store.begin() as db:
            assert outbox.waiting(db) == 0
    finally:
        house.closes()


def test_who_wants_no_more_is_left_alone(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurries(monkeypatch)
    house = Calling(f"sqlite:///{tmp_path / 'p.db'}", receiver.url())
    try:
        receiver.codes = [410]
        house.put("a", "b", "c")
        house.drains()
        house.waits(days=1)
        house.drains()
        assert len(receiver.calls) == 1
    finally:
        house.closes()
