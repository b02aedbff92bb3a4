"""Nothing that staff read is left untranslated: every page and notice in a language that marks each of its texts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel import Locale
from babel.dates import get_day_names, get_month_names, get_timezone_name

from bot import pseudo
from bot.desk.cards import STATUS
from bot.library import load
from bot.words import LOCALES, Languages
from tests.desk.acting import has_lead
from tests.desk.browser import Pages, member
from tests.patient import LANGUAGES
from tests.shell.conftest import Desk, Somebody

pytestmark = pytest.mark.slow

SHOWN = ("title", "aria-label", "placeholder", "alt", "data-label")
NAMES = re.compile(
    r"https?://\S+|\S+@\S+|nct\d+|NCT\d+|Wuxi Cellular\S*|Biopharmaceutical|Group Ltd\.?|Nora|Rosa|Ana|Example|Telegram|Mon-Fri|Sat |Asia/Shanghai|US-NY|Suzhou|Esperanto"
    r"|[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}|a bit of metal from the mill, I think|mri\.fragments|\bc7kp2\b|\b[IE]\d+\b",
)
"""What has no translation: names, addresses, codes, and what people wrote."""
WORD = re.compile(r"[^\W\d_]+")
LOCAL = frozenset(
    " ".join(
        [*(get_day_names(width, locale="eo")[n] for n in range(7) for width in ("abbreviated", "wide")),
         *(get_month_names(width, locale="eo")[n] for n in range(1, 13) for width in ("abbreviated", "wide")),
         get_timezone_name("Asia/Shanghai", locale="eo"), "norma", "tempo", "Ĉina", "ĉina", Locale("eo").territories["CN"], "kaj tago tagoj horo horoj minuto minutoj Li", *LANGUAGES.names.values()]
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
        if given.get("lang") not in (None, pseudo.TAG):  # the patient's own language
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


@pytest.fixture
def made_up(desk: Desk, tmp_path: Path) -> Iterator[Pages]:
    """The inbox of a desk that has the made-up language, too."""
    folder = tmp_path / "locales"
    shutil.copytree(LOCALES, folder)
    pseudo.write(load().flows.values(), folder)
    languages = Languages(folder)
    desk.deployment = replace(desk.deployment, languages=languages, staff_language=pseudo.TAG)
    pages = Pages(desk)
    yield pages
    pages.close()


AUDITED = re.compile(r"^(?:[a-z_]+(?:\.[a-z_]+)?|(?:send|health) nct\S* .*)$")
"""What the audit has no words for is shown there by its code."""


def untranslated(words: list[str]) -> list[str]:
    """Plain vowels stand only in what the made-up language did not mark."""
    left = []
    for text in words:
        rest = WORD.sub(lambda word: "" if word[0] in LOCAL else word[0], NAMES.sub("", text))
        if re.search("[aeiouAEIOU]", rest):
            left.append(text)
    return left


def test_every_page_of_the_inbox(desk: Desk, made_up: Pages) -> None:
    nora = member(desk, "Nora", role="admin", language=pseudo.TAG)
    Somebody(desk).starts().walks_to("check").sends()
    has_lead(desk, "502", locale="es", helper=True, changed=True, chat_lost=True, source="c7kp2")
    for number, status in enumerate(STATUS):
        has_lead(
            desk, str(510 + number), status=status, owner_id=nora["id"], due_at=desk.now - timedelta(days=number)
        )
    browser = made_up.browser(nora)
    assert "⟦" in browser.get("/").text
    left: dict[str, list[str]] = {}
    paths = [
        "/", "/?status=closed", "/?status=scheduled&language=ar", "/account", "/audit", "/counts", "/export", "/insight", "/staff", "/sites",
        *(f"/leads/K-{number:04}" for number in range(1, 3 + len(STATUS))), "/leads/K-0001/compare/K-0002", "/leads/K-9999", "/nowhere",
    ]  # fmt: skip
    for path in paths:
        page = Reader()
        answer = browser.get(path)
        assert answer.status_code == (404 if path in ("/leads/K-9999", "/nowhere") else 200), path
        page.feed(answer.text)
        words = [text for text in page.words if path != "/audit" or not AUDITED.match(text)]
        if found := untranslated(words):
            left[path] = found
    stranger = made_up.browser()
    page = Reader()
    page.feed(stranger.get("/sign-in", **{"accept-language": "eo"}).text)
    left["/sign-in"] = untranslated(page.words)
    found = {path: words for path, words in left.items() if words}
    assert found == {}, "\n".join(f"{path} {words}" for path, words in found.items())
