"""What a query returned (`Result`), how it failed (`Failure`), and the only meaning of "same answer".

This room knows no SQL and no database.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Value = None | bool | int | float | str | bytes
"""A cell. Databases turn dates to ISO text, decimals to float, other types to text."""

Row = tuple[Value, ...]

RELATIVE_TOLERANCE = 1e-6
"""Two numbers this close, relative to the larger one, are the same answer."""

ABSOLUTE_TOLERANCE = 1e-9
"""Two numbers this close are the same answer whatever their size: noise around zero."""


@dataclass(frozen=True, slots=True)
class Result:
    """The rows that a query returned."""

    columns: tuple[str, ...]
    """Names as the database gave them; `same` never looks at them."""
    rows: tuple[Row, ...]
    """The rows in the order the database gave them."""
    truncated: bool = False
    """True when the row or byte cap cut the rows."""
    seconds: float = 0.0
    """Wall time inside the database."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that the database rejected or that was stopped: an expected outcome, so a value."""

    kind: Literal["error", "timeout", "memory", "cancelled", "crash"]
    """What class of failure."""
    message: str
    """The database's own words, without its decoration."""
    seconds: float = 0.0
    """Wall time until the failure."""


def same(
    gold: Result,
    answer: Result,
    *,
    order_keys: Sequence[Row] | None = None,
    extra_columns: bool = False,
) -> bool:
    """Whether two results are the same answer.

    - Rows are a bag: their order does not count, their multiplicity does.
    - Columns may come in any order, names never matter: there must be one injective matching of gold's
      columns to the answer's under which the rows, kept whole, agree. With `extra_columns` the answer
      may have more columns than gold.
    - Numbers agree within `RELATIVE_TOLERANCE` or `ABSOLUTE_TOLERANCE`, whatever their type (1, 1.0 and
      True are one number). Two columns that hold only whole numbers are compared exactly, so that
      neighbouring large identifiers stay different. NaN agrees with NaN.
    - NULL agrees only with NULL, text only with equal text: '1' is not 1.
    - Dates are ISO text. A timestamp at midnight is the date; `T` and a blank, and `Z`, `+00` and no
      offset, mean the same.
    - `order_keys` asks for an order: it holds the sort key of each gold row, parallel to `gold.rows`.
      The answer may permute rows whose keys are equal and no others.
    - A truncated result is never the same as anything, not even itself: the rest is unknown.

    A search that exceeds its budget (see `_Budget`) ends as not the same. Raises ValueError when
    `order_keys` is not parallel to `gold.rows`.
    """
    if order_keys is not None and len(order_keys) != len(gold.rows):
        raise ValueError(f"{len(order_keys)} order keys for {len(gold.rows)} rows")
    if gold.truncated or answer.truncated or len(gold.rows) != len(answer.rows):
        return False
    width, answer_width = _width(gold), _width(answer)
    if answer_width < width or (answer_width > width and not extra_columns):
        return False
    if gold.rows == answer.rows:
        return True
    start: list[Hashable] = list(_groups(order_keys)) if order_keys is not None else [0] * len(gold.rows)
    return _match(_columns(gold, width), _columns(answer, answer_width), start)


def _width(result: Result) -> int:
    return len(result.rows[0]) if result.rows else len(result.columns)


def _groups(keys: Sequence[Row]) -> Iterator[int]:
    """The number of the run of equal keys that each row belongs to."""
    group = 0
    for index, key in enumerate(keys):
        if index and not all(_same_key(a, b) for a, b in zip(keys[index - 1], key, strict=True)):
            group += 1
        yield group


def _same_key(a: Value, b: Value) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b if _is_whole(a) and _is_whole(b) else _close(a, b)
    return a == b


# Columns ---------------------------------------------------------------------------------------------------------

Cell = Hashable
"""A canonical cell: None, a number, text, bytes, or `_NAN`."""

