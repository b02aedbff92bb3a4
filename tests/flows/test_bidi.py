"""What runs from left to right is kept together in Arabic text, and nothing else is touched."""

from __future__ import annotations

import pytest

from flows.bidi import isolated
from flows.flow import Flow
from flows.tidy import fold
from tests.patient import LANGUAGES, Patient


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("الرقم +86 510 5555 0147.", "الرقم <+86 510 5555 0147>."),
        ("في North Clinic (example) الآن", "في <North Clinic (example)> الآن"),
        ("(MRI) أو 165 cm أو 5 ft 5.", "(<MRI>) أو <165 cm> أو <5 ft 5>."),
        ("1. MRI", "1. <MRI>"),
        ("الأعمار 40-75، في 22 نوفمبر 2026 09:30", "الأعمار <40-75>، في 22 نوفمبر 2026 09:30"),
        ("70.5 أو 12,345", "70.5 أو 12,345"),
        ("للبدء: /start", "للبدء: </start>"),
        ("https://example.org/a?b=1", "https://example.org/a?b=1"),
        ("اكتب إلى desk@example.org.", "اكتب إلى <desk@example.org>."),
        ("مرحبا", "مرحبا"),
    ],
)
def test_what_is_isolated(text: str, shown: str) -> None:
    assert isolated(text).replace("\u2066", "<").replace("\u2069", ">") == shown


def test_only_languages_from_right_to_left_are_isolated(flow: Flow) -> None:
    for locale in LANGUAGES.names:
        spoken = Patient(flow, locale).answers(locale).text
        assert ("\u2066" in spoken) == (locale == "ar"), locale


def test_what_is_copied_back_is_heard_as_it_was() -> None:
    assert fold("\u2066+86 510 5555 0147\u2069") == "+86 510 5555 0147"
