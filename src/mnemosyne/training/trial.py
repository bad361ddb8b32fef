"""Golds of sets without data, run: on an in-memory DuckDB that is made from a row's DDL, strictly typed.

Rows that a context inserts are stored first, and a gold that returns none of them is left out. Then, and where no rows are
known, every table holds one invented row, and all conditions of a copy of the gold are computed and let it pass: an engine
looks at a text beside a number only when a row comes by. Whether a gold answers its question is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from mnemosyne import guard
from mnemosyne.databases.deadline import Deadline
from mnemosyne.datasets import Example
from mnemosyne.guard.query import SafeQuery
from mnemosyne.schema import Schema, Table, canonical_type

UNMADE = "schema that DuckDB cannot make"
"""Reason: nothing can be said of the gold, so it is not kept."""
FAILS = "does not run on its schema"
"""Reason: a text beside a number, a sum of texts, a column that two tables have …"""
EMPTY = "empty result"
"""Reason: the rows are known, and the gold returns none."""

SECONDS = 5.0
"""A gold that runs longer is not worth its place."""

_TYPES = {"INTEGER": "BIGINT", "FLOAT": "DOUBLE", "NUMERIC": "DOUBLE", "BYTEA": "BLOB"}
_TEXTS = ("a", "1", "2020-01-01")
"""What an invented text holds; those after the first only for golds that cast: to a number, to a date."""
_CELLS = ("1", "2020-01-01", "12:00:00")
"""Invented cells of other types: the first that the type can hold."""
_CLOCK = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime)


@dataclass(frozen=True, slots=True)
class Inserted:
    """What one INSERT stores."""

    table: Table
    """Where."""
    columns: tuple[str, ...]
    """As many as a row has cells."""
    rows: tuple[tuple[str | None, ...], ...]
    """Cells as text; the column's type reads them."""


class Trial:
    """Judges golds one after the other, on one connection; nothing of a gold is left when the next one comes."""

    def __init__(self, contexts: Mapping[str, str] | None = None) -> None:
        """`contexts` holds the SQL that came with an example, by its id, where there are rows in it."""
        self._contexts = {} if contexts is None else contexts
        self._connection = _open()

    def __call__(self, example: Example) -> str:
        """Why the gold is not kept, empty when all is well."""
        schema = Schema.from_ddl(example.schema)
        checked = guard.check(example.sql, schema, target="postgres", written="postgres")
        if not isinstance(checked, SafeQuery):
            return f"guard: {checked.code}"
        query = guard.check(example.sql, schema, target="duckdb", written="postgres")
        if not isinstance(query, SafeQuery):
            return f"no DuckDB form: {query.code}"
        tree = sqlglot.parse_one(checked.sql, read="postgres")
        given = inserted(self._contexts.get(example.id, ""), schema)
        if query.tables and not tree.find(*_CLOCK) and {_table(schema, name) for name in query.tables} <= given.keys():
            reason = self._on_given(query, schema, [one for table in given.values() for one in table])
            if reason:
                return reason
        wide = guard.check(_widened(tree), schema, target="duckdb", written="postgres")
        runs = wide if isinstance(wide, SafeQuery) else query
        reason = FAILS
        for text in _TEXTS if tree.find(exp.Cast) else _TEXTS[:1]:
            if (reason := self._on_invented(runs, schema, text)) != FAILS:
                break
        return reason

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _on_given(self, query: SafeQuery, schema: Schema, given: list[Inserted]) -> str | None:
        """The reason on rows that came with the example; None when they cannot be stored."""
        import duckdb

        with self._tables(schema) as made:
            if not made:
                return UNMADE
            try:
                for one in given:
                    self._store(one)
            except duckdb.Error:
                return None
            try:
                return "" if self._first(query) is not None else EMPTY
            except duckdb.Error:
                return FAILS

    def _on_invented(self, query: SafeQuery, schema: Schema, text: str) -> str:
        """The reason on one invented row in each table, whose texts are `text`."""
        import duckdb

        with self._tables(schema) as made:
            if not made:
                return UNMADE
            try:
                for table in schema.tables:
                    cells = ", ".join(_cell(_type(column.type), text) for column in table.columns)
                    self._connection.execute(f"INSERT INTO {_place(table)} SELECT {cells}")
                self._first(query)
            except (duckdb.InvalidInputException, duckdb.OutOfRangeException):
                return ""  # of these values, not of their types
            except duckdb.Error:
                return FAILS
        return ""

    @contextmanager
    def _tables(self, schema: Schema) -> Iterator[bool]:
        """A transaction with the tables of a schema, False when they cannot be made; rolled back at the end."""
        import duckdb

        self._connection.execute("BEGIN")
        try:
            try:
                for statement in _ddl(schema):
                    self._connection.execute(statement)
                made = True
            except duckdb.Error:
                made = False
            yield made
        finally:
            try:
                self._connection.execute("ROLLBACK")
            except duckdb.Error:  # an engine that has crashed answers nothing any more
                with suppress(duckdb.Error):
                    self._connection.close()
                self._connection = _open()

    def _store(self, one: Inserted) -> None:
        marks = ", ".join(f"({', '.join('?' * len(one.columns))})" for _ in one.rows)
        names = ", ".join(map(_quoted, one.columns))
        cells = [cell for row in one.rows for cell in row]
        self._connection.execute(f"INSERT INTO {_place(one.table)} ({names}) VALUES {marks}", cells)

    def _first(self, query: SafeQuery) -> tuple[Any, ...] | None:
        """The first row of a checked query. Raises duckdb.Error, also when the time is over."""
        with Deadline(SECONDS, lambda _: self._connection.interrupt()):
            row: tuple[Any, ...] | None = self._connection.execute(query.sql).fetchone()
        return row


