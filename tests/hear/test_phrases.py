"""What people write is understood, or asked about; and nothing is ever taken for what it is not."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from flows import hear
from flows.flow import Flow
from tests.hear.phrases import Listener, Phrase, phrases, verdict
from tests.patient import LANGUAGES

ALL = list(phrases())
LEAST, SHARE = 60, 0.95


@pytest.fixture(scope="session")
def listener(flow: Flow) -> Listener:
    return Listener(flow)


@pytest.mark.parametrize("locale", sorted({phrase.locale for phrase in ALL}))
def test_people_are_understood_or_asked_and_never_misheard(listener: Listener, locale: str) -> None:
    found = [(str(phrase), verdict(phrase, listener.hears(phrase))) for phrase in ALL if phrase.locale == locale]
    counts = Counter(how for _, how in found)
    assert [phrase for phrase, how in found if how == "wrong"] == []
    assert len(found) >= LEAST and (counts["right"] + counts["honest"]) / len(found) >= SHARE, counts


def test_every_language_has_its_phrases() -> None:
    assert {phrase.locale for phrase in ALL} == set(LANGUAGES.names)


def test_a_wrong_reading_would_be_noticed() -> None:
    no = Phrase("en", "diagnosis", "nope", "no")
    assert verdict(no, ("taken", "no")) == "right" and verdict(no, ("again", None)) == "honest"
    assert verdict(no, ("taken", "yes")) == "wrong" and verdict(no, ("asked", "yes")) == "off"
    assert verdict(Phrase("en", "birth", "6", "?"), ("taken", "2026-06-22")) == "wrong"


HOSTILE = (
    "no " * 1400,
    "a" * 4096,
    "1 " * 2048,
    "(" * 4096,
    "not sure " * 450,
    "٣" * 4096,
    "क्" * 2000,
    "年月日" * 1300,
)


@pytest.mark.slow
@pytest.mark.parametrize("at", ["mri", "birth", "shot_date", "weight", "diagnosis"])
def test_a_long_and_hostile_message_is_heard_in_time(listener: Listener, flow: Flow, at: str) -> None:
    """Not a timing of speed, which is measured in benchmarks/, but that nothing grows without end."""
    listener.hears(Phrase("en", at, "hello", "?"))
    patient = listener.at("en", at)
    rng = random.Random(at)
    texts = [*HOSTILE, *("".join(rng.choices("0123456789 .,-/年月日अआक़ابتno yes", k=4096)) for _ in range(20))]
    for text in texts:
        began = time.process_time()
        hear(flow, patient.conversation, text, patient.words, patient.now)
        assert time.process_time() - began < 2
