"""HTTP for python-telegram-bot over aiohttp: at a fraction of its own client's cost, and plain about what left."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import orjson
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

POOL, CONNECT, READ = 10.0, 5.0, 20.0
"""Seconds until we give up waiting for a free connection, for a new one, and for an answer."""


class NeverLeft(Exception):
    """The request surely did not reach the other side."""


class Cut(Exception):
    """The connection broke, time ran out, or the answer made no sense: the request may well have got there."""


class Plain:
    """The parameters of a call as they are; the client's own objects cost more than the call."""

    contains_files = False

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters


class Form(Plain):
    """The parameters of a call that brings a file: a form, as Telegram takes files."""

    def __init__(self, parameters: dict[str, Any], name: str, content: bytes) -> None:
        super().__init__(parameters)
        self.name, self.content = name, content

    def body(self) -> aiohttp.FormData:
        form = aiohttp.FormData()
        for name, value in self.parameters.items():
            form.add_field(name, value if isinstance(value, str) else orjson.dumps(value).decode())
        form.add_field(self.name, self.content, filename=f"{self.name}.png", content_type="image/png")
        return form


class Transport(BaseRequest):
    """``connections`` is how many requests may be under way at once; the next one waits for its turn.

    Raises TimedOut or NetworkError, caused by NeverLeft or Cut. No error names the address: the token is in it.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return READ

    async def initialize(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self._connections))

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, url: str, **parameters: Any) -> Any:
        """Posts plain values and returns the plain result. Raises what the client's own calls raise."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self.post(url, Plain(given))  # type: ignore[arg-type]

    async def upload(self, url: str, name: str, content: bytes, **parameters: Any) -> Any:
        """The same with a PNG as the parameter ``name``."""
        given = {key: value for key, value in parameters.items() if value is not None}
        return await self.post(url, Form(given, name, content))  # type: ignore[arg-type]

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        await self.initialize()
        assert self._session is not None
        seconds = read_timeout if isinstance(read_timeout, int | float) else READ
        timeout = aiohttp.ClientTimeout(
            total=POOL + seconds, connect=POOL, sock_connect=CONNECT, sock_read=seconds
        )  # all of it, too: an answer may come drop by drop
        body: Any = orjson.dumps(request_data.parameters) if request_data is not None else b"{}"
        headers = {"Content-Type": "application/json"}
        if isinstance(request_data, Form):
            body, headers = request_data.body(), {}
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read()
        except aiohttp.ConnectionTimeoutError:
            raise TimedOut from NeverLeft()
        except aiohttp.ClientConnectorError:
            raise NetworkError("no connection") from NeverLeft()
        except TimeoutError:
            raise TimedOut from Cut()
        except aiohttp.ClientError as error:
            raise NetworkError(type(error).__name__) from Cut()

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The answer. TelegramError, caused by Cut, if it is none; what it was goes into no log."""
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:  # half a character, say: the patient reader takes it
            pass
        try:
            return json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise TelegramError("no JSON") from Cut()