_NAN = ("nan",)
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|[+-]00(?::?00)?)?")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column, with what a cheap comparison needs."""

    cells: tuple[Cell, ...]
    """Canonical cells, one a row."""
    others: Counter[Cell]
    """How often each cell that is not a number occurs."""
    numbers: tuple[float, ...]
    """The numbers, ascending."""
    whole: bool
    """True when every number is whole and exact."""


def _columns(result: Result, width: int) -> list[_Column]:
    vectors = list(zip(*result.rows, strict=True)) if result.rows else [()] * width
    return [_column(vector) for vector in vectors]


def _column(values: tuple[Value, ...]) -> _Column:
    cells = tuple(_canonical(value) for value in values)
    numbers = sorted(cell for cell in cells if isinstance(cell, (int, float)))
    others = Counter(cell for cell in cells if not isinstance(cell, (int, float)))
    return _Column(cells, others, tuple(numbers), all(map(_is_whole, numbers)))


def _canonical(value: Value) -> Cell:
    if isinstance(value, str):
        if len(value) >= 16 and value[4] == "-" and (match := _TIMESTAMP.fullmatch(value)):
            return _timestamp(*match.groups())
        return value
    if isinstance(value, float) and math.isnan(value):
        return _NAN
    return value


def _timestamp(day: str, minutes: str, seconds: str | None, fraction: str | None) -> str:
    seconds, fraction = seconds or "00", (fraction or "").rstrip("0")
    if (minutes, seconds, fraction) == ("00:00", "00", ""):
        return day
    return f"{day} {minutes}:{seconds}" + (f".{fraction}" if fraction else "")


def _is_whole(number: float) -> bool:
    """Whether a number is whole and exactly known: any int, or a float so small that its noise is below one."""
    return isinstance(number, int) or (abs(number) < 2**40 and number.is_integer())


