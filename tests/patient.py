"""One driver for every dialogue: a person who types and taps, on the pure engine, with a JSON round trip a turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.words import CatalogueWords, Languages
from flows import advance, hear, place, speak, start
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import Asked, Garbled, Gave, Reply
from flows.screening import Verdict
from flows.speak import Button, Speech
from flows.tidy import fold
from flows.turn import Event, Screened, Turn

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LANGUAGES = Languages()


class Patient:
    """``Patient(flow).presses("Yes, for me").says("1964").sees("knee").is_at("knee")``; every call returns self."""

    def __init__(self, flow: Flow, locale: str = "en", now: datetime = NOW) -> None:
        self.flow, self.now = flow, now
        self.events: list[Event] = []
        self.transcript: list[tuple[str, str]] = []
        self.speeches: list[Speech] = []
        self._take(start(flow, locale, now))

    @property
    def words(self) -> CatalogueWords:
        return LANGUAGES.patient(self.conversation.locale)

    @property
    def text(self) -> str:
        return "\n".join(speech.text for speech in self.speeches)

    @property
    def buttons(self) -> list[Button]:
        return [button for speech in self.speeches for row in speech.rows for button in row]

    @property
    def verdict(self) -> Verdict:
        return next(event.verdict for event in reversed(self.events) if isinstance(event, Screened))

    def says(self, text: str) -> Patient:
        self.transcript.append(("P", text))
        return self.replies(hear(self.flow, self.conversation, text, self.words, self.now))

    def presses(self, label: str) -> Patient:
        found = [button for button in self.buttons if fold(button.label.lstrip("☐☑ ")) == fold(label)]
        assert found, f"no button {label!r} among {[button.label for button in self.buttons]}"
        self.transcript.append(("P", f"[{label}]"))
        return self.replies(found[-1].reply)

    def answers(self, value: object) -> Patient:
        """Gives a value to the open question as a button would."""
        self.transcript.append(("P", self._label(value)))
        return self.replies(Gave(value, step=self.conversation.step))  # type: ignore[arg-type]

    def replies(self, reply: Reply) -> Patient:
        if isinstance(reply, Asked):
            self.transcript.append(("P", f"[{reply.what}{' ' + reply.about if reply.about else ''}]"))
        elif isinstance(reply, Garbled):
            self.transcript.append(("P", f"({reply.reason})"))
        return self._take(advance(self.flow, self.conversation, reply, self.now))

    def _label(self, value: object) -> str:
        step = self.flow.step_by_id[self.conversation.step] if self.conversation.step else None
        option = step.option(str(value)) if step else None
        if step is None or (option is None and not isinstance(value, tuple)):
            return f"[{value if value is not None else self.words.text('say.button_not_sure', 'Not sure')}]"
        names = value if isinstance(value, tuple) else (value,)
        labels = [self.words.text(step.context, option.label) for option in step.options if option.id in names]
        return " ".join(
            f"[{label}]" for label in labels or [self.words.text("say.button_none_of_these", "None of these")]
        )

    def garbles(self) -> Patient:
        return self.replies(Garbled("unclear"))

    def waits(self, **time: float) -> Patient:
        self.now += timedelta(**time)
        return self

    def sees(self, *wanted: str) -> Patient:
        for text in wanted:
            assert text in self.text, f"{text!r} is not in:\n{self.text}"
        return self

    def sees_not(self, *unwanted: str) -> Patient:
        for text in unwanted:
            assert text not in self.text, f"{text!r} is in:\n{self.text}"
        return self

    def is_at(self, step: str | None) -> Patient:
        assert self.conversation.step == step, f"at {self.conversation.step}, not {step}"
        return self

    def happened(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, step: str, choose: Callable[[Patient], object]) -> Patient:
        """Answers by ``choose`` until ``step`` is open."""
        while self.conversation.step != step:
            self.answers(choose(self))
        return self

    def _take(self, turn: Turn) -> Patient:
        data = turn.conversation.to_json()
        self.conversation = Conversation.from_json(json.loads(json.dumps(data)))
        assert self.conversation == turn.conversation
        self.events += turn.events
        self.speeches = speak(self.flow, self.conversation, turn.says, self.words, EXTRA)
        for speech in self.speeches:
            self.transcript.append(("BOT", speech.text + "".join(_row(row) for row in speech.rows)))
        self.holds()
        return self

    def holds(self) -> None:
        """What is true after every turn."""
        if self.conversation.life == "open":
            here = place(self.flow, self.conversation.answers)
            assert self.conversation.step == here.step


EXTRA = {"days": "30", "reference": "K-0001", "due": "2026-11-23", "phone": "+86 510 5555 0147"}


def _row(row: tuple[Button, ...]) -> str:
    return "\n" + " ".join(f"[{button.label}]" for button in row)
