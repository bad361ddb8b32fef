"""What comes out of an engine, as `results.Value`, and the caps on how much of it."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable
from decimal import Decimal

from mnemosyne.guard.query import Dialect, SafeQuery
from mnemosyne.results import Row, Value


def value(cell: object) -> Value:
    """One cell: dates and times as ISO text, decimals as float, intervals, lists and the rest as text."""
    if cell is None or isinstance(cell, str | int | float | bytes):
        return cell
    return _rare(cell)


def _rare(cell: object) -> Value:
    match cell:
        case Decimal():
            return float(cell)
        case datetime.datetime():
            return cell.isoformat(sep=" ")
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case datetime.timedelta():
            return interval_text(0, cell.days, cell.seconds * 1_000_000 + cell.microseconds)
        case bytearray() | memoryview():
            return bytes(cell)
        case uuid.UUID():
            return str(cell)
        case list() | tuple() | dict() | set():
            return json.dumps(_plain(cell), ensure_ascii=False)
        case _:
            return str(cell)


def _plain(cell: object) -> object:
    """Nested values as JSON knows them."""
    match cell:
        case dict():
            return {str(key): _plain(each) for key, each in cell.items()}
        case list() | tuple():
            return [_plain(each) for each in cell]
        case set():
            return sorted((_plain(each) for each in cell), key=str)
        case bytes() | bytearray() | memoryview():
            return bytes(cell).hex()
        case _:
            return value(cell)


def interval_text(months: int, days: int, microseconds: int) -> str:
    """An interval in words that do not depend on the engine: `1 mon 3 days 04:05:06`, `00:00:00` for none."""
    words = [
        f"{count} {unit}{'' if abs(count) == 1 else 's'}" for count, unit in ((months, "mon"), (days, "day")) if count
    ]
    if microseconds or not words:
        sign = "-" if microseconds < 0 else ""
        seconds, fraction = divmod(abs(microseconds), 1_000_000)
        clock = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        words.append(clock + (f".{fraction:06d}" if fraction else ""))
    return " ".join(words)


def size(cell: Value) -> int:
    """About how many bytes a cell takes."""
    return len(cell) if isinstance(cell, str | bytes) else 8


def capped(rows: Iterable[Iterable[object]], max_rows: int, max_bytes: int) -> tuple[tuple[Row, ...], bool]:
    """The first rows up to both caps, and whether there were more."""
    kept: list[Row] = []
    total = 0
    for row in rows:
        if len(kept) >= max_rows:
            return tuple(kept), True
        cells = tuple([value(cell) for cell in row])
        total += sum(map(size, cells))
        if total > max_bytes:
            return tuple(kept), True
        kept.append(cells)
    return tuple(kept), False


def require(query: object, dialect: Dialect) -> SafeQuery:
    """`query` if it is a SafeQuery of this dialect. Raises TypeError, ValueError: a mistake in the program."""
    if not isinstance(query, SafeQuery):
        raise TypeError(f"A database runs only what guard.check returns as SafeQuery, not {type(query).__name__}.")
    if query.dialect != dialect:
        raise ValueError(f"This query was printed for {query.dialect}, and the database speaks {dialect}.")
    return query
