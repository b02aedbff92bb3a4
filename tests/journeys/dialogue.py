"""How people talk to the running bot in any language: steps and lines by name, words from the catalogues."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from babel.dates import format_skeleton

from bot.store.vault import SEALED
from flows.flow import Flow, Step
from tests.conftest import FINE, TYPED
from tests.journeys.bot_process import BotProcess
from tests.patient import LANGUAGES
from tests.telegram_server import Message, Person
from tests.unsealed import past_the_store

_PLACEHOLDER = re.compile(r"\\\{[a-z_]+\\\}")


class Chat:
    """One person's private chat with the bot. What is done returns the chat; what is seen, the message."""

    def __init__(self, person: Person, flow: Flow, locale: str = "en") -> None:
        self.person, self.flow, self.locale = person, flow, locale

    # ------------------------------------------------------------------ words

    def text(self, context: str, english: str) -> str:
        return LANGUAGES.patient(self.locale).text(context, english)

    def line(self, key: str) -> re.Pattern[str]:
        """One of the product's own lines, whatever stands for its placeholders."""
        return pattern(self.text(f"say.{key}", self.flow.says[key]))

    def button(self, wish: str) -> str:
        return self.text(f"say.button_{wish}", self.flow.says[f"button_{wish}"])

    def label(self, step: str) -> str:
        """The step as the check page names it."""
        found = self._step(step)
        return self.text(found.context, found.label)

    def why(self, step: str) -> str:
        found = self._step(step)
        return self.text(found.context, found.why)

    def option(self, step: str, option: str) -> str:
        """The label of an answer: by the option's id, or a site's or a language's."""
        found = self._step(step)
        if found.source == "languages":
            return LANGUAGES.names[option]
        if found.source == "sites":
            site = self.flow.site(option)
            return self.text(f"{self.flow.trial.slug}.site", site.city) if site else self.button("none_near")
        known = found.option(option)
        assert known is not None, f"{step} has no answer {option}"
        return self.text(found.context, known.label)

    def site(self, site: str) -> str:
        known = self.flow.site(site)
        assert known is not None
        return self.text(f"{self.flow.trial.slug}.site", known.name)

    def shown(self, step: str, value: str) -> str:
        """An answer as the check page and the send page show it."""
        line = self.text("say.answer_line", self.flow.says["answer_line"])
        return line.replace("{label}", self.label(step)).replace("{value}", value)

    def short_date(self, day: date) -> str:
        """A day without its year, the way people write it here: "14 Nov", "11月14日"."""
        return str(format_skeleton("MMMd", day, locale={"en": "en_GB"}.get(self.locale, self.locale)))

    def long_date(self, day: date) -> str:
        """``Sunday, 14 February 2027`` in this language."""
        words = LANGUAGES.patient(self.locale)
        template = self.text("say.the_date", self.flow.says["the_date"])
        return template.replace("{weekday}", words.weekday(day)).replace("{day}", words.day(day))

    def _step(self, step: str) -> Step:
        return next(known for known in self.flow.steps if known.id == step)

    # ------------------------------------------------------------------ what is on the screen

    def sees(self, key: str) -> Message:
        """Waits for one of the product's own lines, since the person last acted."""
        return self.person.sees(self.line(key))

    def asked(self, *steps: str) -> Message:
        """Waits for a new question, one of ``steps`` if they are given, with its buttons."""
        return self._new(lambda m: bool(m.rows) and bool(self._question(m, *steps)), steps or "a question")

    def open_step(self) -> str:
        """Waits for a new question and names it."""
        return self._question(self.asked())

    def news(self) -> list[Message]:
        """What the bot has said since the person last acted, in the order of the chat.

        An old question that only lost its buttons is no news.
        """
        chat = self.person.chat
        fresh = [message for message in chat.messages if message.from_bot and message.changed > chat.acted]
        return [message for message in fresh if message.rows or not message.edited]

    def _new(self, wanted: Callable[[Message], bool], name: object) -> Message:
        """Waits for such a message among the news, the newest first."""

        def newest() -> Message | None:
            return next((message for message in reversed(self.news()) if wanted(message)), None)

        chat = self.person.chat
        return chat.server.until(newest, 30, lambda: f"{name} did not come; {chat.story()}")

    def _question(self, message: Message, *steps: str) -> str:
        """The question that the message puts; two steps with the same words differ in their answers."""
        for step in [self._step(name) for name in steps] or self.flow.steps:
            labels = [self.text(step.context, option.label) for option in step.options]
            if self.asks(message, step.id) and all(message.key(re.compile(re.escape(label))) for label in labels):
                return step.id
        return ""

    def asks(self, message: Message, step: str) -> bool:
        """Whether the message puts this question, to the person or to somebody who helps."""
        found = self._step(step)
        texts = filter(None, (found.text, found.text_helper))
        return any(message.says(pattern(self.text(found.context, text))) for text in texts)

    # ------------------------------------------------------------------ what the person does

    def starts(self, payload: str | None = None) -> Chat:
        self.person.starts(payload)
        return self

    def types(self, text: str) -> Chat:
        self.person.says(text)
        return self

    def taps(self, wish: str) -> Chat:
        """Taps a button that is a wish, not an answer, on a new message that has it."""
        label = self.button(wish)
        self.person.presses(label, self._new(lambda m: m.key(label) is not None, label))
        return self

    def answers(self, step: str, value: Any) -> Chat:
        """Answers the question that is on the screen: an option, a list, None for "not sure", or words."""
        screen, found = self.asked(step), self._step(step)
        if value is None:
            own = found.unsure_label and self.text(found.context, found.unsure_label)
            self.person.presses(own or self.button("not_sure"), screen)
        elif value == ():
            own = found.none_label and self.text(found.context, found.none_label)
            self.person.presses(own or self.button("none_of_these"), screen)
        elif isinstance(value, tuple):
            for option in value:
                self.ticks(step, option)
            self.taps("done")
        elif found.source or found.option(value):
            self.person.presses(self.option(step, value), screen)
        else:
            self.person.says(value)
        return self

    def written(self, step: str, value: Any) -> str:
        """What somebody types who gives this answer in words: the label on its button."""
        found = self._step(step)
        if value is None:
            own = found.unsure_label and self.text(found.context, found.unsure_label)
            return own or self.button("not_sure")
        if value == ():
            own = found.none_label and self.text(found.context, found.none_label)
            return own or self.button("none_of_these")
        if isinstance(value, tuple):
            return ", ".join(self.option(step, option) for option in value)
        return self.option(step, value) if found.source or found.option(value) else str(value)

    def ticks(self, step: str, option: str) -> Chat:
        """Ticks one item of the list on the screen, and waits for its tick to show."""
        label = self.option(step, option)
        self.person.presses(f"☐ {label}", self.asked(step))
        self._new(lambda m: m.key(f"☑ {label}") is not None, f"☑ {label}")
        return self

    def walks_to(self, step: str, **other: Any) -> Chat:
        """Answers every question up to ``step`` as somebody with nothing against, except ``other``."""
        answers = {**FINE, **TYPED, **CONTACT, "language": self.locale, **other}
        while (here := self.open_step()) != step:
            self.answers(here, answers[here])
        return self

    def confirms(self) -> Chat:
        """Says yes to what is read back."""
        self.sees("readback_sure")
        return self.taps("yes")


