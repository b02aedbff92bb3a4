"""A made-up language that marks each of its texts, and what of a page or a message it did not mark."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

from babel import Locale
from babel.dates import get_day_names, get_month_names, get_timezone_name

from bot import pseudo
from bot.library import load
from bot.messages import Envelope
from bot.words import LOCALES, Languages
from tests.patient import LANGUAGES

SHOWN = (
    "title",
    "aria-label",
    "placeholder",
    "alt",
    "data-label",
    "data-sending",
    "data-offline",
    "data-trouble",
    "data-long",
)
NAMES = re.compile(
    r"https?://\S+|\S+@\S+|nct\d+|NCT\d+|Wuxi Cellular\S*|Biopharmaceutical|Group Ltd\.?|Nora|Rosa|Ana|Example|Telegram|Mon-Fri|Sat |Asia/Shanghai|US-NY|Suzhou|Esperanto|Ivo|Zoe|^Aa$|@example_bot"
    r"|[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}|a bit of metal from the mill, I think|mri\.fragments|past_week\.none|yes, tomorrow|Hello\. I am from the study team\. I have read your request\.|\bc7kp2\b|\b[IE]\d+\b",
)
"""What has no translation: names, addresses, codes, and what people wrote."""
WORD = re.compile(r"[^\W\d_]+")
LOCAL = frozenset(
    " ".join(
        [*(get_day_names(width, locale="eo")[n] for n in range(7) for width in ("abbreviated", "wide")),
         *(get_month_names(width, locale="eo")[n] for n in range(1, 13) for width in ("abbreviated", "wide")),
         get_timezone_name("Asia/Shanghai", locale="eo"), "norma", "tempo", "Eŭropa", "Unio", "Ĉina", "ĉina", Locale("eo").territories["CN"], "kaj tago tagoj horo horoj minuto minutoj Li", *LANGUAGES.names.values()]
    ).split()
)  # fmt: skip
"""What the locale data give: days, months, zones, countries, lists, and languages by their own names."""


class Reader(HTMLParser):
    """The words of a page: text, and what attributes show or read out."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "input", "br", "img", "hr"):
            self._within.append(tag)
        given = dict(attrs)
        own = given.get("class") == "msg mine"
        if own or given.get("lang") not in (None, pseudo.TAG):  # the patient's own words, or language
            self._within[-1] = "foreign"
        self.words += [text for name in SHOWN if (text := given.get(name))]
        if tag == "input" and given.get("type") in ("submit", "button") and (text := given.get("value")):
            self.words.append(text)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() not in (tag, "foreign"):
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"script", "style", "code", "foreign"} & set(self._within):
            self.words.append(" ".join(data.split()))


def languages(folder: Path) -> Languages:
    """Every language, and the made-up one besides; its catalogues are written under ``folder``."""
    shutil.copytree(LOCALES, folder)
    pseudo.write(load().flows.values(), folder)
    return Languages(folder)


def untranslated(words: list[str]) -> list[str]:
    """Plain vowels stand only in what the made-up language did not mark."""
    left = []
    for text in words:
        rest = WORD.sub(lambda word: "" if word[0] in LOCAL else word[0], NAMES.sub("", text))
        if re.search("[aeiouAEIOU]", rest):
            left.append(text)
    return left


def of_page(page: str) -> list[str]:
    """What of a page is left untranslated."""
    reader = Reader()
    reader.feed(page)
    return untranslated(reader.words)


def of_message(envelope: Envelope) -> list[str]:
    """The same of a message, its subject and its buttons."""
    labels = [label for row in envelope.rows for label, _ in row]
    return untranslated([*envelope.text.split("\n"), envelope.subject, envelope.share_phone, *labels])
