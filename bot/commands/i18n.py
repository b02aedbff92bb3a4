"""i18n: the catalogues."""

from __future__ import annotations

import argparse
from typing import Any

from bot import catalogues
from bot.library import load


def add_to(verbs: Any) -> None:
    group = verbs.add_parser("i18n", help="translations")
    what = group.add_subparsers(dest="what", required=True, metavar="WHAT")
    update = what.add_parser("update", help="bring every .po file to today's texts")
    update.set_defaults(run=_update)
    check = what.add_parser("check", help="list missing, fuzzy and stale messages and broken placeholders")
    check.set_defaults(run=_check)


def _update(options: argparse.Namespace) -> int:
    for path in catalogues.update(load().flows.values()):
        print(f"updated {path.parent.parent.name}/{path.name}")
    return 0


def _check(options: argparse.Namespace) -> int:
    problems = catalogues.check(load().flows.values())
    for problem in problems:
        print(problem)
    return 1 if problems else 0
