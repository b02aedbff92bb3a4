"""site: how each study site works now, over what the trial file says."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from bot.app import deployment, store_of
from bot.desk.hours import BadHours
from bot.settings import load
from bot.store import audit, promises, sites
from bot.store.sites import SiteNow
from bot.words import Languages
from flows.flow import Flow

PROBLEM, USAGE = 1, 2
MANY = 50
"""Calls at the same time that one site may say it can make."""
INTAKE = {"pause": "paused", "resume": "active", "full": "full"}


def add_to(verbs: Any) -> None:
    site = verbs.add_parser("site", help="how each study site works now")
    what = site.add_subparsers(dest="what", required=True, metavar="WHAT")
    listed = what.add_parser("list", help="list the sites")
    listed.add_argument("--json", action="store_true", help="for a machine")
    listed.set_defaults(run=_list)
    show = what.add_parser("show", help="show one site")
    show.add_argument("site", help="its id, like north")
    show.add_argument("--json", action="store_true", help="for a machine")
    show.set_defaults(run=_show)
    change = what.add_parser("set", help="change how a site works; an empty value is as the trial file says")
    change.add_argument("site", help="its id, like north")
    change.add_argument("--hours", help='like "Mon-Fri 08:30-12:00, 13:30-17:00; Sat 09:00-12:00"')
    change.add_argument("--timezone", help="like Asia/Shanghai")
    change.add_argument("--holidays", help="whose public holidays it keeps, like CN or US-NY; none for none")
    change.add_argument("--phone", help="the number that its calls come from, with + and country code")
    change.add_argument("--email", help="the mailbox that is told of new leads")
    change.add_argument("--capacity", type=int, help="calls that one slot of half an hour takes")
    change.add_argument("--languages", help="what its staff speak, like zh_Hans,en")
    change.set_defaults(run=_set)
    for verb, why in (
        ("pause", "it takes no new leads for now"),
        ("resume", "it takes new leads again"),
        ("full", "it needs no more people"),
    ):
        intake = what.add_parser(verb, help=why)
        intake.add_argument("site", help="its id, like north")
        intake.set_defaults(run=_intake)


def _list(options: argparse.Namespace) -> int:
    settings = load()
    flow = _flow(settings)
    now = datetime.now(UTC)
    with store_of(settings).begin() as db:
        found = sites.every(db, flow)
        waiting = {site.key: promises.waiting_since(db, site.trial, site.key, now)[0] for site in found}
    if options.json:
        print(json.dumps([_plain(site) for site in found], ensure_ascii=False, indent=2))
        return 0
    if not found:
        print("This trial has no sites. All leads go to the study desk.")
    for site in found:
        print(f"{site.key:<12} {site.status:<8} {waiting[site.key]:>4} waiting  {site.name}, {site.hours}")
    return 0


def _show(options: argparse.Namespace) -> int:
    settings = load()
    flow = _flow(settings)
    if not _known(flow, options.site):
        return PROBLEM
    with store_of(settings).begin() as db:
        site = sites.now(db, flow, options.site)
    if options.json:
        print(json.dumps(_plain(site), ensure_ascii=False, indent=2))
        return 0
    filed = _plain(sites.filed(flow, options.site))
    for name, value in _plain(site).items():
        changed = f"   (the trial file says: {_said(filed[name])})" if value != filed[name] else ""
        print(f"{name:<10} {_said(value)}{changed}")
    now = datetime.now(UTC)
    opens = site.open.next_open(now)
    when = "now" if opens <= now else f"next on {opens.astimezone(site.zone):%a %Y-%m-%d %H:%M}"
    print(f"{'open':<10} {when}")
    return 0


def _set(options: argparse.Namespace) -> int:
    try:
        values = _values(options)
    except _Odd as odd:
        print(odd, file=sys.stderr)
        return USAGE
    if not values:
        print("Say what to change, for example --hours or --phone. See: prescreen site set --help", file=sys.stderr)
        return USAGE
    return _change(options.site, "site.changed", **values)


def _intake(options: argparse.Namespace) -> int:
    return _change(options.site, f"site.{options.what}", status=INTAKE[options.what])


def _change(key: str, what: str, **values: Any) -> int:
    settings = load()
    flow = _flow(settings)
    if not _known(flow, key):
        return PROBLEM
    now = datetime.now(UTC)
    try:
        with store_of(settings).begin(now) as db:
            site = sites.change(db, flow, key, now, **values)
            audit.record(db, what, detail=f"{key}: {', '.join(sorted(values))}")
    except BadHours as error:
        print(error, file=sys.stderr)
        return USAGE
    print(f"{site.name}: {site.status}. {site.hours} ({site.timezone}).")
    return 0


class _Odd(ValueError):
    """What was typed cannot be meant."""


def _values(options: argparse.Namespace) -> dict[str, Any]:
    """What is to be changed; None where the trial file's own value is wanted again. Raises _Odd."""
    values: dict[str, Any] = {}
    for name in ("hours", "timezone", "holidays", "phone", "email", "languages"):
        typed: str | None = getattr(options, name)
        if typed is not None:
            values[name] = _READ.get(name, str)(typed.strip()) if typed.strip() else None
    if options.capacity is not None:
        if not 1 <= options.capacity <= MANY:
            raise _Odd(f"--capacity must be a number from 1 to {MANY}.")
        values["capacity"] = options.capacity
    return values


def _holidays(text: str) -> str:
    return "" if text.lower() == "none" else text.upper()


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise _Odd("--phone must be a whole number with + and country code, like +86 510 5555 0147.") from None
    if not phonenumbers.is_possible_number(number):
        raise _Odd("--phone does not have as many digits as a number of that country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise _Odd("--email must be an address like north@example.org.") from None


def _languages(text: str) -> list[str]:
    known = Languages()
    found = []
    for tag in filter(None, (part.strip() for part in text.split(","))):
        resolved = known.resolve(tag)
        if resolved is None:
            raise _Odd(f"--languages knows {', '.join(known.every)}.")
        found.append(resolved)
    return list(dict.fromkeys(found))


_READ = {"holidays": _holidays, "phone": _phone, "email": _email, "languages": _languages}


def _flow(settings: Any) -> Flow:
    deployed = deployment(settings)
    return deployed.library.newest(deployed.trial)


def _known(flow: Flow, key: str) -> bool:
    if flow.site(key) is None:
        known = ", ".join(site.id for site in flow.sites) or "none"
        print(f"There is no site with that id. Known: {known}.", file=sys.stderr)
        return False
    return True


def _plain(site: SiteNow) -> dict[str, Any]:
    names = ("key", "name", "city", "country", *sites.CHANGEABLE)
    return {name: list(value) if isinstance(value := getattr(site, name), tuple) else value for name in names}


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value) or "none"
