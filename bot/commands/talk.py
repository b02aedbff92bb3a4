"""chat and serve: the conversation itself."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from bot import logs
from bot.keyring import make_one
from bot.settings import BadSettings, Settings, load


def add_to(verbs: Any) -> None:
    chat = verbs.add_parser("chat", help="hold the conversation in this terminal; no token, no network")
    chat.add_argument("--language", default="en", help="the language your phone would tell (default: en)")
    chat.set_defaults(run=_chat)
    serve = verbs.add_parser("serve", help="serve patients and staff, on Telegram and on the web")
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes, on PostgreSQL (default: 1)")
    serve.set_defaults(run=_serve)


def _chat(options: argparse.Namespace) -> int:
    logging.getLogger().setLevel(logging.WARNING)
    from bot import app  # noqa: PLC0415

    print("Type an answer, the number of an answer, or the words of a button. Ctrl-D ends the chat.")
    settings = load()
    if made := make_one(settings):
        print(f"A key for this database was made: {made}. Without it nobody can read what you type here.")
    asyncio.run(app.chat(settings, options.language, _lines()))
    return 0


def _lines() -> Iterator[str]:
    while True:
        print("\n> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            print()
            return
        if not sys.stdin.isatty():
            print(line.rstrip("\n"))
        yield line.rstrip("\n")


def _needs(settings: Settings) -> list[str]:
    """What serving needs besides, as these settings are."""
    names = []
    if settings.telegram_token is not None or not settings.web_chat:
        names += ["telegram_token", "staff_group"]
    if settings.telegram_token is not None and settings.bot_mode == "webhook":
        names += ["webhook_url", "webhook_secret", "listen"]
    return [*names, "master_key"]


def _serve(options: argparse.Namespace) -> int:
    settings = load(needs=_needs)
    if options.workers < 1:
        raise BadSettings(["--workers is a whole number, 1 or more."])
    logs.begin(settings.log_level, settings.log_format)
    with tempfile.TemporaryDirectory(prefix="prescreen-") as shared:
        if options.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # read when the metrics are first imported
        from bot import app  # noqa: PLC0415

        app.serve(settings, options.workers)
    return 0
