"""Templates of TO_CHAR, such as `YYYY-MM`, `FMMonth` or `FM999,990.00`, cut into fields; patterns. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIELDS = (
    "YYYY", "IYYY", "YYY", "YY", "Y", "MONTH", "Month", "month", "MON", "Mon", "mon", "MM", "DDD", "DD", "DAY", "Day",
    "day", "DY", "Dy", "dy", "ID", "D", "HH24", "HH12", "HH", "MI", "SS", "MS", "US", "AM", "PM", "am", "pm", "IW",
    "WW", "W", "Q", "CC",
)  # fmt: skip
"""Fields, longer ones before their beginnings."""

_STRFTIME = {
    "%p": "AM",
    "%u": "D",
    "%d": "DD",
    "%j": "DDD",
    "%-d": "FMDD",
    "%-j": "FMDDD",
    "%-I": "FMHH12",
    "%-H": "FMHH24",
    "%-M": "FMMI",
    "%-m": "FMMM",
    "%-S": "FMSS",
    "%I": "HH12",
    "%H": "HH24",
    "%M": "MI",
    "%m": "MM",
    "%S": "SS",
    "%A": "FMDay",
    "%a": "FMDy",
    "%b": "FMMon",
    "%B": "FMMonth",
    "%f": "US",
    "%U": "WW",
    "%y": "YY",
    "%G": "IYYY",
    "%V": "IW",
    "%Y": "YYYY",
}
"""The parser turns the template into strftime's codes; this is the way back."""


@dataclass(frozen=True, slots=True)
class Field:
    """One piece of a template."""

    name: str
    """Such as `YYYY`; empty for plain text."""
    text: str = ""
    """The plain text."""
    fill: bool = True
    """False after FM: no blanks and no leading zeros."""
    ordinal: str = ""
    """`TH` or `th` after the field."""


def original(template: str) -> str:
    """The PostgreSQL template of one that the parser changed."""
    return re.sub(r"%-?[A-Za-z]", lambda code: _STRFTIME.get(code[0], code[0]), template)


def fields(template: str) -> list[Field]:
    """The pieces of a date template. Unknown letters are plain text, as in PostgreSQL."""
    found: list[Field] = []
    at, fill = 0, True
    while at < len(template):
        if template[at] == '"':
            end = template.find('"', at + 1)
            end = len(template) if end < 0 else end
            found.append(Field("", template[at + 1 : end]))
            at = end + 1
            continue
        if template[at : at + 2] in ("FM", "TM"):
            fill = fill and template[at : at + 2] != "FM"
            at += 2
            continue
        name = next((field for field in _FIELDS if template.startswith(field, at)), "")
        if not name:
            found.append(Field("", template[at]))
            at += 1
            continue
        at += len(name)
        ordinal = template[at : at + 2] if template[at : at + 2] in ("TH", "th") else ""
        at += len(ordinal)
        found.append(Field(name, "", fill, ordinal))
        fill = True
    return found


@dataclass(frozen=True, slots=True)
class NumberTemplate:
    """A template of a number."""

    whole: int
    """Digits before the point."""
    zeros: int
    """Digits before the point that are always shown."""
    decimals: int
    """Digits after the point."""
    decimal_zeros: int
    """Of them, those that are always shown."""
    grouped: bool
    """Thousands separated by commas."""
    fill: bool
    """False after FM."""
    point: bool
    """A point is shown."""
    width: int
    """Characters, without the sign."""
    suffix: str
    """Plain text after it, such as `%`."""


def number(template: str) -> NumberTemplate | None:
    """The number template, None when it has fields beyond `FM 9 0 , . D G %`."""
    match = re.fullmatch(r'(FM)?([90,G]*)(?:([.D])([90]*))?("[^"]*"|%)?', template)
    if match is None:
        return None
    whole = match[2].replace(",", "").replace("G", "")
    after = match[4] or ""
    first = whole.find("0")
    return NumberTemplate(
        whole=len(whole),
        zeros=0 if first < 0 else len(whole) - first,
        decimals=len(after),
        decimal_zeros=after.rfind("0") + 1,
        grouped=len(whole) != len(match[2]),
        fill=not match[1],
        point=bool(match[3]),
        width=len(match[2]) + len(after) + bool(match[3]),
        suffix=(match[5] or "").strip('"'),
    )


def similar_to_regular(pattern: str) -> str:
    """The regular expression of a SIMILAR TO pattern, for the whole text."""
    pieces: list[str] = []
    inside = False
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            pieces.append(re.escape(next(letters, "\\")))
        elif inside:
            inside = letter != "]"
            pieces.append(letter)
        elif letter == "[":
            inside = True
            pieces.append(letter)
        else:
            pieces.append({"%": ".*", "_": ".", ".": r"\.", "^": r"\^", "$": r"\$"}.get(letter, letter))
    return "".join(pieces)
