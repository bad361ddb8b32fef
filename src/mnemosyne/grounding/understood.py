"""One line of what a query takes the question to mean: tables, stored values, and windows of time in dates.

Read from the checked query's own tree, so it tells what will run and not what was hoped for. `CURRENT_DATE`
and intervals become days: a person sees at once that `last month` is not the last 30 days. What is ruled out is
said as ruled out, and alternatives are joined by `or`, with `…` for one that this line has no words for.
Conditions on numbers are not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mnemosyne.grounding.conditions import beside, choices, is_choice, is_condition
from mnemosyne.grounding.days import Bounds, bounds_beside, is_day, number_of, part_of

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.guard.query import SafeQuery


@dataclass(frozen=True, slots=True)
class Understood:
    """What a query takes a question to mean."""

    tables: tuple[str, ...]
    """Tables that it reads, in order of appearance."""
    values: tuple[str, ...] = ()
    """Conditions on text: `matrix = 'Drinking Water'`."""
    windows: tuple[str, ...] = ()
    """Windows of time, both ends included: `received_date 2026-05-01 to 2026-05-31`."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return " · ".join((", ".join(self.tables), *self.values, *self.windows))


def understand(query: SafeQuery, today: date | None = None) -> Understood:
    """What `query` takes its question to mean, with dates as of `today`."""
    import sqlglot

    try:
        tree = sqlglot.parse_one(query.source, read="postgres")
    except sqlglot.errors.SqlglotError:
        return Understood(query.tables)
    said = _Reader(tree, today or date.today()).read(tree)
    values = (one.text for one in said if not one.is_window)
    windows = (one.text for one in said if one.is_window)
    return Understood(query.tables, tuple(dict.fromkeys(values)), tuple(dict.fromkeys(windows)))


@dataclass(frozen=True, slots=True)
class _Said:
    """A condition in words."""

    text: str
    """The words."""
    is_window: bool = False
    """It speaks of days alone."""
    is_choice: bool = False
    """It has an `or` of its own."""


class _Reader:
    """Puts the conditions of one query into words."""

    def __init__(self, tree: exp.Expr, today: date) -> None:
        from sqlglot import exp

        self._today = today
        self._named = {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}
        self._read: dict[str, list[_Said]] = {}

    def read(self, node: exp.Expr) -> list[_Said]:
        """The conditions of a part of the query; those of a WITH where it is named, since there it may be ruled out."""
        from sqlglot import exp

        if is_condition(node):
            return self._beside(node, False)
        match node:
            case exp.With():
                return []
            case exp.Table() if node.name.lower() in self._named and not node.db:
                return self._read_named(node.name.lower())
            case exp.Except():
                return [*self.read(node.this), *_without(self.read(node.expression), node.expression)]
            case exp.Join() if _only_without(node):
                return _without(self._parts(node), node)
        return self._parts(node)

    def _parts(self, node: exp.Expr) -> list[_Said]:
        return [said for part in node.iter_expressions() for said in self.read(part)]

    def _read_named(self, name: str) -> list[_Said]:
        if name not in self._read:
            self._read[name] = []  # what a recursive one says of itself
            self._read[name] = list(dict.fromkeys(self.read(self._named[name])))
        return self._read[name]

    def _beside(self, node: exp.Expr, ruled_out: bool) -> list[_Said]:
        conditions = beside(node, ruled_out)
        single = [condition for condition in conditions if not is_choice(*condition)]
        windows = bounds_beside(single, self._today)
        days = {id(one) for _, bounds in windows for one in bounds.nodes}
        said: list[_Said] = []
        for condition in conditions:
            if is_choice(*condition):
                said += self._either(*condition)
            elif id(condition[0]) not in days:
                said += self._one(*condition)
        return [*said, *(_Said(_window(column, bounds), is_window=True) for column, bounds in windows)]

    def _either(self, node: exp.Expr, ruled_out: bool) -> list[_Said]:
        """Alternatives as one: `matrix = 'Raw Milk' or …`."""
        said = [self._beside(*choice) for choice in choices(node, ruled_out)]
        texts = dict.fromkeys(_joined(one) if one else "…" for one in said)
        if not any(said):
            return []
        return [_Said(" or ".join(texts), all(part.is_window for one in said for part in one), len(texts) > 1)]

    def _one(self, node: exp.Expr, ruled_out: bool) -> list[_Said]:
        if text := _value(node, ruled_out):
            return [_Said(text)]
        if text := _part(node, ruled_out, self._today):
            return [_Said(text, is_window=True)]
        within = self._parts(node)
        nothing = not ruled_out if _is_none(node) else ruled_out and _is_any(node)
        return _without(within, node) if nothing else within


def _without(said: Sequence[_Said], node: exp.Expr) -> list[_Said]:
    """What no row may be: the conditions, else the tables of a part of the query."""
    from sqlglot import exp

    said = tuple(dict.fromkeys(said))
    if said:
        return [_Said(f"without {_joined(said)}", all(one.is_window for one in said))]
    tables = dict.fromkeys(table.name for table in node.find_all(exp.Table))
    return [_Said(f"without {', '.join(tables)}")] if tables else []


def _joined(said: Sequence[_Said]) -> str:
    if len(said) == 1:
        return f"({said[0].text})" if said[0].is_choice else said[0].text
    return f"({' and '.join(f'({one.text})' if one.is_choice else one.text for one in said)})"


