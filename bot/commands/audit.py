"""audit: whether the audit is as it was written, and what is in it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from bot.app import store_of
from bot.settings import load
from bot.store import audit, leads

PROBLEM = 1


def add_to(verbs: Any) -> None:
    record = verbs.add_parser("audit", help="who looked, changed, agreed or signed in, and whether it is complete")
    what = record.add_subparsers(dest="what", required=True, metavar="WHAT")
    verify = what.add_parser("verify", help="find whatever was changed, taken out, moved or cut off")
    verify.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="NUMBER:MAC",
        help="an end of the house's chain that was kept elsewhere, as the log tells it; may be repeated",
    )
    verify.add_argument("--json", action="store_true", help="for a machine")
    verify.set_defaults(run=_verify)
    show = what.add_parser("show", help="the newest rows, the newest first")
    show.add_argument("--lead", metavar="REFERENCE", help="only of one lead, like K-0001")
    show.add_argument("--what", dest="about", default="", metavar="NAME", help="only these, like export or sign_in")
    show.add_argument("--most", type=int, default=50, metavar="NUMBER")
    show.set_defaults(run=_show)


def _verify(options: argparse.Namespace) -> int:
    began, store = time.perf_counter(), store_of(load())
    with store.look() as db:
        found = audit.verify(db, options.head)
    store.close()
    if options.json:
        print(json.dumps({"well": found.well, **asdict(found)}, indent=2))
        return 0 if found.well else PROBLEM
    for problem in found.problems:
        print(problem, file=sys.stderr)
    took = time.perf_counter() - began
    said = "complete" if found.well else "NOT as it was written"
    print(f"{found.rows} rows in {found.chains} chains, {took:.1f} s: {said}.")
    if found.end:
        print(f"The house's chain ends at {found.end}")
    return 0 if found.well else PROBLEM


def _show(options: argparse.Namespace) -> int:
    number = (options.lead or "K-0").upper().removeprefix("K-")
    if not number.isdecimal():
        print("A lead is named like K-0001.", file=sys.stderr)
        return PROBLEM
    store = store_of(load())
    with store.look() as db:
        rows = audit.page(db, most=options.most, what=options.about, lead_id=int(number) or None)
    store.close()
    for row in rows:
        lead = leads.reference(row["lead_id"]) if row["lead_id"] else ""
        said = (f"{row['at']:%Y-%m-%d %H:%M:%S}", row["what"], lead, row["name"] or "", row["detail"][:100])
        print("  ".join(filter(None, said)))
    return 0
