"""``staff``: who is on it, as what, and how they get in. Wrong words get a kind line and the right exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyotp
import pytest

from bot.desk import passwords, sign_in
from bot.store import Store, staff
from bot.store.staff import Member
from bot.store.transaction import Transaction
from tests.commands.conftest import Prescreen


def row(prescreen: Prescreen, name: str) -> Member:
    return _read(name, lambda _, found: found)


def _read(name: str, what: Callable[[Transaction, Member], Any]) -> Any:
    from bot.settings import load  # noqa: PLC0415

    store = Store(load().database_url)
    with store.begin() as db:
        found = what(db, next(member for member in staff.every(db) if member["name"] == name))
    store.close()
    return found


def test_somebody_is_added_listed_and_disabled(prescreen: Prescreen) -> None:
    added = prescreen(
        *("staff", "add", "Nora", "--email", "NORA@site.example", "--role", "site_lead"),
        *("--site", "north", "--site", "harbour", "--language", "zh_Hans"),
    )
    assert (added.code, added.err) == (0, "") and "may work leads" in added.out
    prescreen("staff", "add", "Wu", "--email", "wu@sponsor.example", "--role", "sponsor", "--language", "es")
    listed = prescreen("staff", "list").out
    assert "site_lead" in listed and "north,harbour" in listed and "nora@site.example" in listed
    for who in (("nora",), ("--email", "wu@sponsor.example")):
        assert prescreen("staff", "disable", *who).code == 0
    assert prescreen("staff", "list").out.count("disabled") == 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "Nora"), 2, "--telegram NUMBER or --email ADDRESS"),
        (("add", "Nora", "--email", "nora"), 2, "no mail address"),
        (("add", "Nora", "--telegram", "7", "--site", "moon"), 2, "There is no site moon. Known: north, harbour."),
        (("add", "Nora", "--telegram", "7", "--role", "king"), 2, "invalid choice"),
        (("disable", "Nobody"), 1, "no member of staff like that"),
        (("link", "Ana"), 2, "DESK_URL is missing"),
        (("password", "Nobody"), 1, "no member of staff like that"),
        (("disable",), 2, "required"),
    ],
)
def test_what_is_wrong_is_said(prescreen: Prescreen, words: tuple[str, ...], code: int, told: str) -> None:
    ran = prescreen("staff", *words)
    assert ran.code == code and told in ran.err and "Traceback" not in ran.err


def test_an_account_and_an_address_of_two_people(prescreen: Prescreen) -> None:
    prescreen("staff", "add", "Ana", "--telegram", "7")
    prescreen("staff", "add", "Li", "--email", "li@site.example")
    ran = prescreen("staff", "add", "Mei", "--telegram", "7", "--email", "li@site.example")
    assert ran.code == 1 and "two different people" in ran.err
    prescreen("staff", "add", "Ana", "--telegram", "8")
    assert "More than one" in prescreen("staff", "disable", "ana").err


def test_a_link_lets_in_once(prescreen: Prescreen) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from bot.settings import load  # noqa: PLC0415

    prescreen("staff", "add", "Ana", "--telegram", "7")
    ran = prescreen("staff", "link", "Ana", DESK_URL="https://desk.example.org")
    assert ran.out.startswith("https://desk.example.org/desk/link/") and "Ana" in ran.err
    store = Store(load().database_url)
    token = ran.out.strip().rpartition("/")[2]
    with store.begin() as db:
        first = sign_in.by_link(db, token, datetime.now(UTC))
        assert first is not None and first["name"] == "Ana"
        assert sign_in.by_link(db, token, datetime.now(UTC)) is None
    store.close()
    prescreen("staff", "disable", "Ana")
    assert prescreen("staff", "link", "Ana", DESK_URL="https://desk.example.org").code == 1


@pytest.mark.slow
def test_a_password_and_its_second_factor(prescreen: Prescreen) -> None:
    """Read from the terminal, never shown; the key of the second factor is shown once and works."""
    prescreen("staff", "add", "Nora", "--email", "nora@site.example")
    prescreen("staff", "add", "Ana", "--telegram", "7")
    assert "no mail address" in prescreen("staff", "password", "Ana").err
    good = "umbrella kettle orchard"
    assert "at least 12" in prescreen("staff", "password", "Nora", typed="short\nshort\n").err
    assert "differ" in prescreen("staff", "password", "Nora", typed=f"{good}\n{good}s\n").err
    ran = prescreen("staff", "password", "Nora", typed=f"{good}\n{good}\n")
    assert ran.code == 0 and good not in ran.out + ran.err
    kept = row(prescreen, "Nora")
    assert passwords.fits(kept["password"], good) and not passwords.fits(kept["password"], good + "s")
    shown = ran.out.splitlines()[1].replace(" ", "")
    assert pyotp.parse_uri(ran.out.splitlines()[-1]).secret == shown not in str(kept)
    assert _read("Nora", staff.second_factor) == shown
