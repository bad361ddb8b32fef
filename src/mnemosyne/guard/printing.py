"""Parse, print, and look at what was printed: the text that runs is read once more, by two readers.

The first reader is sqlglot again, in the target dialect: print and parse must agree. The second is a
lexer of forty lines that knows nothing of sqlglot: every word outside quotes must be listed.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.tokenizer_core import Token, TokenType

from mnemosyne.guard import allow, syntax, words
from mnemosyne.guard.query import Dialect
from mnemosyne.guard.refused import PARSER_FAULTS, Refused, piece

MAX_TOKENS = 4_000
"""Words and marks of one query at most."""

# What the printer cannot say becomes a refusal; sqlglot would also log it on the way.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@lru_cache(maxsize=8)
def _dialect(name: Dialect) -> SqlglotDialect:
    return SqlglotDialect.get_or_raise(name)


def parse(text: str, dialect: Dialect) -> exp.Expression:
    """The one query that the text holds. Refuses anything else."""
    reader = _dialect(dialect)
    tokens: list[Token] = []
    try:
        tokens = reader.tokenize(text)
        refuse_tokens(tokens)
        statements = [
            one for one in reader.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text) if one is not None
        ]
    except PARSER_FAULTS as error:
        raise syntax.explain(text, error, tokens) from None
    statements = [one for one in statements if not isinstance(one, exp.Semicolon)]
    if not statements:
        raise Refused("empty", "there is no SQL in the text")
    if len(statements) > 1:
        raise Refused(
            "not-one-statement",
            f"the text holds {len(statements)} statements; exactly one is run",
            place=piece(statements[1], dialect)[:80],
            hint="Write one SELECT, and nothing after it.",
        )
    statement = statements[0]
    if isinstance(statement, exp.Expression) and isinstance(statement, exp.Query):
        if dialect == "postgres" and "date" in text.lower():
            _write_casts_out(statement)
        if _ALL_OF.search(text):
            _read_all(statement)
        if "make_interval" in text.lower():
            _write_intervals_out(statement)
        return statement
    _refuse_statement(statement)


_ALL_OF = re.compile(r"\ball\s*\(\s*(?!select|with)", re.IGNORECASE)


def _read_all(tree: exp.Expression) -> None:
    """`x <> ALL (ARRAY[…])` is no call of a function ALL, as the parser has it."""
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name.upper() == "ALL" and len(node.expressions) == 1 and isinstance(node.parent, exp.Binary):
            node.replace(exp.All(this=exp.Paren(this=node.expressions[0])))


def _write_casts_out(tree: exp.Expression) -> None:
    """`DATE(x)` is `CAST(x AS DATE)`."""
    for node in list(tree.find_all(exp.Date)):
        written = isinstance(node.this, exp.Literal) and not node.this.name[:1].isdigit()  # DATE('now')
        if node.this is not None and not written and not any(node.args.get(name) for name in ("zone", "expressions")):
            node.replace(exp.Cast(this=node.this, to=exp.DataType.build("date")))


_INTERVAL_PARTS = ("year", "month", "week", "day", "hour", "minute", "second")


def _write_intervals_out(tree: exp.Expression) -> None:
    """`make_interval(days => n)` is `n * INTERVAL '1 day'`, which every engine has."""
    for node in list(tree.find_all(exp.MakeInterval)):
        products: list[exp.Expression] = []
        for name, value in node.args.items():
            count = value.expression if isinstance(value, exp.Kwarg) else value
            if name in _INTERVAL_PARTS and isinstance(count, exp.Expression):
                one = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this=name.upper()))
                products.append(exp.Mul(this=exp.Paren(this=count), expression=one))
        if len(products) == sum(value is not None for value in node.args.values()) and products:
            total = products[0]
            for product in products[1:]:
                total = exp.Add(this=total, expression=product)
            node.replace(exp.Paren(this=total))


def refuse_tokens(tokens: list[Token]) -> None:
    """What the parser would swallow: it reads the first number and word of an interval and drops the rest."""
    if len(tokens) > MAX_TOKENS:
        raise Refused("too-long", f"the query has {len(tokens):,} words; at most {MAX_TOKENS:,} are read")
    for first, second in pairwise(tokens):
        if first.token_type == TokenType.INTERVAL and second.token_type == TokenType.STRING:
            allow.inspect_duration(second.text)


def _refuse_statement(statement: exp.Expr) -> NoReturn:
    word = type(statement).__name__.upper()
    if isinstance(statement, exp.Command):
        word = str(statement.this).upper()
    if isinstance(statement, (exp.DML, exp.DDL, exp.Drop, exp.Alter, exp.TruncateTable, exp.Copy)):
        raise Refused("writes", f"{word} changes data; only reading is allowed", place=word)
    if isinstance(statement, (exp.Condition, exp.Alias, exp.Tuple)):
        shown = piece(statement)[:60]
        raise Refused("not-a-query", f"{shown!r} is no query; write one SELECT", place=shown)
    raise Refused("not-a-query", f"{word} is not a query; write one SELECT", place=word)


def settle_identifiers(tree: exp.Expression, target: Dialect) -> frozenset[str]:
    """Quote every name that is not a plain word, and no other. Returns the plain ones in lower case."""
    bare: set[str] = set()
    plain = words.PLAIN_LOWER if target == "postgres" else words.PLAIN
    for node in tree.find_all(exp.Identifier):
        name = node.this
        quoted = node.args.get("quoted")
        if (plain if quoted else words.PLAIN).fullmatch(name) and name.lower() not in words.RESERVED:
            node.args["quoted"] = False
            bare.add(name.lower())
        else:
            node.args["quoted"] = True
            if "\x00" in name or not name:
                raise Refused("construct", "a name may not be empty", place=name)
    return frozenset(bare)


def render(tree: exp.Expression, target: Dialect) -> str:
    """The text of a tree, which printing may change. Refuses what the dialect cannot say."""
    generator = _dialect(target).generator(comments=False, unsupported_level=ErrorLevel.RAISE)
    try:
        return generator.generate(tree, copy=False)
    except UnsupportedError as error:
        raise Refused("not-translatable", f"{target} cannot say this: {error}") from None
    except PARSER_FAULTS as error:
        raise Refused("not-translatable", f"the query cannot be printed for {target}: {error}") from None
