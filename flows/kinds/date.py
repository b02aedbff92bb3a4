"""A day as far as somebody knows it: every reading is a span, ends by today, and invents nothing.

Words become tokens once (``numerals``); each token has a one-letter kind, and the grammar below is patterns
over those letters. What that grammar does not know goes to dateparser, never taken without reading it back.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

from dateutil.relativedelta import relativedelta

from flows.answer import Span, Value
from flows.flow import Step
from flows.kinds.numerals import Token, Vocabulary, plain, rewrite, unspaced
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

YEARS = range(1900, 2200)
"""Years that are read; an earlier one is a slip, or another calendar."""

_KINDS = {
    "not_a_day": "X", "ahead": "F", "about": "B", "since": "C", "date_filler": " ", "in": "I",
    "ago": "A", "past": "L", "this": "T", "or": "J", "and": "&", "half": "H",
    "numbers": "W", "few": "N", "article": "N", "ordinals": "D",
    "day": "U", "week": "U", "month": "U", "year": "U", "month_mark": "@", "day_mark": "#",
    "relative_days": "d", "relative_weeks": "w", "relative_months": "m", "relative_years": "y",
    "month_names": "M", "seasons": "Q", "weekdays": "K",
}  # fmt: skip
_SHAPES = {
    "E": r"(?<![\d.,/-])(?:\d{1,4}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{1,4}|\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{4}"
    r"|\d{1,2}/\d{1,2})(?!\d|[-/.,]\d)",
    "Y": r"(?<![\d.,])(?:19|20|21)\d\d(?!\d)|(?<!\d)'\d\d(?!\d)",
}
_VOCABULARY = Vocabulary(_KINDS, _SHAPES, months="M")
_SEPARATOR = re.compile(r"(?<=\d) ?([-/.]) ?(?=\d)")


class _Found(NamedTuple):
    first: date
    last: date
    sure: bool = False


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """The span that the words name. Sure only where nothing was inferred: neither a year nor a rough edge."""
    typed = _SEPARATOR.sub(r"\1", plain(text))
    found = _understood(typed, ear, today)
    if found is None:
        found = _foreign(typed, ear, today)
    if found is None or found == "unclear":
        return Garbled("unclear")
    if found == "future" or found.first > today:
        return Garbled("future")
    return Gave(Span(found.first, min(found.last, today)), text.strip(), found.sure)


def accept(step: Step, data: object) -> Value:
    """``2026-11-14``, ``2026-11``, ``2026``, ``{"from": ..., "to": ...}``, a span, or one of the options."""
    if isinstance(data, Span):
        return data
    if isinstance(data, str) and step.option(data) is not None:
        return data
    if isinstance(data, dict) and data.keys() == {"from", "to"}:
        return Span(_iso(data["from"]).first, _iso(data["to"]).last)
    if isinstance(data, str) or (isinstance(data, int) and not isinstance(data, bool)):
        return _iso(str(data))
    raise ValueError("not a date")


def show(step: Step, value: Value, words: Words) -> str:
    if not isinstance(value, Span):
        return ""
    if value.exact:
        return words.day(value.first)
    if value == _whole(value.first.year):
        return str(value.first.year)
    if value == _whole(value.first.year, value.first.month):
        return words.month(value.first)
    source = words.text("say.span", "between {from} and {to}")
    return source.replace("{from}", words.day(value.first)).replace("{to}", words.day(value.last))


def month_of(year_span: Span, month: int) -> Span | None:
    """The part of the span in this month; None if the month is not in it, or is in it twice."""
    years = range(year_span.first.year, year_span.last.year + 1)
    return _only([_within(_whole(year, month), year_span) for year in years])


def day_of(span: Span, day: int) -> Span | None:
    """The day with this number; None if it is not in the span, or is in it twice."""
    last = (span.last.year - span.first.year) * 12 + span.last.month
    months = range(span.first.month, min(last, span.first.month + 24) + 1)
    days = [_whole(span.first.year + (month - 1) // 12, (month - 1) % 12 + 1, day) for month in months]
    return _only([_within(one, span) for one in days])


def read_closer(text: str, span: Span, want: Literal["month", "day"], ear: Ear, today: date) -> Span | None:
    """What the words add to a span that is known already: "march", "3月", "the 14th"; None if nothing fits."""
    typed = _SEPARATOR.sub(r"\1", plain(text))
    for tokens in _VOCABULARY.readings(typed, ear):
        kinds = _tidied(tokens)
        if kinds in ("N", "D") and (number := _whole_number(tokens[0])):
            return month_of(span, number) if want == "month" and kinds == "N" else day_of(span, number)
        # A month or day without a year belongs to the span, other words to today.
        latest = span.last if re.fullmatch(r"[MDN]+", kinds) else today
        found = _phrase(tokens, latest, rough=False)
        if found is not None and (closer := _within(Span(found.first, found.last), span)):
            return closer
    return None


def _understood(typed: str, ear: Ear, today: date) -> _Found | Literal["unclear", "future"] | None:
    """What the own grammar makes of it; "unclear" if nobody should try further, None if somebody may."""
    hopeless = False
    for tokens in _VOCABULARY.readings(typed, ear):
        kinds = "".join(token.kind for token in tokens)
        if "X" in kinds:
            return "unclear"
        found = _sentence(tokens, today)
        if found is not None:
            return found
        hopeless = hopeless or "E" in kinds or not re.search(r"[^NY-]", kinds)
    return "unclear" if hopeless or not typed else None


def _sentence(tokens: list[Token], today: date) -> _Found | Literal["future"] | None:
    kinds = _tidied(tokens)
    if re.fullmatch(r"I(?:NH?|H)?U", kinds) or ("F" in kinds and re.search(r"[MYUENDdwmyKQ]", kinds)):
        return "future"
    rough, about = bool(re.search(r"[BC]", kinds)), "B" in kinds
    tokens = [token for token in tokens if token.kind not in "BCI"]
    known = _stripped(tokens)
    if len(known) < len(tokens) and not any(token.kind in "AMYEdwmyKQ" for token in known):
        return None  # "30 years old" and "a pill a day" are durations, but not ago
    found = _phrase(known, today, about) or _joined(known, today, about)
    if found is None:
        return None
    return found._replace(sure=found.sure and not rough and len(known) == len(tokens))


def _stripped(tokens: list[Token]) -> list[Token]:
    """Without the unknown words before and behind: a date stands in one piece."""
    known = [at for at, token in enumerate(tokens) if token.kind != "?"]
    return tokens[known[0] : known[-1] + 1] if known else []


def _phrase(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    kinds = "".join(token.kind for token in tokens)
    for pattern, reader in _GRAMMAR:
        if pattern.fullmatch(kinds):
            return reader(tokens, today, rough)
    return None


def _joined(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """``March or April 2025``: what is written once holds for both sides, and the span covers both."""
    at = next((at for at, token in enumerate(tokens) if token.kind in "J&"), 0)
    left, right = tokens[:at], tokens[at + 1 :]
    if not left or not right:
        return None
    if left[-1].kind == right[0].kind:
        left, right = left + right[1:], left[:-1] + right
    one, other = _phrase(left, today, rough), _phrase(right, today, rough)
    if one is None or other is None:
        return None
    return _Found(min(one.first, other.first), max(one.last, other.last))


# How neighbours become one token before the grammar looks at them.


def _tidied(tokens: list[Token]) -> str:
    """Rewrites the tokens in place; their kinds."""
    for pattern, make in _REWRITES:
        rewrite(tokens, pattern, make)
    return "".join(token.kind for token in tokens)


def _month_number(found: list[Token]) -> list[Token] | None:
    number = _whole_number(found[0])
    return [Token("M", str(number))] if number and number <= 12 else None


def _spelt_year(found: list[Token]) -> list[Token] | None:
    """``二零二六年``: four digits in words."""
    year = "".join(token.value for token in found[:4])
    return [Token("Y", year)] if len(year) == 4 and found[4].value == "year" else None


def _short_year(found: list[Token]) -> list[Token] | None:
    """``25年8月``."""
    number, unit = found
    return [Token("Y", f"'{number.value}")] if unit.value == "year" and len(number.value) == 2 else None


def _without_unit(found: list[Token]) -> list[Token] | None:
    """``2026年``, "the month of May"."""
    return [token for token in found if token.kind in "Yy"] if found[-1].value in ("year", "month") else None


def _range(found: list[Token]) -> list[Token] | None:
    """``2 or 3``, ``2-3``, and ``两三``, where the second number is the next one."""
    (low, _), (_, high) = _bounds(found[0]), _bounds(found[-1])
    fits = low < high if len(found) == 3 else low + 1 == high
    return [Token("N", f"{low}..{high}")] if fits else None


def _bounds(token: Token) -> tuple[Decimal, Decimal]:
    low, _, high = token.value.partition("..")
    return Decimal(low), Decimal(high or low)


_REWRITES: tuple[tuple[re.Pattern[str], Callable[[list[Token]], list[Token] | None]], ...] = (
    (re.compile("N@"), _month_number),
    (re.compile("@"), lambda found: [Token("U", "month")]),
    (re.compile("N#"), lambda found: [found[0]._replace(kind="D")]),
    (re.compile("N(?=I)"), lambda found: [found[0]._replace(kind="?")]),  # "I turned 30 in March"
    (re.compile("NNNNU"), _spelt_year),
    (re.compile("NU(?=M)"), _short_year),
    (re.compile("[Yy]U|(?<!N)U(?=[YMQ])"), _without_unit),
    (re.compile("NN(?=H?U)|N[J&-]N(?=H?U)"), _range),
    (re.compile("MM"), lambda found: [found[0], Token("J", "or"), found[1]]),  # "Oct-Nov"
    (re.compile(r"(.)-(?=\1)"), lambda found: [found[0], Token("J", "or")]),
    (re.compile("-"), lambda found: []),
    (re.compile("T(?=[MQ])"), lambda found: [Token("y", "0")]),
)


# The grammar: one reader for each way to name a time.


def _calendar(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """A day, a month or a year by name, counting back from today to the first one that has begun."""
    by = {token.kind: token.value for token in tokens}
    day = by.get("D", by.get("N"))
    if day is not None and not (day.isdecimal() and len(day) <= 2):
        return None
    if "m" in by:
        month = today.replace(day=1) - relativedelta(months=int(by["m"]))
        return _sure(_whole(month.year, month.month, day and int(day)), sure=day is not None)
    year = _year(by, today)
    parts = ("M" in by and int(by["M"])) or None, day and int(day)
    if year is not None:
        return _sure(_whole(year, *parts), sure="Y" in by or "M" in by)
    years = (_whole(year, *parts) for year in range(today.year, today.year - 9, -1))
    return _sure(next((span for span in years if span is not None and span.first <= today), None))


def _year(by: dict[str, str], today: date) -> int | None:
    if "y" in by:
        return today.year - int(by["y"])
    if (year := by.get("Y", "")).startswith("'"):
        return int(year[1:]) + (2000 if int(year[1:]) <= today.year % 100 else 1900)
    return int(year) if year else None


def _numeric(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """``2026-11-14``, ``14/11/2026``, ``11/2026``, ``14/11``; None where day and month could be swapped."""
    parts = re.split(r"[-/.]", tokens[0].value)
    numbers = [int(part) for part in parts]
    match [len(part) > 2 for part in parts]:
        case [True, False, *_]:
            return _sure(_whole(*numbers), sure=True)
        case [False, True]:
            return _sure(_whole(numbers[1], numbers[0]), sure=True)
        case [False, False, *year] if year in ([], [True]):
            low, high = sorted(numbers[:2])
            if not (low == high or low <= 12 < high):
                return None
            named = [Token("D", str(high)), Token("M", str(low))]
            return _calendar([*named, *(Token("Y", parts[2]) for _ in year)], today, rough)
    return None


def _relative(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """Today, yesterday, last week (the days from Monday to Sunday of the week before this one)."""
    back = int(tokens[0].value)
    if tokens[0].kind == "d":
        day = today - timedelta(days=back)
        return _Found(day, day, sure=True)
    monday = today - timedelta(days=today.weekday(), weeks=back)
    return _Found(monday, monday + timedelta(days=6))


def _weekday(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """Friday: the last one before today, or the one in the week that is named."""
    by = {token.kind: int(token.value) for token in tokens if token.kind in "Kw"}
    if "w" in by:
        day = today - timedelta(days=today.weekday() - by["K"], weeks=by["w"])
    else:
        day = today - timedelta(days=(today.weekday() - by["K"] - 1) % 7 + 1)
    return _Found(day, day)


def _last_named(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """Last October, last spring: one that was over before this month began."""
    named = [token for token in tokens if token.kind != "L"]
    reader = _season if named[0].kind == "Q" else _calendar
    return reader(named, today.replace(day=1) - timedelta(days=1), rough)


def _season(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """Three months from the one that the season begins with. A winter has two years, and covers both."""
    by = {token.kind: token.value for token in tokens}
    start, year = int(by["Q"]), _year(by, today)
    if year is None:
        year = today.year if start <= today.month else today.year - 1
        first = date(year, start, 1)
    else:
        first = date(year - (start > 10), start, 1)
    return _Found(first, date(year, start, 1) + relativedelta(months=3, days=-1))


class _Piece(NamedTuple):
    """One stretch of a duration: 2 to 3 months."""

    low: Decimal
    high: Decimal
    unit: str


_UNITS = ("year", "month", "week", "day")
_MONTHS = {"year": 12, "month": 1}
_SLACK = {
    "year": relativedelta(months=6), "month": relativedelta(days=15), "week": relativedelta(days=7),
    "half year": relativedelta(months=3), "half month": relativedelta(days=7),
    "half week": relativedelta(days=3), "about day": relativedelta(days=3),
}  # fmt: skip
"""How far off a duration may be: half of the unit that it was counted in, and a whole week (reading, 3)."""


def _ago(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """A duration before today, give or take. Where a date is asked for, "2 years" alone is one too."""
    ago = any(token.kind == "A" for token in tokens)
    pieces = _pieces(tokens)
    if pieces is None or not (ago or rough or _is_duration(tokens)):
        return None
    finest = pieces[-1]
    grain = "half " if finest.low % 1 or finest.high % 1 else "about " if rough else ""
    slack = _SLACK.get(grain + finest.unit) or _SLACK.get(finest.unit, relativedelta())
    first = last = today
    for piece in pieces:
        first, last = _before(first, piece.high, piece.unit), _before(last, piece.low, piece.unit)
    exact = finest.unit == "day" and first == last and ago and not rough
    return _Found(first - slack, min(last + slack, today), exact)


def _lately(tokens: list[Token], today: date, rough: bool) -> _Found | None:
    """In the last 3 months: from then until today."""
    pieces = _pieces(tokens)
    return pieces and _Found(_before(today, pieces[0].high, pieces[0].unit), today)


def _pieces(tokens: list[Token]) -> list[_Piece] | None:
    """The stretches in falling units; None for what no life is long enough for."""
    pieces: list[_Piece] = []
    number: tuple[Decimal, Decimal] | None = None
    half = Decimal("0.5")
    for token in tokens:
        if token.kind == "N":
            number = _bounds(token)
        elif token.kind == "U":
            pieces.append(_Piece(*(number or (Decimal(1), Decimal(1))), token.value))
            number = None
        elif token.kind == "H" and pieces:
            pieces[-1] = pieces[-1]._replace(low=pieces[-1].low + half, high=pieces[-1].high + half)
        elif token.kind == "H":
            low, high = number or (Decimal(0), Decimal(0))
            number = low + half, high + half
    order = [_UNITS.index(piece.unit) for piece in pieces]
    limits = {"year": 120, "month": 600, "week": 1000, "day": 5000}
    possible = all(0 < piece.low <= piece.high <= limits[piece.unit] for piece in pieces)
    return pieces if possible and order == sorted(set(order)) else None


def _is_duration(tokens: list[Token]) -> bool:
    """``25年`` may be a year or a duration; ``25 years`` is one."""
    last = tokens[-1]
    return not (last.value == "year" and last.text and unspaced(last.text) and len(tokens[0].value) > 1)


def _before(day: date, amount: Decimal, unit: str) -> date:
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        return day - relativedelta(months=int(months), days=int(months % 1 * 30))
    return day - timedelta(days=int(amount * (7 if unit == "week" else 1)))


_GRAMMAR: tuple[tuple[re.Pattern[str], Callable[[list[Token], date, bool], _Found | None]], ...] = (
    (re.compile(r"[DN]M[Yy]?|M[DN]?[Yy]?|[Yy]M[DN]?|[DN]m|m[DN]?|[Yy]"), _calendar),
    (re.compile(r"A?(?:NH?U|HU|NUH|(?<=A)UH)(?:&?NU)?A?|UHA"), _ago),
    (re.compile(r"E"), _numeric),
    (re.compile(r"[dw]"), _relative),
    (re.compile(r"K|LK|KL|wK|Kw"), _weekday),
    (re.compile(r"L[MQ]|[MQ]L"), _last_named),
    (re.compile(r"Q[Yy]?|[Yy]Q"), _season),
    (re.compile(r"LNU"), _lately),
)


# The calendar.


def _whole(year: int, month: int | None = None, day: int | None = None) -> Span | None:
    """A whole year, a whole month or one day; None if the calendar has none, or it is no year we read."""
    if year not in YEARS or not 1 <= (month or 1) <= 12:
        return None
    if day is not None:
        valid = month is not None and 1 <= day <= monthrange(year, month)[1]
        return Span(date(year, month or 1, day), date(year, month or 1, day)) if valid else None
    first, last = month or 1, month or 12
    return Span(date(year, first, 1), date(year, last, monthrange(year, last)[1]))


def _sure(span: Span | None, sure: bool = False) -> _Found | None:
    return None if span is None else _Found(span.first, span.last, sure)


def _within(span: Span | None, outer: Span) -> Span | None:
    if span is None or span.last < outer.first or span.first > outer.last:
        return None
    return Span(max(span.first, outer.first), min(span.last, outer.last))


def _only(spans: list[Span | None]) -> Span | None:
    fitting = [span for span in spans if span is not None]
    return fitting[0] if len(fitting) == 1 else None


def _whole_number(token: Token) -> int | None:
    return int(token.value) if token.value.isdecimal() and len(token.value) <= 2 else None


def _iso(text: object) -> Span:
    match = re.fullmatch(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", text if isinstance(text, str) else "")
    span = _whole(*(int(part) for part in match.groups() if part)) if match else None
    if span is None:
        raise ValueError("not a date")
    return span


# The last resort, for languages and wordings that the lists do not have.


def _foreign(typed: str, ear: Ear, today: date) -> _Found | None:
    """dateparser, held to the part that was said: a month stays a month, and no bare number is a date."""
    year_or_month = bool(re.search(r"\b(?:19|20)\d\d\b", typed)) or any(
        plain(name).strip(".") in typed for name, _ in ear.words.months()
    )
    if not (year_or_month or any(char.isdecimal() for char in typed)):
        return None
    data = _parsed(typed, ear.words.locale.split("_")[0], today, absolute=year_or_month)
    if data is None:
        return None
    day, period = data
    if day > today:
        return _Found(day, day)
    if not year_or_month:
        slack = _SLACK.get(period, relativedelta())
        return _Found(day - slack, min(day + slack, today))
    parts = {"year": 1, "month": 2, "day": 3}.get(period, 0)
    return _sure(_whole(*(day.year, day.month, day.day)[:parts])) if parts else None


def _parsed(typed: str, language: str, today: date, absolute: bool) -> tuple[date, str] | None:
    from dateparser.date import DateDataParser  # noqa: PLC0415 - slow to import, and seldom needed

    settings = {
        "RELATIVE_BASE": datetime.combine(today, time()),  # noqa: DTZ001
        "PREFER_DATES_FROM": "past",
        "REQUIRE_PARTS": ["month"],  # else "sun 3" and "3 pm" are dates
        "PARSERS": ["absolute-time" if absolute else "relative-time"],
    }
    try:
        for known in dict.fromkeys((language, "en")):
            parser = DateDataParser(languages=[known], settings=settings)
            data = parser.get_date_data(typed)
            if data.date_obj is not None and data.date_obj.time() == time():  # "5 minutes ago" is no day
                return data.date_obj.date(), str(data.period)
    except Exception:  # whatever it trips over, such as a language it does not know, it has not read
        return None
    return None