def _is_any(node: exp.Expr) -> bool:
    """Whether a condition holds when any row of its subquery, or any counted row, is there."""
    from sqlglot import exp

    match node:
        case exp.Exists() | exp.In():
            return True
        case exp.EQ():
            return isinstance(node.expression, exp.Any)
        case exp.NEQ() | exp.GT():
            return _is_number(node.expression, 0)
        case exp.GTE():
            return _is_number(node.expression, 1)
    return not isinstance(node, exp.Binary | exp.Between)


def _is_none(node: exp.Expr) -> bool:
    """Whether a condition holds when nothing is there: `COUNT(…) = 0`, `<> ALL (SELECT …)`."""
    from sqlglot import exp

    match node:
        case exp.EQ() | exp.LTE():
            return _is_number(node.expression, 0) or (isinstance(node, exp.EQ) and _is_number(node.this, 0))
        case exp.LT():
            return _is_number(node.expression, 1)
        case exp.NEQ():
            return isinstance(node.expression, exp.All)
    return False


def _is_number(node: exp.Expr, number: int) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Literal) and not node.is_string and node.this == str(number)


def _only_without(join: exp.Join) -> bool:
    """Whether a LEFT JOIN only keeps rows that find no partner: `WHERE r.id IS NULL`, `HAVING COUNT(r.id) = 0`."""
    from sqlglot import exp

    select = join.parent
    if join.side != "LEFT" or not isinstance(select, exp.Select):
        return False
    keys = {column.name for column in (join.args.get("on") or join).find_all(exp.Column)} | {
        name for column in select.find_all(exp.Column) if (name := column.name).lower().endswith("id")
    }
    for part in (select.args.get("where"), select.args.get("having")):
        for node, ruled_out in beside(part.this) if part is not None else ():
            one = node.this
            if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
                none = bool(node.args.get("negate")) == ruled_out
            else:
                none = isinstance(one, exp.Count) and _is_none(node) and not ruled_out
                one = one.this if none else one
            if none and isinstance(one, exp.Column) and one.table == join.this.alias_or_name and one.name in keys:
                return True
    return False


def _value(node: exp.Expr, ruled_out: bool) -> str:
    """`matrix = 'Raw Milk'`; nothing for what is no condition on text."""
    from sqlglot import exp

    signs: dict[type[exp.Expr], tuple[str, str]] = {
        exp.EQ: ("=", "<>"), exp.NEQ: ("<>", "="), exp.In: ("in", "not in"),
        exp.Like: ("like", "not like"), exp.ILike: ("like", "not like"),
        exp.NullSafeEQ: ("=", "<>"), exp.NullSafeNEQ: ("<>", "="),
    }  # fmt: skip
    if type(node) not in signs:
        return ""
    column, others = node.this, node.expressions if isinstance(node, exp.In) else [node.expression]
    if isinstance(node, exp.EQ | exp.NEQ) and _is_text(column):
        column, others = others[0], [column]
    while isinstance(column, exp.Lower | exp.Upper | exp.Trim | exp.Cast | exp.Paren):
        column = column.this
    if not isinstance(column, exp.Column) or not others or not all(_is_text(other) for other in others):
        return ""
    if not isinstance(node, exp.In) and is_day(others[0]):
        return ""
    texts = ["'" + other.this.replace("'", "''") + "'" for other in others]
    sign = signs[type(node)][ruled_out != bool(node.args.get("negate"))]
    return f"{column.name} {sign} " + (f"({', '.join(texts)})" if isinstance(node, exp.In) else texts[0])


def _is_text(node: exp.Expr | None) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Literal) and node.is_string


def _part(node: exp.Expr, ruled_out: bool, today: date) -> str:
    """`month of received_date in (5, 6)`; nothing for what is no condition on part of a date."""
    from sqlglot import exp

    signs: dict[type[exp.Expr], tuple[str, str]] = {
        exp.EQ: ("=", "<>"), exp.NEQ: ("<>", "="), exp.GT: (">", "<="), exp.GTE: (">=", "<"),
        exp.LT: ("<", ">="), exp.LTE: ("<=", ">"), exp.In: ("in", "not in"), exp.Between: ("between", "not between"),
    }  # fmt: skip
    part = part_of(node.this) if type(node) in signs else None
    if part is None:
        return ""
    sign = signs[type(node)][ruled_out]

    def numbers(others: Iterable[exp.Expr]) -> list[str]:
        found = (number_of(other, today) for other in others)
        return ["…" if number is None else str(number) for number in found]

    match node:
        case exp.In():
            right = f"({', '.join(numbers(node.expressions)) or '…'})"
        case exp.Between():
            right = " and ".join(numbers((node.args["low"], node.args["high"])))
        case _:
            [right] = numbers((node.expression,))
    return f"{part[0]} of {part[1]} {sign} {right}"


def _window(column: str, window: Bounds) -> str:
    if window.start is not None and window.end is not None:
        if window.start > window.end:
            return f"{column} in no day at all"
        days = f"{window.start}" if window.start == window.end else f"{window.start} to {window.end}"
        return f"{column} not {days}" if window.outside else f"{column} {days}"
    return f"{column} from {window.start}" if window.start is not None else f"{column} until {window.end}"
