"""leads and staff: the queue, and who works it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bot.app import deployment, store_of
from bot.commands import people
from bot.desk.cards import FIT, Cards, cards_for
from bot.settings import load
from bot.store import audit, leads, sites

PROBLEM, USAGE = 1, 2


def add_to(verbs: Any) -> None:
    queue = verbs.add_parser("leads", help="show the site contact queue, the most urgent first")
    queue.add_argument("reference", nargs="?", help="one lead in full, like K-0001")
    queue.add_argument("--closed", action="store_true", help="closed and withdrawn leads too")
    queue.add_argument("--json", action="store_true", help="for a machine")
    queue.set_defaults(run=_leads)
    people.add_to(verbs)


def _leads(options: argparse.Namespace) -> int:
    settings = load()
    deployed = deployment(settings)
    store = store_of(settings)
    with store.begin() as db:
        zones = sites.zones(db, deployed.trial)
        cards = cards_for(deployed, deployed.library.newest(deployed.trial), deployed.staff_language, zones)
        rows = leads.queue(db, closed=options.closed or bool(options.reference))
        if options.reference:
            rows = [row for row in rows if leads.reference(row["id"]) == options.reference.upper()]
            if not rows:
                print(f"There is no lead {options.reference}.", file=sys.stderr)
                return PROBLEM
            audit.record(db, "lead.opened", lead_id=rows[0]["id"], detail="by the command line")
            if not options.json:
                print(_in_full(cards, rows[0], leads.history(db, rows[0]["id"])))
                return 0
        elif options.json:
            audit.record(db, "leads.listed", detail="by the command line")
    if options.json:
        print(json.dumps([_plain(row) for row in rows], ensure_ascii=False, indent=2, default=str))
        return 0
    if not rows:
        print("The queue is empty. A lead appears here when a person taps Send.")
    for row in rows:
        points = sum(flag["status"] == "REVIEW" for flag in row["flags"])
        print(
            f"{leads.reference(row['id'])}  {row['status']:<11} {FIT[row['outcome']]:<24} "
            f"{points} to verify  {row['locale']:<8} due {cards.due(row)}  {row['owner'] or 'nobody yet'}"
        )
    return 0


def _plain(row: Any) -> dict[str, Any]:
    return {"reference": leads.reference(row["id"]), **row}


def _in_full(cards: Cards, row: Any, history: Any) -> str:
    """The owner's call sheet, and what happened to the lead."""
    lines = [f"  {e['at']:%Y-%m-%d %H:%M} {e['what']} {e['detail']} {e['name'] or ''}".rstrip() for e in history]
    return "\n".join([cards.call_sheet(row, "").text, "", "History (UTC):", *lines])
