"""One pick out of a few: by label, by a word for it, by its number in the list; roughly said ones are read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import lru_cache

from flows.answer import Value
from flows.flow import Option, Step
from flows.reply import Garbled, Gave
from flows.tidy import bare, dense, fold, whole_number, within
from flows.words import Ear, Words


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    found = named(step, text, ear)
    if found is not None:
        return Gave(found.id, text.strip())
    rough = hinted(step, text, ear)
    return Garbled("unclear") if rough is None else Gave(rough.id, text.strip(), sure=False)


def accept(step: Step, data: object) -> Value:
    if isinstance(data, str) and step.option(data) is not None:
        return data
    raise ValueError("not an option of this question")


def show(step: Step, value: Value, words: Words) -> str:
    option = step.option(str(value))
    return words.text(step.context, option.label) if option else str(value)


def named(step: Step, text: str, ear: Ear) -> Option | None:
    """The option that the words name without doubt, or None."""
    said = _said(text)
    if not said:
        return None
    labels, words = _names(step, ear)
    asks = text.rstrip().endswith(ASKING)  # "yes?" is no yes
    found = None if asks and step.kind == "yes_no" else labels.get(said)
    if found is None and step.kind != "checklist" and not asks:
        found = words.get(said)
    number = whole_number(_numbered(said, ear))
    if found is None and number is not None and 1 <= number <= len(step.options):
        return step.options[number - 1]
    return found


def hinted(step: Step, text: str, ear: Ear) -> Option | None:
    """The one option that the words may mean, to be read back: part of its label, its label inside a sentence,
    or a telling word that only it has. Words that deny hint at nothing."""
    said = _said(text)
    if step.kind == "yes_no":
        return None if text.rstrip().endswith(ASKING) and " " in said else _begun(step, said, ear)
    if said in _listed(ear, "none") and (nothing := step.option("no")) is not None:
        return nothing
    words = set(said.split())
    if any(within(denial, said) for denial in _denials(ear)):
        return None
    labels = _labels(step, ear)
    inside = _only(option for option, own in labels if any(within(label, said) for label in own))
    if inside is None and (len(said) >= SHORTEST or dense(said)):
        inside = _only(option for option, own in labels if any(within(said, label) for label in own))
    if inside is None:
        inside = _only(option for option, own in _words(step, ear) if any(within(word, said) for word in own))
    told = {word for word in words if len(word) > SHORTEST - (word > "\u0600")}  # vowels are not letters there
    if inside is not None or not told:
        return inside
    telling = _telling(step, ear)
    named = _only(option for option, own in telling if not told.isdisjoint(own))
    known = {word for _, own in telling for word in own}
    return named if named or not told.isdisjoint(known) else _misspelt(told, telling)


def _begun(step: Step, said: str, ear: Ear) -> Option | None:
    """Yes or no, where a longer message begins with it: "yes, last year". Nothing, where it goes on otherwise."""
    words, names = said.split(), _names(step, ear)[1]
    for many in (3, 2, 1):
        start, rest = " ".join(words[:many]), " ".join(words[many:])
        if start in _listed(ear, "not_sure"):
            return None
        if (found := names.get(start)) is not None and (len(start) > 1 or dense(start) or not rest):  # "il y a"
            yes = ear.words.text(step.context, "Yes")
            against = _denials(ear) if found.id == "yes" else _bare(yes, "yes")
            return None if any(within(word, rest) for word in against) else found
    return None


def _misspelt(told: set[str], telling: Named) -> Option | None:
    """The one option with a word that somebody may have meant to write."""
    long = [word for word in told if len(word) >= SPELT][:MOST]
    return _only(option for option, own in telling if any(_near(word, own) for word in long))


def _near(word: str, own: frozenset[str]) -> bool:
    return bool(get_close_matches(word, [other for other in own if len(other) >= SPELT], n=1, cutoff=ALIKE))


SHORTEST = 3
"""Fewer characters are no hint, except in scripts where they are whole words."""
ASKING = ("?", "？", "؟")
SPELT, ALIKE, MOST = 5, 0.8, 20
"""A slip is looked for in words of so many letters, of which so much is right, and in so many of them."""


def _said(text: str) -> str:
    """The words; or the sign, where there is nothing else: a thumb that is up."""
    return bare(text) or fold(text)


def _numbered(said: str, ear: Ear) -> str:
    """``option 3`` without its first word."""
    first, _, rest = said.partition(" ")
    return rest if rest and first in _listed(ear, "number_mark") else said


Named = tuple[tuple[Option, frozenset[str]], ...]
"""Each option with the bare words that are its own."""


@lru_cache(maxsize=4096)
def _names(step: Step, ear: Ear) -> tuple[Mapping[str, Option | None], Mapping[str, Option | None]]:
    """The options by their labels, and by the words for them. What two options share names neither."""
    return _by_word(_labels(step, ear)), _by_word(_words(step, ear))


def _by_word(named: Named) -> Mapping[str, Option | None]:
    found: dict[str, Option | None] = {}
    for option, own in named:
        found.update({word: None if word in found else option for word in own})
    return found


@lru_cache(maxsize=4096)
def _labels(step: Step, ear: Ear) -> Named:
    return tuple(
        (option, _bare(option.label, ear.words.text(step.context, option.label))) for option in step.options
    )


@lru_cache(maxsize=4096)
def _words(step: Step, ear: Ear) -> Named:
    """What people write for each option: its own list, and the common words for yes and no."""

    def of(option: Option) -> frozenset[str]:
        common = _listed(ear, option.id) if option.id in ("yes", "no") else frozenset()
        return _heard(step, option, ear) | common

    return tuple((option, of(option)) for option in step.options)


@lru_cache(maxsize=4096)
def _telling(step: Step, ear: Ear) -> Named:
    """The words of each option's label and of what stands beside it in the question."""

    def of(option: Option) -> frozenset[str]:
        texts = [text for text in (option.label, option.detail) if text]
        known = _bare(*texts, *(ear.words.text(step.context, text) for text in texts))
        heard = _heard(step, option, ear) if step.kind == "checklist" else frozenset()
        return frozenset(" ".join(known).split()) | {word for word in heard if " " not in word}

    return tuple((option, of(option)) for option in step.options)


def _heard(step: Step, option: Option, ear: Ear) -> frozenset[str]:
    """The words of an option's own list."""
    if not option.heard:
        return frozenset()
    return _bare(*f"{ear.words.text(step.context, option.heard)};{option.heard}".split(";"))


@lru_cache(maxsize=64)
def _denials(ear: Ear) -> frozenset[str]:
    """What says that it is not so, or of whom else it is."""
    return frozenset(word for word in _listed(ear, "no") | _listed(ear, "none") if " " not in word) | _listed(
        ear, "denial"
    )


@lru_cache(maxsize=64)
def _listed(ear: Ear, name: str) -> frozenset[str]:
    return _bare(*ear.all(name))


def _bare(*texts: str) -> frozenset[str]:
    return frozenset(map(_said, texts)) - {""}


def _only(found: Iterable[Option]) -> Option | None:
    options = list(found)
    return options[0] if len(options) == 1 else None
