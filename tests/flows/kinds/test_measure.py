"""Heights and weights as people write them, in exact base units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.answer import StepId
from flows.flow import Step
from flows.kinds.measure import UNITS_ASKED, accept, bare_number, in_unit, read, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
HEIGHT = Step(StepId("height"), "measure", "p", "Height", "How tall?", unit="cm", low=120, high=220)
WEIGHT = Step(StepId("weight"), "measure", "p", "Weight", "How heavy?", unit="kg", low=30, high=250)

HEIGHTS = [
    *[("en", text, "165") for text in ("165", "165 cm", "165cm", "165㎝", "about 165 cm", "I'm 165 cm tall")],
    *[("en", text, "165") for text in ("1.65", "1,65", "1.65 m", "1m65", "1 m 65", "1 m 65 cm", "1米65")],
    *[("en", text, "165") for text in ("１６５", "١٦٥", "۱۶۵", "१६५", "١٫٦٥", "1 metro 65", "165.0")],
    ("en", "one hundred sixty five", "165"),
    ("en", "1m7", "170"),
    *[("en", text, "165.1") for text in ("5'5", "5'5\"", "5'5''", "5’5”", "5′5″", "5 ft 5", "5ft5in")],
    *[("en", text, "165.1") for text in ("5 foot 5", "5 feet 5 inches", "5 feet and 5 inches", "65 in")],
    ("en", '65"', "165.1"),
    ("en", "6 ft", "182.88"),
    ("en", "5'11½", "181.61"),
    *[("zh_Hans", text, "165") for text in ("165厘米", "165公分", "1米65", "一米六五", "身高165")],
    ("zh_Hans", "一百六十五", "165"),
    *[("zh_Hans", text, "170") for text in ("1米7", "一米七", "一米七零", "一米七十")],
    *[("es", text, "165") for text in ("1,65", "1 metro 65", "un metro sesenta y cinco", "mido 1,65 m")],
    ("es", "5 pies 5 pulgadas", "165.1"),
]  # fmt: skip

WEIGHTS = [
    *[("en", text, "70", True) for text in ("70", "70 kg", "70kg", "70 kilos", "I weigh 70 kg", "70.0")],
    *[("en", text, "70", True) for text in ("140 jin", "140斤", "70公斤")],
    *[("en", text, "70.5", True) for text in ("70.5", "70,5 kg")],
    *[("en", text, "69.85322498", True) for text in ("154 lb", "154 lbs", "154 pounds", "11 stone")],
    *[("en", text, "71.66759446", True) for text in ("11 st 4", "11 stone 4 lb", "11st4lb")],
    ("en", "85", "85", True),
    ("en", "86", "86", False),
    ("en", "154", "154", False),
    ("en", "154 kg", "154", True),
    ("es", "70,5", "70.5", True),
    ("es", "ciento cuarenta libras", "63.5029318", True),
    *[("zh_Hans", text, "70", True) for text in ("140斤", "一百四十斤", "一百四斤", "70公斤", "７０千克")],
    ("zh_Hans", "一百零五斤", "52.5", True),
    ("zh_Hans", "154磅", "69.85322498", True),
]  # fmt: skip

GARBLED = [
    *[(HEIGHT, "en", text, "range") for text in ("300 cm", "119 cm", "3 m", "1m07cm", "8 ft", "90 in")],
    *[(HEIGHT, "en", text, "unit") for text in ("300", "119", "64", "5", "2.5", "0", "1655")],
    *[(HEIGHT, "en", text, "unclear") for text in ("", "no", "-165", "165-170", "165 or 170", "165 70")],
    *[(HEIGHT, "en", text, "unclear") for text in ("70 kg", "1.65m 70kg", "5'12", "5.5 ft", "5.5", "5.11")],
    *[(HEIGHT, "en", text, "unclear") for text in ("<165 cm", "165+", "tall", "5 5", "165 cm and a bit")],
    *[(WEIGHT, "en", text, "range") for text in ("300 kg", "29 kg", "60 lb", "700 lb", "50 jin", "3 st")],
    *[(WEIGHT, "en", text, "unit") for text in ("300", "29", "29.9", "999999999999")],
    *[(WEIGHT, "en", text, "unclear") for text in ("165 cm", "11.5 stone", "11 st 14", "70-75", "-70 kg")],
    *[(WEIGHT, "zh_Hans", text, "unit") for text in ("70", "140", "体重70", "一百四十")],
]  # fmt: skip


@pytest.mark.parametrize(("locale", "text", "expected"), HEIGHTS)
def test_height(ear_in: EarIn, locale: str, text: str, expected: str) -> None:
    assert read(HEIGHT, f" {text} ", ear_in(locale), TODAY) == Gave(Decimal(expected), text, sure=True)


@pytest.mark.parametrize(("locale", "text", "expected", "sure"), WEIGHTS)
def test_weight(ear_in: EarIn, locale: str, text: str, expected: str, sure: bool) -> None:
    assert read(WEIGHT, text, ear_in(locale), TODAY) == Gave(Decimal(expected), text, sure=sure)


@pytest.mark.parametrize(("step", "locale", "text", "reason"), GARBLED)
def test_asked_again(ear_in: EarIn, step: Step, locale: str, text: str, reason: str) -> None:
    assert read(step, text, ear_in(locale), TODAY) == Garbled(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "data", "expected"),
    [
        (HEIGHT, {"cm": 165}, "165"),
        (HEIGHT, {"m": "1.65"}, "165"),
        (HEIGHT, {"ft": 5, "in": 5}, "165.1"),
        (HEIGHT, {"in": "5", "ft": "5"}, "165.1"),
        (HEIGHT, {"ft": 5}, "152.4"),
        (HEIGHT, {"number": "165"}, "165"),
        (HEIGHT, Decimal("165.5"), "165.5"),
        (HEIGHT, 165, "165"),
        (WEIGHT, {"kg": "70.5"}, "70.5"),
        (WEIGHT, {"kg": 70.5}, "70.5"),
        (WEIGHT, {"lb": 154}, "69.85322498"),
        (WEIGHT, {"st": 11, "lb": 4}, "71.66759446"),
        (WEIGHT, {"jin": 140}, "70"),
        (WEIGHT, "70.5", "70.5"),
    ],
)
def test_accept(step: Step, data: object, expected: str) -> None:
    assert accept(step, data) == Decimal(expected)


@pytest.mark.parametrize(
    "data",
    [{"cm": 119}, {"cm": 221}, {"kg": 70}, {"ft": 5, "in": 12}, {"ft": "5.5"}, {"ft": 5, "cm": 2},
     {}, [], None, True, "", "165 cm", "NaN", "1e2", "-165", "１６５", Decimal("NaN"), Decimal("1e9999"),
     {"number": None}, {"cm": {}}, {"in": 5, "cm": 9}, {"number": "165", "cm": 165}, {1: 2},
     {"ft": 5, "in": 5, "cm": 1}],
)  # fmt: skip
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match=r"number|measure"):
        accept(HEIGHT, data)


@pytest.mark.parametrize(
    ("step", "locale", "value", "expected"),
    [
        (HEIGHT, "en", "165", "165 cm"),
        (HEIGHT, "en", "165.00", "165 cm"),
        (HEIGHT, "en", "165.10", "165.1 cm"),
        (HEIGHT, "en", "165.04", "165 cm"),
        (WEIGHT, "en", "69.85322498", "69.9 kg"),
        (WEIGHT, "en", "70.25", "70.3 kg"),
        (WEIGHT, "es", "70.5", "70,5 kg"),
    ],
)
def test_show(ear_in: EarIn, step: Step, locale: str, value: str, expected: str) -> None:
    assert show(step, Decimal(value), ear_in(locale).words) == expected


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [("165", "cm", "165"), ("5", "ft", "152.4"), ("140", "jin", "70"), ("154", "lb", "69.85322498"),
     ("70", "kg", "70")],
)  # fmt: skip
def test_in_unit(number: str, unit: str, expected: str) -> None:
    assert in_unit(Decimal(number), unit) == Decimal(expected)


def test_every_unit_that_is_asked_back_has_a_size() -> None:
    assert all(in_unit(Decimal(1), unit) > 0 for units in UNITS_ASKED.values() for unit in units)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("140", "140"), (" １４０ ", "140"), ("70,5", "70.5"), ("٧٠٫٥", "70.5"), ("140.", "140"),
     ("140 jin", None), ("", None), ("-5", None), ("1 2", None)],
)  # fmt: skip
def test_bare_number(text: str, expected: str | None) -> None:
    assert bare_number(text) == (expected and Decimal(expected))


WORDS = ["1", "5", "65", "70", "165", "1.65", ",", ".", "'", '"', "ft", "in", "cm", "m", "kg", "lb", "st",
         "jin", "½", "１", "٦", "米", "斤", "百", "一", "六", "零", "-", "and", "hundred",
         "999999999999"]  # fmt: skip
ANY = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=7).map("".join),
)


@given(ANY, st.sampled_from([HEIGHT, WEIGHT]), st.sampled_from(["en", "es", "zh_Hans", "ar"]))
@settings(deadline=None)
def test_in_range_or_refused(ear_in: EarIn, text: str, step: Step, locale: str) -> None:
    bare_number(text)
    reply = read(step, text, ear_in(locale), TODAY)
    if isinstance(reply, Gave):
        assert isinstance(reply.value, Decimal)
        assert step.low is not None
        assert step.high is not None
        assert step.low <= reply.value <= step.high
        assert accept(step, reply.value) == reply.value
        assert show(step, reply.value, ear_in(locale).words)
    else:
        assert reply.reason in ("unclear", "range", "unit")
