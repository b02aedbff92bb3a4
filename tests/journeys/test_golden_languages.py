"""The golden conversations in every language over the Bot API server: by typing, by tapping, and by turns.

One bot talks to all of them, eight people at a time. What has no button, such as a name, is typed in each.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest

from flows.engine import today_of
from tests.conftest import FINE, TYPED
from tests.journeys.conftest import House
from tests.journeys.dialogue import CONTACT, Chat
from tests.patient import LANGUAGES

pytestmark = pytest.mark.slow

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "lead": ({"mri": None}, "needs_review"),
    "not_now": ({"half_year": ("shot",), "shot_kind": "gel", "shot_date": timedelta(days=8)}, "not_now"),
    "ruled_out": ({"ever": ("artificial_knee",)}, "ruled_out"),
}
WAYS = {"typing": (True,), "tapping": (False,), "both": (True, False, False, True, True)}
"""Whether the next answer is typed, over and over."""


@pytest.fixture(scope="module")
def awake(shared: House) -> House:
    """The shared house, once its bot has spoken for the first time."""
    shared.chat("Mia").starts()
    shared.quiet(60)
    return shared


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_the_same_in_every_language(awake: House, case: str, way: str) -> None:
    other, outcome = CASES[case]
    people = [awake.chat("Rosa", locale) for locale in LANGUAGES.names]
    with ThreadPoolExecutor(len(people)) as talks:
        list(talks.map(lambda rosa: _talks(rosa, {**CONTACT, **other, "offer_wait": "remind"}, way), people))
    awake.bot.settles()
    given = []
    for rosa in people:
        rosa.person.sees(rosa.text("ends", rosa.flow.ends["done"]))
        answers = awake.records.answers(rosa.person)
        assert answers.pop("language") == rosa.locale
        answers.pop("town", None)
        given.append(answers)
        leads = awake.records.leads(rosa.person)
        assert [lead["outcome"] for lead in leads] == ([outcome] if case == "lead" else []), rosa.locale
    assert all(answers == given[0] for answers in given), case
    assert awake.server.problems == []


def _talks(rosa: Chat, other: dict[str, Any], way: str) -> None:
    """From the start to the goodbye."""
    answers, types = {**FINE, **TYPED, "language": rosa.locale, **other}, cycle(WAYS[way])
    rosa.starts()
    outcome = next(o for values, o in CASES.values() if values.items() <= other.items())
    while (here := rosa.open_step()) != "other_trials":
        if here in ("offer", "offer_wait"):
            assert outcome == ("not_now" if here == "offer_wait" else "needs_review")
        _answers(rosa, here, answers[here], next(types))
    _answers(rosa, "other_trials", "no", next(types))


def _answers(rosa: Chat, step: str, value: Any, types: bool) -> None:
    if isinstance(value, timedelta):
        rosa.types(rosa.short_date(today_of(rosa.flow, datetime.now(UTC)) - value)).sees("readback_sure")
        if types:
            rosa.types(rosa.button("yes"))
        else:
            rosa.taps("yes")
    elif types:
        rosa.asked(step)
        rosa.types(rosa.written(step, value))
    else:
        rosa.answers(step, value)
