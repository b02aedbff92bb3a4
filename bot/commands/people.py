"""staff: who may see the queue, as what, and how they sign in to it."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from datetime import UTC, datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email

from bot.app import deployment, store_of
from bot.desk import passwords, sign_in
from bot.settings import load
from bot.store import audit, sessions, staff
from bot.store.staff import Member
from bot.store.transaction import Transaction
from bot.words import of_staff
from flows.speak import fill

PROBLEM, USAGE = 1, 2


def add_to(verbs: Any) -> None:
    people = verbs.add_parser("staff", help="who may work leads")
    what = people.add_subparsers(dest="what", required=True, metavar="WHAT")
    add = what.add_parser("add", help="add a member of staff, or change one who has this account or address")
    add.add_argument("name", help="the first name that patients will read")
    add.add_argument("--telegram", type=int, metavar="NUMBER", help="the number of their Telegram account")
    add.add_argument("--email", metavar="ADDRESS", help="their mail address")
    add.add_argument("--role", choices=staff.ROLES, default="coordinator")
    add.add_argument("--site", action="append", default=[], metavar="ID", help="only this site; may be repeated")
    add.add_argument("--language", choices=tuple(of_staff()), default="en")
    add.set_defaults(run=_add, wrong=add.error)
    what.add_parser("list", help="list them").set_defaults(run=_list)
    for verb, run, told in (
        ("disable", _disable, "take the right away, and end every session"),
        ("link", _link, "print a link by which they sign in to the web inbox, once"),
        ("password", _password, "set a password, and print the second factor that goes with it, once"),
    ):
        one = what.add_parser(verb, help=told)
        who = one.add_mutually_exclusive_group(required=True)
        who.add_argument("who", nargs="?", help="their name, mail address or Telegram number")
        who.add_argument("--telegram", type=int, metavar="NUMBER")
        who.add_argument("--email", metavar="ADDRESS")
        one.set_defaults(run=run)


def _add(options: argparse.Namespace) -> int:
    if options.telegram is None and options.email is None:
        options.wrong("Give --telegram NUMBER or --email ADDRESS, so that they can sign in.")
    settings = load()
    deployed = deployment(settings)
    known = [site.id for site in deployed.library.newest(deployed.trial).sites]
    if strange := [site for site in options.site if site not in known]:
        return _usage(f"There is no site {strange[0]}. Known: {', '.join(known)}.")
    email = None
    if options.email is not None:
        try:
            email = validate_email(options.email, check_deliverability=False).normalized
        except EmailNotValidError:
            return _usage("This is no mail address.")
    with store_of(settings).begin() as db:
        try:
            number = staff.add(
                *(db, options.name, options.telegram, options.language),
                **{"email": email, "role": options.role, "sites": options.site},
            )
        except LookupError:
            return _problem("This account and this address belong to two different people.")
        audit.record(db, "staff.added", detail=f"{number} {options.role} {','.join(options.site)}")
    first = " Ask them to open the bot and tap Start once." if options.telegram is not None else ""
    may = "may see the numbers." if options.role == "sponsor" else "may work leads."
    print(f"{options.name} {may}{first}")
    return 0


def _list(options: argparse.Namespace) -> int:
    with store_of(load()).begin() as db:
        members = staff.every(db)
    if not members:
        print("Nobody yet. Add somebody: prescreen staff add NAME --telegram NUMBER")
    for member in members:
        role = member["role"] if member["role"] != "coordinator" else ""
        more = " ".join(filter(None, (role, ",".join(member["sites"]), member["email"])))
        state = "active" if member["active"] else "disabled"
        print(f"{member['name']:<20} {member['telegram_id'] or '-':<16} {state:<8} {more}".rstrip())
    return 0


def _disable(options: argparse.Namespace) -> int:
    with store_of(load()).begin() as db:
        member = _one(db, options)
        if member is None:
            return PROBLEM
        staff.change(db, member["id"], active=False)
        sessions.end_all(db, member["id"])
        audit.record(db, "staff.disabled", detail=str(member["id"]))
    print("Disabled.")
    return 0


def _link(options: argparse.Namespace) -> int:
    settings = load("desk_url")
    deployed = deployment(settings)
    with store_of(settings).begin() as db:
        member = _one(db, options)
        if member is None:
            return PROBLEM
        if not member["active"]:
            return _problem(f"{member['name']} is disabled.")
        print(sign_in.make_link(db, deployed, member, datetime.now(UTC)))
        audit.record(db, "sign_in.link", member["id"], detail="by the command line")
    print(f"It lets in {member['name']}, once, for 10 minutes. Send it to nobody else.", file=sys.stderr)
    return 0


def _password(options: argparse.Namespace) -> int:
    """Reads the password twice, never from the arguments, where others could see it."""
    settings = load()
    deployed = deployment(settings)
    store = store_of(settings)
    with store.begin() as db:
        member = _one(db, options)
    if member is None:
        return PROBLEM
    if not member["email"]:
        return _problem(f"{member['name']} has no mail address to sign in with. Add one: prescreen staff add")
    first = _typed("New password: ")
    wrong = passwords.refusal(first, member["name"], member["email"].partition("@")[0])
    if wrong is not None:
        return _problem(fill(wrong[0], {"number": str(wrong[1])}))
    if _typed("The same again: ") != first:
        return _problem("The two differ. Nothing was changed.")
    secret = passwords.new_secret(secrets.token_bytes(20))
    with store.begin() as db:
        staff.change(db, member["id"], password=passwords.keep(first), totp=secret)
        sessions.end_all(db, member["id"])
        audit.record(db, "password.set", detail=str(member["id"]))
    code = deployed.library.newest(deployed.trial).trial.code
    print("Put this key into an authenticator app. It is shown only now.")
    print(" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)))
    print(passwords.address(secret, member["email"], f"Prescreen {code}"))
    return 0


def _typed(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def _one(db: Transaction, options: argparse.Namespace) -> Member | None:
    """The one member that is meant; None, and a word why, if there is none or more than one."""
    members = staff.every(db)
    if options.telegram is not None:
        found = [member for member in members if member["telegram_id"] == options.telegram]
    elif options.email is not None:
        found = [member for member in members if member["email"] == options.email.strip().lower()]
    else:
        who = options.who.strip().casefold()
        keys = ("name", "email", "telegram_id")
        found = [member for member in members if who in {str(member[key] or "").casefold() for key in keys} - {""}]
    if len(found) == 1:
        return found[0]
    none = "with that number." if options.telegram is not None else "like that. See: prescreen staff list"
    _problem(
        f"There is no member of staff {none}"
        if not found
        else "More than one has this name. Use the mail address or the Telegram number."
    )
    return None


def _usage(line: str) -> int:
    print(line, file=sys.stderr)
    return USAGE


def _problem(line: str) -> int:
    print(line, file=sys.stderr)
    return PROBLEM
