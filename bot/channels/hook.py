"""The webhook out: events for another system, signed by the Standard Webhooks convention, to checked addresses."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from standardwebhooks import Webhook

from bot.messages import HOOK as NAME
from bot.messages import Envelope, Sent, fingerprint

log = logging.getLogger(__name__)

PAUSE, LONGEST = 30.0, 900.0
"""Seconds until the second try, and at most between two."""
CONNECT, WHOLE = 5.0, 10.0
"""Seconds for a connection, and for the whole call."""
MOST = 32 * 1024
"""Bytes that the machine takes in of an answer, twice at most: only its first line is looked at."""
_NAT64 = IPv6Network("64:ff9b::/96")


class NotAllowed(OSError):
    """The address belongs to a network that is not for others to make us call."""


class Hook:
    """The webhook channel. It calls one address, which the deployment was given, and no other."""

    name = NAME

    def __init__(self, url: str, secret: str, clock: Callable[[], datetime], *, private: bool = False) -> None:
        """``secret`` is ``whsec_`` and base64. ``private``: the receiver may stand in our own network."""
        self._url, self._private, self._clock = url, private, clock
        self._signer = Webhook(secret)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        """What was taken twice has the same ``webhook-id``: the receiver knows it by that."""
        identity, at = f"msg_{fingerprint(envelope.key)}", self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(identity, at, envelope.text),
        }
        try:
            session = self._open()
            async with session.post(
                self._url, data=envelope.text.encode(), headers=headers, allow_redirects=False
            ) as answer:
                code, wait = answer.status, answer.headers.get("Retry-After", "")
                answer.close()  # nothing more of it is read
                return _fate(code, wait)
        except aiohttp.ConnectionTimeoutError:
            return Sent("later", wait=PAUSE, longest=LONGEST, code="no_connection")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.__cause__, NotAllowed):
                log.error("the webhook was not called: its address is in a private network")
                return Sent("refused", code="not_allowed")
            return Sent("later", wait=PAUSE, longest=LONGEST, code="no_connection")
        except aiohttp.InvalidURL:
            return Sent("refused", code="malformed")
        except (aiohttp.ClientError, TimeoutError) as error:
            return Sent("unsure", wait=PAUSE, longest=LONGEST, code=type(error).__name__)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(socket_factory=self._socket, limit=4, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=WHOLE, sock_connect=CONNECT),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small answer may unpack to a large one
                read_bufsize=MOST // 2,
                trust_env=False,
            )
        return self._session

    def _socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for the very address that is connected to next: between this look and the call no name is asked.

        Raises NotAllowed.
        """
        family, kind, protocol, _, where = found
        if not may_be_called(str(where[0]), private=self._private):
            raise NotAllowed("a private network")
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST)
        return made


def may_be_called(address: str, *, private: bool = False) -> bool:
    """Whether an address is out in the world; ``private``: or in our own network. Never a link-local one."""
    where = _meant(ip_address(address.partition("%")[0]))
    if where is None or where.is_multicast or where.is_unspecified or where.is_link_local:
        return False
    return where.is_global or (private and (where.is_private or where.is_loopback))


def _meant(where: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """The address that is reached in the end: one of the old network may be wrapped in one of the new."""
    if isinstance(where, IPv4Address):
        return where
    if where.sixtofour is not None or where.teredo is not None:
        return None
    if where in _NAT64:
        return IPv4Address(int(where) & 0xFFFFFFFF)
    return where.ipv4_mapped or where


def _fate(code: int, wait: str) -> Sent:
    """2xx is taken, 410 is no longer wanted; a redirect and what is called a bad request stay so at every try."""
    if 200 <= code < 300:
        return Sent("sent")
    if code == 410:
        log.error("the webhook's receiver wants no more events: it answered 410")
        return Sent("gone", code=str(code))
    if code in (408, 429) or code >= 500:
        seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0.0
        return Sent("later", wait=max(PAUSE, min(seconds, LONGEST)), longest=LONGEST, code=str(code))
    log.error("the webhook's receiver refused an event: it answered %s", code)
    return Sent("refused", code=str(code))
