"""A policy as SQL: each narrowed table becomes a subquery with only the permitted columns and rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlglot import exp

from mnemosyne.errors import SettingsError
from mnemosyne.guard import allow, clock, printing, text
from mnemosyne.guard.catalogue import catalogue_of
from mnemosyne.guard.names import Resolver
from mnemosyne.guard.policy import Policy, TableRule
from mnemosyne.guard.query import Dialect
from mnemosyne.guard.refused import Refused
from mnemosyne.schema import Schema, Table

Translate = Callable[[exp.Expression, Schema, Dialect], exp.Expression]
"""PostgreSQL tree to a tree of the target dialect."""


def narrow(
    tree: exp.Expression, schema: Schema, policy: Policy, target: Dialect, today: date | None, translate: Translate
) -> None:
    """Replace every narrowed table of a resolved tree, each by the part of the one that its name and namespace mean.

    A CTE never has the name of a table, so names decide. Raises SettingsError for a rule that is no condition on
    its table.
    """
    catalogue = catalogue_of(schema, policy)
    for node in list(tree.find_all(exp.Table)):
        known = catalogue.find(node.name, node.text("db")) if isinstance(node.this, exp.Identifier) else None
        if known is None:
            continue
        table = known.table
        rule = policy.rule(table.name, namespace=table.namespace, is_view=table.is_view)
        if rule is not None and rule.narrows:
            _replace(node, permitted_part(table, rule, schema, target, today, translate))


def _replace(node: exp.Table, query: exp.Expression) -> None:
    alias = node.args.get("alias") or exp.TableAlias(this=node.this.copy())
    around = {name: node.args[name] for name in ("joins", "laterals") if node.args.get(name)}
    node.replace(exp.Subquery(this=query, alias=alias, **around))


def permitted_part(
    table: Table, rule: TableRule, schema: Schema, target: Dialect, today: date | None, translate: Translate
) -> exp.Expression:
    """`SELECT permitted columns FROM table WHERE rows`, in the target dialect. Raises SettingsError for a bad rule."""
    columns = [column.name for column in table.columns if rule.permits(column.name.lower())]
    source = exp.Table(this=exp.to_identifier(table.name, quoted=True))
    if table.namespace:
        source.set("db", exp.to_identifier(table.namespace, quoted=True))
    query = exp.select(*(exp.column(exp.to_identifier(name, quoted=True)) for name in columns)).from_(source)
    if rule.rows:
        query = query.where(_condition(table, rule.rows))
    try:
        Resolver(catalogue_of(schema, None), "postgres", target).query(query, None, {})
    except Refused as refused:
        raise _bad_rule(table, refused) from None
    if today is not None:
        clock.freeze(query, today)
    translated = translate(query, schema, target) if target != "postgres" else query
    return _fenced(translated, target) if rule.rows else translated


def _fenced(query: exp.Expression, target: Dialect) -> exp.Expression:
    """Keep the conditions of the question out of the subquery: a failing cast there would tell of hidden rows."""
    if target == "postgres":
        query.set("offset", exp.Offset(expression=exp.Literal.number(0)))
    else:
        query.set("limit", exp.Limit(expression=exp.Literal.number(2**63 - 1)))
    return query


def _condition(table: Table, rows: str) -> exp.Expression:
    try:
        text.screen(rows)
        parsed = printing.parse(f"SELECT 1 WHERE ({rows}\n)", "postgres")
        allow.inspect(parsed)
    except Refused as refused:
        raise _bad_rule(table, refused) from None
    where = parsed.args.get("where")
    if where is None or set(parsed.args) - {"expressions", "where"} - {k for k, v in parsed.args.items() if not v}:
        raise SettingsError(f"Policy, table {table.name}: rows must be one condition.")
    condition: exp.Expression = where.this
    return condition


def _bad_rule(table: Table, refused: Refused) -> SettingsError:
    return SettingsError(
        f"Policy, table {table.name}: {refused.refusal.reason}.",
        hint="Write `rows` as a PostgreSQL condition on the columns of this table.",
    )
