"""A day as far as somebody knows it: every reading is a span, ends by today, and invents nothing.

Words become tokens once (``numerals``); each token has a one-letter kind, and the grammar is patterns over
those letters. What it has no words for goes to dateparser (``foreign``), and is always read back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal

from dateutil.relativedelta import relativedelta

from flows.answer import Span, Value
from flows.flow import Step
from flows.kinds.foreign import foreign
from flows.kinds.numerals import Token, Vocabulary, plain, rewrite, unspaced
from flows.kinds.spans import YEARS, Found, ago, before, bounds, is_lived, only, pieces, whole, within
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

_LISTS = {
    "not_a_day": "X", "ahead": "F", "about": "B", "since": "C", "date_filler": " ", "in": "I",
    "ago": "A", "past": "L", "this": "T", "or": "J", "and": "&", "half": "H",
    "numbers": "W", "few": "N", "article": "a", "ordinals": "D",
    "day": "U", "week": "U", "month": "U", "year": "U", "month_mark": "@", "day_mark": "#",
    "relative_days": "d", "relative_weeks": "w", "relative_months": "m", "relative_years": "y",
    "month_names": "M", "seasons": "Q", "weekdays": "K",
}  # fmt: skip
_SHAPES = {
    "E": r"(?<![\d.,/-])(?:\d{1,4}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{1,4}|\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{4}"
    r"|\d{1,2}/\d{1,2})(?!\d|[-/.,]\d)",
    "Y": r"(?<!\d)(?:19|20|21)\d\d(?!\d)|(?<!\d)'\d\d(?!\d)",
}
_VOCABULARY = Vocabulary(_LISTS, _SHAPES, months="M")
_TELLING = re.compile("[NDMYEdwmyKQ]|HU|UH")
_SEPARATOR = re.compile(r"(?<=\d) ?([-/.]) ?(?=\d)")


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """The span that the words name. Sure only where nothing was inferred: neither a year nor a rough edge."""
    found = _found(_SEPARATOR.sub(r"\1", plain(text)), ear, today)
    if found == "future" or (found is not None and found.first > today):
        return Garbled("future")
    if found is None:
        return Garbled("unclear")
    return Gave(Span(found.first, min(found.last, today)), text.strip(), found.sure)


def accept(step: Step, data: object) -> Value:
    """``2026-11-14``, ``2026-11``, ``2026``, ``{"from": ..., "to": ...}``, a span, or one of the options."""
    if isinstance(data, Span) or (isinstance(data, str) and step.option(data) is not None):
        return data
    if isinstance(data, dict) and data.keys() == {"from", "to"}:
        return Span(_iso(data["from"]).first, _iso(data["to"]).last)
    return _iso(str(data) if isinstance(data, int) else data)


def show(step: Step, value: Value, words: Words) -> str:
    """The day, the month, the year, or from when to when; nothing for an option."""
    if not isinstance(value, Span):
        return ""
    if value.exact:
        return words.day(value.first)
    if value == whole(value.first.year):
        return str(value.first.year)
    if value == whole(value.first.year, value.first.month):
        return words.month(value.first)
    source = words.text("say.span", "between {from} and {to}")
    return source.replace("{from}", words.day(value.first)).replace("{to}", words.day(value.last))


def month_of(year_span: Span, month: int) -> Span | None:
    """The part of the span in this month; None if the month is not in it, or is in it twice."""
    years = range(year_span.first.year, year_span.last.year + 1)
    return only(within(whole(year, month), year_span) for year in years)


def day_of(span: Span, day: int) -> Span | None:
    """The day with this number; None if it is not in the span, or is in it twice."""
    years = range(span.first.year, span.last.year + 1)
    return only(within(whole(year, month, day), span) for year in years for month in range(1, 13))


def read_closer(text: str, span: Span, want: Literal["month", "day"], ear: Ear, today: date) -> Span | None:
    """What the words add to a span that is known: "march", "3月", "the 14th"; None if nothing fits."""
    for tokens in _VOCABULARY.readings(_SEPARATOR.sub(r"\1", plain(text)), ear):
        known = _essence(tokens)
        kinds = _kinds(known)
        if kinds in ("N", "D") and (number := _small(known[0])):
            return month_of(span, number) if want == "month" and kinds == "N" else day_of(span, number)
        if kinds == "M":
            return month_of(span, int(known[0].value))
        # A day without a year belongs to the span, other words to today.
        found = _phrase(known, span.last if re.fullmatch("M[DN]|[DN]M", kinds) else today)
        if found is not None and (closer := within(Span(found.first, found.last), span)):
            return closer
    return None


def _iso(text: object) -> Span:
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", text if isinstance(text, str) else "")
    span = whole(*(int(part) for part in match.groups() if part)) if match else None
    if span is None:
        raise ValueError("not a date")
    return span


# From a text to one phrase of the grammar.


def _found(typed: str, ear: Ear, today: date) -> Found | Literal["future"] | None:
    unknown = named = False  # whether somebody else may try, and what with
    for tokens in _VOCABULARY.readings(typed, ear):
        kinds = _kinds(tokens)
        if "X" in kinds:  # "not in May", "before 2020": no reading of a part would be true
            return None
        if found := _sentence(tokens, today):
            return found
        named = named or "M" in kinds or "Y" in kinds
        unknown = unknown or ("?" in kinds and "E" not in kinds and (named or any(map(str.isdecimal, typed))))
    return foreign(typed, ear.words.locale.split("_")[0], today, named) if unknown else None


def _sentence(tokens: list[Token], today: date) -> Found | Literal["future"] | None:
    """A phrase, what is around it, or two phrases with "or" between them."""
    known = _essence(tokens)
    kinds = _kinds(tokens)
    is_future = "F" in kinds and re.search("[MYUENDdwmyKQ]", kinds)
    if is_future or ("A" not in kinds and re.search("I(?:NH?|H)U", kinds)):
        return "future"
    if "?" in kinds and not re.search("[ALMYEdwmyKQ]", _kinds(known)):
        return None  # "30 years old" and "a pill a day" are not ago
    about = "B" in kinds
    found = _phrase(known, today, about) or _joined(known, today, about)
    return found and found._replace(sure=found.sure and not re.search("[?BC]", kinds))


def _essence(tokens: list[Token]) -> list[Token]:
    """Tidies the tokens in place; the one stretch of them, between unknown words, that can name a time."""
    for pattern, make in _REWRITES:
        rewrite(tokens, pattern, make)
    said = [token for token in tokens if token.kind not in "BCI"]
    runs = [match.span() for match in re.finditer(r"[^?J&][^?]*(?<![J&])", _kinds(said))]
    telling = [said[start:end] for start, end in runs if _TELLING.search(_kinds(said[start:end]))]
    return telling[0] if len(telling) == 1 else []


def _phrase(tokens: list[Token], today: date, about: bool = False) -> Found | None:
    kinds = _kinds(tokens)
    return next((named(tokens, today, about) for form, named in _GRAMMAR if form.fullmatch(kinds)), None)


def _joined(tokens: list[Token], today: date, about: bool) -> Found | None:
    """``March or April 2025``: what is written once holds for both sides, and the span covers both."""
    at = next((at for at, token in enumerate(tokens) if token.kind in "J&"), 0)
    left, right = tokens[:at], tokens[at + 1 :]
    if not left or not right:
        return None
    if left[-1].kind == right[0].kind:
        left, right = left + right[1:], left[:-1] + right
    one, other = _phrase(left, today, about), _phrase(right, today, about)
    return one and other and Found(min(one.first, other.first), max(one.last, other.last))


def _kinds(tokens: list[Token]) -> str:
    return "".join([token.kind for token in tokens])


# How neighbours become one token before the grammar looks at them.


def _month_number(found: list[Token]) -> list[Token] | None:
    number = _small(found[0])
    return [Token("M", str(number))] if number and number <= 12 else None


def _small(token: Token) -> int | None:
    return int(token.value) if token.value.isdecimal() and len(token.value) <= 2 else None


def _spelt_year(found: list[Token]) -> list[Token] | None:
    """``二零二六年``: four digits in words."""
    year = "".join(token.value for token in found[:4])
    return [Token("Y", year)] if len(year) == 4 and found[4].value == "year" else None


def _short_year(found: list[Token]) -> list[Token] | None:
    """``25年8月``, "14 Nov 26"."""
    is_year = len(found[0].value) == 2 and found[-1].value in (found[0].value, "year")
    return [Token("Y", f"'{found[0].value}")] if is_year else None


def _without_unit(found: list[Token]) -> list[Token] | None:
    """``2026年``, ``去年年底``, "the month of May"."""
    return [token for token in found if token.kind in "Yy"] if found[-1].value in ("year", "month") else None


def _range(found: list[Token]) -> list[Token] | None:
    """``2 or 3``, ``2-3``, and ``两三``, where the second number is the next one."""
    (low, _), (_, high) = bounds(found[0]), bounds(found[-1])
    fits = low < high if len(found) == 3 else low + 1 == high
    return [Token("N", f"{low}..{high}")] if fits else None


def _year_in_words(found: list[Token]) -> list[Token] | None:
    """``nineteen sixty four``, and one number such as ``उन्नीस सौ चौंसठ``; digits are read elsewhere."""
    said = all(not token.text and token.value.isdecimal() for token in found)
    number = int("".join(f"{int(token.value):02}" for token in found)) if said else 0
    return [Token("Y", str(number))] if number in YEARS else None


def _chinese_weekday(found: list[Token]) -> list[Token] | None:
    """``上周五``, ``上周日``: the fifth day of a week, and the Sunday."""
    week, day = found
    number = 7 if day.kind == "#" else _small(day)
    fits = week.end == day.start and unspaced(week.text) and number and number <= 7
    return [week, Token("K", str(number - 1))] if number and fits else None


def _one(found: list[Token]) -> list[Token] | None:
    """A unit that holds its own number: ``شهرين`` is two months, ``год`` is one year if it stands alone."""
    unit, _, count = found[0].value.partition("*")
    return [Token("N", count), found[0]._replace(value=unit)] if count else None


def _uncounted(found: list[Token]) -> list[Token] | None:
    """``1964 год`` and ``2 месяц``: such a unit beside a number, a month or a year is a unit like any other."""
    return [found[0]._replace(value=found[0].value.partition("*")[0])]


_REWRITES: tuple[tuple[re.Pattern[str], Callable[[list[Token]], list[Token] | None]], ...] = (
    (re.compile("(?<![NaYyHLT])U(?![YMQNDK#])"), _one),
    (re.compile("U"), _uncounted),
    (re.compile("a(?=H?U)"), lambda found: [found[0]._replace(kind="N")]),
    (re.compile("a"), lambda found: [found[0]._replace(kind="?")]),
    (re.compile("N@"), _month_number),
    (re.compile("@"), lambda found: [Token("U", "month")]),
    (re.compile("N#"), lambda found: [found[0]._replace(kind="D")]),
    (re.compile("N(?=I)"), lambda found: [found[0]._replace(kind="?")]),  # "I turned 30 in March"
    (re.compile("w[N#]"), _chinese_weekday),
    (re.compile("NNNNU"), _spelt_year),
    (re.compile("N(?!N|H?U)|NN(?!N|H?U)"), _year_in_words),
    (re.compile("NU(?=M)|(?<=[DN]M)N(?!#)"), _short_year),
    (re.compile("[Yy]U|(?<!N)U(?=[YMQ])"), _without_unit),
    (re.compile("NN(?=H?U)|N[J&-]N(?=H?U)"), _range),
    (re.compile("MM"), lambda found: [found[0], Token("J", "or"), found[1]]),  # "Oct-Nov"
    (re.compile(r"(.)-(?=\1)"), lambda found: [found[0], Token("J", "or")]),
    (re.compile("-"), lambda found: []),
    (re.compile("T(?=[MQ])"), lambda found: [Token("y", "0")]),
)


# The grammar: one reader for each way to name a time.


def _calendar(tokens: list[Token], today: date, about: bool) -> Found | None:
    """A day, a month or a year by name; without its year the last one that has begun."""
    by = {token.kind: token for token in tokens}
    named = by.get("D") or by.get("N")
    day = named and _small(named)
    if named and not day:
        return None
    if "m" in by:
        month = today.replace(day=1) - relativedelta(months=int(by["m"].value))
        return Found.of(whole(month.year, month.month, day), sure=day is not None)
    number = int(by["M"].value) if "M" in by else None
    year, inferred = _year(by, today)
    if year is not None:
        return Found.of(whole(year, number, day), sure=not inferred and (number is not None or "Y" in by))
    years = (whole(year, number, day) for year in range(today.year, today.year - 9, -1))
    return Found.of(next((span for span in years if span is not None and span.first <= today), None))


def _year(by: dict[str, Token], today: date) -> tuple[int | None, bool]:
    """The year that is named, and whether its century had to be inferred."""
    if "y" in by:
        return today.year - int(by["y"].value), False
    if "Y" not in by:
        return None, True
    year = by["Y"].value
    if not year.startswith("'"):
        return int(year), False
    return int(year[1:]) + (2000 if int(year[1:]) <= today.year % 100 else 1900), True


def _numeric(tokens: list[Token], today: date, about: bool) -> Found | None:
    """``2026-11-14``, ``14/11/2026``, ``11/2026``, ``14/11``; None where day and month could be swapped."""
    parts = re.split("[-/.]", tokens[0].value)
    numbers = [int(part) for part in parts]
    match [len(part) == 4 for part in parts]:
        case [True, False, *_]:
            return Found.of(whole(*numbers), sure=True)
        case [False, True]:
            return Found.of(whole(numbers[1], numbers[0]), sure=True)
        case [False, False, *rest] if all(rest):
            month, day = sorted(numbers[:2])
            if month == day or month <= 12 < day:
                year = [Token("Y", part) for part in parts[2:]]
                return _calendar([Token("D", str(day)), Token("M", str(month)), *year], today, about)
    return None


def _relative(tokens: list[Token], today: date, about: bool) -> Found | None:
    """Today, yesterday; last week: from the Monday to the Sunday of the calendar week before this one."""
    back = int(tokens[0].value)
    if tokens[0].kind == "d":
        return Found(today - timedelta(days=back), today - timedelta(days=back), sure=True)
    monday = today - timedelta(days=today.weekday(), weeks=back)
    return Found(monday, monday + timedelta(days=6))


def _weekday(tokens: list[Token], today: date, about: bool) -> Found | None:
    """Friday: the last one before today, or the one in the week that is named."""
    by = {token.kind: int(token.value) for token in tokens if token.kind in "Kw"}
    if "w" in by:
        day = today - timedelta(days=today.weekday() - by["K"], weeks=by["w"])
    else:
        day = today - timedelta(days=(today.weekday() - by["K"] - 1) % 7 + 1)
    return Found(day, day)


def _last_named(tokens: list[Token], today: date, about: bool) -> Found | None:
    """Last October, last spring: one that had begun before this month."""
    named = [token for token in tokens if token.kind != "L"]
    reader = _season if named[0].kind == "Q" else _calendar
    return reader(named, today.replace(day=1) - timedelta(days=1), about)


def _season(tokens: list[Token], today: date, about: bool) -> Found | None:
    """Three months from the one it begins with. The winter of a year may be either one, so it is both."""
    by = {token.kind: token for token in tokens}
    start, (year, _) = int(by["Q"].value), _year(by, today)
    both = year is not None and start > 10
    if year is None:
        year = today.year if start <= today.month else today.year - 1
    return Found(date(year - both, start, 1), date(year, start, 1) + relativedelta(months=3, days=-1))


def _ago(tokens: list[Token], today: date, about: bool) -> Found | None:
    """Two years ago. Where a date is asked for, "2 years" is one too, but 25年 could be the year 2025."""
    stretches = pieces(tokens)
    told = any(token.kind == "A" for token in tokens)
    unit, number = tokens[-1], tokens[0].value
    doubtful = unit.value == "year" and unspaced(unit.text) and number.isdecimal() and len(number) > 1
    if not is_lived(stretches) or (doubtful and not about):
        return None
    found = ago(stretches, today, about)
    return found._replace(sure=found.sure and told)


def _lately(tokens: list[Token], today: date, about: bool) -> Found | None:
    """In the last 3 months: from then until today."""
    stretches = pieces(tokens)
    return Found(before(stretches, today)[0], today) if is_lived(stretches) else None


_GRAMMAR: tuple[tuple[re.Pattern[str], Callable[[list[Token], date, bool], Found | None]], ...] = (
    (re.compile("[DN]M[Yy]?|M[DN]?[Yy]?|[Yy]M[DN]?|[DN]m|m[DN]?|[Yy]"), _calendar),
    (re.compile("A?(?:NH?U|HU|NUH|(?<=A)UH)(?:&?NU)?A?|UHA"), _ago),
    (re.compile("E"), _numeric),
    (re.compile("[dw]"), _relative),
    (re.compile("K|LK|KL|wK|Kw"), _weekday),
    (re.compile("L[MQ]|[MQ]L"), _last_named),
    (re.compile("Q[Yy]?|[Yy]Q"), _season),
    (re.compile("LNU"), _lately),
)
"""Phrases as the kinds of their tokens: A ago, D and N day numbers, H half, K weekday, L last, M month,
Q season, U unit, Y year; d, w, m, y are days, weeks, months and years counted back."""
