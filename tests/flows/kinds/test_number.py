"""Whole numbers within bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.answer import StepId
from flows.flow import Step
from flows.kinds.number import accept, read, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
STEP = Step(StepId("visits"), "number", "p", "Visits", "How many?", low=1, high=150)


@pytest.mark.parametrize(
    ("locale", "text", "expected"),
    [
        *[("en", text, 62) for text in ("62", " 62. ", "062", "６２", "٦٢", "۶۲", "६२", "Sixty-two")],
        ("en", "sixty two", 62),
        ("en", "one hundred and forty", 140),
        ("en", "a couple", 2),
        ("es", "sesenta y dos", 62),
        ("es", "ciento cuarenta y cinco", 145),
        ("es", "veintidós", 22),
        ("es", "twelve", 12),
        ("zh_Hans", "六十二", 62),
        ("zh_Hans", "十五", 15),
        ("zh_Hans", "十", 10),
        ("zh_Hans", "两", 2),
        ("zh_Hans", "一百", 100),
        ("zh_Hans", "一百二", 120),
        ("zh_Hans", "一百零五", 105),
        ("zh_Hans", "一百四十五", 145),
    ],
)  # fmt: skip
def test_read(ear_in: EarIn, locale: str, text: str, expected: int) -> None:
    assert read(STEP, text, ear_in(locale), TODAY) == Gave(expected, text.strip())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[(text, "range") for text in ("0", "151", "9" * 60, "zero", "hundred and sixty")],
        *[(text, "unclear") for text in ("", "no", "a", "a few", "-5", "6.5", "6,5", "1 2", "62 years")],
        *[(text, "unclear") for text in ("2-3", "2 or 3", "two three", "<5", "six and", "1e3", "½", "5²")],
    ],
)  # fmt: skip
def test_asked_again(ear_in: EarIn, text: str, reason: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Garbled(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(("data", "expected"), [(62, 62), ("62", 62), (1, 1), (150, 150)])
def test_accept(data: object, expected: int) -> None:
    assert accept(STEP, data) == expected


@pytest.mark.parametrize("data", [0, 151, "", "0", "x", "6.5", "６２", 6.0, True, None, [], {}, "9" * 5000])
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match="number"):
        accept(STEP, data)


def test_show(ear_in: EarIn) -> None:
    assert show(STEP, 62, ear_in("en").words) == "62"


@given(st.text(max_size=300), st.sampled_from(["en", "es", "zh_Hans"]))
@settings(deadline=None)
def test_in_range_or_refused(ear_in: EarIn, text: str, locale: str) -> None:
    reply = read(STEP, text, ear_in(locale), TODAY)
    if isinstance(reply, Gave):
        assert isinstance(reply.value, int)
        assert 1 <= reply.value <= 150
    else:
        assert reply.reason in ("unclear", "range")
