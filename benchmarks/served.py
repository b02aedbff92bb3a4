"""The real bot process over real HTTP: from a tap to the answer on the screen, and the memory it takes.

    python -m benchmarks.served --patients 100 --pause 2

Each of the patients looks at a question for a while, ``pause`` seconds on average, before they answer. The server
is the tests' Bot API server; it runs, with the patients, in this process, and takes more time than the bot does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.turn_driver import script

HIGH = "VmHWM:"


def imports(times: int = 5) -> dict[str, float]:
    """Wall time of importing the bot's process, beside that of its messenger's library."""
    taken: dict[str, list[float]] = {"bot.app": [], "telegram.ext": [], "": []}
    for _ in range(times):
        for name, found in taken.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}" if name else "pass"], check=True)
            found.append(time.perf_counter() - began)
    middle = {name: statistics.median(found) - statistics.median(taken[""]) for name, found in taken.items()}
    return {"import_ms": middle["bot.app"] * 1e3, "telegram_ms": middle["telegram.ext"] * 1e3}


async def talk(folder: Path, patients: int, seconds: float, pause: float) -> dict[str, float]:
    from tests.journeys.bot_process import BotProcess  # noqa: PLC0415 (for the server's process only)
    from tests.telegram_server import Message, Person, TelegramServer  # noqa: PLC0415

    acts, loop = script(folder), asyncio.get_running_loop()
    waiting: dict[int, asyncio.Future[None]] = {}
    asked: dict[int, Message] = {}
    taken: list[float] = []

    class Server(TelegramServer):
        async def _carry_out(self, name: str, params: dict[str, Any], failure: Any) -> object:
            result = await super()._carry_out(name, params, failure)
            if name == "sendMessage":
                loop.call_soon_threadsafe(seen, int(params["chat_id"]))
            return result

    def seen(chat: int) -> None:
        if (future := waiting.pop(chat, None)) is not None:
            future.set_result(None)

    async def live(person: Person, over: float, chance: random.Random) -> None:
        await asyncio.sleep(chance.random() * pause)
        at = 0
        while time.perf_counter() < over:
            act = acts[at]
            waiting[person.id] = answered = loop.create_future()
            began = time.perf_counter()
            if act.types:
                person.says(act.types)
            else:
                message = asked[person.id]
                data = message.rows[act.row][act.column]["callback_data"]
                person.presses_data(message, data)
            await asyncio.wait_for(answered, 30)
            taken.append(time.perf_counter() - began)
            asked[person.id] = next(m for m in reversed(person.chat.messages) if m.from_bot)
            at += 1
            if at == len(acts):
                return
            await asyncio.sleep(chance.expovariate(1 / pause))

    with Server() as server, BotProcess(server, folder) as bot:  # type: ignore[arg-type]
        first = server.person("First")
        waiting[first.id] = loop.create_future()
        first.says("/start")
        await asyncio.wait_for(waiting[first.id], 30)
        over = time.perf_counter() + seconds
        people = [server.person(f"P{number}") for number in range(patients)]
        await asyncio.gather(*(live(one, over, random.Random(n)) for n, one in enumerate(people)))
        assert bot.process is not None
        status = Path(f"/proc/{bot.process.pid}/status").read_text(encoding="ascii")
    high = next(int(line.split()[1]) for line in status.splitlines() if line.startswith(HIGH))
    taken.sort()
    return {
        "answers": len(taken),
        "answers_per_s": round(len(taken) / seconds, 1),
        "p50_ms": round(taken[len(taken) // 2] * 1e3, 2),
        "p95_ms": round(taken[int(len(taken) * 0.95)] * 1e3, 2),
        "process_mb": round(high / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--pause", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--imports", action="store_true", help="time the imports instead")
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    if options.imports:
        print(json.dumps(imports()))
        return
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        folder = Path(passing)  # a database of its own
        print(json.dumps(asyncio.run(talk(folder, options.patients, options.seconds, options.pause))))


if __name__ == "__main__":
    main()
