"""qr: a QR code for a poster or a flyer, with a source code that counts how people came."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from pathlib import Path
from typing import Any

import segno

from bot.settings import BadSettings, load

PROBLEM = 1
SOURCE = re.compile(r"[A-Za-z0-9_-]{1,40}")
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None of them looks like another one: a code may be read out."""


def add_to(verbs: Any) -> None:
    qr = verbs.add_parser("qr", help="make a QR code with a source code, for a poster or a flyer")
    qr.add_argument("source", nargs="?", default="", help="its source code, like c7kp2 (default: a new one)")
    qr.add_argument("--site", default="", metavar="KEY", help="the site it hangs at, like north: added to the code")
    where = qr.add_mutually_exclusive_group()
    where.add_argument("--telegram", action="store_true", help="it leads into Telegram")
    where.add_argument("--web", action="store_true", help="it leads to the trial's page (default)")
    qr.add_argument(
        "--out", type=Path, metavar="FILE.svg", help="where to write it (default: only the link is shown)"
    )
    qr.set_defaults(run=_qr)


def _qr(options: argparse.Namespace) -> int:
    settings = load("telegram_name") if options.telegram else load("public_url")
    source = options.source or "".join(secrets.choice(LETTERS) for _ in range(5))
    if not SOURCE.fullmatch(source):
        raise BadSettings(["The source code has 1 to 40 letters, digits, _ or -. Do not name a condition in it."])
    if options.site:
        source = f"{source}-{_site(settings.trial, options.site)}"
    link = f"https://t.me/{(settings.telegram_name or '').lstrip('@')}?start={source}"
    if not options.telegram:
        link = f"{settings.public_url}/?s={source}"
    if options.out is not None:
        try:
            segno.make(link, error="q").save(str(options.out), kind="svg", scale=8, border=4, title=source)
        except OSError as error:
            print(f"{options.out} cannot be written: {error.strerror}.", file=sys.stderr)
            return PROBLEM
        print(f"wrote {options.out}")
    print(f"source {source}\nlink   {link}")
    return 0


def _site(trial: str, key: str) -> str:
    from bot.library import load as load_trials  # noqa: PLC0415 (slow, and seldom needed)

    flow = load_trials().newest(trial)
    if flow.site(key) is None:
        known = ", ".join(site.id for site in flow.sites)
        raise BadSettings([f"--site names no site of this trial. Known: {known}."])
    return key