CONTACT: dict[str, Any] = {
    "check": "right", "offer": "yes", "town": "Wuxi", "site": "north", "first_name": "Rosa",
    "last_name": "Example", "phone": "+34 612 34 56 78", "email": "rosa@example.org", "other_language": "no",
    "call_days": (), "call_time": "any", "send": "send", "other_trials": "no",
}  # fmt: skip
"""What somebody answers who wants to be contacted."""


def pattern(text: str) -> re.Pattern[str]:
    """A text of the catalogues as it may appear on the screen."""
    return re.compile(_PLACEHOLDER.sub("(?s:.*?)", re.escape(text.strip())))


class Records:
    """The bot's database as another reader sees it: only what is committed."""

    def __init__(self, bot: BotProcess) -> None:
        self.bot, self.path = bot, bot.folder / "prescreen.db"

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What is sealed in them is opened, as far as its key is there."""
        read = self.read(query, values)
        return [{name: past_the_store(self._wrapped, value) for name, value in row.items()} for row in read]

    def read(self, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        reader.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in reader.execute(query, values)]
        finally:
            reader.close()

    def _wrapped(self, number: int) -> dict[str, Any] | None:
        found = self.read("SELECT master, wrapped FROM data_key WHERE id = ?", (number,))
        return found[0] if found else None

    def conversation(self, person: Person) -> dict[str, Any]:
        """The current conversation's row, its state unpacked."""
        (row,) = self.rows("SELECT * FROM conversation WHERE chat = ? AND lane IS NOT NULL", str(person.id))
        return row

    def answers(self, person: Person) -> dict[str, Any]:
        """The answers that count now."""
        state = self.conversation(person)["state"]
        return {step: answer["value"] for step, answer in state["answers"].items()}

    def given_twice(self, person: Person) -> list[str]:
        """Steps whose answer was written down more than once."""
        query = "SELECT step FROM answer WHERE conversation_id = ? GROUP BY step HAVING count(*) > 1"
        return [row["step"] for row in self.rows(query, self.conversation(person)["id"])]

    def leads(self, person: Person) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM lead WHERE chat = ?", str(person.id))

    def hold(self, words: str) -> list[str]:
        """The database's files in which these words can be read, as they are or as JSON writes them."""
        spellings = {words.encode(), json.dumps(words).strip('"').encode()}
        files = sorted(self.bot.folder.glob(f"{self.path.name}*"))
        return [f.name for f in files if any(spelling in f.read_bytes() for spelling in spellings)]

    def tell(self, words: str) -> list[str]:
        """The tables that say these words to whoever has the keys."""
        return [
            table
            for table, names in SEALED.items()
            if any(words in str(row[name]) for row in self.rows(f"SELECT * FROM {table}") for name in names)
        ]
