"""Lists every word of a flow for the translators, each with its context and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flows.flow import Flow, Step

Domain = Literal["patient", "staff"]


@dataclass(frozen=True, slots=True)
class Message:
    """One string to translate: for whom, in which context, and a comment that says what it is."""

    domain: Domain
    context: str
    text: str
    comment: str
    plural: str = ""
    """The form for many, where the words depend on a number."""


def messages(flow: Flow) -> Iterator[Message]:
    """Every string once per context, in the order a person meets them."""
    seen: set[tuple[str, str, str]] = set()
    for message in _all(flow):
        key = (message.domain, message.context, message.text)
        if message.text and key not in seen:
            seen.add(key)
            yield message


def _all(flow: Flow) -> Iterator[Message]:
    slug = flow.trial.slug
    yield _patient(f"{slug}.trial", flow.trial.short_title, "The study, named inside a sentence")
    yield _patient(f"{slug}.trial", flow.trial.ready, "What to have at hand, after 'Have this ready for the call:'")
    for part in flow.parts:
        if part.counted:
            yield _patient(f"{slug}.part", part.title, "Part of the conversation, after 'Part 2 of 4,'")
    for step in flow.steps:
        yield from _step(step)
    for picture, text in flow.pictures.items():
        yield _patient(f"{slug}.picture.{picture}", text, "What a drawing shows, for who cannot see it")
    for site in flow.sites:
        yield _patient(f"{slug}.site", site.name, "Name of a study hospital")
        yield _patient(f"{slug}.site", site.city, "Town of a study hospital; also a button")
    for criterion in flow.criteria:
        context = f"{slug}.{criterion.id}"
        yield _patient(context, criterion.topic, "Why it is no or not now, in general words, in a sentence")
        yield Message("staff", context, criterion.title, "Criterion, for staff")
        yield Message("staff", context, criterion.site_check, "What the site still has to check")
        yield Message("staff", context, criterion.suggestion, "What staff may ask on the call")
        for decision in criterion.decisions:
            yield Message("staff", context, decision.note, "Note for staff")
    for outcome, text in flow.outcomes.items():
        yield _patient(f"outcomes.{outcome}", text, "The result, told to the person")
    for text in flow.ends.values():
        yield _patient("ends", text, "The last words of a conversation")
    for sign in flow.safety:
        yield _patient(f"safety.{sign.id}", sign.label, "Button: what is wrong")
        yield _patient(f"safety.{sign.id}", sign.text, "Safety message: comes before everything else")
        yield _patient(f"hear.{sign.id}", sign.words, _HEARD + " Words joined by + must all occur.")
    for question in flow.faq:
        yield _patient(f"faq.{question.id}", question.text, "Button: a question people ask")
        yield _patient(f"faq.{question.id}", question.answer, "The approved answer")
        yield _patient(f"faq.{question.id}", question.heard, _HEARD)
    for key, text in flow.says.items():
        if key.endswith("_many"):
            continue
        if key.endswith("_one"):
            name = key.removesuffix("_one")
            yield Message("patient", f"say.{name}", text, "A number of these", flow.says[f"{name}_many"])
            continue
        what = "Button, 20 characters or fewer" if key.startswith("button_") else "The bot's own line"
        yield _patient(f"say.{key}", text, what)
    for key, text in flow.phrases.items():
        yield _patient(f"phrase.{key}", text, "An approved line that staff may send; staff read it, too")
    for key, text in flow.heard.items():
        yield _patient(f"hear.{key}", text, _HEARD)


_HEARD = "What people type, separated by ';'. Not word by word: list what people really write."


def _step(step: Step) -> Iterator[Message]:
    yield _patient(step.context, step.text, "Question")
    yield _patient(step.context, step.text_helper, "The same question about somebody else, after say.helper")
    yield _patient(step.context, step.help, "Help under the question")
    yield _patient(step.context, step.why, "Answer to 'Why do you ask?'")
    yield _patient(step.context, step.label, "Short name of the answer on the check page")
    for option in step.options:
        yield _patient(step.context, option.label, "Button, 20 characters or fewer")
        yield _patient(step.context, option.detail, "What the button means, listed in the question")
        yield _patient(step.context, option.say, "How later questions name this answer")
        yield _patient(step.context, option.heard, _HEARD)
    for label in (step.unsure_label, step.none_label):
        yield _patient(step.context, label, "Button, 20 characters or fewer")
    yield _patient(step.context, step.unsure_say, "How later questions name it if not sure")


def _patient(context: str, text: str, comment: str) -> Message:
    return Message("patient", context, text, comment)
