"""E-mail addresses, and the slips that people make in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.answer import StepId
from flows.flow import Step
from flows.kinds.email import KNOWN, accept, read, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
STEP = Step(StepId("email"), "email", "p", "E-mail", "Your e-mail?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana@gmail.com", "ana@gmail.com"),
        (" Ana.B+x@GMAIL.com ", "Ana.B+x@gmail.com"),
        ("<ana@clinic.org>", "ana@clinic.org"),
        ("mailto:ana@clinic.org", "ana@clinic.org"),
        ("ana@clinic.org.", "ana@clinic.org"),
        ("ana＠clinic。org", "ana@clinic.org"),
        ("ana@exámple.com", "ana@exámple.com"),
        ("12345@qq.com", "12345@qq.com"),
    ],
)
def test_read(ear_in: EarIn, text: str, expected: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Gave(expected, text.strip(), sure=True)


@pytest.mark.parametrize("domain", sorted(KNOWN))
def test_no_well_known_domain_is_a_slip(ear_in: EarIn, domain: str) -> None:
    assert read(STEP, f"ana@{domain}", ear_in("en"), TODAY) == Gave(f"ana@{domain}", f"ana@{domain}", sure=True)


@pytest.mark.parametrize(
    "domain",
    ["gmial.com", "gmai.com", "gmail.con", "gmail.co", "hotmial.com", "yaho.com", "yahooo.com", "outlok.com",
     "qq.con", "163.con", "iclod.com"],
)  # fmt: skip
def test_slips_are_read_back(ear_in: EarIn, domain: str) -> None:
    assert read(STEP, f"ana@{domain}", ear_in("en"), TODAY) == Gave(f"ana@{domain}", f"ana@{domain}", sure=False)


def test_an_address_in_a_sentence_is_read_back(ear_in: EarIn) -> None:
    text = "my mail is ana@clinic.org, thanks"
    assert read(STEP, text, ear_in("en"), TODAY) == Gave("ana@clinic.org", text, sure=False)


@pytest.mark.parametrize(
    "text",
    ["", "no", "ana", "ana@", "@clinic.org", "ana@clinic", "ana@@clinic.org", "a@b.com c@d.com",
     "ana clinic.org", "ana@localhost", "ana@[127.0.0.1]", "x" * 300 + "@clinic.org"],
)  # fmt: skip
def test_asked_again(ear_in: EarIn, text: str) -> None:
    assert read(STEP, text, ear_in("en"), TODAY) == Garbled("unclear")


def test_accept() -> None:
    assert accept(STEP, "Ana@CLINIC.org") == "Ana@clinic.org"


@pytest.mark.parametrize("data", ["", "ana", "ana@b", 5, None, ["ana@clinic.org"]])
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        accept(STEP, data)


def test_show(ear_in: EarIn) -> None:
    assert show(STEP, "ana@clinic.org", ear_in("en").words) == "ana@clinic.org"


@given(st.one_of(st.text(max_size=300), st.emails(), st.from_regex(r"[a-z.@ ]{3,40}", fullmatch=True)))
@settings(deadline=None)
def test_normal_or_refused(ear_in: EarIn, text: str) -> None:
    reply = read(STEP, text, ear_in("en"), TODAY)
    if isinstance(reply, Gave):
        assert accept(STEP, reply.value) == reply.value
    else:
        assert reply == Garbled("unclear")
