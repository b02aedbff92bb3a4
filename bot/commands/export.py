"""export: the leads as a file for another program."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.app import deployment, store_of
from bot.desk import export
from bot.desk.actions import Refused
from bot.settings import load
from flows.speak import fill

PROBLEM, USAGE = 1, 2


def add_to(verbs: Any) -> None:
    verb = verbs.add_parser(
        "export", help="write the leads to a file, without anybody's identity unless you say so"
    )
    verb.add_argument("form", choices=export.FORMS, metavar="FORMAT", help=", ".join(export.FORMS))
    verb.add_argument("--identified", action="store_true", help="with names and contact details; needs --reason")
    verb.add_argument("--reason", default="", help="why; it is kept in the audit")
    verb.add_argument(
        "--out", type=Path, help="a new file, for your account alone; the terminal where none is given"
    )
    verb.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    if options.identified and options.out is None:
        print("An export with names goes to a file: add --out FILE.", file=sys.stderr)
        return USAGE
    settings = load()
    deployed, store = deployment(settings), store_of(settings)
    try:
        with store.begin() as db:
            export.begin(db, deployed, None, options.form, options.reason, identified=options.identified)
    except Refused as refused:
        print(fill(refused.line, refused.values), file=sys.stderr)
        return USAGE
    with store.look() as db:
        pieces = export.written(db, deployed, options.form, identified=options.identified)
        if options.out is None:
            for piece in pieces:
                print(piece, end="")
            return 0
        return _write(options.out, pieces)


def _write(path: Path, pieces: Iterator[str]) -> int:
    """A new file of mode 0600; half a file is none."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"{path} is there already. Name a new file.", file=sys.stderr)
        return PROBLEM
    except OSError as error:
        print(f"{path} cannot be written: {error.strerror}.", file=sys.stderr)
        return PROBLEM
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except BaseException:
        path.unlink()
        raise
    print(f"Written to {path}.", file=sys.stderr)
    return 0
