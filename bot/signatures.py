"""Whether a language may be shown to patients: a draft, back-translated, or signed by a medical reviewer.

``locales/<tag>/signature.toml`` holds who signed which words, and when. Any change of a source text or of its
translation makes the signature stale: it is over these very words.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from bot.words import LOCALES, SOURCE, read
from flows.author.extract import messages
from flows.flow import Flow

Status = Literal["draft", "back-translated", "signed"]
NAME = "signature.toml"


@dataclass(frozen=True)
class Signature:
    """How far the words of one language have come."""

    tag: str
    status: Status = "draft"
    by: str = ""
    """Who back-translated or signed; "" for a draft."""
    on: str = ""
    """The day, as in 2026-11-22."""
    fresh: bool = True
    """The words are still those that were signed."""

    @property
    def offered(self) -> bool:
        """Whether patients may be shown this language."""
        return self.status == "signed" and self.fresh


def every(flows: Iterable[Flow], folder: Path = LOCALES) -> list[Signature]:
    """The state of each language there is, English first: it is the source, and needs a signature as well."""
    flows = tuple(flows)
    tags = sorted(path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/patient.po"))
    return [_of(tag, flows, folder) for tag in [SOURCE, *tags]]


def sign(tag: str, status: Status, by: str, on: date, flows: Iterable[Flow], folder: Path = LOCALES) -> Path:
    """Notes that somebody read all words of a language as they are now. Raises LookupError for an unknown one."""
    if tag != SOURCE and not _catalogue(tag, folder).is_file():
        raise LookupError(tag)
    path = folder / tag / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = {"status": status, "by": by, "on": on.isoformat(), "words": digest(tag, flows, folder)}
    text = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())
    path.write_text(text, encoding="utf-8")
    return path


def digest(tag: str, flows: Iterable[Flow], folder: Path = LOCALES) -> str:
    """A hash over every patient text of a language, with its source and its place."""
    wanted = {(m.context, m.text): m.plural for flow in flows for m in messages(flow) if m.domain == "patient"}
    have = {}
    if tag != SOURCE:
        for message in read(_catalogue(tag, folder)):
            source = message.id if isinstance(message.id, str) else message.id[0]
            have[message.context, source] = message.string
    words = sorted([*place, plural, have.get(place, "")] for place, plural in wanted.items())
    return hashlib.sha256(json.dumps(words, ensure_ascii=False).encode()).hexdigest()


def _of(tag: str, flows: tuple[Flow, ...], folder: Path) -> Signature:
    path = folder / tag / NAME
    if not path.is_file():
        return Signature(tag)
    held = tomllib.loads(path.read_text(encoding="utf-8"))
    status: Status | None = next((one for one in get_args(Status) if one == held.get("status")), None)
    if status is None:
        return Signature(tag)
    fresh = held.get("words") == digest(tag, flows, folder)
    return Signature(tag, status, str(held.get("by", "")), str(held.get("on", "")), fresh)


def _catalogue(tag: str, folder: Path) -> Path:
    return folder / tag / "LC_MESSAGES" / "patient.po"
