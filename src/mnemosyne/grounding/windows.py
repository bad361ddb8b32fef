"""Windows of time that a question names in words, as conditions in SQL: `last year`, `the past 30 days`, `Q2 2025`.

A small model knows many ways to write *last year*, and half of them are wrong by a year or by a day. What the words
mean is settled (`conventions.md` of the laboratory: *last* is the whole calendar period before this one, *the last N
days* reach to today), so it is told, beside the stored values, and the model only chooses the column.
Words with more than one reading (*the last year*, *since spring*) are left to the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from mnemosyne.schema import Schema, canonical_type

MOST = 3
"""Windows of which a model is told; a question with more of them is a report with its own rules."""


def is_dated(schema: Schema) -> bool:
    """Whether any column holds dates or times."""
    return any(canonical_type(c.type) in ("DATE", "TIMESTAMP") for table in schema.tables for c in table.columns)


@dataclass(frozen=True, slots=True)
class Window:
    """One window of time that a question names."""

    words: str
    """As the question writes it, in small letters: `last year`."""
    condition: str
    """What it means, of a column `date`: `date >= DATE_TRUNC('year', CURRENT_DATE)`."""

    @property
    def hint(self) -> str:
        """The line that the model is told."""
        return f"{self.words}: {self.condition}"


def has_moments(schema: Schema) -> bool:
    """Whether any column holds times of day, so that a day is a range and not one value."""
    return any(canonical_type(c.type) == "TIMESTAMP" for table in schema.tables for c in table.columns)


def windows(question: str, *, moments: bool = False) -> tuple[Window, ...]:
    """The windows of a question in its order, each once; words that may be read in several ways give none.

    With `moments` a single day is said as a range, which also holds for columns with times of day.
    """
    text = " ".join(question.split())
    taken: list[tuple[int, int, str]] = []
    for pattern, say in RULES:
        for match in pattern.finditer(text):
            if not any(match.start() < end and start < match.end() for start, end, _ in taken):
                condition = say(match)
                taken.append(
                    (match.start(), match.end(), _AS_RANGE.get(condition, condition) if moments else condition)
                )
    found = (Window(text[start:end].strip().lower(), condition) for start, end, condition in sorted(taken) if condition)
    return tuple(dict.fromkeys(found))[:MOST]


_AS_RANGE = {
    "date = CURRENT_DATE": "date >= CURRENT_DATE AND date < CURRENT_DATE + INTERVAL '1 day'",
    "date = CURRENT_DATE - INTERVAL '1 day'": "date >= CURRENT_DATE - INTERVAL '1 day' AND date < CURRENT_DATE",
}

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
_NUMBERS = {word: number for number, word in enumerate(_ONES, 1)} | {
    "a": 1, "an": 1, "twenty": 20, "thirty": 30, "sixty": 60, "ninety": 90
}  # fmt: skip
_NUMBER = rf"(?P<n>[1-9]\d{{0,2}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = r"(?P<unit>day|week|wk|fortnight|month|mth|quarter|year|yr)"
_PERIOD = r"(?P<unit>week|month|mth|quarter|year|yr)"
_SHORT = {"wk": "week", "mth": "month", "yr": "year"}
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)}|(?:{'|'.join(m[:3] for m in _MONTHS if m != 'may')}|sept)\.?)"
_NTH = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}


def _unit(match: re.Match[str]) -> str:
    unit = match["unit"].lower()
    return _SHORT.get(unit, unit)


def _ago(match: re.Match[str]) -> str:
    """`CURRENT_DATE - INTERVAL '14 days'` of a number and a unit."""
    number = match["n"].lower()
    amount = int(number) if number.isdigit() else _NUMBERS[number]
    unit = _unit(match)
    amount, unit = {
        "fortnight": (14 * amount, "day"), "week": (7 * amount, "day"), "quarter": (3 * amount, "month")
    }.get(unit, (amount, unit))  # fmt: skip
    return f"CURRENT_DATE - INTERVAL '{amount} {unit}{'' if amount == 1 else 's'}'"


def _start(unit: str, back: int = 0) -> str:
    """The first day of the current period, or of one before it."""
    start = f"DATE_TRUNC('{unit}', CURRENT_DATE)"
    if not back:
        return start
    amount, name = {"quarter": (3 * back, "month"), "week": (7 * back, "day")}.get(unit, (back, unit))
    return f"{start} - INTERVAL '{amount} {name}{'' if amount == 1 else 's'}'"


def _calendar(match: re.Match[str]) -> str:
    """This or the last week, month, quarter or year, whole; from its start after `since`, up to it after `before`."""
    unit, back = _unit(match), int(match["which"].lower() in ("last", "previous"))
    if not match["side"] and _OPENING.search(match[0]) and not _BETWEEN.search(match.string[: match.start()]):
        return ""  # some days at its beginning
    match (match["side"] or "").lower().split():
        case ["from", *_] if back and not match.groupdict().get("on"):
            pass  # results from last year: of that year
        case ["since", *_] | ["from", *_]:
            return f"date >= {_start(unit, back)}"
        case ["before", *_] | ["prior", *_]:
            return f"date < {_start(unit, back)}"
        case ["after", *_] | ["until", *_] | ["till", *_] | ["to", *_]:
            return ""
    if not back:
        return f"date >= {_start(unit)}"
    return f"date >= {_start(unit, 1)} AND date < {_start(unit)}"


_OPENING = re.compile(r"\b(?:start|beginning|first day) of", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween (?:the )?$", re.IGNORECASE)


def _longer(match: re.Match[str]) -> str:
    """Longer ago than a number of days; `more than three days` alone is a span and not a window."""
    return f"date < {_ago(match)}" if match["ago"] or match["older"].lower().startswith("older") else ""


def _whole(first: date, months: int) -> str:
    number = first.year * 12 + first.month - 1 + months
    return f"date >= '{first}' AND date < '{date(number // 12, number % 12 + 1, 1)}'"


def _month(match: re.Match[str]) -> str:
    name = match["month"].lower()[:3]
    first = date(int(match["year"]), next(i for i, m in enumerate(_MONTHS, 1) if m.startswith(name)), 1)
    side = (match["side"] or "").lower()
    if side == "since" or match["on"]:
        return f"date >= '{first}'"
    return f"date < '{first}'" if side == "before" else _whole(first, 1)


def _part(months: int) -> Callable[[re.Match[str]], str]:
    """A quarter (3 months) or a half (6) of a year that is written out."""

    def say(match: re.Match[str]) -> str:
        found = match.groupdict()
        nth = found.get("nth") or found.get("q") or ""
        number = int(nth) if nth.isdigit() else _NTH[nth.lower()]
        return _whole(date(int(match["year"]), months * (number - 1) + 1, 1), months)

    return say


def _nothing(match: re.Match[str]) -> str:
    return ""


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){pattern}(?![\w-])", re.IGNORECASE)


_YEAR = r"(?P<year>(?:19|20)\d\d)"
_SIDE = r"(?:(?P<side>since|from|before|prior to|after|until|till|to) )?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?(?: of)? "
_ANY_MONTH = rf"(?:{'|'.join(month[:3] for month in _MONTHS)})[a-z]*"
_JOINS = r"(?:and|or|to|until|till|through|up to|vs|versus|against|&|,|/|-|–)"
_PART = r"(?:(?:first|last|1st|2nd|second|half|part|end|start|beginning|middle|days|weeks?) )+(?:of )"
_STRETCH = (
    r"(?:q[1-4]|h[12]|(?!first day )(?:first|1st|second|2nd|third|3rd|fourth|4th|last|final|other) (?:\w+ )?"
    r"(?:half|quarter|months?|weeks?|days?|part)|end|middle|mid|same (?:time|week|month|quarter)|"
    r"this (?:time|day|week|month|quarter))"
)
"""What is less than the period that follows it."""

_SEASON = r"(?:(?:in|during|since|for|of) (?:the )?(?:spring|summer|autumn|winter|fall)|summer|autumn)"
"""A spring may be one of water, and a winter part of a name."""

_NOT_OF = (
    rf"(?! of (?:the )?(?:(?:19|20)\d\d|(?:this|last|previous) (?:week|month|quarter|year)|"
    rf"(?:{'|'.join(_MONTHS)}|{'|'.join(m[:3] for m in _MONTHS)})\b))"
)

RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # Parts of a year that is written out.
    (_rule(rf"q(?P<q>[1-4])(?: of)? {_YEAR}"), _part(3)),
    (_rule(rf"(?P<nth>first|1st|second|2nd|third|3rd|fourth|4th) quarter(?: of)? {_YEAR}"), _part(3)),
    (_rule(rf"h(?P<q>[12])(?: of)? {_YEAR}"), _part(6)),
    (_rule(rf"(?P<nth>first|1st|second|2nd) half(?: of)? {_YEAR}"), _part(6)),
    # Since the first of January of this year or the last.
    (
        _rule(
            rf"(?P<side>since|from)(?: the)?(?: 1(?:st)?| first)?(?: of)? jan(?:uary)?(?: of)? (?P<which>this|last) {_PERIOD}"
        ),
        _calendar,
    ),
    # Days, spans of months and parts of a month are more, or less, than a month: taken, and told nothing of.
    (
        _rule(
            rf"(?:{_DAY}|{_PART}|{_ANY_MONTH}(?: \d\d\d\d)? ?{_JOINS} ?){_MONTH}(?: (?:{_YEAR}|this year|last year))?"
        ),
        _nothing,
    ),
    (_rule(rf"{_MONTH} (?:this|last) year"), _nothing),
    (_rule(rf"{_MONTH}(?: \d\d\d\d)? ?{_JOINS}(?: and including)? ?(?:{_DAY})?{_ANY_MONTH}(?: {_YEAR})?"), _nothing),
    (_rule(rf"(?:between|from|until|till|to|after|with|starting|than|by|through) {_MONTH} {_YEAR}"), _nothing),
    (_rule(rf"(?:(?P<side>since|before) )?{_MONTH} {_YEAR}(?P<on> on\b| onwards?)?"), _month),
    # A part of a period that is told by its distance from today, the same part of another, and periods further back.
    (
        _rule(rf"{_STRETCH}(?:,? (?:of|in|for|from))?(?: the)? (?:this|last|previous|current) {_PERIOD}(?:'s)?"),
        _nothing,
    ),
    (_rule(rf"(?:half|rest|remainder)(?: of)?(?: the)? (?:this|last|previous|current) {_PERIOD}(?!'s)"), _nothing),
    (_rule(rf"{_SEASON}(?:,? (?:of|in))? (?:this|last|previous) {_PERIOD}"), _nothing),
    (_rule(rf"(?:this|last|previous) {_PERIOD}'s {_STRETCH}"), _nothing),
    (_rule(rf"the {_PERIOD} before last(?: (?P=unit))?(?! (?:week|month|quarter|year))"), _nothing),
    (_rule(rf"(?:this|last) {_PERIOD},? (?:and|or|&) the (?:(?P=unit)|one) before(?: (?:it|that|last))?"), _nothing),
    # From so long ago until today, and longer ago.
    (_rule(rf"(?:last|past|previous) {_NUMBER} {_UNIT}s?{_NOT_OF}"), lambda match: f"date >= {_ago(match)}"),
    (_rule(r"(?:last|past) fortnight"), lambda match: "date >= CURRENT_DATE - INTERVAL '14 days'"),
    (_rule(rf"(?P<older>older than|more than|over|longer than) {_NUMBER} {_UNIT}s?(?P<ago> ago| back| old)?"), _longer),
    (_rule(rf"at least {_NUMBER} {_UNIT}s? (?:ago|back|old)"), lambda match: f"date <= {_ago(match)}"),
    # Two years, or two months, that are asked for together.
    (
        _rule(rf"this {_PERIOD} ?(?:or|and|&|/) ?last(?: (?P=unit))?"),
        lambda match: f"date >= {_start(_unit(match), 1)}",
    ),
    (
        _rule(rf"last {_PERIOD} ?(?:or|and|&|/) ?this(?: (?P=unit))?"),
        lambda match: f"date >= {_start(_unit(match), 1)}",
    ),
    # This and the last calendar period.
    (
        _rule(
            rf"{_SIDE}(?:the )?(?:(?:start|beginning|first day) of )?(?:the )?"
            rf"(?P<which>this|current)(?: calendar)? {_PERIOD}(?:'s)?"
        ),
        _calendar,
    ),
    (
        _rule(
            rf"{_SIDE}(?:(?:the )?(?:start|beginning|first day) of )?"
            rf"(?<!the )(?<!'s )(?P<which>last) {_PERIOD}(?:'s)?(?P<on> on| onwards?| until| to)?"
        ),
        _calendar,
    ),
    (_rule(rf"(?P<side>)(?P<which>last|previous) (?:(?:calendar|full|whole|complete) ){{1,2}}{_PERIOD}"), _calendar),
    (
        _rule(rf"(?:since|from) the (?:start|beginning) of the {_PERIOD}"),
        lambda match: f"date >= {_start(_unit(match))}",
    ),
    (_rule(rf"{_PERIOD} to date"), lambda match: f"date >= {_start(_unit(match))}"),
    # Days.
    (
        _rule(r"yesterday(?! and (?:the|today)| or|'s|,? the day)"),
        lambda match: "date = CURRENT_DATE - INTERVAL '1 day'",
    ),
    (
        _rule(
            r"(?:received|tested|collected|taken|reported|approved|registered|sampled|(?:booked|logged|came) in) today"
        ),
        lambda match: "date = CURRENT_DATE",
    ),
)
"""Patterns, the most telling first, and what each says; an empty text takes the words and tells nothing."""
