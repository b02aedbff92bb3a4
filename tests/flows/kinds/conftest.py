"""The one place where these tests get a language from: the word lists beside it, and Babel's names."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from flows.words import Ear

HEARD = tomllib.loads(Path(__file__).with_name("hear.toml").read_text(encoding="utf-8"))


class Lists:
    """Words of one language: Babel for the names, the lists for what is heard, English for all else."""

    def __init__(self, locale: str, region: str | None = None) -> None:
        self.locale = locale
        self.region = region
        self._babel = Locale.parse(locale)
        self._heard = HEARD.get(locale, {})
        self._months = self._month_names()

    @property
    def languages(self) -> Mapping[str, str]:
        return {tag: Locale.parse(tag).get_display_name(tag) or tag for tag in HEARD}

    def text(self, context: str, source: str) -> str:
        return self._heard.get(context.removeprefix("hear."), "") or source

    def plural(self, context: str, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def day(self, day: date) -> str:
        return format_date(day, "d MMMM y" if self.locale == "en" else "long", self._babel)

    def weekday(self, day: date) -> str:
        return format_date(day, "EEEE", self._babel)

    def month(self, day: date) -> str:
        return format_date(day, "MMMM y", self._babel)

    def number(self, number: Decimal | int) -> str:
        return format_decimal(number, locale=self._babel)

    def listed(self, items: Sequence[str]) -> str:
        return format_list(items, locale=self._babel)

    def months(self) -> Sequence[tuple[str, int]]:
        return self._months

    def country(self, code: str) -> str:
        return str(self._babel.territories[code])

    def _month_names(self) -> Sequence[tuple[str, int]]:
        names = self._babel.months
        listed = [
            (names[form][width][number], number)
            for width in ("wide", "abbreviated")
            for form in ("stand-alone", "format")
            for number in range(1, 13)
        ]
        return tuple(dict.fromkeys(listed))


@cache
def ear_of(locale: str, region: str | None = None) -> Ear:
    return Ear(Lists(locale, region), HEARD["en"])


@pytest.fixture(scope="session")
def ear_in() -> Callable[..., Ear]:
    """``ear_in("es")``: an ear for Spanish, with the region ``ear_in("es", "MX")`` if it matters."""
    return ear_of
