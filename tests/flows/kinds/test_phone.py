"""Phone numbers in whatever form they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.answer import StepId
from flows.flow import Step
from flows.kinds.phone import accept, read, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
STEP = Step(StepId("phone"), "phone", "p", "Phone", "What number should we call?")


@pytest.mark.parametrize("region", [None, "ES", "US", "CN"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(text, "+34612345678") for text in ("+34 612 345 678", "+34612345678", "+34-612-34-56-78")],
        *[(text, "+34612345678") for text in ("0034 612 345 678", "+٣٤ ٦١٢ ٣٤٥ ٦٧٨")],
        ("＋３４６１２３４５６７８", "+34612345678"),
        *[(text, "+12127365000") for text in ("+1 (212) 736-5000", "+1 212.736.5000", "+1 212 736–5000")],
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("+86 138 1234 5678", "+8613812345678"),
        ("\u202a+34 612 345 678\u202c", "+34612345678"),
    ],
)  # fmt: skip
def test_international(ear_in: EarIn, text: str, expected: str, region: str | None) -> None:
    reply = read(STEP, text, ear_in("en", region), TODAY)
    assert reply == Gave(expected, text, sure=True)


@pytest.mark.parametrize(
    ("region", "text", "expected"),
    [
        ("ES", "612 345 678", "+34612345678"),
        ("US", "(212) 736-5000", "+12127365000"),
        ("US", "011 34 612 345 678", "+34612345678"),
        ("CN", "138 1234 5678", "+8613812345678"),
        ("ES", "34612345678", "+34612345678"),
        (None, "8613812345678", "+8613812345678"),
        (None, "my number is +34 612 345 678", "+34612345678"),
    ],
)
def test_read_back(ear_in: EarIn, region: str | None, text: str, expected: str) -> None:
    assert read(STEP, text, ear_in("en", region), TODAY) == Gave(expected, text, sure=False)


@pytest.mark.parametrize("text", ["+1 900 254 1234", "+44 909 879 0123", "+34 803 123 456", "0034 901 123 456"])
def test_a_number_that_costs_extra_is_refused_by_name(ear_in: EarIn, text: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Garbled("premium")


@pytest.mark.parametrize(
    "text",
    ["", "no", "0", "+", "12345", "612345678", "+34 612 345", "+99999999999",
     "1-800-FLOWERS", "+1 212 736 5000 ext 5", "+34 612 345 678 or +34 612 345 679", "+34 612 345 678 9999",
     "a@b.com", "2026-11-14"],
)  # fmt: skip
def test_asked_again(ear_in: EarIn, text: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Garbled("unclear")


def test_words_without_a_region_guess_nothing(ear_in: EarIn) -> None:
    class Regionless:
        locale = "en"

    assert read(STEP, "612345678", Ear(Regionless(), {}), TODAY) == Garbled("unclear")  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["+34612345678", "34612345678", "+34 612 345 678"])
def test_accept(data: str) -> None:
    assert accept(STEP, data) == "+34612345678"


@pytest.mark.parametrize(
    "data", ["", "+", "612345678", "+34 612", "+19002541234", "+34612345678x", 34612345678, None, {}]
)
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match="phone"):
        accept(STEP, data)


@pytest.mark.parametrize(("value", "expected"), [("+34612345678", "+34 612 34 56 78"), ("?", "?")])
def test_show(ear_in: EarIn, value: str, expected: str) -> None:
    assert show(STEP, value, ear_in("en").words) == expected


@given(
    st.one_of(st.text(max_size=300), st.from_regex(r"[+0-9() ./-]{3,40}", fullmatch=True)),
    st.sampled_from([None, "ES", "US", "CN", "XX"]),
)
@settings(deadline=None)
def test_callable_or_refused(ear_in: EarIn, text: str, region: str | None) -> None:
    reply = read(STEP, text, ear_in("en", region), TODAY)
    if isinstance(reply, Gave):
        assert accept(STEP, reply.value) == reply.value
        assert show(STEP, reply.value, ear_in("en").words).startswith("+")
    else:
        assert reply in (Garbled("unclear"), Garbled("premium"))
