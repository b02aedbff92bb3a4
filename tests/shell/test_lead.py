"""The life of a lead, exhaustively: every action from every status is either on this table or not possible."""

from __future__ import annotations

import pytest

from bot.desk import lead

ALLOWED = {
    ("new", "claim"): "claimed", ("claimed", "no_answer"): "attempt_1", ("attempt_1", "no_answer"): "attempt_2",
    ("attempt_2", "no_answer"): "attempt_3", ("call_later", "no_answer"): "attempt_1",
    ("reached", "considering"): "considering", ("reached", "scheduled"): "scheduled",
    ("considering", "scheduled"): "scheduled", ("scheduled", "consented"): "consented",
    ("consented", "enrolled"): "enrolled",
    **{(s, "reached"): "reached" for s in ("claimed", "attempt_1", "attempt_2", "attempt_3", "call_later")},
    **{(s, "call_later"): "call_later" for s in ("claimed", "attempt_1", "attempt_2", "reached", "considering")},
    **{(s, "release"): "new" for s in ("claimed", "attempt_1", "attempt_2", "attempt_3", "call_later", "reached",
                                       "considering", "scheduled")},
    **{(s, "close"): "closed" for s in ("new", "claimed", "attempt_1", "attempt_2", "attempt_3", "call_later",
                                        "reached", "considering", "scheduled", "consented", "enrolled")},
    **{(s, "withdraw"): "withdrawn" for s in ("new", "claimed", "attempt_1", "attempt_2", "attempt_3", "call_later",
                                              "reached", "considering", "scheduled", "consented", "enrolled", "closed")},
}  # fmt: skip
STATUSES = {status for status, _ in ALLOWED} | set(ALLOWED.values())
ACTIONS = {action for _, action in ALLOWED} | {"nonsense"}


@pytest.mark.parametrize("status", sorted(STATUSES))
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_what_may_follow_what(status: str, action: str) -> None:
    wanted = ALLOWED.get((status, action))
    if wanted is None:
        with pytest.raises(lead.NotPossible):
            lead.after(status, action)
    else:
        assert lead.after(status, action) == wanted


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_staff_are_offered_only_what_is_possible(status: str) -> None:
    for action in lead.actions(status):
        assert lead.after(status, action)
