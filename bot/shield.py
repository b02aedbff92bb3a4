"""Around all pages: headers that give a page no more than it needs, small bodies, and no stack to anybody."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {framed_by}"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
A_YEAR = "max-age=31536000; includeSubDomains"
BIGGEST = 64 * 1024
"""Bytes of a form."""
SAFE = ("GET", "HEAD", "OPTIONS")


class Shield:
    """Pages as the world may see them. ``framed_by`` are the origins that may show them inside their own."""

    def __init__(self, pages: ASGIApp, *, https: bool, framed_by: tuple[str, ...] = ()) -> None:
        self._pages = pages
        self._headers = {**HEADERS, "content-security-policy": policy(framed_by)}
        self._headers |= {} if framed_by else {"x-frame-options": "DENY"}
        self._headers |= {"strict-transport-security": A_YEAR} if https else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _cover(MutableHeaders(scope=message), self._headers)
            await send(message)

        if not _small(scope):
            await PlainTextResponse("too large\n", 413)(scope, receive, sending)
            return
        try:
            await self._pages(scope, receive, sending)
        except Exception as error:
            log.error("a page failed: %s", type(error).__name__)
            if not begun:
                await PlainTextResponse("something went wrong\n", 500)(scope, receive, sending)


def policy(framed_by: tuple[str, ...] = ()) -> str:
    return POLICY.format(framed_by=" ".join(framed_by) or "'none'")


def _cover(headers: MutableHeaders, wanted: Mapping[str, str]) -> None:
    """A page may say something stricter or wider of its own."""
    for name, value in wanted.items():
        headers.setdefault(name, value)


def _small(scope: Scope) -> bool:
    """A body says how long it is: browsers do, and what streams without an end is none of theirs."""
    if scope["method"] in SAFE:
        return True
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) <= BIGGEST


def is_ours(request: Request, origin: str) -> bool:
    """Whether a page of ours sent this: by Sec-Fetch-Site, which no page can forge; a browser that is too old
    for it sends the Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin", "") == origin
