"""What comes out of an engine, as `results.Value`, and the caps on how much of it."""

from __future__ import annotations

import datetime
import json
import re
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
            return timestamp_text(cell)
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case datetime.timedelta():
            return interval_text(str(cell))
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


def timestamp_text(moment: datetime.datetime) -> str:
    """`2026-06-15 08:30:00`, with a fraction only if there is one: the text that PostgreSQL and DuckDB print."""
    text = moment.isoformat(sep=" ")
    return text.rstrip("0") if "." in text and moment.tzinfo is None else text


_INTERVAL_PART = re.compile(r"([+-]?\d+) (year|mon|day)|([+-]?)(\d+:\d\d:\d\d)(?:\.(\d+))?")


def interval_text(text: str) -> str:
    """An interval as an engine prints it, in words that do not depend on the engine.

    `1 year 2 mons 3 days -04:05:06` (PostgreSQL) and `1 year 2 months 3 days -04:05:06` (DuckDB) become
    `1 year 2 months 3 days -04:05:06`; nothing at all is `00:00:00`.
    """
    words = []
    for count, unit, sign, clock, fraction in _INTERVAL_PART.findall(text):
        if unit:
            name = "month" if unit == "mon" else unit
            words.append(f"{int(count)} {name}" + ("" if abs(int(count)) == 1 else "s"))
            continue
        fraction = fraction.rstrip("0")
        clock = clock.zfill(8) + (f".{fraction}" if fraction else "")
        if clock != "00:00:00":
            words.append(("-" if sign == "-" else "") + clock)
    return " ".join(words) or "00:00:00"


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
