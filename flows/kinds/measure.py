"""A height or a weight in its base unit, in exact decimals; a number that could be two units is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from flows.answer import Value
from flows.flow import Step
from flows.kinds.numerals import Vocabulary, plain
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

_POUND = Decimal("0.45359237")
UNITS: Mapping[str, Mapping[str, Decimal]] = {
    "cm": {"cm": Decimal(1), "m": Decimal(100), "in": Decimal("2.54"), "ft": 12 * Decimal("2.54")},
    "kg": {"kg": Decimal(1), "jin": Decimal("0.5"), "lb": _POUND, "st": 14 * _POUND},
}
"""For each base unit, what one of the other units is in it."""
UNITS_ASKED: Mapping[str, tuple[str, ...]] = {"cm": ("cm", "ft"), "kg": ("kg", "jin", "lb")}
"""The units a bare number is asked back with."""

_PARTS = {"ft": ("in", 12), "st": ("lb", 14)}
"""What follows feet and stones, and how many of it make one."""
_DOUBTFUL = Decimal(85)
"""Kilograms from which a bare number may well be pounds."""

_VOCABULARY = Vocabulary(
    {
        "about": " ", "measure_filler": " ", "numbers": "W", "and": "&", "unit_cm": "c", "unit_m": "m",
        "unit_ft": "f", "unit_in": "i", "unit_kg": "k", "unit_lb": "l", "unit_st": "s", "unit_jin": "j",
    },
    {"i": "''|\"", "f": "'"},
)  # fmt: skip
_NUMBER = re.compile(r"\d{1,6}(?:[.,]\d{1,3})?")


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """What a unit or the plausible range leaves only one meaning for."""
    for tokens in _VOCABULARY.readings(plain(text), ear):
        known = [token for token in tokens if token.kind != "&"]
        form = "".join(token.kind for token in known)
        numbers = [Decimal(token.value) for token in known if token.kind == "N"]
        if form == "N":
            return _bare(step, numbers[0], text.strip(), ear)
        reader = _FORMS.get(step.unit, {}).get(form)
        value = reader(*numbers) if reader is not None else None
        if value is not None:
            return Gave(value, text.strip()) if _fits(step, value) else Garbled("range")
    return Garbled("unclear")


def accept(step: Step, data: object) -> Value:
    """``{"cm": 165}``, ``{"ft": 5, "in": 5}``, ``{"number": "165"}``, or a number in the base unit."""
    if isinstance(data, dict):
        value = _measured(step.unit, {str(unit): _decimal(number) for unit, number in data.items()})
    else:
        value = _decimal(data)
    if value is None or not _fits(step, value):
        raise ValueError("not a measure within the bounds of this question")
    return value


def show(step: Step, value: Value, words: Words) -> str:
    """With its unit, and one decimal at most."""
    if not isinstance(value, Decimal):
        return ""
    tenths = value.quantize(Decimal("0.1"), ROUND_HALF_UP)
    number = words.number(tenths if tenths % 1 else int(tenths))
    return words.text(f"say.unit_{step.unit}", f"{{number}} {step.unit}").replace("{number}", number)


def in_unit(number: Decimal, unit: str) -> Decimal:
    """So many of a unit, in the base unit it belongs to."""
    return number * next(units[unit] for units in UNITS.values() if unit in units)


def bare_number(text: str) -> Decimal | None:
    """The number that a text consists of, if it is nothing else."""
    typed = plain(text).strip(" .,!")
    return Decimal(typed.replace(",", ".")) if _NUMBER.fullmatch(typed) else None


def _bare(step: Step, number: Decimal, said: str, ear: Ear) -> Gave | Garbled:
    if step.unit == "kg":
        # In Chinese the same number may be jin, half a kilogram.
        if ear.words.locale.startswith("zh") or not _fits(step, number):
            return Garbled("unit")
        return Gave(number, said, sure=number <= _DOUBTFUL)
    if number < 3 and _fits(step, number * 100):
        return Gave(number * 100, said)
    if _fits(step, number):
        return Gave(number, said)
    # "5.11" is five feet eleven, and no unit makes that of it.
    return Garbled("unclear" if 3 <= number < 9 and number % 1 else "unit")


def _fits(step: Step, value: Decimal) -> bool:
    return value > 0 and (step.low is None or value >= step.low) and (step.high is None or value <= step.high)


def _decimal(data: object) -> Decimal:
    """A machine's number; a float counts as the digits it is written with."""
    if isinstance(data, Decimal) and data.is_finite() and abs(data.adjusted()) < 20:
        return data
    if isinstance(data, int | float | str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,20})?", str(data)):
        return Decimal(str(data))  # "True" has no digits
    raise ValueError("not a number")


def _measured(base: str, given: Mapping[str, Decimal]) -> Decimal | None:
    units = UNITS[base]
    match [*given.items()]:
        case [("number", number)]:
            return number
        case [(unit, number)] if unit in units and unit not in _PARTS:
            return number * units[unit]
    for big, (small, _) in _PARTS.items():
        if big in units and big in given and given.keys() <= {big, small}:
            return _together(big, given[big], given.get(small, Decimal(0)))
    return None


def _together(big: str, whole: Decimal, part: Decimal = Decimal(0)) -> Decimal | None:
    """Feet and inches, stones and pounds. "5.5 ft" is none: it may be five feet five."""
    small, limit = _PARTS[big]
    if whole % 1 or not 0 <= part < limit:
        return None
    return in_unit(whole, big) + in_unit(part, small)


def _metres(whole: Decimal, *parts: Decimal) -> Decimal | None:
    """``1m65``, ``一米六五``, and ``1米7``, which is 170."""
    digits = "".join(str(part) for part in parts)
    if whole % 1 or not digits.isdecimal() or len(digits) > 2:
        return None
    return whole * 100 + int(digits.ljust(2, "0"))


def _of(unit: str) -> Callable[..., Decimal | None]:
    return lambda number: in_unit(number, unit)


_FEET, _STONES = partial(_together, "ft"), partial(_together, "st")
_FORMS: Mapping[str, Mapping[str, Callable[..., Decimal | None]]] = {
    "cm": {
        "Nc": _of("cm"), "Nm": _of("m"), "Ni": _of("in"), "Nf": _FEET, "NfN": _FEET, "NfNi": _FEET,
        "NmN": _metres, "NmNN": _metres, "mN": partial(_metres, Decimal(1)), "mNN": partial(_metres, Decimal(1)),
        "NmNc": lambda metres, cm: metres * 100 + cm, "NmNNc": _metres,
    },
    "kg": {
        "Nk": _of("kg"), "Nl": _of("lb"), "Nj": _of("jin"), "Ns": _STONES, "NsN": _STONES, "NsNl": _STONES,
    },
}  # fmt: skip
"""How a measure can be written: the kinds of its tokens, and who adds up its numbers."""
