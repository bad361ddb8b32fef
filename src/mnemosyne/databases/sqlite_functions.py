"""The functions of PostgreSQL that SQLite lacks, registered under `mn_…` names on a connection.

The guard writes calls of them when it translates (see `guard.dialect`); nobody else does. Here are text
and numbers; dates are in `sqlite_moments`, aggregates in `sqlite_aggregates`. A function that is given NULL
returns NULL. What one call may make is bounded, because nothing interrupts a call; each call looks at the
deadline of the query (`sqlite_clock`) before it starts.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, TypeAlias

import regex

from mnemosyne.databases import sqlite_clock
from mnemosyne.guard import templates

Cell: TypeAlias = "str | int | float | None"

MAX_CHARACTERS = 1_000_000
"""Longest text that one call may make."""
MAX_SEARCHED = 20_000
"""Longest text that a regular expression looks at."""
MAX_SECONDS = 1.0
"""Longest that a regular expression looks at one text, of processor time: a bad pattern could take forever."""


def register(connection: sqlite3.Connection) -> None:
    """Make every function known to a connection."""
    from mnemosyne.databases import sqlite_aggregates, sqlite_arrays, sqlite_moments

    for name, function in {**SCALARS, **sqlite_arrays.SCALARS, **sqlite_moments.SCALARS}.items():
        connection.create_function(f"mn_{name}", -1, _strict(function), deterministic=True)
    for name, function in {**TOLERANT, **sqlite_arrays.TOLERANT}.items():
        connection.create_function(f"mn_{name}", -1, _timely(function), deterministic=True)
    for name, function in {"lower": _lower, "upper": _upper}.items():
        connection.create_function(name, 1, function, deterministic=True)
    for name, aggregate in sqlite_aggregates.AGGREGATES.items():
        connection.create_window_function(f"mn_{name}", -1, aggregate)


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """NULL in, NULL out."""

    def strict(*arguments: Any) -> Any:
        sqlite_clock.look()
        return None if None in arguments else function(*arguments)

    return strict


def _timely(function: Callable[..., Any]) -> Callable[..., Any]:
    """Not after the deadline."""

    def timely(*arguments: Any) -> Any:
        sqlite_clock.look()
        return function(*arguments)

    return timely


def _text(value: object) -> str:
    return value if isinstance(value, str) else number_text(value) if isinstance(value, float) else str(value)


# Numbers ----------------------------------------------------------------------------------------------------------


def number_text(value: object) -> str:
    """A number as PostgreSQL writes it: 5.0 is `5`."""
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, repr(value))
    return str(value)


def _decimal(value: float) -> Decimal:
    return Decimal(value) if isinstance(value, int) else Decimal(f"{value:.15g}")


def _fixed(value: float, digits: int) -> str:
    return f"{_decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def _trunc(value: float, digits: int) -> float:
    return float(_decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN))


def _round_even(value: float) -> float:
    return float(round(value)) if math.isfinite(value) else value


def _mod(value: float, by: float) -> float | None:
    if by == 0:
        return None
    exact = _decimal(value) % _decimal(by)
    return int(exact) if isinstance(value, int) and isinstance(by, int) else float(exact)


def _cbrt(value: float) -> float:
    root = round(abs(value) ** (1 / 3), 12)
    return math.copysign(root, value)


def _width_bucket(value: float, low: float, high: float, count: int) -> int | None:
    if count < 1 or low == high:
        return None
    if low > high:
        value, low, high = -value, -low, -high
    if value < low:
        return 0
    return count + 1 if value >= high else int((value - low) * count / (high - low)) + 1


def _bool(value: object) -> int | None:
    word = str(value).strip().lower()
    return 1 if word in ("t", "true", "y", "yes", "on", "1") else 0 if word in _FALSE else None


_FALSE = ("f", "false", "n", "no", "off", "0")


# Patterns ---------------------------------------------------------------------------------------------------------

_POSIX = {
    "[:alpha:]": r"\p{L}",
    "[:digit:]": "0-9",
    "[:alnum:]": r"\p{L}\p{N}",
    "[:upper:]": r"\p{Lu}",
    "[:lower:]": r"\p{Ll}",
    "[:space:]": r"\s",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:xdigit:]": "0-9A-Fa-f",
}


_BORDERS = {"m": r"\b(?=\w)", "M": r"\b(?<=\w)", "y": r"\b", "Y": r"\B"}


@lru_cache(maxsize=256)
def _compiled(pattern: str, flags: str) -> regex.Pattern[str]:
    for name, letters in _POSIX.items():
        pattern = pattern.replace(name, letters)
    pattern = regex.sub(r"\\([mMyY])", lambda found: _BORDERS[found[1]], pattern)
    options = regex.DOTALL
    options |= regex.IGNORECASE if "i" in flags else 0
    return regex.compile(pattern, options)


def _seconds() -> float:
    """How long one search may take."""
    return sqlite_clock.seconds(MAX_SECONDS)


def _searched(text: object) -> str:
    written = _text(text)
    if len(written) > MAX_SEARCHED:
        raise ValueError(f"a text of {len(written):,} characters is too long for a pattern")
    return written


def _regexp(text: object, pattern: str, flags: str = "") -> int:
    return int(_compiled(pattern, flags).search(_searched(text), timeout=_seconds()) is not None)


def _regexp_count(text: object, pattern: str) -> int:
    return sum(1 for _ in _compiled(pattern, "").finditer(_searched(text), timeout=_seconds()))


def _regexp_match(text: object, pattern: str, flags: str = "") -> str | None:
    """The groups of the first match, as a list; the whole match when there are none."""
    found = _compiled(pattern, flags).search(_searched(text), timeout=_seconds())
    return None if found is None else json.dumps(found.groups() or (found[0],), ensure_ascii=False)


def _regexp_substr(text: object, pattern: str) -> str | None:
    found = _compiled(pattern, "").search(_searched(text), timeout=_seconds())
    if found is None:
        return None
    piece: str | None = found[1] if found.re.groups else found[0]
    return piece


_REFERENCES = {"&": r"\g<0>", "\\": r"\\"}


def _regexp_replace(text: object, pattern: str, replacement: str, flags: str = "") -> str:
    template = regex.sub(r"\\(&|\d|\\)", lambda found: _REFERENCES.get(found[1], rf"\g<{found[1]}>"), replacement)
    return _bounded(
        _compiled(pattern, flags).sub(template, _searched(text), count=0 if "g" in flags else 1, timeout=_seconds())
    )


@lru_cache(maxsize=256)
def _like_pattern(pattern: str, escape: str, folded: bool) -> regex.Pattern[str]:
    pieces: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == escape:
            pieces.append(regex.escape(next(letters, "")))
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter, regex.escape(letter)))
    return regex.compile("".join(pieces), regex.DOTALL | (regex.IGNORECASE if folded else 0))


def _like(text: object, pattern: str, escape: str = "\\") -> int:
    return int(_like_pattern(pattern, escape, False).fullmatch(_searched(text), timeout=_seconds()) is not None)


def _ilike(text: object, pattern: str, escape: str = "\\") -> int:
    return int(_like_pattern(pattern, escape, True).fullmatch(_searched(text), timeout=_seconds()) is not None)


@lru_cache(maxsize=256)
def _similar_pattern(pattern: str) -> regex.Pattern[str]:
    return regex.compile(templates.similar_to_regular(pattern), regex.DOTALL)


def _similar(text: object, pattern: str) -> int:
    return int(_similar_pattern(pattern).fullmatch(_searched(text), timeout=_seconds()) is not None)


# Text -------------------------------------------------------------------------------------------------------------


def _lower(text: object) -> Cell | bytes:
    """LOWER knows all letters; SQLite's own only those of ASCII."""
    if isinstance(text, str) and text.isascii():
        return text.lower()
    return "".join(map(_low, _text(text))) if isinstance(text, str) else _unlettered(text)


