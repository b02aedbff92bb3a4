"""How far one person has got: their answers, and the little that lies between two answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.answer import (
    Answer,
    StepId,
    Value,
    answer_from_json,
    answer_to_json,
    value_from_json,
    value_to_json,
)

Life = Literal["open", "done", "stopped", "declined", "deleted"]


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that was heard but not taken yet: it is read back, or asked for more closely."""

    step: StepId
    value: Value
    said: str
    why: Literal["sure", "month", "day", "unit", "planned", "change"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One person's way through one flow. Its place is a fold of the answers; ``step`` only repeats it."""

    flow: str
    locale: str
    answers: Mapping[StepId, Answer] = field(default_factory=dict)
    step: StepId | None = None
    life: Life = "open"
    end: str = ""
    draft: tuple[str, ...] = ()
    """Ticks of a list that is not sent yet."""
    pending: Pending | None = None
    misses: int = 0
    """How often in a row the open question was not understood."""
    echo: str = ""
    """The last line about something that was no answer, so that the next one differs."""
    before: Mapping[StepId, Answer] = field(default_factory=dict)
    """Answers that were taken back, to tell a change from the same answer again."""
    changed: tuple[StepId, ...] = ()
    """Steps whose answer was given once and then changed."""
    raised: bool = False
    """A lead went out."""
    plain: bool = False
    """Everything is said in numbered lines and words, without symbols: for screen readers."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in a stable shape."""
        return {
            "flow": self.flow,
            "locale": self.locale,
            "answers": {step: answer_to_json(answer) for step, answer in self.answers.items()},
            "step": self.step,
            "life": self.life,
            "end": self.end,
            "draft": list(self.draft),
            "pending": self.pending
            and {
                "step": self.pending.step,
                "value": value_to_json(self.pending.value),
                "said": self.pending.said,
                "why": self.pending.why,
            },
            "misses": self.misses,
            "echo": self.echo,
            "before": {step: answer_to_json(answer) for step, answer in self.before.items()},
            "changed": list(self.changed),
            "raised": self.raised,
            "plain": self.plain,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Conversation:
        """The inverse of ``to_json``; KeyError or ValueError when the shape is not ours."""
        pending = data["pending"]
        return cls(
            flow=data["flow"],
            locale=data["locale"],
            answers={StepId(step): answer_from_json(answer) for step, answer in data["answers"].items()},
            step=data["step"],
            life=data["life"],
            end=data["end"],
            draft=tuple(data["draft"]),
            pending=pending
            and Pending(pending["step"], value_from_json(pending["value"]), pending["said"], pending["why"]),
            misses=data["misses"],
            echo=data["echo"],
            before={StepId(step): answer_from_json(answer) for step, answer in data["before"].items()},
            changed=tuple(data["changed"]),
            raised=data["raised"],
            plain=data.get("plain", False),  # conversations of an earlier release do not say
        )