def _close(a: float, b: float) -> bool:
    return a == b or math.isclose(a, b, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def _compatible(gold: _Column, answer: _Column) -> bool:
    """Whether two columns hold the same bag of cells: necessary for a match, cheap to see.

    Closeness is monotone, so if any pairing of the numbers is close, the sorted one is.
    """
    if len(gold.numbers) != len(answer.numbers) or gold.others != answer.others:
        return False
    if gold.whole and answer.whole:
        return gold.numbers == answer.numbers
    return all(map(_close, gold.numbers, answer.numbers))


# Matching --------------------------------------------------------------------------------------------------------


class _Budget:
    """Counts cells looked at. Only adversarial results, many columns each a permutation of the same
    values, come near the cap of forty passes over every pair of columns and a million cells more."""

    def __init__(self, cells: int) -> None:
        self.left = 1_000_000 + 40 * cells

    def spend(self, cells: int) -> bool:
        """False once the budget is used up."""
        self.left -= cells
        return self.left >= 0


def _match(gold: list[_Column], answer: list[_Column], start: list[Hashable]) -> bool:
    candidates = [[j for j, theirs in enumerate(answer) if _compatible(ours, theirs)] for ours in gold]
    if not all(candidates):
        return False
    for index, columns in enumerate(candidates):
        columns.sort(key=lambda j: j != index)  # most answers keep gold's order: try that first
    order = sorted(range(len(gold)), key=lambda i: len(candidates[i]))
    budget = _Budget(len(gold) * len(answer) * len(start))
    return _search(gold, answer, candidates, order, (), start, start, budget)


def _search(
    gold: list[_Column],
    answer: list[_Column],
    candidates: list[list[int]],
    order: list[int],
    chosen: tuple[int, ...],
    gold_rows: list[Hashable],
    answer_rows: list[Hashable],
    budget: _Budget,
) -> bool:
    """Depth first: match gold column `order[len(chosen)]`, refine the classes of rows, and go on while they agree.

    `gold_rows` and `answer_rows` hold the class of each row: two rows of one class look alike in every column
    matched so far. Classes with unequal numbers of rows on the two sides end a branch early.
    """
    if len(chosen) == len(order):
        pairs = [(gold[i], answer[j]) for i, j in zip(order, chosen, strict=True)]
        return _verify(pairs, gold_rows, answer_rows, budget)
    here = order[len(chosen)]
    tried: set[tuple[Cell, ...]] = set()
    for column in candidates[here]:
        if column in chosen or answer[column].cells in tried:
            continue  # a copy of a column that failed fails too
        tried.add(answer[column].cells)
        if not budget.spend(2 * len(gold_rows)):
            return False
        refined = _refine(gold[here], answer[column], gold_rows, answer_rows)
        if refined and _search(gold, answer, candidates, order, (*chosen, column), *refined, budget):
            return True
    return False


def _refine(
    gold: _Column, answer: _Column, gold_rows: list[Hashable], answer_rows: list[Hashable]
) -> tuple[list[Hashable], list[Hashable]] | None:
    """Row classes split by one more column, or None when the two sides no longer agree."""
    names = _clusters(gold, answer)
    ids: dict[tuple[Hashable, Cell], Hashable] = {}
    sides: list[list[Hashable]] = []
    for cells, rows in ((gold.cells, gold_rows), (answer.cells, answer_rows)):
        keys = [(row, names.get(cell, cell)) for row, cell in zip(rows, cells, strict=True)]
        sides.append([ids.setdefault(key, len(ids)) for key in keys])
    return (sides[0], sides[1]) if Counter(sides[0]) == Counter(sides[1]) else None


def _clusters(gold: _Column, answer: _Column) -> dict[Cell, Cell]:
    """Numbers to the name of their cluster: a chain of close neighbours. Empty when numbers are compared exactly."""
    if gold.whole and answer.whole:
        return {}
    names: dict[Cell, Cell] = {}
    previous, name = math.nan, 0
    for number in sorted({*gold.numbers, *answer.numbers}):
        name += not _close(previous, number)
        names[number] = ("number", name)
        previous = number
    return names


def _verify(
    pairs: list[tuple[_Column, _Column]], gold_rows: list[Hashable], answer_rows: list[Hashable], budget: _Budget
) -> bool:
    """Pair the rows inside each class so that every pair is close.

    A class may hold a chain whose ends are not close; only then does this differ from what the classes say.
    """
    loose = [pair for pair in pairs if _has_long_chain(*pair)]
    if not loose:
        return True
    classes: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((gold_rows, answer_rows)):
        for index, row in enumerate(rows):
            classes[row][side].append(index)
    return all(_pair_up(ours, theirs, loose, budget) for ours, theirs in classes.values())


def _has_long_chain(gold: _Column, answer: _Column) -> bool:
    first: dict[Cell, float] = {}
    for number, name in _clusters(gold, answer).items():
        assert isinstance(number, (int, float))
        if not _close(first.setdefault(name, number), number):
            return True
    return False


def _pair_up(ours: list[int], theirs: list[int], columns: list[tuple[_Column, _Column]], budget: _Budget) -> bool:
    """A perfect matching of gold rows to answer rows (augmenting paths), or False."""

    def close(i: int, j: int) -> bool:
        return all(_close_cells(gold.cells[i], answer.cells[j]) for gold, answer in columns)

    if not budget.spend(len(ours) * len(theirs) * len(columns)):
        return False
    near = {i: [j for j in theirs if close(i, j)] for i in ours}
    owner: dict[int, int] = {}
    return all(_augment(i, near, owner) for i in ours)


def _augment(start: int, near: dict[int, list[int]], owner: dict[int, int]) -> bool:
    """Find `start` a free answer row, moving others aside where needed (breadth first, so no deep recursion)."""
    came_from: dict[int, int] = {}
    queue = [start]
    for i in queue:
        for j in near[i]:
            if j in came_from:
                continue
            came_from[j] = i
            if j in owner:
                queue.append(owner[j])
                continue
            while True:  # walk the path back, handing each row on
                i = came_from[j]
                previous = next((k for k, who in owner.items() if who == i), None)
                owner[j] = i
                if previous is None or i == start:
                    return True
                j = previous
    return False


def _close_cells(a: Cell, b: Cell) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return _close(a, b)
    return a == b
