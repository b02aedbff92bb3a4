"""What is wrong in the words of a flow: too long, too hard, forbidden, or naming what nothing fills."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.flow import Flow, Step
from flows.kinds import KINDS
from flows.kinds.measure import UNITS_ASKED
from flows.speak import COMMANDS, KINDS_OF_YES, MENUS, STANDS, TIMES, TOLD

WHY_LENGTH = 200
LABEL_LENGTH = 22
SENTENCE_WORDS = 15
BANNED = ("elderly", "suffering from", "failed", "you qualify", "accepted", "approved", "cure", "regrow",
          "miracle", "guarantee", "free treatment", "stop taking", "obese", "easy")  # fmt: skip
"""Words that no patient may read: verdicts, promises, blame, advice to stop a medicine."""
_SENTENCE = re.compile(r"[.!?:]\s+|\n")
_WORD = re.compile(r"[\w'-]+")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

_FILLED = {
    "app",
    "item",
    "short_title",
    "sponsor",
    "contact",
    "countries",
    "cities",
    "days",
    "site",
    "hours",
    "phone",
}
"""What the text and the help of a question may mention besides earlier answers."""

LINES = (
    *(f"menu_{menu}" for menu in MENUS if menu not in ("status", "time")),
    *(f"button_{wish}" for wish in dict.fromkeys(wish for menu in MENUS.values() for wish in menu)),
    *(f"retry_{kind}_{n}" for kind in KINDS for n in (1, 2, 3)),
    *(
        f"retry_{reason}_{n}"
        for reason in ("range", "future", "unit", "long", "pending", "premium")
        for n in (1, 2)
    ),
    *(f"readback_{why}" for why in ("sure", "month", "day", "unit", "planned", "change")),
    *(f"button_{name}" for name in ("yes", "no", "change_it", "not_sure", "none_of_these", "done", "none_near")),
    *(f"unit_{unit}" for units in UNITS_ASKED.values() for unit in units),
    *(f"command_{wish}" for wish in COMMANDS),
    *(f"status_{how}" for how in (*STANDS, "slot", "reference")),
    *(f"time_{what}" for what in TIMES),
    *("app_messenger", "carry_link"),
    *(f"mail_{part}" for part in ("comes", "subject", "thanks", "reference", "due", "withdraw", "no_reply")),
    *TOLD,
    *(
        "question",
        "ready",
        "nothing_changes",
        "claimed_only",
        "slot_there",
        "slot_both",
        "withdrawn_none",
        "menu_stopped_sent",
        "person_told",
        "mail_comes",
    ),
    *("site_closed", "sites_full", "button_desk", "scheduled"),
    *("talk_open", "talk_over", "talk_waits", "talk_line"),
    *("profile_short", "profile_description", "button_pictures", "no_pictures"),
    *("button_share_phone", "emergency_line", "emergency_other", "hotline_other"),
    *("progress", "helper", "answer_line", "not_now_open", "reasons", "reasons_none", "sent", "sent_person"),
    *(f"consent_{kind}" for kind in (*KINDS_OF_YES, "back")),
    *("consents", "reminder_off", "notices_off", "deleted_site", "deleted_receipt", "begin_anew"),
    *("too_fast", "enough_today"),
    *("reminder_set", "reminder_open", "notices_set", "copy", "noted", "share_hint", "study_desk", "the_date"),
    *("wait_noted", "wait_open_noted", "left_out", "stale", "already", "kept", "again", "moved_on", "later"),
    *(
        "days_one",
        "days_many",
        "deleted",
        "start_over",
        "no_way_back",
        "sent_already",
        "person_asked",
        "person_known",
        "language_set",
    ),
    *("plain_on", "plain_off", "plain_ticked", "plain_or", "plain_ways", "button_plain_off"),
    *(
        "retry_stuck",
        "got_media_again",
        "got_edited_again",
        "stale_again",
        "got_media",
        "got_edited",
        "got_private",
        "trouble",
        "claimed",
    ),
)
"""The product's own lines that a conversation cannot do without."""

Found = Iterator[tuple[str, str, str]]


def check(flow: Flow) -> Found:
    for step in flow.steps:
        yield from _step(flow, step)
    for key in LINES:
        if not flow.says.get(key):
            yield f"says.{key}", "The product's own line is missing.", "Add it under [says]."
    for key, text in flow.says.items():
        if key.startswith("button_"):
            yield from _label(f"says.{key}", text)
    for sign in flow.safety:
        yield from _label(f"safety.{sign.id}.label", sign.label)
    for question in flow.faq:
        yield from _label(f"faq.{question.id}.text", question.text)
    for criterion in flow.criteria:
        for key, text in (("text", criterion.text), ("title", criterion.title)):
            if not text:
                yield f"criterion.{criterion.id}.{key}", "There are no words.", "Write them."
    for place, text in _patient_texts(flow):
        yield from _plain(place, text)
    for place, text in _never_filled(flow):
        for name in _PLACEHOLDER.findall(text):
            yield place, f"Nothing fills {{{name}}} here.", "Say it without the placeholder."


