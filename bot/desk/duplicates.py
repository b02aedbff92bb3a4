"""The same person twice: found by equal keyed hashes, suggested and compared; a member of staff decides."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.deployment import Deployment
from bot.desk import rights
from bot.store import keys, marks
from bot.store.leads import Lead
from bot.store.staff import Member
from bot.store.transaction import Transaction
from flows.flow import CONTACT

PHONE, EMAIL, ACCOUNT = "phone", "email", "account"
TYPED = 320
"""Characters of what somebody typed that are looked at."""

MATCH = {PHONE: "same number", EMAIL: "same mail address", ACCOUNT: "same chat account"}
LINES: tuple[str, ...] = tuple(MATCH.values())


@dataclass(frozen=True, slots=True)
class Alike:
    """Another lead that may be of the same person."""

    lead: Lead
    kinds: tuple[str, ...]
    """What is equal: phone, email, account."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison: the same column, or the same contact step, of two leads."""

    what: str
    """``status``, ``site`` and so on; a contact step as ``contact.<step>``, a criterion as ``flag.<id>``."""
    one: Any
    other: Any

    @property
    def same(self) -> bool:
        return bool(self.one == self.other)


# ---------------------------------------------------------------------- keys


def keys_of(deployment: Deployment, channel: str, chat: str, contact: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The kind and the hash of each way to reach a person: their numbers, addresses, and the chat itself."""
    steps = deployment.library.newest(deployment.trial).steps
    kinds: Mapping[str, str] = {step.id: step.kind for step in steps if step.part == CONTACT}
    values = [(ACCOUNT, f"{channel}:{chat}")] if chat else []
    for step, value in contact.items():
        kind = kinds.get(step)
        if kind == PHONE and isinstance(value, str):
            values += [(PHONE, number) for number in _numbers(value, ())]
        elif kind == EMAIL and isinstance(value, str) and (address := _address(value)):
            values.append((EMAIL, address))
    return [(kind, _hash(deployment, kind, value)) for kind, value in dict.fromkeys(values)]


def search(deployment: Deployment, text: str) -> list[str]:
    """The hashes of what somebody typed to look for: a number in any format, or an address; [] if it is neither.

    A number without a country is read as one of each country where the trial has a site.
    """
    typed = text[:TYPED].strip()
    if "@" in typed or "＠" in typed:
        address = _address(typed)
        return [_hash(deployment, EMAIL, address)] if address else []
    countries = dict.fromkeys(site.country for site in deployment.library.newest(deployment.trial).sites)
    return [_hash(deployment, PHONE, number) for number in _numbers(typed, tuple(countries))]


def _hash(deployment: Deployment, kind: str, value: str) -> str:
    key = deployment.secret("look-ups")
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.blake2b).hexdigest()[:40]


def _numbers(typed: str, countries: Sequence[str]) -> list[str]:
    """The number as E.164, once per country that it can be of."""
    import phonenumbers  # noqa: PLC0415 - slow to import, and only few need it

    found = []
    for region in (None, *countries):
        try:
            number = phonenumbers.parse(typed, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return list(dict.fromkeys(found))


def _address(typed: str) -> str | None:
    import email_validator  # noqa: PLC0415 - as above

    typed = typed.replace("＠", "@").replace("。", ".").strip("<> ")
    try:
        address = email_validator.validate_email(typed, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return None
    return address.normalized.casefold()


# ---------------------------------------------------------------------- looking


def note_keys(db: Transaction, lead_id: int, found: Sequence[tuple[str, str]]) -> None:
    """These are the keys of a lead from now on; to be called whenever it is sent."""
    keys.note(db, lead_id, found)


def found(db: Transaction, deployment: Deployment, member: Member, text: str) -> list[Lead]:
    """The leads that this member may see whose number or address was typed, the newest first."""
    hashes = search(deployment, text)
    rows = {lead["id"]: lead for lead, _ in keys.found(db, deployment.trial, hashes)} if hashes else {}
    return [lead for lead in rows.values() if rights.sees(member, lead)]


def suggested(db: Transaction, lead: Lead, member: Member) -> list[Alike]:
    """Other leads of the trial, open or closed, that may be of the same person, as far as this member may see them.

    Not those that were merged, nor those of whom somebody said that they are different people.
    """
    mine = keys.of(db, lead["id"])
    if not mine or lead["merged_into"] is not None:
        return []
    alike: dict[int, tuple[Lead, list[str]]] = {}
    for other, hashed in keys.found(db, lead["trial"], mine):
        if other["id"] != lead["id"] and other["merged_into"] is None and rights.sees(member, other):
            alike.setdefault(other["id"], (other, []))[1].append(mine[hashed])
    apart = marks.known(db, [pair(lead["id"], other) for other in alike])
    return [
        Alike(other, tuple(sorted(set(kinds))))
        for number, (other, kinds) in alike.items()
        if pair(lead["id"], number) not in apart
    ]


def pair(one: int, other: int) -> str:
    """The name under which it is remembered that two leads are of different people."""
    return f"different:{min(one, other)}:{max(one, other)}"


_COLUMNS = (
    *("status", "reason", "criterion", "outcome", "site", "locale", "source", "owner_id", "attempts"),
    *("created_at", "claimed_at", "due_at", "slot_at", "helper", "changed", "text_version"),
)


def compare(one: Lead, other: Lead) -> list[Line]:
    """Two leads side by side: their columns, the contact details, and the status of each flagged criterion."""
    lines = [Line(column, one[column], other[column]) for column in _COLUMNS]
    for step in dict.fromkeys((*one["contact"], *other["contact"])):
        lines.append(Line(f"contact.{step}", one["contact"].get(step), other["contact"].get(step)))
    flags = [{flag["criterion"]: flag["status"] for flag in lead["flags"]} for lead in (one, other)]
    for criterion in dict.fromkeys((*flags[0], *flags[1])):
        lines.append(Line(f"flag.{criterion}", flags[0].get(criterion), flags[1].get(criterion)))
    return lines
