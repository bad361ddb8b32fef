"""Gold queries of public sets, written for SQLite, rewritten in the PostgreSQL that the model learns to write.

The rewriting is checked by whoever has a database: both forms must return the same rows (`quality.keep`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnemosyne.schema import Schema

if TYPE_CHECKING:
    from sqlglot import exp


class NotPostgres(ValueError):
    """The query has no PostgreSQL form: it leans on what only SQLite forgives."""


def to_postgres(sql: str, schema: Schema) -> str:
    """`sql` (SQLite) as PostgreSQL.

    SQLite reads "text" in double quotes as a string when no column has that name, and lets a query
    select columns that it neither groups by nor aggregates. The first is mended, the second is
    mended where the column's row is fixed by the grouping and refused otherwise.

    Raises:
        NotPostgres: the text does not parse, is nested too deeply, or means something only in SQLite.
    """
    try:
        return _rewritten(sql, schema)
    except RecursionError:
        raise NotPostgres("is nested too deeply") from None


def _rewritten(sql: str, schema: Schema) -> str:
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
    except sqlglot.errors.SqlglotError as error:
        raise NotPostgres(f"does not parse: {error}") from None
    if not isinstance(tree, exp.Query):
        raise NotPostgres("is not a query")
    columns = {column.name.lower() for table in schema.tables for column in table.columns}
    aliases = {node.alias.lower() for node in tree.find_all(exp.Alias, exp.Table, exp.Subquery, exp.CTE) if node.alias}
    for column in list(tree.find_all(exp.Column)):
        quoted_alone = isinstance(column.this, exp.Identifier) and column.this.quoted and not column.table
        if quoted_alone and column.name.lower() not in columns | aliases:
            column.replace(exp.Literal.string(column.name))
    for identifier in tree.find_all(exp.Identifier):
        if identifier.name.isidentifier():
            identifier.set("quoted", False)
    for ordered in tree.find_all(exp.Ordered):
        # Keep the plain spelling; where NULLs go is not what these questions ask.
        ordered.set("nulls_first", bool(ordered.args.get("desc")))
    for select in tree.find_all(exp.Select):
        _mend_grouping(select, schema)
    return tree.sql(dialect="postgres", comments=False)


def _mend_grouping(select: exp.Select, schema: Schema) -> None:
    """Make every plain column of a grouped SELECT part of its grouping, as PostgreSQL wants it."""
    from sqlglot import exp

    group = select.args.get("group")
    plain = [column for projection in select.expressions for column in _columns_outside_aggregates(projection)]
    if group is None:
        if plain and any(projection.find(exp.AggFunc) for projection in select.expressions):
            raise NotPostgres("selects a column beside an aggregate without GROUP BY")
        return
    if any(isinstance(projection, exp.Star) for projection in select.expressions):
        raise NotPostgres("selects * from a grouping")
    grouped = {expression.name.lower() for expression in group.expressions}
    keys = {key.lower() for table in schema.tables if len(table.primary_key) == 1 for key in table.primary_key}
    fixed_by_key = bool(grouped & keys)
    for column in plain:
        if column.name.lower() in grouped:
            continue
        if not fixed_by_key:
            raise NotPostgres(f"selects {column.name}, which its grouping does not fix")
        group.append("expressions", column.copy())
        grouped.add(column.name.lower())


def _columns_outside_aggregates(node: exp.Expression) -> list[exp.Column]:
    from sqlglot import exp

    if isinstance(node, exp.AggFunc | exp.Subquery | exp.Window):
        return []
    if isinstance(node, exp.Column):
        return [node]
    return [column for child in node.iter_expressions() for column in _columns_outside_aggregates(child)]
