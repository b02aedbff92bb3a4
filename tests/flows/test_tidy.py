"""Folding is short and quick; what it must do is written here in the long way."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.tidy import _BLANKS, LONGEST, alike, bare, fold

ENDS = r"[\s।॥؟،؛.,!?。，！？、…:;()\[\]\"'“”‘’¡¿]+"
EDGES = re.compile(f"^{ENDS}|{ENDS}$")
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet=" .,!?'\"()aBíÍñﬁＡ１。！?\u0301\u00a0\u3000\n\x1f+/-左膝ßİ", max_size=40),
)


@pytest.mark.parametrize(
    ("one", "other"),
    [("أمس", "امس"), ("ركبة", "ركبه"), ("على", "علي"), ("نَعَم", "نعم"), ("لـــا", "لا"), ("हाँ", "हां"), ("هل؟", "هل"),
     ("कुछ नहीं।", "कुछ नहीं"), ("ya\u200bs", "yas"), ("\u200fنعم", "نعم")],
)  # fmt: skip
def test_what_people_write_for_one_another_is_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_a_vowel_sign_does_not_cut_a_word() -> None:
    assert bare("घुटने में दर्द!").split() == [fold(word) for word in ("घुटने", "में", "दर्द")]


def test_every_blank_is_an_edge() -> None:
    assert set(_BLANKS) == {char for char in map(chr, range(sys.maxunicode + 1)) if char.isspace()}


@given(TEXTS)
def test_folding_is_the_long_way_of_folding(text: str) -> None:
    plain = unicodedata.normalize("NFKD", text[:LONGEST]).casefold()
    plain = "".join(char for char in alike(plain) if not unicodedata.combining(char))
    assert fold(text) == " ".join((EDGES.sub("", plain) or plain).split())