def inserted(context: str, schema: Schema) -> dict[str, list[Inserted]]:
    """What the INSERTs of a context store, by table; a table is left out when one of its INSERTs holds more than values."""
    found: dict[str, list[Inserted]] = {}
    unknown: set[str] = set()
    for statement in _inserts(context):
        try:
            tree = sqlglot.parse_one(statement, read="sqlite")
        except (sqlglot.errors.SqlglotError, RecursionError):
            return {}
        named = tree.find(exp.Table)
        table = _table(schema, _name(named)) if named is not None else ""
        one = _stored(tree, table, schema)
        if one is None:
            unknown.add(table)
        else:
            found.setdefault(table, []).append(one)
    return {table: each for table, each in found.items() if table not in unknown}


def _inserts(context: str) -> Iterator[str]:
    """The texts of the INSERT statements."""
    if "insert" not in context.lower():
        return
    try:
        tokens = sqlglot.tokenize(context, read="sqlite")
    except sqlglot.errors.SqlglotError:
        return
    first = None
    for token in tokens:
        if token.token_type == sqlglot.TokenType.SEMICOLON:
            if first is not None and first.token_type == sqlglot.TokenType.INSERT:
                yield context[first.start : token.start]
            first = None
        elif first is None:
            first = token
    if first is not None and first.token_type == sqlglot.TokenType.INSERT:
        yield context[first.start :]


def _stored(tree: exp.Expr, name: str, schema: Schema) -> Inserted | None:
    """What an INSERT of plain values into a table of the schema stores, None for any other."""
    table = schema.table(name)
    if table is None or not isinstance(tree, exp.Insert) or not isinstance(tree.expression, exp.Values):
        return None
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row.unnest()] for row in tree.expression.expressions]
    width = len(rows[0])
    named = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    columns = tuple(column.name for column in named) or tuple(column.name for column in table.columns[:width])
    if any(len(row) != len(columns) for row in rows):
        return None
    try:
        return Inserted(table, columns, tuple(tuple(map(_value, row)) for row in rows))
    except ValueError:
        return None


def _value(node: exp.Expr) -> str | None:
    """A cell that an INSERT writes out, as text. Raises ValueError when it must be computed."""
    match node:
        case exp.Null():
            return None
        case exp.Boolean():
            return str(node.this).lower()
        case exp.Literal():
            return str(node.this)
        case exp.Neg(this=exp.Literal(is_string=False)):
            return f"-{node.this.this}"
        case exp.Cast() | exp.Paren():
            return _value(node.this)
        case exp.Column() if not node.table and node.this.args.get("quoted"):
            return node.name  # a text in double quotes: no column can be meant here
        case _:
            raise ValueError(type(node).__name__)


def _widened(tree: exp.Expr) -> str:
    """The query with conditions that are all computed, alternatives too, and let every row pass."""
    wide = tree.copy()
    for clause in list(wide.find_all(exp.Where, exp.Having)):
        computed: list[exp.Expr] = []
        for condition in _conditions(clause.this):
            said = exp.Coalesce(this=exp.cast(exp.Paren(this=condition), "text", copy=False), expressions=[_text("")])
            computed.append(exp.NEQ(this=said, expression=_text("-")))
        clause.set("this", exp.and_(*computed, copy=False))
    return wide.sql(dialect="postgres")


def _conditions(node: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that AND, OR and NOT put together."""
    if isinstance(node, exp.And | exp.Or | exp.Not | exp.Paren):
        for child in node.iter_expressions():
            yield from _conditions(child)
    else:
        yield node


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def _table(schema: Schema, name: str) -> str:
    """The full name of a table as the schema has it, empty when it has none."""
    table = schema.table(name)
    return table.full_name if table is not None else ""


def _name(table: exp.Table) -> str:
    return f"{table.db}.{table.name}" if table.db else table.name


def _ddl(schema: Schema) -> Iterator[str]:
    """Statements that make the tables, without constraints; a view is made as a table."""
    for namespace in dict.fromkeys(table.namespace for table in schema.tables if table.namespace):
        yield f"CREATE SCHEMA IF NOT EXISTS {_quoted(namespace)}"
    for table in schema.tables:
        columns = ", ".join(f"{_quoted(column.name)} {_type(column.type)}" for column in table.columns)
        yield f"CREATE TABLE {_place(table)} ({columns})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _place(table: Table) -> str:
    """A table's name as SQL."""
    return ".".join(_quoted(part) for part in (table.namespace, table.name) if part)


def _type(text: str) -> str:
    """DuckDB's type of a column; one that nobody knows stays a name, which DuckDB does not have either."""
    name = canonical_type(text)
    bare, arrays = name.partition("[")[0], "[]" * name.count("[")
    return (_TYPES.get(bare) or _quoted(bare)) + arrays


def _cell(kind: str, text: str) -> str:
    """An invented cell of a type, as SQL."""
    tried = (f"TRY_CAST('{value}' AS {kind})" for value in (text, *_CELLS))
    return f"COALESCE({', '.join(tried)})"


def _open() -> Any:
    """A database in memory that reaches nothing outside and whose settings stay as they are."""
    import duckdb

    from mnemosyne.databases.duckdb import _INITCAP

    connection = duckdb.connect(
        config={
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "enable_external_access": False,
            "python_enable_replacements": False,
            "memory_limit": "512MiB",
            "threads": 1,
            "temp_directory": "",
            "lock_configuration": True,
        }
    )
    connection.execute(_INITCAP)
    return connection