def _step(flow: Flow, step: Step) -> Found:
    place = f"step.{step.family or step.id}"
    if not step.why or len(step.why) > WHY_LENGTH:
        yield f"{place}.why", f"It needs a reason of at most {WHY_LENGTH} characters.", "Write why you ask."
    for key, text in (("text", step.text), ("label", step.label)):
        if not text:
            yield f"{place}.{key}", "There are no words.", "Write them."
    for key, label in (("unsure_label", step.unsure_label), ("none_label", step.none_label)):
        yield from _label(f"{place}.{key}", label)
    for option in step.options:
        yield from _label(f"{place}.options.{option.id}.label", option.label)
        if not option.label:
            yield f"{place}.options.{option.id}.label", "There are no words.", "Write them."
    here = flow.index[step.id]
    named = {str(other.id): flow.index[other.id] for other in flow.steps if other.unsure_say}
    for text in (step.text, step.text_helper, step.help):
        for name in _PLACEHOLDER.findall(text):
            if name == "item" and step.item is None:
                yield place, "Only a question with each fills {item}.", "Add each, or say it another way."
            elif named.get(name, -1) >= here:
                yield place, f"{{{name}}} names a later answer.", "Ask that question first."
            elif name not in named and name not in _FILLED:
                yield place, f"Nothing fills {{{name}}}.", "Use a name that is known, or none."
        if text.count("{") != len(_PLACEHOLDER.findall(text)) or text.count("{") != text.count("}"):
            yield place, "A placeholder is broken.", "Write it as {name}."


def _label(place: str, label: str) -> Found:
    if len(label) > LABEL_LENGTH:
        yield place, "The label is too long.", f"Use at most {LABEL_LENGTH} characters; put the rest in detail."


def _plain(place: str, text: str) -> Found:
    for sentence in _SENTENCE.split(text):
        if len(_WORD.findall(sentence)) > SENTENCE_WORDS:
            short = " ".join(sentence.split()[:4])
            yield place, f"A sentence is over {SENTENCE_WORDS} words: {short!r} ...", "Make two of it."
    for word in BANNED:
        if re.search(rf"\b{word}\b", text, re.IGNORECASE):
            yield place, f"{word!r} is not for patients.", "Say it another way."


def _patient_texts(flow: Flow) -> Iterator[tuple[str, str]]:
    for step in flow.steps:
        place = f"step.{step.family or step.id}"
        for text in (step.text, step.text_helper, step.help, step.why, step.label):
            yield place, text
        for text in (step.unsure_label, step.none_label):
            yield place, text
        for option in step.options:
            for text in (option.label, option.detail, option.say):
                yield f"{place}.options.{option.id}", text
    for criterion in flow.criteria:
        yield f"criterion.{criterion.id}.topic", criterion.topic
    for part in flow.parts:
        yield f"part.{part.id}", part.title
    for outcome, text in flow.outcomes.items():
        yield f"outcomes.{outcome}", text
    for end, text in flow.ends.items():
        yield f"ends.{end}", text
    for sign in flow.safety:
        yield f"safety.{sign.id}", sign.text
    for question in flow.faq:
        yield f"faq.{question.id}", question.answer
    for picture, text in flow.pictures.items():
        yield f"pictures.{picture}", text
    for key, text in flow.says.items():
        yield f"says.{key}", text
    for key, text in flow.phrases.items():
        yield f"phrases.{key}", text


def _never_filled(flow: Flow) -> Iterator[tuple[str, str]]:
    """Texts that are shown as they are."""
    for picture, text in flow.pictures.items():
        yield f"pictures.{picture}", text
    for step in flow.steps:
        place = f"step.{step.family or step.id}"
        for text in (step.why, step.label, step.unsure_label, step.unsure_say, step.none_label):
            yield place, text
        for option in step.options:
            for text in (option.label, option.detail, option.say):
                yield f"{place}.options.{option.id}", text
    for criterion in flow.criteria:
        yield f"criterion.{criterion.id}.topic", criterion.topic
    for end, text in flow.ends.items():
        yield f"ends.{end}", text
    for question in flow.faq:
        yield f"faq.{question.id}", question.answer
