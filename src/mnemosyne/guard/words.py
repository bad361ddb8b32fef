"""Words of SQL: what needs quotes as a name, and what a printed query may hold outside quotes."""

from __future__ import annotations

import re


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for lists that are read more often than changed."""
    return frozenset(text.split())


PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that needs no quotes where capitals do not count."""

PLAIN_LOWER = re.compile(r"[a-z_][a-z0-9_]*")
"""A name that needs no quotes in PostgreSQL and keeps its spelling."""

RESERVED = word_set(
    """
    add all alter analyse analyze and anti any array as asc asof asymmetric at authorization autoincrement
    between binary both by case cast check collate collation column columns commit concurrently constraint
    create cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user default deferrable delete desc describe distinct do drop else end escape except exists false
    fetch for foreign freeze from full generated glob grant group having ilike in index initially inner insert
    intersect into is isnull join lambda lateral leading left like limit localtime localtimestamp map natural
    not nothing notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing
    positional primary qualify raise references returning right select semi session_user set show similar some
    struct summarize symmetric system_user table tablesample then to trailing transaction true try_cast tuple
    union unique unpack unpivot update user using values variadic verbose when where window with interval row
    replace if
    """
)
"""Keywords of PostgreSQL 18, DuckDB 2.0 and SQLite 3 that cannot be a name of a column or table without quotes."""
