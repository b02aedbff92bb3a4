"""keys: the master key that wraps everybody's own: a new one, which is in use, and the change to another."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bot.app import store_of
from bot.keyring import new
from bot.settings import load
from bot.store import Store, audit, vault

PROBLEM = 1
BATCH = 500
"""Keys that are wrapped anew in one transaction: turns are taken between two."""


def add_to(verbs: Any) -> None:
    keys = verbs.add_parser("keys", help="the master key, under which all keys of people are wrapped")
    what = keys.add_subparsers(dest="what", required=True, metavar="WHAT")
    what.add_parser("new", help="print a new master key, which is stored nowhere").set_defaults(run=_new)
    what.add_parser("status", help="which master keys are in use").set_defaults(run=_status)
    rotate = what.add_parser("rotate", help="wrap all keys by the first master key, also while people are served")
    rotate.set_defaults(run=_rotate)


def _new(_options: argparse.Namespace) -> int:
    print(new())
    print("Keep it apart from the database and its copies. Whoever loses it loses all answers.", file=sys.stderr)
    return 0


def _status(_options: argparse.Namespace) -> int:
    store = store_of(load())
    with store.look() as db:
        counted, used = vault.count(db), vault.in_use(db)
    names = dict.fromkeys((used, *store.keys.names, *counted))
    for name in names:
        number = counted.get(name, 0)
        keys = "1 key" if number == 1 else f"{number} keys"
        more = ", in use" if name == used else "" if number else ", not needed"
        print(f"{name}  wraps {keys}{more}{'' if name in store.keys.names else ', NOT SET HERE'}")
    if used != store.keys.names[0]:
        print("The first master key is not in use yet. Run: prescreen keys rotate")
    return 0 if all(name in store.keys.names for name in counted) else PROBLEM


def _rotate(_options: argparse.Namespace) -> int:
    store = store_of(load())
    done = rotate(store)
    name = store.keys.names[0]
    if not done:
        print(f"All keys are wrapped by {name} already.")
    else:
        print(f"{done} keys are wrapped by {name} now. No other master key is needed any more.")
        print("Destroy the old one: with it goes all that older copies still know of people who were erased.")
    return 0


def rotate(store: Store) -> int:
    """Wraps every key by the first master key of the store. Returns how many. Whoever serves meanwhile goes on."""
    name, done = store.keys.names[0], 0
    with store.begin() as db:
        if vault.in_use(db) != name:
            vault.go_on_with(db, name)  # first, so that nobody adds another one of the old kind
            done += 1
    while True:
        with store.begin() as db:
            some = vault.rewrap(db, name, BATCH)
        done += some
        if not some:
            break
    if done:
        with store.begin() as db:
            audit.record(db, "keys.rotated", detail=f"{done} {name}")
    return done
