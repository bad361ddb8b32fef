"""The one door: text in, `SafeQuery` or `Refusal` out."""

from __future__ import annotations

from datetime import date

from sqlglot import exp

from mnemosyne.guard import allow, clock, lexer, printing, text
from mnemosyne.guard.catalogue import catalogue_of
from mnemosyne.guard.dialect import translate
from mnemosyne.guard.names import Resolver
from mnemosyne.guard.narrow import narrow
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import Dialect, Refusal, SafeQuery
from mnemosyne.guard.refused import Refused
from mnemosyne.schema import Schema


def check(
    sql: str,
    schema: Schema,
    *,
    target: Dialect = "postgres",
    written: Dialect = "postgres",
    today: date | None = None,
    policy: Policy | None = None,
) -> SafeQuery | Refusal:
    """The query, ready to run on a database of dialect `target`, or why it is refused.

    `written` is the dialect of the text. `today` freezes the clock: CURRENT_DATE and its relatives become
    that date. `policy` narrows what may be read; None permits every table and column of the schema.
    """
    try:
        return _checked(sql, schema, target, written, today, policy)
    except Refused as refused:
        return refused.refusal
    except RecursionError:
        return Refusal("too-deep", "the query is nested too deeply", "", "Write it with fewer levels.")


def _checked(
    sql: str, schema: Schema, target: Dialect, written: Dialect, today: date | None, policy: Policy | None
) -> SafeQuery:
    text.screen(sql)
    tree = printing.parse(sql, written)
    allow.inspect(tree)
    resolver = Resolver(catalogue_of(schema, policy), written, target)
    resolver.query(tree, None, {})
    if today is not None:
        clock.freeze(tree, today)
    if target != written:
        tree = translate(tree, schema, target)
    if policy is not None:
        narrow(tree, schema, policy, target, today, translate)
    printed = _stable(tree, schema, target)
    return SafeQuery(printed, target, sql, tuple(resolver.tables), tuple(resolver.columns))


def _stable(tree: exp.Expression, schema: Schema, target: Dialect) -> str:
    """The printed query, parsed and checked as if a stranger had written it, until print and parse agree."""
    printing.settle_identifiers(tree, target)
    printed = printing.render(tree, target)
    for _ in range(3):
        again = printing.parse(printed, target)
        allow.inspect(again, ours=target != "postgres")
        Resolver(catalogue_of(schema, None), target, target).query(again, None, {})
        names = printing.settle_identifiers(again, target)
        before, printed = printed, printing.render(again, target)
        if printed == before:
            lexer.read(printed, target, names)
            return printed
    raise Refused("not-stable", "the query changes its meaning when it is printed and read again", place=printed[:100])
