"""demo: the whole product on this computer, with invented people: no token, no network."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import webbrowser
from datetime import UTC, datetime
from typing import Any

from bot import logs
from bot.keyring import make_one
from bot.settings import BadSettings, load

PORT = 8100


def add_to(verbs: Any) -> None:
    demo = verbs.add_parser("demo", help="try all of it in a browser, with invented people; no token, no network")
    demo.add_argument("--port", type=int, default=PORT, help=f"on this computer only (default: {PORT})")
    demo.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    if not 0 < options.port < 65536:
        raise BadSettings(["--port is a number from 1 to 65535."])
    address = f"http://127.0.0.1:{options.port}"
    given: dict[str, Any] = {
        **{"listen": f"127.0.0.1:{options.port}", "public_url": address, "desk_url": address, "web_chat": True},
        **{"database_url": "sqlite:///var/demo.db", "allow_draft_languages": True},
        **{"master_key": None, "master_key_file": None, "master_keys_old": None},
    }
    settings = load(**given)
    if settings.telegram_token is not None:
        settings = load("staff_group", **given)
    make_one(settings)
    logs.begin("WARNING")
    from bot import app  # noqa: PLC0415
    from bot.demo import people  # noqa: PLC0415

    deployed = app.deployment(settings)
    listening = app.listener(settings, f"Port {options.port} is taken. Try: make demo PORT={options.port + 1}")
    store = app.store_of(settings)
    talked = people.fill(store, app.on(store, deployed, settings), datetime.now(UTC))
    store.close()
    logging.getLogger("bot").setLevel(logging.WARNING)
    print("This is a demo: every person in it is invented, and it stays on this computer. Type nothing real.")
    print(f"{talked} people have talked already." if talked else "It goes on where it was left.")
    print(f"Open {address}/demo/   (Ctrl-C ends it; delete var/demo.db to begin anew)", flush=True)
    if sys.stdout.isatty():
        threading.Timer(1.5, webbrowser.open, (f"{address}/demo/",)).start()
    app.serve_demo(settings, listening)
    return 0
