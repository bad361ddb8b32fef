"""Replies of a model that forgot PostgreSQL: MySQL's CURDATE and backticks, SQL Server's TOP and GETDATE.

Small models fall into the dialect that they saw most. A reply that cannot be read as PostgreSQL is read as
those, printed as PostgreSQL, and goes through the same `check` as any text: no rule is loosened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

import sqlglot
from sqlglot.errors import ErrorLevel
from sqlglot.tokenizer_core import Token, TokenType

from mnemosyne.guard import printing
from mnemosyne.guard.checking import check
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import Dialect, Refusal, SafeQuery
from mnemosyne.guard.refused import PARSER_FAULTS, Refused
from mnemosyne.schema import Schema

_OTHERS = ("mysql", "tsql")
_UNREADABLE = frozenset({"bare-word", "function", "printed-text", "syntax"})
"""Refusals that another reading may lift. A text refused for what it would do is never read again."""


def check_reply(
    sql: str,
    schema: Schema,
    *,
    target: Dialect = "postgres",
    today: date | None = None,
    policy: Policy | None = None,
) -> SafeQuery | Refusal:
    """`check` of a model's reply; when it is no PostgreSQL, of its other readings.

    When every reading is refused, the refusal of one that could be read to its end says most.
    """
    verdict = check(sql, schema, target=target, today=today, policy=policy)
    if isinstance(verdict, SafeQuery) or verdict.code not in _UNREADABLE:
        return verdict
    for reading in _readings(sql, schema):
        second = check(reading, schema, target=target, today=today, policy=policy)
        if isinstance(second, SafeQuery) or second.code not in _UNREADABLE:
            return second
    return verdict


def _readings(sql: str, schema: Schema) -> Iterator[str]:
    """The one statement of the text in PostgreSQL, once for each other dialect that can read all of it."""
    for dialect in _OTHERS:
        try:
            tokens = sqlglot.tokenize(sql, read=dialect)
            printing.refuse_tokens(tokens)
            printed = sqlglot.transpile(sql, read=dialect, write="postgres", unsupported_level=ErrorLevel.RAISE)
        except (*PARSER_FAULTS, RecursionError, Refused):
            continue
        if len(printed) == 1 and printed[0] != sql and not _loses(tokens, printed[0], schema):
            yield printed[0]


def _loses(tokens: Sequence[Token], printed: str, schema: Schema) -> bool:
    """Whether a reading lost a text or a column: MySQL's DATEDIFF has two places, and what stands in a third is gone.

    A format (`%Y-%m`) is written anew and may change.
    """
    columns = {column.name.lower() for table in schema.tables for column in table.columns}
    counts = Counter(
        token.text.lower().replace("'", "''")
        for token in tokens
        if (token.token_type == TokenType.STRING and token.text and "%" not in token.text)
        or (token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) and token.text.lower() in columns)
    )
    low = printed.lower()
    return any(low.count(text) < count for text, count in counts.items())
