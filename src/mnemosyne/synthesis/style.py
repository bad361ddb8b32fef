"""One way to print a query: the canonical PostgreSQL that a small model learns.

One line, no `AS` before table aliases, `x IS NOT NULL`, `x::date`, `INTERVAL '30 days'`,
`DATE_TRUNC('month', x)`, `COUNT(*) FILTER (WHERE ...)`: what people write, in as few tokens as it takes.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres


class _Generator(Postgres.Generator):  # type: ignore[misc,valid-type,unused-ignore]
    """PostgreSQL as people write it, where sqlglot's own spelling differs."""

    def interval_sql(self, expression: exp.Interval) -> str:
        """`INTERVAL '30 days'`: one literal, lower case, plural by the number."""
        number = expression.this.name
        unit = expression.text("unit").lower().rstrip("s")
        if not unit:
            return f"INTERVAL '{number}'"
        return f"INTERVAL '{number} {unit}{'' if number == '1' else 's'}'"

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """`x::date`, with parentheses around anything that binds less tightly."""
        inner = self.sql(expression, "this")
        if isinstance(expression.this, (exp.Binary, exp.Unary, exp.Case)) and not isinstance(
            expression.this, (exp.Dot, exp.Paren)
        ):
            inner = f"({inner})"
        kind = self.sql(expression, "to").lower()
        return f"{inner}::{'numeric' if kind == 'decimal' else kind}"

    def timestamptrunc_sql(self, expression: exp.TimestampTrunc) -> str:
        """`DATE_TRUNC('month', x)`."""
        return f"DATE_TRUNC('{expression.text('unit').lower()}', {self.sql(expression, 'this')})"

    def not_sql(self, expression: exp.Not) -> str:
        """`x IS NOT NULL`, `x NOT IN (...)`, `x NOT LIKE y` instead of a leading NOT."""
        inner = expression.this
        if isinstance(inner, (exp.Is, exp.In, exp.Like, exp.ILike, exp.Between)):
            left = self.sql(inner, "this")
            text = self.sql(inner)
            rest = text[len(left) :].lstrip()
            return f"{left} IS NOT{rest[2:]}" if isinstance(inner, exp.Is) else f"{left} NOT {rest}"
        return f"NOT {self.sql(inner)}"

    def exists_sql(self, expression: exp.Exists) -> str:
        """`EXISTS (SELECT ...)`."""
        return f"EXISTS {self.wrap(expression)}"

    def round_sql(self, expression: exp.Round) -> str:
        """`ROUND(x, 1)`: whether x must be cast is the composer's business."""
        return f"ROUND({self.format_args(expression.this, expression.args.get('decimals'))})"

    def filter_sql(self, expression: exp.Filter) -> str:
        """`COUNT(*) FILTER (WHERE ...)`."""
        return f"{self.sql(expression, 'this')} FILTER ({self.sql(expression, 'expression').strip()})"

    def alias_sql(self, expression: exp.Alias) -> str:
        """`expression AS name`."""
        return f"{self.sql(expression, 'this')} AS {self.sql(expression, 'alias')}"

    def table_sql(self, expression: exp.Table, sep: str = " ") -> str:
        """`samples s`: no AS between a table and its alias."""
        return str(super().table_sql(expression, sep=sep))


_Generator.TRANSFORMS = {
    kind: function
    for kind, function in Postgres.Generator.TRANSFORMS.items()
    if kind not in (exp.TimestampTrunc, exp.Interval, exp.Round)
}


def print_sql(tree: exp.Expression) -> str:
    """The query as canonical PostgreSQL on one line."""
    return str(_Generator(dialect="postgres", comments=False).generate(tree, copy=True))
