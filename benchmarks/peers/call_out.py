"""One call out, over a real socket to a local server: what it costs our transport, and what PTB's own.

python -m benchmarks.peers.call_out --client ours|ptb
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web
from telegram.request import HTTPXRequest, RequestData
from telegram.request._requestparameter import RequestParameter

from bot.channels.transport import Transport

ANSWER = {
    "ok": True,
    "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "x" * 200},
}
PARAMETERS: dict[str, Any] = {
    "chat_id": 5_000_000_001,
    "text": "Has a doctor said you have arthritis from wear? We mean the left knee. " * 2,
    "reply_markup": {
        "inline_keyboard": [
            [{"text": label, "callback_data": f"1Hq_CIQg5.{place}~BcX2mzoj"}]
            for place, label in enumerate(("Yes", "No", "Not sure", "Why do you ask?", "Back", "Help"))
        ]
    },
}
TOGETHER = 8


def serve(told: Connection) -> None:
    """In a process of its own, so that its time is not counted."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response(ANSWER)

    async def live() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(live())


async def run(client: str, url: str, seconds: float) -> dict[str, Any]:
    request = Transport(connections=64) if client == "ours" else HTTPXRequest(connection_pool_size=64)
    await request.initialize()
    call: Callable[[], Awaitable[Any]]
    if isinstance(request, Transport):
        transport = request
        call = lambda: transport.call(url, **PARAMETERS)  # noqa: E731
    else:
        data = RequestData([RequestParameter.from_input(name, value) for name, value in PARAMETERS.items()])
        call = lambda: request.post(url, data)  # noqa: E731
    taken: list[float] = []
    over = 0.0

    async def work() -> None:
        while (began := time.perf_counter()) < over:
            await call()
            taken.append(time.perf_counter() - began)

    for measured in (False, True):
        taken.clear()
        over = time.perf_counter() + (seconds if measured else seconds / 5)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(TOGETHER)))
    took, burnt = time.perf_counter() - began, time.process_time() - cpu
    await request.shutdown()
    return {"calls_per_s": round(len(taken) / took, 1), "call_us": round(burnt / len(taken) * 1e6, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--client", choices=("ours", "ptb"), default="ours")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--dir", type=Path, help="not needed")
    options = parser.parse_args()
    heard, told = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(told,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{heard.recv()}/bot1:x/sendMessage"
    try:
        print(json.dumps(asyncio.run(run(options.client, url, options.seconds))))
    finally:
        server.kill()


if __name__ == "__main__":
    main()
