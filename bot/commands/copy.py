"""copy: everything that is kept of one person, for them to read or to take along."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.app import store_of
from bot.settings import load
from bot.store import audit, copies

PROBLEM = 1


def add_to(verbs: Any) -> None:
    verb = verbs.add_parser(
        "copy",
        help="write down everything that is kept of one person, as they may ask",
        epilog="The copy holds health answers and contact details. Give it to the person alone, then delete it.",
    )
    verb.add_argument("who", help="their request, like K-0001, or their chat, like telegram:100200300")
    verb.add_argument("--json", action="store_true", help="for a machine, instead of a page to read")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file, for your account alone")
    verb.set_defaults(run=_copy)


def _copy(options: argparse.Namespace) -> int:
    store = store_of(load())
    with closing(store), store.begin() as db:
        where = copies.where_is(db, options.who)
        if where is None:
            print("Nothing is kept under that name.", file=sys.stderr)
            return PROBLEM
        found = copies.copy_of(db, *where)
        number = options.who[2:] if options.who.upper().startswith("K-") else ""
        audit.record(db, "copy", lead_id=int(number) if number else None, detail="by the command line")
    told = json.dumps(found, ensure_ascii=False, indent=2, default=str) if options.json else "\n".join(page(found))
    try:
        made = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        print(f"{options.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return PROBLEM
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(told + "\n")
    print(f"Written to {options.out}.", file=sys.stderr)
    return 0


def page(found: Any, depth: int = 0) -> Iterator[str]:
    """Plain data as indented lines: a name, and what it holds."""
    if isinstance(found, dict):
        for name, value in found.items():
            inner = isinstance(value, dict | list)
            yield "  " * depth + name.replace("_", " ") + (":" if inner else f": {_said(value)}")
            if inner:
                yield from page(value, depth + 1) if value else ["  " * (depth + 1) + "nothing"]
    else:
        for number, value in enumerate(found, 1):
            if isinstance(value, dict | list):
                yield "  " * depth + f"{number}."
                yield from page(value, depth + 1)
            else:
                yield "  " * depth + _said(value)


def _said(value: Any) -> str:
    if value is None:
        return "not known"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else " ".join(str(value).split())
