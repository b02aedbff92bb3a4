"""doctor: whether this machine could serve now, and what would mend it. Prints no value of any setting."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bot import app, catalogues
from bot.channels.telegram import Telegram
from bot.library import BadTrials, load
from bot.settings import WRONG_KEY, BadSettings, Settings
from bot.settings import load as load_settings
from bot.store import BadDatabase, BadKey, staff
from bot.surroundings import Found, examine

PROBLEM = 1


def add_to(verbs: Any) -> None:
    doctor = verbs.add_parser("doctor", help="check settings, database, trial files, languages and Telegram")
    doctor.add_argument("--offline", action="store_true", help="leave Telegram out")
    doctor.add_argument("--json", action="store_true", help="for a machine")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    found = list(_examine(options.offline))
    if options.json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            sign = "ok     " if one.well else "PROBLEM" if one.grave else "mind   "
            print(f"{sign}  {one.what}{'' if one.well else '. ' + one.remedy}")
    return 0 if all(one.well or not one.grave for one in found) else PROBLEM


def _examine(offline: bool) -> Iterator[Found]:
    try:
        settings = load_settings()
    except BadSettings as error:
        yield from (Found("settings", False, line) for line in error.problems)
        return
    yield Found("settings", True)
    yield from _files()
    yield from _database(settings)
    if not offline:
        yield from _telegram(settings)
        yield from _mail(settings)


def _files() -> Iterator[Found]:
    try:
        library = load()
    except BadTrials as error:
        yield Found("trial files", False, f"{error.args[0]}. Run: prescreen check")
        return
    yield Found("trial files", True)
    problems = catalogues.check(library.flows.values())
    yield Found("languages", not problems, f"{len(problems)} problems in the catalogues. Run: prescreen check")


def _database(settings: Settings) -> Iterator[Found]:
    try:
        store = app.store_of(settings)
    except (BadKey, BadSettings) as error:
        yield Found("master key", False, str(error) if isinstance(error, BadSettings) else f"{error} {WRONG_KEY}")
        return
    except BadDatabase:
        yield Found("database", False, "It cannot be opened. Change DATABASE_URL, or mend the file's rights.")
        return
    try:
        found = list(examine(store, datetime.now(UTC)))
        with store.begin() as db:
            members = [member for member in staff.every(db) if member["active"]]
    except Exception as error:
        yield Found("database", False, f"Nothing can be stored: {type(error).__name__}. Is the disk full?")
        return
    finally:
        store.close()
    yield from found
    yield Found("staff", bool(members), "Nobody may claim a lead. Run: prescreen staff add NAME --telegram NUMBER")


def _telegram(settings: Settings) -> Iterator[Found]:
    if settings.telegram_token is None:
        yield Found("Telegram", False, "TELEGRAM_TOKEN is not set, so `prescreen serve` will not start.")
        return
    if settings.staff_group is None:
        yield Found("Telegram", False, "STAFF_GROUP is not set, so `prescreen serve` will not start.")
        return
    channel = Telegram(settings.telegram_token.get_secret_value(), settings.telegram_api)
    webhook = settings.bot_mode == "webhook"
    for what, remedy in asyncio.run(channel.examine(settings.staff_group, webhook=webhook)):
        yield Found(what, not remedy, remedy)


def _mail(settings: Settings) -> Iterator[Found]:
    mail = app.mail_of(settings)
    if mail is not None:
        remedy = asyncio.run(mail.examine())
        yield Found("the mail server takes mail", not remedy, remedy)
