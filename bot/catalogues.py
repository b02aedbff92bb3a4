"""Keeps the .po files in step with the trial files and the staff's lines, and tells what is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from jinja2.ext import babel_extract

from bot.desk import (
    actions,
    cards,
    digest,
    duplicates,
    escalation,
    export,
    hours,
    insight,
    letters,
    merging,
    notes,
    notices,
    passwords,
    shares,
    sign_in,
    talking,
    telling,
    watch,
    work,
)
from bot.desk.pages import lines
from bot.handlers import request
from bot.words import LOCALES, Domain, read
from flows.author.extract import Message, messages
from flows.flow import Flow
from flows.parse import Problem

STAFF_ROOMS = (
    hours,
    letters,
    escalation,
    digest,
    cards,
    actions,
    lines,
    passwords,
    sign_in,
    notices,
    talking,
    telling,
    work,
    request,
    duplicates,
    merging,
    notes,
    shares,
    insight,
    export,
    watch,
)
"""The modules that speak to staff: their ``LINES`` are every string of theirs."""
PAGES = Path(cards.__file__).parent / "pages" / "templates"
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


def template(domain: Domain, flows: Iterable[Flow]) -> Catalog:
    """All strings of a domain as an untranslated catalogue."""
    catalogue = Catalog(domain=domain, project="Prescreen", charset="utf-8")
    for message in _messages(flows):
        if message.domain == domain:
            text = (message.text, message.plural) if message.plural else message.text
            catalogue.add(text, context=message.context, auto_comments=[message.comment])
    return catalogue


def _messages(flows: Iterable[Flow]) -> Iterator[Message]:
    for flow in flows:
        yield from messages(flow)
    for line in dict.fromkeys(line for room in STAFF_ROOMS for line in room.LINES):
        yield Message("staff", cards.CONTEXT, line, "Line or button for staff")
    for line in dict.fromkeys(_of_pages()):
        yield Message("staff", cards.CONTEXT, line, "On a page of the web inbox")


def _of_pages() -> Iterator[str]:
    """What the templates of the inbox say, each as ``_("text")``."""
    for path in sorted(PAGES.glob("*.html")):
        with path.open("rb") as file:
            for _line, _name, said, _comments in babel_extract(file, ["_"], (), {"silent": "false"}):
                first = said[0] if isinstance(said, tuple) else said
                if first is not None:  # None for a name: what it stands for is in the ``LINES`` of a module
                    yield first


def update(flows: Iterable[Flow], folder: Path = LOCALES) -> list[Path]:
    """Brings every .po file to today's strings. Nothing is guessed: a new string is empty, an old one goes."""
    written = []
    flows = tuple(flows)
    for path in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        domain: Domain = "patient" if path.stem == "patient" else "staff"
        catalogue = read(path)
        catalogue.update(template(domain, flows), no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, sort_output=False, no_location=True)
        written.append(path)
    return written


def check(flows: Iterable[Flow], folder: Path = LOCALES) -> list[Problem]:
    """Every missing, fuzzy or stale message and every broken placeholder, with file and place."""
    flows = tuple(flows)
    found = []
    for path in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        domain: Domain = "patient" if path.stem == "patient" else "staff"
        wanted = {(m.context, m.id): m for m in template(domain, flows) if m.id}
        catalogue = read(path)
        have = {(m.context, m.id): m for m in catalogue if m.id}
        name = f"{path.parent.parent.name}/{path.name}"
        found += [
            Problem(name, f"{context}: {_short(text)}", "This message is missing.", "Run: prescreen i18n update")
            for context, text in wanted.keys() - have.keys()
        ]
        found += [
            Problem(name, f"{context}: {_short(text)}", "This message is stale.", "Run: prescreen i18n update")
            for context, text in have.keys() - wanted.keys()
        ]
        for (context, text), message in have.items():
            source: object = text
            forms: tuple[object, ...] = (message.string,)
            if isinstance(text, tuple):  # as many forms as the language counts by
                given = message.string if isinstance(message.string, tuple) else ()
                source, forms = text[0], (*given, *[""] * (catalogue.num_plurals - len(given)))
            for form in forms:
                for what, remedy in _wrong(str(source), str(form or ""), message.fuzzy):
                    found.append(Problem(name, f"{context}: {_short(source)}", what, remedy))
    for tag in {path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/*.po")}:
        for domain in get_args(Domain):
            if domain == "patient" and not (folder / tag / "LC_MESSAGES" / "patient.po").is_file():
                found.append(Problem(tag, domain, "There is no catalogue.", "Copy one and translate it."))
    return found


def _wrong(source: str, text: str, fuzzy: bool) -> Iterator[tuple[str, str]]:
    if not text:
        yield "It is not translated.", "Translate it."
    elif fuzzy:
        yield "It is marked fuzzy.", "Check it and take the mark away."
    elif sorted(set(_PLACEHOLDER.findall(source))) != sorted(set(_PLACEHOLDER.findall(text))):
        yield "Its placeholders differ from the source.", "Use the same {names}."
    elif re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        yield "A placeholder is broken.", "Write it as {name}."


def _short(text: object) -> str:
    words = str(text).replace("\n", " ")
    return words if len(words) < 50 else words[:47] + "..."
