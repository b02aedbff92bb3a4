"""Short texts, and the sanitiser at the gate."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.answer import StepId
from flows.flow import Step
from flows.kinds.text import accept, clean, read, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
STEP = Step(StepId("first_name"), "text", "p", "First name", "Your first name?")
FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Ana \t María  ", "Ana María"),
        ("Ana\r\nMaría", "Ana\nMaría"),
        ("Ana  \n\n  María", "Ana\n\nMaría"),
        ("Ana\u2028María\x0bLuz", "Ana\nMaría\nLuz"),
        ("Jose\u0301", "José"),
        ("a\x00b\x07c\x7fd\x9be", "abcde"),
        ("abc\u202edcba\u202c\u2066x\u2069", "abcdcbax"),
        ("\u200eab\u200f\ufeff\u200b\u00ad", "ab"),
        ("a\ud800b\udfff", "ab"),
        (f"{FAMILY} 🏴\U000e0067\U000e007f", f"{FAMILY} 🏴\U000e0067\U000e007f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("王\u3000小明", "王 小明"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ana", "Ana"), ("Ana\nMaría", "Ana María"), ("x" * 200, "x" * 200), ("  O'Neill ", "O'Neill"),
     (FAMILY, FAMILY)],
)  # fmt: skip
def test_read(ear_in: EarIn, text: str, expected: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Gave(expected, text.strip())


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "unclear"), (" \n\t ", "unclear"), ("\u200d", "unclear"), ("\x00\u202e", "unclear"),
     ("x" * 201, "long")],
)  # fmt: skip
def test_asked_again(ear_in: EarIn, text: str, reason: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Garbled(reason)  # type: ignore[arg-type]


def test_accept() -> None:
    assert accept(STEP, " Ana\nMaría ") == "Ana María"


@pytest.mark.parametrize("data", ["", "\x00", "x" * 201, 5, None, ["a"]])
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match="text"):
        accept(STEP, data)


def test_show(ear_in: EarIn) -> None:
    assert show(STEP, "Ana", ear_in("en").words) == "Ana"


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_clean_is_final(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in once.replace("\n", ""))
    once.encode()


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_read_or_refused(ear_in: EarIn, text: str) -> None:
    reply = read(STEP, text, ear_in("en"), TODAY)
    if isinstance(reply, Gave):
        assert accept(STEP, reply.value) == reply.value
    else:
        assert reply.reason in ("unclear", "long")
