"""The word lists of a language belong to that language's own names, whoever asked first."""

from __future__ import annotations

from datetime import date

from bot.library import load
from flows.author.plain import PlainWords
from flows.kinds import date as dates
from flows.reply import Gave
from flows.words import Ear
from tests.patient import LANGUAGES


def test_short_month_names_are_heard_after_the_plain_words_were_used() -> None:
    flow = load().newest("nct06570291")
    step = next(step for step in flow.steps if step.id == "shot_date")
    today = date(2026, 11, 22)
    for words in (PlainWords(), LANGUAGES.patient("en")):
        heard = dates.read(step, "22 Mar 2026", Ear(words, flow.heard), today)
        if words.locale == "en" and not isinstance(words, PlainWords):
            assert isinstance(heard, Gave)
