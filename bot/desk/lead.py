"""The life of a lead as its own small machine: which step may follow which. Pure, no effects."""

from __future__ import annotations

from transitions import Machine, MachineError

CLOSINGS = (
    "not_a_fit", "screen_failure", "not_interested", "could_not_reach", "duplicate", "wrong_number",
    "study_full", "withdrawn",
)  # fmt: skip
"""Why a lead is closed. The first two name a criterion."""
WITH_CRITERION = ("not_a_fit", "screen_failure")

_WORKED = [
    "claimed",
    "attempt_1",
    "attempt_2",
    "attempt_3",
    "call_later",
    "reached",
    "considering",
    "scheduled",
]
_OPEN = ["new", *_WORKED, "consented"]

_machine = Machine(
    model=None,
    states=[*_OPEN, "enrolled", "closed", "withdrawn"],
    initial="new",
    auto_transitions=False,
    transitions=[
        ["claim", "new", "claimed"],
        ["release", _WORKED, "new"],
        ["no_answer", "claimed", "attempt_1"],
        ["no_answer", "call_later", "attempt_3", "_twice"],
        ["no_answer", "call_later", "attempt_2", "_once"],
        ["no_answer", "call_later", "attempt_1"],
        ["no_answer", "attempt_1", "attempt_2"],
        ["no_answer", "attempt_2", "attempt_3"],
        ["reached", ["claimed", "attempt_1", "attempt_2", "attempt_3", "call_later"], "reached"],
        ["call_later", ["claimed", "attempt_1", "attempt_2", "reached", "considering"], "call_later"],
        ["considering", "reached", "considering"],
        ["scheduled", ["reached", "considering"], "scheduled"],
        ["consented", "scheduled", "consented"],
        ["enrolled", "consented", "enrolled"],
        ["close", [*_OPEN, "enrolled"], "closed"],
        ["withdraw", [*_OPEN, "enrolled", "closed"], "withdrawn"],
    ],
)


class NotPossible(Exception):
    """The lead is not in a state from which this may happen."""


class _Cursor:
    __slots__ = ("attempts", "state")

    def __init__(self, state: str, attempts: int) -> None:
        self.state, self.attempts = state, attempts

    def _once(self) -> bool:
        return self.attempts == 1

    def _twice(self) -> bool:
        return self.attempts > 1


def after(status: str, action: str, attempts: int = 0) -> str:
    """The status that ``action`` leads to, after so many calls in vain. NotPossible if it may not follow."""
    cursor = _Cursor(status, attempts)
    try:
        _machine.events[action].trigger(cursor)
    except (MachineError, KeyError):
        raise NotPossible(f"{action} after {status}") from None
    return cursor.state


def actions(status: str) -> tuple[str, ...]:
    """What may happen next, in the order staff are offered it."""
    order = (
        "reached",
        "no_answer",
        "call_later",
        "scheduled",
        "considering",
        "consented",
        "enrolled",
        "close",
        "release",
    )
    return tuple(action for action in order if status in _machine.events[action].transitions)