def _upper(text: object) -> Cell | bytes:
    if isinstance(text, str) and text.isascii():
        return text.upper()
    return "".join(map(_high, _text(text))) if isinstance(text, str) else _unlettered(text)


def _unlettered(value: object) -> Cell | bytes:
    return value if value is None or isinstance(value, bytes) else _text(value)


def _low(letter: str) -> str:
    """One letter stays one letter, as in PostgreSQL."""
    changed = letter.lower()
    return changed if len(changed) == 1 else letter


def _high(letter: str) -> str:
    changed = letter.upper()
    return changed if len(changed) == 1 else letter


def _bounded(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise ValueError("the text grows beyond what one call may make")
    return text


def _left(text: object, count: int) -> str:
    return _text(text)[:count] if count >= 0 else _text(text)[: max(0, len(_text(text)) + count)]


def _right(text: object, count: int) -> str:
    written = _text(text)
    return (written[-count:] if count > 0 else "") if count >= 0 else written[-count:]


def _substr(text: object, start: int, length: int | None = None) -> str:
    written = _text(text)
    end = len(written) + 1 if length is None else start + length
    if length is not None and length < 0:
        raise ValueError("negative substring length not allowed")
    return written[max(start, 1) - 1 : max(end, 1) - 1]


def _split_part(text: object, delimiter: str, number: int) -> str:
    if number == 0:
        raise ValueError("field position must not be zero")
    parts = _text(text).split(delimiter) if delimiter else [_text(text)]
    index = number - 1 if number > 0 else len(parts) + number
    return parts[index] if 0 <= index < len(parts) else ""


def _initcap(text: object) -> str:
    return str(regex.sub(r"[^\W_]+", lambda word: word[0][0].upper() + word[0][1:].lower(), _text(text)))


def _pad(text: object, width: int, fill: str) -> tuple[str, str]:
    written = _text(text)[: max(width, 0)]
    missing = max(width, 0) - len(written)
    if missing > MAX_CHARACTERS:
        raise ValueError("the text grows beyond what one call may make")
    return written, (fill * (missing // max(len(fill), 1) + 1))[:missing]


def _lpad(text: object, width: int, fill: str = " ") -> str:
    written, padding = _pad(text, width, fill)
    return padding + written


def _rpad(text: object, width: int, fill: str = " ") -> str:
    written, padding = _pad(text, width, fill)
    return written + padding


def _repeat(text: object, times: int) -> str:
    if len(_text(text)) * max(times, 0) > MAX_CHARACTERS:
        raise ValueError("the text grows beyond what one call may make")
    return _text(text) * max(times, 0)


def _chr(code: int) -> str:
    if code == 0:
        raise ValueError("null character not permitted")
    return chr(code)


def _overlay(text: object, new: str, start: int, length: int | None = None) -> str:
    written = _text(text)
    end = start + (len(new) if length is None else length)
    return written[: max(start - 1, 0)] + new + written[max(end - 1, 0) :]


def _translate(text: object, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for index, letter in enumerate(old):
        table.setdefault(ord(letter), new[index] if index < len(new) else None)
    return _text(text).translate(table)


SCALARS: dict[str, Callable[..., object]] = {
    "number_text": number_text,
    "fixed": _fixed,
    "trunc": _trunc,
    "round_even": _round_even,
    "mod": _mod,
    "cbrt": _cbrt,
    "width_bucket": _width_bucket,
    "bool": _bool,
    "regexp": _regexp,
    "regexp_count": _regexp_count,
    "regexp_substr": _regexp_substr,
    "regexp_match": _regexp_match,
    "regexp_replace": _regexp_replace,
    "like": _like,
    "ilike": _ilike,
    "similar": _similar,
    "left": _left,
    "right": _right,
    "substr": _substr,
    "split_part": _split_part,
    "initcap": _initcap,
    "reverse": lambda text: _text(text)[::-1],
    "lpad": _lpad,
    "rpad": _rpad,
    "repeat": _repeat,
    "translate": _translate,
    "ascii": lambda text: ord(_text(text)[0]) if _text(text) else 0,
    "chr": _chr,
    "md5": lambda text: hashlib.md5(_text(text).encode(), usedforsecurity=False).hexdigest(),
    "overlay": _overlay,
    "starts_with": lambda text, prefix: int(_text(text).startswith(_text(prefix))),
}
"""NULL in, NULL out."""


def _concat_ws(separator: str | None, *pieces: object) -> str | None:
    return None if separator is None else separator.join(_text(piece) for piece in pieces if piece is not None)


def _extreme(choose: Callable[[list[Any]], Cell]) -> Callable[..., Cell]:
    def extreme(*values: Cell) -> Cell:
        present = [value for value in values if value is not None]
        return choose(present) if present else None

    return extreme


TOLERANT: dict[str, Callable[..., Cell]] = {
    "concat_ws": _concat_ws,
    "greatest": _extreme(max),
    "least": _extreme(min),
    "row": lambda *cells: json.dumps(cells),
}
"""Functions that have their own way with NULL."""
