"""Gettext catalogues as Words: loaded once, from .po files, with Babel for dates, numbers and lists."""

from __future__ import annotations

import gettext
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_skeleton, get_month_names
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

Domain = Literal["patient", "staff"]
SOURCE = "en"
LOCALES = Path(__file__).parent.parent / "locales"

_NAMES = {"pt_BR": "Português do Brasil", "zh_Hans": "简体中文"}
"""Names for the language menu where the locale data's own are less usual."""
_FORMATS = {"en": "en_GB"}
"""Dates with the day first: 14 November 2026."""


@dataclass(frozen=True, eq=False)
class CatalogueWords:
    """One language of one domain. See ``flows.words.Words`` for the promises."""

    locale: str
    languages: Mapping[str, str]
    _catalogue: gettext.NullTranslations

    def text(self, context: str, source: str) -> str:
        return self._catalogue.pgettext(context, source) if source else ""

    def plural(self, context: str, one: str, many: str, number: int) -> str:
        return self._catalogue.npgettext(context, one, many, number)

    def day(self, day: date) -> str:
        return format_date(day, "long", locale=self._format)

    def weekday(self, day: date) -> str:
        return format_date(day, "EEEE", locale=self._format)

    def month(self, day: date) -> str:
        return format_skeleton("yMMMM", day, locale=self._format)

    def moment(self, moment: datetime) -> str:
        """A weekday and a time of day, as the clock of the moment's own zone shows it."""
        day = format_skeleton("MMMEd", moment, locale=self._format).replace(",", "")
        return f"{day} {format_datetime(moment, 'HH:mm', locale=self._format)}"

    def number(self, number: Decimal | int) -> str:
        return format_decimal(number, locale=self._format)

    def listed(self, items: Sequence[str]) -> str:
        return format_list(list(items), locale=self._format)

    def months(self) -> Sequence[tuple[str, int]]:
        return self._months

    def country(self, code: str) -> str:
        return str(self._format.territories.get(code, code))

    @cached_property
    def _months(self) -> tuple[tuple[str, int], ...]:
        names = [
            get_month_names("wide", "stand-alone", self._format),
            get_month_names("wide", "format", self._format),
            get_month_names("abbreviated", "format", self._format),
        ]
        found = [(name.strip("."), number) for forms in names for number, name in forms.items()]
        return tuple(dict.fromkeys(found))

    @cached_property
    def _format(self) -> Locale:
        return Locale.parse(_FORMATS.get(self.locale, self.locale))

    @cached_property
    def right_to_left(self) -> bool:
        return self._format.text_direction == "rtl"

    @cached_property
    def region(self) -> str | None:
        """The country that a national phone number is read in, if the language alone gives one."""
        return {"zh_Hans": "CN"}.get(self.locale)


class Languages:
    """Every language there is a catalogue for. English is the source and always there."""

    def __init__(self, folder: Path = LOCALES, offered: Collection[str] | None = None) -> None:
        """``offered`` are the languages that people may choose, all where it is None.

        Whoever already talks in another one goes on in it.
        """
        self.every = _named(folder, "patient")
        """All there are, by their own names; ``names`` are those on offer."""
        self.names = {tag: name for tag, name in self.every.items() if offered is None or tag in offered}
        self.of_staff = of_staff(folder)
        self._words = {
            (domain, tag): CatalogueWords(tag, self._first(tag), _load(folder, tag, domain))
            for tag in self.every
            for domain in ("patient", "staff")
        }

    def _first(self, tag: str) -> dict[str, str]:
        """Those on offer, the one that is spoken now before the others: it is the likeliest guess."""
        return {**{name: self.names[name] for name in (tag,) if name in self.names}, **self.names}

    def patient(self, tag: str) -> CatalogueWords:
        return self._words["patient", tag if tag in self.every else SOURCE]

    def staff(self, tag: str) -> CatalogueWords:
        return self._words["staff", tag if tag in self.every else SOURCE]

    def resolve(self, tag: str | None, among: Collection[str] | None = None) -> str | None:
        """The catalogue for a phone's language tag: ``es-MX`` is es, ``zh-CN`` and ``zh-TW`` are Chinese.

        It is ``among`` those, or among the languages on offer.
        """
        among = self.names if among is None else among
        try:
            wanted = Locale.parse((tag or "").replace("_", "-"), sep="-", resolve_likely_subtags=True)
        except (UnknownLocaleError, ValueError, TypeError):
            return None
        exact = f"{wanted.language}_{wanted.script}"
        same = [known for known in among if known.split("_")[0] == wanted.language]
        return next((known for known in (exact, wanted.language, *same) if known in among), None)


def of_staff(folder: Path = LOCALES) -> dict[str, str]:
    """The languages that staff may choose, by their own names: the source, and each with a ``staff.po``."""
    return _named(folder, "staff")


def _named(folder: Path, domain: Domain) -> dict[str, str]:
    """The source first, then by their own names: Latin letters before the others."""
    tags = [path.name for path in folder.iterdir() if (path / "LC_MESSAGES" / f"{domain}.po").is_file()]
    return {tag: _name(tag) for tag in (SOURCE, *sorted(tags, key=_name))}


def _name(tag: str) -> str:
    name = _NAMES.get(tag) or Locale.parse(tag).get_display_name() or tag
    return name[0].upper() + name[1:]


def _load(folder: Path, tag: str, domain: str) -> gettext.NullTranslations:
    path = folder / tag / "LC_MESSAGES" / f"{domain}.po"
    if not path.is_file():
        return gettext.NullTranslations()
    catalogue = read(path)
    binary = io.BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return gettext.GNUTranslations(binary)


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, domain=path.stem)
