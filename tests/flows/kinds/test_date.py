"""Dates as people write them. Today is a Sunday, 22 November 2026."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.answer import Span, StepId
from flows.flow import Option, Step
from flows.kinds.date import accept, day_of, month_of, read, read_closer, show
from flows.reply import Garbled, Gave
from flows.words import Ear

EarIn = Callable[..., Ear]
TODAY = date(2026, 11, 22)
STEP = Step(StepId("shot_date"), "date", "p", "Shot", "When?", options=(Option("planned", "Planned"),))


def span(text: str) -> Span:
    """``2026-08-07..2026-09-06``, or one day."""
    first, _, last = text.partition("..")
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


SURE = [
    ("en", "today", "2026-11-22"),
    ("en", "Yesterday", "2026-11-21"),
    ("en", "the day before yesterday", "2026-11-20"),
    ("en", "3 days ago", "2026-11-19"),
    ("en", "twenty-one days ago", "2026-11-01"),
    ("en", "2026-11-14", "2026-11-14"),
    ("en", "2026/11/14", "2026-11-14"),
    ("en", "14 November 2026", "2026-11-14"),
    ("en", "14 nov 2026", "2026-11-14"),
    ("en", "14-nov-2026", "2026-11-14"),
    ("en", "Nov 14, 2026", "2026-11-14"),
    ("en", "nov 14,2026", "2026-11-14"),
    ("en", "Nov. 14th 2026", "2026-11-14"),
    ("en", "the 14th of November 2026", "2026-11-14"),
    ("en", "on the first of May 2024", "2024-05-01"),
    ("en", "14/11/2026", "2026-11-14"),
    ("en", "11/14/2026", "2026-11-14"),
    ("en", "14.11.2026", "2026-11-14"),
    ("en", "14. 11. 2026", "2026-11-14"),
    ("en", "11/11/2026", "2026-11-11"),
    ("en", "2026年11月14日", "2026-11-14"),
    ("en", "August 2025", "2025-08-01..2025-08-31"),
    ("en", "in the month of august 2025", "2025-08-01..2025-08-31"),
    ("en", "2025-08", "2025-08-01..2025-08-31"),
    ("en", "08/2025", "2025-08-01..2025-08-31"),
    ("en", "August last year", "2025-08-01..2025-08-31"),
    ("en", "14 August last year", "2025-08-14"),
    ("en", "the 5th of last month", "2026-10-05"),
    ("en", "November 2026", "2026-11-01..2026-11-22"),
    ("en", "2025", "2025-01-01..2025-12-31"),
    ("en", "1961", "1961-01-01..1961-12-31"),
    ("en", "it was in the year 2019", "2019-01-01..2019-12-31"),
    ("en", "2026", "2026-01-01..2026-11-22"),
    ("es", "hoy", "2026-11-22"),
    ("es", "anteayer", "2026-11-20"),
    ("es", "hace 3 días", "2026-11-19"),
    ("es", "14 de noviembre de 2026", "2026-11-14"),
    ("es", "el día 14 de noviembre de 2026", "2026-11-14"),
    ("es", "treinta y uno de mayo de 2025", "2025-05-31"),
    ("es", "noviembre de 2025", "2025-11-01..2025-11-30"),
    ("es", "agosto del año pasado", "2025-08-01..2025-08-31"),
    ("es", "november 2025", "2025-11-01..2025-11-30"),
    ("zh_Hans", "今天", "2026-11-22"),
    ("zh_Hans", "昨天", "2026-11-21"),
    ("zh_Hans", "前天", "2026-11-20"),
    ("zh_Hans", "3天前", "2026-11-19"),
    ("zh_Hans", "二十一天前", "2026-11-01"),
    ("zh_Hans", "2026年11月14日", "2026-11-14"),
    ("zh_Hans", "２０２６年１１月１４日", "2026-11-14"),
    ("zh_Hans", "二零二六年十一月十四日", "2026-11-14"),
    ("zh_Hans", "2025年8月", "2025-08-01..2025-08-31"),
    ("zh_Hans", "2025年", "2025-01-01..2025-12-31"),
    ("zh_Hans", "去年八月", "2025-08-01..2025-08-31"),
    ("zh_Hans", "去年8月14号", "2025-08-14"),
    ("zh_Hans", "上个月14号", "2026-10-14"),
    ("ar", "٢٠٢٥", "2025-01-01..2025-12-31"),
    ("ar", "14 نوفمبر 2025", "2025-11-14"),
    ("fa", "۲۰۲۵-۰۸-۱۴", "2025-08-14"),
    ("hi", "२०२५-०८-१४", "2025-08-14"),
]

ASKED_BACK = [
    # a year is inferred
    ("en", "14 nov", "2026-11-14"),
    ("en", "14/11", "2026-11-14"),
    ("en", "the 14th of November", "2026-11-14"),
    ("en", "twenty second of may", "2026-05-22"),
    ("en", "22 November", "2026-11-22"),
    ("en", "23 November", "2025-11-23"),
    ("en", "29 February", "2024-02-29"),
    ("en", "August", "2026-08-01..2026-08-31"),
    ("en", "in August", "2026-08-01..2026-08-31"),
    ("en", "November", "2026-11-01..2026-11-22"),
    ("en", "December", "2025-12-01..2025-12-31"),
    ("en", "14 Nov 26", "2026-11-14"),
    ("en", "nov '25", "2025-11-01..2025-11-30"),
    ("en", "early March", "2026-03-01..2026-03-31"),
    ("en", "around August 2025", "2025-08-01..2025-08-31"),
    ("es", "noviembre", "2026-11-01..2026-11-22"),
    ("es", "3 ago", "2026-08-03"),
    ("es", "1.º de mayo", "2026-05-01"),
    ("es", "a finales de octubre", "2026-10-01..2026-10-31"),
    ("zh_Hans", "11月14日", "2026-11-14"),
    ("zh_Hans", "十一月十四日", "2026-11-14"),
    ("zh_Hans", "11月", "2026-11-01..2026-11-22"),
    ("zh_Hans", "12月", "2025-12-01..2025-12-31"),
    ("zh_Hans", "25年8月", "2025-08-01..2025-08-31"),
    ("zh_Hans", "8月中旬", "2026-08-01..2026-08-31"),
    # months, weeks and years back, give or take
    ("en", "about 3 months ago", "2026-08-07..2026-09-06"),
    ("en", "3 months ago", "2026-08-07..2026-09-06"),
    ("en", "3 months", "2026-08-07..2026-09-06"),
    ("en", "~3 mths ago", "2026-08-07..2026-09-06"),
    ("en", "about 2 weeks ago", "2026-11-01..2026-11-15"),
    ("en", "a couple of weeks ago", "2026-11-01..2026-11-15"),
    ("en", "a week ago", "2026-11-08..2026-11-22"),
    ("en", "about 2 yrs", "2024-05-22..2025-05-22"),
    ("en", "2 years", "2024-05-22..2025-05-22"),
    ("en", "for 2 years", "2024-05-22..2025-05-22"),
    ("en", "a year ago", "2025-05-22..2026-05-22"),
    ("en", "a month ago", "2026-10-07..2026-11-06"),
    ("en", "about 3 days ago", "2026-11-16..2026-11-22"),
    ("en", "3 days", "2026-11-19"),
    ("en", "half a year ago", "2026-02-22..2026-08-22"),
    ("en", "½ year ago", "2026-02-22..2026-08-22"),
    ("en", "a year and a half ago", "2025-02-22..2025-08-22"),
    ("en", "1½ years ago", "2025-02-22..2025-08-22"),
    ("en", "1.5 years", "2025-02-22..2025-08-22"),
    ("en", "1 year and 2 months ago", "2025-09-07..2025-10-07"),
    ("en", "2-3 months ago", "2026-08-07..2026-10-07"),
    ("en", "two or three weeks ago", "2026-10-25..2026-11-15"),
    ("en", "a few weeks ago", "2026-10-11..2026-11-15"),
    ("en", "in the last 3 months", "2026-08-22..2026-11-22"),
    ("en", "my knee started to hurt 3 years ago", "2023-05-22..2024-05-22"),
    ("es", "hace 3 meses", "2026-08-07..2026-09-06"),
    ("es", "hace más o menos tres meses", "2026-08-07..2026-09-06"),
    ("es", "hace un año y medio", "2025-02-22..2025-08-22"),
    ("es", "hace ano y medio", "2025-02-22..2025-08-22"),
    ("es", "hace medio año", "2026-02-22..2026-08-22"),
    ("es", "hace 2 o 3 meses", "2026-08-07..2026-10-07"),
    ("es", "desde hace dos años", "2024-05-22..2025-05-22"),
    ("es", "en los últimos 3 meses", "2026-08-22..2026-11-22"),
    ("es", "3 months ago", "2026-08-07..2026-09-06"),
    ("zh_Hans", "3个月前", "2026-08-07..2026-09-06"),
    ("zh_Hans", "大约三个月前", "2026-08-07..2026-09-06"),
    ("zh_Hans", "3个月左右", "2026-08-07..2026-09-06"),
    ("zh_Hans", "约两年", "2024-05-22..2025-05-22"),
    ("zh_Hans", "半年前", "2026-02-22..2026-08-22"),
    ("zh_Hans", "半年", "2026-02-22..2026-08-22"),
    ("zh_Hans", "一年半前", "2025-02-22..2025-08-22"),
    ("zh_Hans", "一个半月前", "2026-09-30..2026-10-14"),
    ("zh_Hans", "两三个月前", "2026-08-07..2026-10-07"),
    ("zh_Hans", "几个月前", "2026-02-07..2026-10-07"),
    ("zh_Hans", "最近三个月", "2026-08-22..2026-11-22"),
    ("zh_Hans", "25年前", "2001-05-22..2002-05-22"),
    # weeks, months, years and seasons by their place
    ("en", "last week", "2026-11-09..2026-11-15"),
    ("en", "this week", "2026-11-16..2026-11-22"),
    ("en", "last month", "2026-10-01..2026-10-31"),
    ("en", "this month", "2026-11-01..2026-11-22"),
    ("en", "last year", "2025-01-01..2025-12-31"),
    ("en", "last October", "2026-10-01..2026-10-31"),
    ("en", "last November", "2025-11-01..2025-11-30"),
    ("en", "last Friday", "2026-11-20"),
    ("en", "Friday last week", "2026-11-13"),
    ("en", "last spring", "2026-03-01..2026-05-31"),
    ("en", "autumn", "2026-09-01..2026-11-22"),
    ("en", "last autumn", "2026-09-01..2026-11-22"),
    ("en", "winter", "2025-12-01..2026-02-28"),
    ("en", "winter 2025", "2024-12-01..2026-02-28"),
    ("es", "la semana pasada", "2026-11-09..2026-11-15"),
    ("es", "el mes pasado", "2026-10-01..2026-10-31"),
    ("es", "el año pasado", "2025-01-01..2025-12-31"),
    ("es", "octubre pasado", "2026-10-01..2026-10-31"),
    ("zh_Hans", "上个月", "2026-10-01..2026-10-31"),
    ("zh_Hans", "去年", "2025-01-01..2025-12-31"),
    ("zh_Hans", "去年上半年", "2025-01-01..2025-12-31"),
    ("zh_Hans", "去年年底", "2025-01-01..2025-12-31"),
    ("zh_Hans", "上周", "2026-11-09..2026-11-15"),
    ("zh_Hans", "上星期五", "2026-11-13"),
    ("zh_Hans", "上周日", "2026-11-15"),
    # one of two
    ("en", "March or April", "2026-03-01..2026-04-30"),
    ("en", "March or April 2025", "2025-03-01..2025-04-30"),
    ("en", "Oct-Nov", "2026-10-01..2026-11-22"),
    ("en", "14 or 15 November", "2026-11-14..2026-11-15"),
    ("en", "between 2023 and 2025", "2023-01-01..2025-12-31"),
    # within a sentence
    ("en", "I had it done in August 2025 in Madrid", "2025-08-01..2025-08-31"),
    ("en", "my last shot was in March and it helped", "2026-03-01..2026-03-31"),
    ("en", "I got a shot 2 weeks ago", "2026-11-01..2026-11-15"),
    ("zh_Hans", "最后一次是8月", "2026-08-01..2026-08-31"),
    # by dateparser
    ("fr", "il y a 3 mois", "2026-08-07..2026-09-06"),
    ("fr", "il y a 2 semaines", "2026-11-01..2026-11-15"),
    ("fr", "il y a 2 ans", "2024-05-22..2025-05-22"),
    ("hi", "3 महीने पहले", "2026-08-07..2026-09-06"),
    ("ru", "3 месяца назад", "2026-08-07..2026-09-06"),
    ("ru", "1 янв. 2025 г.", "2025-01-01"),
]

UNCLEAR = {
    "en": [
        "", " ", "6", "12", "62", "14", "3", "３", "14th", "1850", "2569", "14 11 2026", "12, 2026", "?",
        "😀", "none", "sun", "sat", "maria", "ok", "yes", "help", "3 pm", "10:30", "5 min", "5 minutes ago",
        "no", "sun 3", "12 sat", "no 3", "03/04/2026", "on 03/04/2026", "3/4/26", "14/11/26", "1/2",
        "2026-02-30", "31 June", "30 Feb 2025", "2026-00-14", "0 days ago", "1000 years ago",
        "99999999999 years ago",
        "more than 2 years ago", "before 2020", "not in May", "<3 months", "2+ years", "30 years old",
        "a pill a day", "every 2 weeks", "twice a week", "years ago", "12 pills in 2025",
        "2019 and again in 2023",
    ],
    "es": ["maria", "ninguno", "hace años", "hace más de 2 meses", "antes de 2020", "6"],
    "zh_Hans": ["没有", "不知道", "六", "25年", "三月前", "3个多月前", "农历八月", "手术后3个月"],
    "fa": ["۱۴۰۴/۰۸/۲۳"],
    "fr": ["plus de 3 mois"],
}  # fmt: skip

FUTURE = {
    "en": [
        "tomorrow", "next month", "in 3 months", "3 months from now", "2027", "2026-11-23", "12/2026",
        "23 November 2026", "December 2026", "this December", "I will have it in December",
        "planned for August", "surgery in 3 weeks",
    ],
    "es": ["mañana", "dentro de 3 meses", "en 3 meses", "el próximo mes"],
    "zh_Hans": ["明天", "下个月", "3个月后", "明年三月", "2027年"],
    "fr": ["dans 3 mois"],
}  # fmt: skip


def flat(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(locale, text) for locale, texts in table.items() for text in texts]


@pytest.mark.parametrize(("locale", "text", "expected"), SURE)
def test_taken_as_it_is(ear_in: EarIn, locale: str, text: str, expected: str) -> None:
    assert read(STEP, f" {text} ", ear_in(locale), TODAY) == Gave(span(expected), text.strip(), sure=True)


@pytest.mark.parametrize(("locale", "text", "expected"), ASKED_BACK)
def test_read_back(ear_in: EarIn, locale: str, text: str, expected: str) -> None:
    assert read(STEP, text, ear_in(locale), TODAY) == Gave(span(expected), text.strip(), sure=False)


@pytest.mark.parametrize(("locale", "text"), flat(UNCLEAR))
def test_never_guessed(ear_in: EarIn, locale: str, text: str) -> None:
    assert read(STEP, text, ear_in(locale), TODAY) == Garbled("unclear")


@pytest.mark.parametrize(("locale", "text"), flat(FUTURE))
def test_future_is_never_read_as_past(ear_in: EarIn, locale: str, text: str) -> None:
    assert read(STEP, text, ear_in(locale), TODAY) == Garbled("future")


@pytest.mark.parametrize(
    ("today", "text", "expected"),
    [
        ("2026-11-23", "last week", "2026-11-16..2026-11-22"),  # a Monday
        ("2026-01-01", "last month", "2025-12-01..2025-12-31"),
        ("2026-01-31", "November", "2025-11-01..2025-11-30"),
        ("2026-03-31", "1 month ago", "2026-02-13..2026-03-15"),
        ("2024-02-29", "a year ago", "2022-08-28..2023-08-28"),
        ("2026-02-10", "winter", "2025-12-01..2026-02-10"),
        ("2026-01-10", "last winter", "2025-12-01..2026-02-28"),
    ],
)
def test_edges_of_the_calendar(ear_in: EarIn, today: str, text: str, expected: str) -> None:
    day = date.fromisoformat(today)
    reply = read(STEP, text, ear_in("en"), day)
    assert isinstance(reply, Gave)
    assert reply.value == Span(span(expected).first, min(span(expected).last, day))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("2026-11-14", "2026-11-14"),
        ("2026-11", "2026-11-01..2026-11-30"),
        ("2026", "2026-01-01..2026-12-31"),
        (2026, "2026-01-01..2026-12-31"),
        ({"from": "2026-11-01", "to": "2026-11-14"}, "2026-11-01..2026-11-14"),
        ({"from": "2025", "to": "2026-02"}, "2025-01-01..2026-02-28"),
        (span("2026-11-01..2026-11-22"), "2026-11-01..2026-11-22"),
    ],
)
def test_accept(data: object, expected: str) -> None:
    assert accept(STEP, data) == span(expected)


def test_accept_an_option() -> None:
    assert accept(STEP, "planned") == "planned"


@pytest.mark.parametrize(
    "data",
    ["", "soon", "2026-13", "2026-02-30", "14/11/2026", "20261114", "٢٠٢٥", 26, True, 2026.0, None, [], {},
     {"from": "2026"}, {"from": "2026-02", "to": "2026-01"}, {"from": 1, "to": None}],
)  # fmt: skip
def test_accept_nothing_else(data: object) -> None:
    with pytest.raises(ValueError, match=r"date|span"):
        accept(STEP, data)


@pytest.mark.parametrize(
    ("locale", "value", "expected"),
    [
        ("en", "2026-11-14", "14 November 2026"),
        ("en", "2026-08-01..2026-08-31", "August 2026"),
        ("en", "2025-01-01..2025-12-31", "2025"),
        ("en", "2026-11-01..2026-11-22", "between 1 November 2026 and 22 November 2026"),
        ("es", "2026-11-14", "14 de noviembre de 2026"),
        ("zh_Hans", "2026-11-14", "2026年11月14日"),
    ],
)
def test_show(ear_in: EarIn, locale: str, value: str, expected: str) -> None:
    assert show(STEP, span(value), ear_in(locale).words) == expected


def test_show_leaves_options_to_the_caller(ear_in: EarIn) -> None:
    assert show(STEP, "planned", ear_in("en").words) == ""


@pytest.mark.parametrize(
    ("known", "month", "expected"),
    [
        ("1986-01-01..1986-12-31", 3, "1986-03-01..1986-03-31"),
        ("2026-01-01..2026-11-22", 11, "2026-11-01..2026-11-22"),
        ("2026-01-01..2026-11-22", 12, None),
        ("2026-08-07..2026-09-06", 8, "2026-08-07..2026-08-31"),
        ("2025-05-22..2026-05-22", 5, None),  # in it twice
        ("1986-01-01..1986-12-31", 13, None),
        ("1986-01-01..1986-12-31", 0, None),
    ],
)
def test_month_of(known: str, month: int, expected: str | None) -> None:
    assert month_of(span(known), month) == (expected and span(expected))


@pytest.mark.parametrize(
    ("known", "day", "expected"),
    [
        ("1986-03-01..1986-03-31", 14, "1986-03-14"),
        ("2025-02-01..2025-02-28", 29, None),
        ("2026-08-07..2026-09-06", 10, "2026-08-10"),
        ("2026-08-07..2026-09-06", 3, "2026-09-03"),
        ("1986-01-01..1986-12-31", 14, None),  # in it twelve times
        ("1986-03-01..1986-03-31", 0, None),
    ],
)
def test_day_of(known: str, day: int, expected: str | None) -> None:
    assert day_of(span(known), day) == (expected and span(expected))


@pytest.mark.parametrize(
    ("locale", "text", "known", "want", "expected"),
    [
        ("en", "march", "1986-01-01..1986-12-31", "month", "1986-03-01..1986-03-31"),
        ("en", "in March, I think", "1986-01-01..1986-12-31", "month", "1986-03-01..1986-03-31"),
        ("en", "3", "1986-01-01..1986-12-31", "month", "1986-03-01..1986-03-31"),
        ("zh_Hans", "3月", "1986-01-01..1986-12-31", "month", "1986-03-01..1986-03-31"),
        ("en", "14 nov", "1986-01-01..1986-12-31", "month", "1986-11-14"),
        ("en", "december", "2026-01-01..2026-11-22", "month", None),
        ("en", "may", "2025-05-22..2026-05-22", "month", None),
        ("en", "june", "2025-05-22..2026-05-22", "month", "2025-06-01..2025-06-30"),
        ("en", "not march", "1986-01-01..1986-12-31", "month", None),
        ("en", "13", "1986-01-01..1986-12-31", "month", None),
        ("en", "the 14th", "1986-03-01..1986-03-31", "day", "1986-03-14"),
        ("en", "14", "1986-03-01..1986-03-31", "day", "1986-03-14"),
        ("zh_Hans", "14日", "1986-03-01..1986-03-31", "day", "1986-03-14"),
        ("es", "el 14 de marzo", "1986-03-01..1986-03-31", "day", "1986-03-14"),
        ("en", "14 nov", "1986-03-01..1986-03-31", "day", None),
        ("en", "1986-03-14", "1986-03-01..1986-03-31", "day", "1986-03-14"),
        ("en", "10 days ago", "2026-11-01..2026-11-22", "day", "2026-11-12"),
        ("en", "yesterday", "1986-03-01..1986-03-31", "day", None),
        ("en", "32", "1986-03-01..1986-03-31", "day", None),
        ("en", "no idea", "1986-03-01..1986-03-31", "day", None),
    ],
)
def test_read_closer(ear_in: EarIn, locale: str, text: str, known: str, want: str, expected: str | None) -> None:
    closer = read_closer(text, span(known), want, ear_in(locale), TODAY)  # type: ignore[arg-type]
    assert closer == (expected and span(expected))


WORDS = [
    "1", "2", "14", "31", "62", "2025", "2026", "2027", "99999999999", "/", "-", ".", "'", "½", "١٤", "１４",
    "14/11", "2026-11-14", "half", "a", "few", "last", "next", "in", "ago", "about", "or", "and", "day",
    "week", "months", "years", "may", "march", "first", "14th", "friday", "spring", "yesterday", "tomorrow",
    "hace", "medio", "año", "y", "de", "mes", "pasado", "年", "月", "日", "前", "半", "个月", "上周", "去年",
    "十", "百", "零", "两", "三", "五", "几", "il y a", "mois",
]  # fmt: skip
LOCALES = ["en", "es", "zh_Hans", "fr", "ar"]
ANY = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=8).map("".join),
)


@given(ANY, st.sampled_from(LOCALES), st.dates(date(2024, 1, 1), date(2030, 1, 1)))
@example("\ud800 3 months ago", "en", TODAY)
@settings(deadline=None)
def test_anything_is_read_or_refused(ear_in: EarIn, text: str, locale: str, today: date) -> None:
    reply = read(STEP, text, ear_in(locale), today)
    if isinstance(reply, Gave):
        assert isinstance(reply.value, Span)
        assert reply.value.last <= today
        assert accept(STEP, reply.value) == reply.value
        assert show(STEP, reply.value, ear_in(locale).words)
    else:
        assert reply.reason in ("unclear", "future")


@given(ANY, st.sampled_from(["month", "day"]))
@settings(deadline=None)
def test_closer_is_never_wider(ear_in: EarIn, text: str, want: str) -> None:
    known = Span(date(2026, 8, 7), date(2026, 9, 6))
    closer = read_closer(text, known, want, ear_in("en"), TODAY)  # type: ignore[arg-type]
    assert closer is None or known.first <= closer.first <= closer.last <= known.last
