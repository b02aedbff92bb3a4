"""A phone number that can be called, in whatever form it is written; kept in the international one."""

from __future__ import annotations

import re
from datetime import date

from flows.answer import Value
from flows.flow import Step
from flows.kinds.numerals import CAP, plain
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

_NUMBER = re.compile(r"\+?[\d(][\d\s().\-/]{3,40}\d")
_INTERNATIONAL = re.compile(r"\+|00(?=[1-9])")


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """Sure only if the person gave the country; a number for the country that we guess is read back."""
    typed = plain(text)
    found = _NUMBER.search(typed)
    if found is None or re.search(r"\d", typed[: found.start()] + typed[found.end() :]):
        return Garbled("unclear")  # no number, or more than one
    number, alone = found[0], not re.search(r"\w", typed[: found.start()] + typed[found.end() :])
    abroad = _INTERNATIONAL.match(number)
    if abroad:
        e164 = _callable("+" + number[abroad.end() :], None)
    else:
        region = getattr(ear.words, "region", None)
        # The second reading: a country code without its plus, as phones and contact cards have it.
        e164 = (_callable(number, region) if region else None) or _callable("+" + number, None)
    if e164 is None and abroad and abroad[0] == "00":
        e164, abroad = _callable(number, getattr(ear.words, "region", None)), None
    if e164 is None:
        return Garbled("premium" if _is_dear(number, getattr(ear.words, "region", None)) else "unclear")
    return Gave(e164, text.strip(), sure=bool(abroad) and alone)


def accept(step: Step, data: object) -> Value:
    """The international form; a messenger's contact card may leave out the plus."""
    if isinstance(data, str) and re.fullmatch(r"\+?[0-9][0-9 ().-]{5,30}", data):
        e164 = _callable("+" + data.lstrip("+"), None)
        if e164 is not None:
            return e164
    raise ValueError("not an international phone number")


def show(step: Step, value: Value, words: Words) -> str:
    import phonenumbers  # noqa: PLC0415 - as below

    try:
        number = phonenumbers.parse(str(value), None)
    except phonenumbers.NumberParseException:
        return str(value)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _callable(number: str, region: str | None) -> str | None:
    """The number as E.164, if it exists and a person can be reached there at an ordinary price."""
    import phonenumbers  # noqa: PLC0415 - slow to import, and only contact steps need it

    try:
        parsed = phonenumbers.parse(number[:CAP], region)
    except phonenumbers.NumberParseException:
        return None
    kinds = phonenumbers.PhoneNumberType
    refused = (kinds.PREMIUM_RATE, kinds.SHARED_COST, kinds.VOICEMAIL, kinds.PAGER)
    if not phonenumbers.is_valid_number(parsed) or phonenumbers.number_type(parsed) in refused:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _is_dear(number: str, region: str | None) -> bool:
    """Whether it is a number that costs whoever calls it more than usual: a person is not reached by one."""
    import phonenumbers  # noqa: PLC0415 - as above

    kinds = phonenumbers.PhoneNumberType
    for said, where in ((number, region), ("+" + number.lstrip("+0"), None)):
        try:
            kind = phonenumbers.number_type(phonenumbers.parse(said[:CAP], where))
        except phonenumbers.NumberParseException:
            continue
        if kind in (kinds.PREMIUM_RATE, kinds.SHARED_COST):
            return True
    return False
