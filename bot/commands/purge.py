"""purge: what has had its time, and its end now."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from bot import retention
from bot.app import deployment, store_of
from bot.settings import load


def add_to(verbs: Any) -> None:
    verb = verbs.add_parser(
        "purge",
        help="show how many of each kind of data have had their time, or remove them now",
        epilog="A bot that serves does this by itself. The trial's file may say other days under [retention].",
    )
    how = verb.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry-run", action="store_true", help="only show; nothing is removed")
    how.add_argument("--now", action="store_true", help="remove them")
    verb.set_defaults(run=_purge)


def _purge(options: argparse.Namespace) -> int:
    settings = load()
    deployed, store = deployment(settings), store_of(settings)
    found = Counter[str]()
    if options.now:
        gone = None
        while gone is None or retention.more(gone):
            with store.begin() as db:
                gone = retention.enforce(db, deployed, db.at)
            found.update(gone)
    else:
        with store.look() as db:
            found.update(retention.due(db, deployed, datetime.now(UTC)))
    store.close()
    for name, period in retention.periods(deployed).items():
        print(f"{name:<12} kept {period.days:>5} days  {found[name]:>7} {'removed' if options.now else 'to go'}")
    return 0
