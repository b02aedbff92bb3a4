"""A made-up language: every text is marked and longer, so that what shows unmarked was never translated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from babel.core import Locale
from babel.messages.pofile import write_po

from bot import catalogues
from bot.words import Domain
from flows.flow import Flow

TAG = "eo"
"""Esperanto stands in: it has dates and plurals of its own, and nobody's phone asks for it by chance."""
OPEN, CLOSE = "⟦", "⟧"
_PIECE = re.compile(r"(\{[a-z_]+\})")
_LETTERS = str.maketrans("aeiouAEIOUnc", "áéíóúÁÉÍÓÚñç")


def marked(text: str) -> str:
    """``⟦Héllo {name}⟧``: placeholders stay as they are."""
    parts = _PIECE.split(text)
    return OPEN + "".join(part if _PIECE.fullmatch(part) else part.translate(_LETTERS) for part in parts) + CLOSE


def write(flows: Iterable[Flow], folder: Path) -> Path:
    """Writes the catalogues of the made-up language under ``folder``; what people type stays as it is."""
    flows = tuple(flows)
    domains: tuple[Domain, ...] = ("patient", "staff")
    for domain in domains:
        catalogue = catalogues.template(domain, flows)
        catalogue.locale = Locale.parse(TAG)
        for message in catalogue:
            if not message.id:
                continue
            if message.auto_comments[0].startswith("What people type"):  # heard, and never shown
                message.string = message.id
            else:
                one = isinstance(message.id, str)
                message.string = marked(str(message.id)) if one else tuple(map(marked, message.id))
        path = folder / TAG / "LC_MESSAGES" / f"{domain}.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, no_location=True)
    return folder / TAG / "LC_MESSAGES" / "patient.po"
