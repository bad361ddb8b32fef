"""What the form of a question asks of the answer: an order, each thing once, whole rows.

None of these changes which rows are meant, so a query that lacks them is mended without the model where one reading is
possible, or told of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mnemosyne.assistant.unmet import parsed
from mnemosyne.grounding.synonyms import normal, singular

if TYPE_CHECKING:
    from sqlglot import exp

    from mnemosyne.schema import Schema, Table

_BEST = (
    r"(?:oldest|newest|latest|earliest|highest|lowest|largest|biggest|smallest|longest|shortest|worst|best|slowest|"
    r"fastest|busiest|most recent) (?:one |ones )?first"
)
ORDER = re.compile(
    rf"\b(?:(?:order|sort)(?:ed|ing)?(?: them| it| the list| this)? by|alphabetically|chronologically|{_BEST}|"
    r"in (?:calendar|chronological|alphabetical|date|ascending|descending|time) order)\b(?! (?:isn|is not))",
    re.IGNORECASE,
)
"""Words that ask for an order of the answer."""

ONCE = re.compile(
    r"\b(?:each|every|listed|shown|named) (?:\w+ ){0,3}once\b|\b(?:no|without|remove|drop) (?:duplicates|repeats)\b|"
    r"\bde-?duplicated?\b",
    re.IGNORECASE,
)
"""Words that ask for every row once."""

_ALL = re.compile(
    r"^\W*(?:please,? |can you |could you )?(?:show|list|display|give|get|find|pull up)(?: me| us)? "
    r"all(?: of)?(?: the| our)? ((?:[\w.-]+ ){0,4})(?=([\w-]+))",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(names?|ids?|numbers?|codes?|only|just|e-?mails?|dates?)\b[^.;]*$", re.IGNORECASE)


_COLUMNS = re.compile(r"\b(names?|ids?|numbers?|codes?|e-?mails?|dates?)\b", re.IGNORECASE)
_WHOSE = re.compile(r"\b(whose|with|where)\b", re.IGNORECASE)

WITH_NONE = re.compile(
    r"\b(?:includ\w*|even) (?:[\w-]+ ){0,3}(?:with|without|that have|having) (?:any|none|no|nothing|zero)\b|"
    r"\bzeros? (?:included|too|as well)\b",
    re.IGNORECASE,
)
"""Words that ask for rows that have nothing to count."""


def unformed(question: str, sql: str) -> tuple[str, ...]:
    """A sentence for an order, single rows, or rows with nothing, that the question asks for and the query lacks.

    The query is PostgreSQL.
    """
    from sqlglot import exp

    if not any(pattern.search(question) for pattern in (ORDER, ONCE, WITH_NONE)) or (tree := parsed(sql)) is None:
        return ()
    found = []
    none = WITH_NONE.search(question)
    if none is not None and not _keeps_none(tree):
        found.append(
            f"The question says '{none.group(0)}', and the query leaves out rows without a match: use LEFT JOIN."
        )
    order = ORDER.search(question)
    if order is not None and not _is_one_row(tree) and not list(tree.find_all(exp.Order)):
        found.append(f"The question says '{order.group(0)}', and the query has no ORDER BY.")
    once = ONCE.search(question)
    if once is not None and not _is_single(tree):
        found.append(f"The question says '{once.group(0)}', and the query may give a row several times: use DISTINCT.")
    return tuple(found)


def formed(question: str, sql: str, schema: Schema) -> str | None:
    """The query with the order, DISTINCT or whole rows that the question asks for; None when nothing is certain."""
    from sqlglot import exp

    if not any(pattern.search(question) for pattern in (ORDER, ONCE, _ALL)):
        return None
    made = parsed(sql)
    if not isinstance(made, exp.Select):
        return None
    changed = False
    if (table := _whole_rows(question, made, schema)) is not None:
        star = exp.Column(this=exp.Star(), table=exp.to_identifier(table)) if made.args.get("joins") else exp.Star()
        made.set("expressions", [star])
        changed = True
    if ONCE.search(question) and not _is_single(made) and not _is_one_row(made):
        made.set("distinct", exp.Distinct())
        changed = True
    if (column := _sorted_by(question, made)) is not None:
        made = made.order_by(exp.column(column), copy=False)
        changed = True
    return made.sql(dialect="postgres") if changed else None


def _keeps_none(tree: exp.Expr) -> bool:
    """Whether a query may give rows that have nothing to join: an outer join, a subquery, a union, or no join."""
    from sqlglot import exp

    joins = list(tree.find_all(exp.Join))
    return (
        not joins
        or any(join.side for join in joins)
        or tree.find(exp.Subquery, exp.SetOperation, exp.Exists) is not None
    )


def _is_single(tree: exp.Expr) -> bool:
    """Whether a query may be meant to give each row once already."""
    from sqlglot import exp

    unions = [node for node in tree.find_all(exp.SetOperation) if node.args.get("distinct")]
    return bool(unions) or tree.find(exp.Distinct, exp.Group, exp.Exists) is not None or tree.find(exp.Join) is None


def _is_one_row(tree: exp.Expr) -> bool:
    """Whether a query gives one row whatever is stored: nothing but aggregates, no groups."""
    from sqlglot import exp

    return (
        isinstance(tree, exp.Select)
        and tree.args.get("group") is None
        and all(item.find(exp.AggFunc) and not item.find(exp.Window) for item in tree.expressions)
    )


def _sorted_by(question: str, tree: exp.Select) -> str | None:
    """The output column that the question sorts by, where the query has no order and one column is meant."""
    said = ORDER.search(question)
    if said is None or tree.args.get("order") is not None or _is_one_row(tree):
        return None
    names = [item.alias_or_name for item in tree.expressions if item.alias_or_name not in ("", "*")]
    words = said.group(0).lower()
    if "calendar" in words or "chronological" in words or "date order" in words:
        times = [name for name in names if re.search(r"(^|_)(date|day|week|month|quarter|year)$", name.lower())]
        return times[0] if len(times) == 1 else None
    if not words.endswith(" by"):
        return None
    by = [normal(word) for word in question[said.end() :].split()]
    if by[1:2] and by[1] in ("descending", "desc", "backwards"):
        return None
    return next((name for name in names if by and singular(normal(name)) == singular(by[0])), None)


def _whole_rows(question: str, tree: exp.Select, schema: Schema) -> str | None:
    """Alias of the table whose rows are asked for with no column named, when only their key or name comes back."""
    from sqlglot import exp

    match = _ALL.match(question)
    if match is None or _NAMED.search(question[match.end() :]) or len(tree.expressions) != 1:
        return None
    if (part := _COLUMNS.search(match[1])) is not None and not _WHOSE.search(match[1][: part.start()]):
        return None
    [item] = tree.expressions
    source = tree.args.get("from_") or tree.args.get("from")
    if not isinstance(item, exp.Column) or tree.args.get("group") or tree.args.get("distinct") or source is None:
        return None
    sources = (source.this, *(join.this for join in tree.args.get("joins") or ()))
    tables = {node.alias_or_name: node.name for node in sources if isinstance(node, exp.Table)}
    alias = item.table or next(iter(tables))
    table = next((table for table in schema.tables if table.name.lower() == tables.get(alias, "").lower()), None)
    if table is None or not _is_label(table, item.name):
        return None
    words = [*match.group(1).lower().split(), match.group(2).lower()]
    return alias if singular(normal(table.name)) in {singular(word) for word in words} else None


def _is_label(table: Table, column: str) -> bool:
    """Whether a column names a row: its key, or a column called after the table."""
    name = column.lower()
    return name in (f"{singular(normal(table.name))}_{end}" for end in ("id", "name", "code"))
