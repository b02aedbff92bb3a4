"""i18n: the catalogues, who signed them, and sheets for those who work without git."""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from babel.messages.pofile import write_po

from bot import catalogues, pseudo, signatures
from bot.library import load
from bot.words import LOCALES, Domain, read
from flows.author.extract import messages

PROBLEM, USAGE = 1, 2
SHEET = ("where", "what it is", "source", "translation", "back-translation", "remark")


def add_to(verbs: Any) -> None:
    group = verbs.add_parser("i18n", help="translations")
    what = group.add_subparsers(dest="what", required=True, metavar="WHAT")
    extract = what.add_parser("extract", help="every text to translate, as .pot files in a folder")
    extract.add_argument("folder", type=Path)
    extract.set_defaults(run=_extract)
    update = what.add_parser("update", help="bring every .po file to today's texts")
    update.set_defaults(run=_update)
    check = what.add_parser("check", help="list missing, fuzzy and stale messages and broken placeholders")
    check.set_defaults(run=_check)
    status = what.add_parser("status", help="how far each language is, and who signed it")
    status.set_defaults(run=_status)
    sign = what.add_parser("sign", help="note that somebody has read all words of a language as they are now")
    sign.add_argument("language", help="such as es; en for the source itself")
    sign.add_argument("--by", required=True, help="the name of the reviewer")
    sign.add_argument("--as", dest="status", choices=get_args(signatures.Status), default="signed")
    sign.set_defaults(run=_sign)
    sheet = what.add_parser("sheet", help="a table for a back-translator: CSV out, and in again with --read")
    sheet.add_argument("language")
    sheet.add_argument("file", type=Path, help="the CSV file")
    sheet.add_argument("--read", action="store_true", help="read it, and list what is missing or remarked")
    sheet.set_defaults(run=_sheet)
    false = what.add_parser("pseudo", help="a made-up language that shows what is not translated, into a folder")
    false.add_argument("folder", type=Path)
    false.set_defaults(run=_pseudo)


def _extract(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    for domain in get_args(Domain):
        path = options.folder / f"{domain}.pot"
        with path.open("wb") as file:
            write_po(file, catalogues.template(domain, load().flows.values()), width=0, no_location=True)
        print(f"wrote {path.name}")
    return 0


def _update(options: argparse.Namespace) -> int:
    for path in catalogues.update(load().flows.values()):
        print(f"updated {path.parent.parent.name}/{path.name}")
    return 0


def _check(options: argparse.Namespace) -> int:
    problems = catalogues.check(load().flows.values())
    for problem in problems:
        print(problem)
    return PROBLEM if problems else 0


def _status(options: argparse.Namespace) -> int:
    print(f"{'language':10} {'status':16} {'by':24} {'on':11} shown to patients")
    for one in signatures.every(load().flows.values()):
        status = one.status if one.fresh else f"{one.status}, stale"
        print(f"{one.tag:10} {status:16} {one.by:24} {one.on:11} {'yes' if one.offered else 'no'}")
    return 0


def _sign(options: argparse.Namespace) -> int:
    today = datetime.now(UTC).date()
    try:
        signatures.sign(options.language, options.status, options.by, today, load().flows.values())
    except LookupError:
        return _unknown(options.language)
    print(f"{options.language} is {options.status} by {options.by}. A change of any word makes this stale.")
    return 0


def _sheet(options: argparse.Namespace) -> int:
    path = LOCALES / options.language / "LC_MESSAGES" / "patient.po"
    if not path.is_file():
        return _unknown(options.language)
    return _read_sheet(options.file) if options.read else _write_sheet(path, options.file)


def _write_sheet(catalogue: Path, file: Path) -> int:
    have = {(message.context, message.id): message.string for message in read(catalogue)}
    listed = (m for flow in load().flows.values() for m in messages(flow) if m.domain == "patient" and not m.plural)
    rows = [
        (one.context, one.comment, one.text, have.get((one.context, one.text), ""), "", "")
        for one in dict.fromkeys(listed)
    ]
    with file.open("w", encoding="utf-8-sig", newline="") as out:  # so that spreadsheets know the letters
        csv.writer(out).writerows([SHEET, *rows])
    print(f"wrote {len(rows)} texts. Fill the column back-translation without looking at the source.")
    return 0


def _read_sheet(file: Path) -> int:
    try:
        with file.open(encoding="utf-8-sig", newline="") as came:
            rows = list(csv.DictReader(came))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        print(f"The sheet cannot be read: {type(error).__name__}.", file=sys.stderr)
        return USAGE
    if not rows or not set(SHEET) <= rows[0].keys():
        print(f"The sheet needs the columns: {', '.join(SHEET)}.", file=sys.stderr)
        return USAGE
    missing = [row for row in rows if not (row["back-translation"] or "").strip()]
    remarked = [row for row in rows if (row["remark"] or "").strip()]
    for row in remarked:
        print(f"{row['where']}: {row['source'][:60]!r}: {row['remark']}")
    print(f"{len(rows) - len(missing)} of {len(rows)} are back-translated, {len(remarked)} have a remark.")
    return PROBLEM if missing or remarked else 0


def _pseudo(options: argparse.Namespace) -> int:
    path = pseudo.write(load().flows.values(), options.folder)
    print(
        f"wrote {path.parent.parent.name}: every text of it is marked, so that what is not marked is not translated"
    )
    return 0


def _unknown(language: str) -> int:
    known = ", ".join(sorted(path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/patient.po")))
    print(f"There is no language {language}. Known: en, {known}.", file=sys.stderr)
    return USAGE
