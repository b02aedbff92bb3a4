"""Every word of a flow reaches the translators once, with a context and a comment; and the plain English words."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

from flows.author.extract import messages
from flows.author.plain import PlainWords
from flows.flow import Flow
from tests.definitions.loading import VALID, flow_of


def test_every_word_comes_once(flow: Flow) -> None:
    for one in (flow, *map(flow_of, VALID)):
        found = Counter((message.domain, message.context, message.text) for message in messages(one))
        assert set(found.values()) == {1}
        assert all(message.text and message.comment and message.context for message in messages(one))


def test_every_text_a_person_can_meet_is_there(flow: Flow) -> None:
    patient = {(message.context, message.text) for message in messages(flow) if message.domain == "patient"}
    for step in flow.steps:
        for text in (
            step.text,
            step.help,
            step.why,
            step.label,
            step.unsure_label,
            step.none_label,
            step.unsure_say,
        ):
            assert not text or (step.context, text) in patient
        for option in step.options:
            for text in (option.label, option.detail, option.say):
                assert not text or (step.context, text) in patient
    counted = {(m.context, form) for m in messages(flow) if m.plural for form in (m.text, m.plural)}
    assert counted == {("say.days", flow.says["days_one"]), ("say.days", flow.says["days_many"])}
    plain = {key: text for key, text in flow.says.items() if not key.endswith(("_one", "_many"))}
    assert all((f"say.{key}", text) in patient for key, text in plain.items())
    assert all((f"hear.{key}", text) in patient for key, text in flow.heard.items())
    assert all(("ends", text) in patient for text in flow.ends.values())
    assert all((f"outcomes.{key}", text) in patient for key, text in flow.outcomes.items())


def test_one_question_of_the_file_is_translated_once(flow: Flow) -> None:
    """Six steps come from one question; they share its context."""
    found = [message for message in messages(flow) if "a specialist confirm it, or do you" in message.text]
    assert [message.context for message in found] == ["nct06570291.joint_sure"]


def test_staff_get_titles_checks_and_suggestions(flow: Flow) -> None:
    staff = {(message.context, message.text) for message in messages(flow) if message.domain == "staff"}
    for criterion in flow.criteria:
        for text in (criterion.title, criterion.site_check, criterion.suggestion):
            assert not text or (f"nct06570291.{criterion.id}", text) in staff
    assert ("nct06570291.I3", "Age limit on {date}") in staff


def test_plain_words_are_the_source() -> None:
    words = PlainWords()
    assert words.text("any", "Hello") == "Hello"
    assert words.plural("any", "one", "many", 1) == "one" and words.plural("any", "one", "many", 2) == "many"
    assert (
        words.day(date(2026, 11, 14)) == "14 November 2026" and words.month(date(2026, 11, 14)) == "November 2026"
    )
    assert words.weekday(date(2026, 11, 22)) == "Sunday"
    assert words.number(Decimal("1.5")) == "1.5" and words.listed(["a", "b"]) == "a, b"
    assert words.months()[10] == ("November", 11) and len(words.months()) == 12
    assert words.country("CN") == "CN" and words.locale == "en" and words.languages == {"en": "English"}
