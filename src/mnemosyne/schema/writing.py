"""A schema as the canonical DDL of the prompt. The bytes are a contract: models are trained on them."""

from __future__ import annotations

import heapq
import re
from functools import lru_cache

from mnemosyne.schema import Column, ForeignKey, Schema, Table

MAX_COMMENT = 160
"""Characters of a comment that are printed."""
MAX_VALUES = 50
"""A longer closed list is not printed: it would crowd the tables out of the context."""

_GROUPS = {
    "INTEGER": "int integer int1 int2 int4 int8 int16 int32 int64 int128 tinyint smallint mediumint bigint hugeint long"
    " short serial smallserial bigserial serial2 serial4 serial8 uint uint8 uint16 uint32 uint64 utinyint usmallint"
    " uinteger ubigint uhugeint signed year identity number_int",
    "TEXT": "text varchar char character nchar nvarchar varchar2 nvarchar2 bpchar tinytext mediumtext longtext clob"
    " string name citext enum set ntext",
    "FLOAT": "float real double float4 float8",
    "NUMERIC": "numeric decimal number dec money smallmoney",
    "BOOLEAN": "boolean bool bit logical",
    "DATE": "date",
    "TIMESTAMP": "timestamp timestamptz datetime datetime2 smalldatetime timestamp_s timestamp_ms timestamp_ns"
    " datetimeoffset timestamp_us",
    "TIME": "time timetz",
    "INTERVAL": "interval",
    "BYTEA": "bytea blob tinyblob mediumblob longblob binary varbinary image bytes",
    "JSON": "json jsonb",
    "UUID": "uuid uniqueidentifier",
}
_TYPES = {name: group for group, names in _GROUPS.items() for name in names.split()}

_RESERVED_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true
    union unique user using variadic verbose when where window with"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that PostgreSQL accepts as a name only in quotes."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@lru_cache(maxsize=4096)
def type_name(text: str) -> str:
    """The printed name of a type; an unknown one in capitals without its parameters."""
    bare, inner = text.replace('"', ""), ""
    while inner != bare:  # from the innermost parentheses out
        inner, bare = bare, re.sub(r"\([^()]*\)", " ", bare)
    arrays = "[]" * bare.count("[")
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    words = bare.split()
    if not words:
        return "TEXT" + arrays
    first = words[0].lower()
    if "." in first:
        first = first.rsplit(".", 1)[1]
    if first in ("unsigned", "native", "national", "long") and len(words) > 1:
        first = words[1].lower()
    group = _TYPES.get(first)
    if group is None:
        group = " ".join([words[0].rpartition(".")[2], *words[1:]]).upper()
    if first in ("character", "char") and "large" in bare.lower():
        group = "TEXT"
    return group + arrays


def plain(text: str) -> bool:
    """True for a name that PostgreSQL reads without quotes, whatever the case of its letters."""
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _RESERVED


def name(text: str, case_sensitive: bool = False) -> str:
    """A name, in double quotes only where PostgreSQL would need them."""
    if plain(text) and not (case_sensitive and text != text.lower()):
        return text
    return '"' + text.replace('"', '""') + '"'


def comment(text: str) -> str:
    """A comment on one line, at most MAX_COMMENT printable characters."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return flat if len(flat) <= MAX_COMMENT else flat[: MAX_COMMENT - 1].rstrip() + "…"


def write(schema: Schema) -> str:
    """The canonical DDL, tables separated by a blank line, without a newline at the end."""
    return "\n\n".join(_Block(table, schema.case_sensitive).text() for table in in_order(schema))


def in_order(schema: Schema) -> list[Table]:
    """Tables so that what a table refers to comes before it, else by name; views last.

    Not the order of the source, because DuckDB forgets it. Runs in O((tables + keys) log tables).
    Where keys go in circles, the first name of those left goes first.
    """
    tables = sorted(schema.tables, key=lambda table: (table.is_view, table.full_name.lower(), table.full_name))
    number = {table.full_name.lower(): position for position, table in enumerate(tables)}
    waits: list[set[int]] = []
    holds: list[list[int]] = [[] for _ in tables]
    for position, table in enumerate(tables):
        targets = {number.get(key.table.lower(), position) for key in table.foreign_keys} - {position}
        waits.append(targets)
        for target in targets:
            holds[target].append(position)
    ready = [position for position, targets in enumerate(waits) if not targets]
    left = set(range(len(tables)))
    order = []
    while left:
        position = heapq.heappop(ready) if ready else min(left)
        if position not in left:
            continue
        left.remove(position)
        order.append(tables[position])
        for other in holds[position]:
            waits[other].discard(position)
            if not waits[other]:
                heapq.heappush(ready, other)
    return order


class _Block:
    """The lines of one table."""

    def __init__(self, table: Table, case_sensitive: bool) -> None:
        self.table = table
        self.case_sensitive = case_sensitive
        order = {column.name: position for position, column in enumerate(table.columns)}
        keys = dict.fromkeys(table.foreign_keys)
        self.keys = sorted(keys, key=lambda key: (order.get(key.columns[0], len(order)), len(key.columns)))

    def text(self) -> str:
        items = [(self._column(column), comment(column.comment)) for column in self.table.columns]
        items += [(line, "") for line in self._table_constraints()]
        lines = []
        for position, (line, note) in enumerate(items):
            comma = "," if position < len(items) - 1 else ""
            lines.append(f"    {line}{comma}" + (f" -- {note}" if note else ""))
        kind = "VIEW" if self.table.is_view else "TABLE"
        note = comment(self.table.comment)
        heading = f"-- {note}\n" if note else ""
        return f"{heading}CREATE {kind} {self._table_name(self.table)} (\n" + "\n".join(lines) + "\n);"

    def _column(self, column: Column) -> str:
        parts = [self._name(column.name), type_name(column.type)]
        if self.table.primary_key == (column.name,):
            parts.append("PRIMARY KEY")
        elif not column.nullable and not self.table.is_view:
            parts.append("NOT NULL")
        key = self._inline_key(column.name)
        if key is not None:
            parts.append(self._references(key))
        if column.values and len(column.values) <= MAX_VALUES:
            listed = ", ".join(_literal(value) for value in column.values)
            parts.append(f"CHECK ({self._name(column.name)} IN ({listed}))")
        return " ".join(parts)

    def _table_constraints(self) -> list[str]:
        lines = []
        if len(self.table.primary_key) > 1:
            lines.append(f"PRIMARY KEY ({self._names(self.table.primary_key)})")
        others = [key for key in self.keys if key is not self._inline_key(key.columns[0])]
        lines += [f"FOREIGN KEY ({self._names(key.columns)}) {self._references(key)}" for key in others]
        return lines

    def _inline_key(self, column: str) -> ForeignKey | None:
        """The first single-column key of a column; it is printed beside the column."""
        return next((key for key in self.keys if key.columns == (column,)), None)

    def _references(self, key: ForeignKey) -> str:
        table = ".".join(self._name(part) for part in key.table.split(".", 1))
        return f"REFERENCES {table}" + (f" ({self._names(key.references)})" if key.references else "")

    def _table_name(self, table: Table) -> str:
        return ".".join(self._name(part) for part in (table.namespace, table.name) if part)

    def _names(self, names: tuple[str, ...]) -> str:
        return ", ".join(self._name(each) for each in names)

    def _name(self, text: str) -> str:
        return name(text, self.case_sensitive)


def _literal(value: str | int | float) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
