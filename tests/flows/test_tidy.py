"""Folding is short and quick; what it must do is written here in the long way."""

from __future__ import annotations

import re
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from flows.tidy import _BLANKS, LONGEST, fold

EDGES = re.compile(r"^[\s.,!?。，！？、…:;()\[\]\"'“”‘’¡¿]+|[\s.,!?。，！？、…:;()\[\]\"'“”‘’¡¿]+$")
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet=" .,!?'\"()aBíÍñﬁＡ１。！?\u0301\u00a0\u3000\n\x1f+/-左膝ßİ", max_size=40),
)


def test_every_blank_is_an_edge() -> None:
    assert set(_BLANKS) == {char for char in map(chr, range(sys.maxunicode + 1)) if char.isspace()}


@given(TEXTS)
def test_folding_is_the_long_way_of_folding(text: str) -> None:
    plain = unicodedata.normalize("NFKD", text[:LONGEST]).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    assert fold(text) == " ".join((EDGES.sub("", plain) or plain).split())
