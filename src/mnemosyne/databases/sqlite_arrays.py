"""Lists for SQLite, which are JSON text there: the functions behind `guard.sqlite_arrays`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mnemosyne.databases.sqlite_aggregates import array_text

MAX_ITEMS = 100_000
"""Longest series of one row."""


def _item(items: str, number: int) -> Any:
    """The item of this number, counted from 1; NULL where there is none."""
    found = json.loads(items)
    item = found[number - 1] if 1 <= number <= len(found) else None
    return int(item) if isinstance(item, bool) else item


def _has(items: str | None, value: Any) -> int | None:
    """`value = ANY (list)`: a NULL in the list leaves it open."""
    if items is None or value is None:
        return None if items is None or json.loads(items) else 0
    found = json.loads(items)
    return 1 if value in found else None if None in found else 0


def _cut(text: str | None, separator: str | None) -> str | None:
    """STRING_TO_ARRAY: nothing is cut out of an empty text; without a separator each character is an item."""
    if text is None:
        return None
    written = str(text)
    pieces = list(written) if separator is None else written.split(separator) if separator else [written]
    return array_text("", pieces if written else [])


def _series(start: int, end: int, step: int = 1) -> str:
    """The numbers of a series. Raises ValueError for one that is too long."""
    if step == 0:
        raise ValueError("step size cannot equal zero")
    numbers = range(start, end + (1 if step > 0 else -1), step)
    if len(numbers) > MAX_ITEMS:
        raise ValueError("the series of one row is too long")
    return json.dumps(list(numbers))


def _joined(items: str, separator: str) -> str:
    return separator.join(str(item) for item in json.loads(items) if item is not None)


SCALARS: dict[str, Callable[..., object]] = {
    "array_item": _item,
    "array_length": lambda items: len(json.loads(items)),
    "array_text": _joined,
    "series": _series,
}
"""NULL in, NULL out."""

TOLERANT: dict[str, Callable[..., Any]] = {
    "array": lambda kind, *items: array_text(kind, items),
    "array_has": _has,
    "text_array": _cut,
}
"""Functions that have their own way with NULL."""
