"""Rows and lists that DuckDB compares or makes otherwise than PostgreSQL.

DuckDB compares rows as structures, in which NULL equals NULL and comes last; here each column is compared.
"""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.kinds import marked
from mnemosyne.guard.trees import Node, Rule, Untranslatable, bare, call, data_type, is_text, literal, paren, whole

_STRICT: dict[type[Node], type[Node]] = {exp.GTE: exp.GT, exp.LTE: exp.LT}


def compared(node: Node) -> Node | None:
    """`(a, b) > (c, d)` is `a > c OR (a = c AND b > d)`."""
    left, right = bare(node.this), bare(node.expression)
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Subquery):
        return _with_query(node, left, right)
    if not isinstance(left, exp.Tuple) or not isinstance(right, exp.Tuple):
        return None
    if len(left.expressions) != len(right.expressions):
        raise Untranslatable("Rows of different lengths are compared.", node)
    return marked(_by_columns(type(node), left.expressions, right.expressions), "bool")


def _by_columns(test: type[Node], left: list[Node], right: list[Node]) -> Node:
    pairs = [(paren(one.copy()), paren(other.copy())) for one, other in zip(left, right, strict=True)]
    if test in (exp.EQ, exp.NEQ):
        tests = [test(this=one, expression=other) for one, other in pairs]
        return exp.Paren(this=exp.and_(*tests) if test is exp.EQ else exp.or_(*tests))
    (one, other), rest = pairs[0], len(pairs) > 1
    if not rest:
        return test(this=one, expression=other)
    first = _STRICT.get(test, test)(this=one, expression=other)
    equal = exp.EQ(this=one.copy(), expression=other.copy())
    return exp.Paren(this=exp.or_(first, exp.and_(equal, _by_columns(test, left[1:], right[1:]))))


def _with_query(node: Node, left: exp.Tuple, right: exp.Subquery) -> Node:
    """`(a, b) = (SELECT x, y …)`: the one row, if there is one, is compared inside."""
    names = [exp.to_identifier(f"row_{index}") for index in range(1, len(left.expressions) + 1)]
    alias = exp.TableAlias(this=exp.to_identifier("one_row"), columns=names)
    others: list[Node] = [exp.column(name.copy(), table="one_row") for name in names]
    value = _by_columns(type(node), left.expressions, others)
    return exp.Subquery(this=exp.Select(expressions=[value]).from_(exp.Subquery(this=right.this, alias=alias)))


def within(node: Node) -> Node | None:
    """`(a, b) IN ((1, 2), (3, 4))`."""
    left = bare(node.this)
    if not isinstance(left, exp.Tuple) or node.args.get("query") is not None:
        return None
    rows = [bare(item) for item in node.expressions]
    if not all(isinstance(row, exp.Tuple) and len(row.expressions) == len(left.expressions) for row in rows):
        raise Untranslatable("Rows of different lengths are compared.", node)
    tests = [_by_columns(exp.EQ, left.expressions, row.expressions) for row in rows]
    return marked(exp.Paren(this=exp.or_(*tests)), "bool")


def cut(node: Node) -> Node | None:
    """STRING_TO_ARRAY of an empty text is an empty list."""
    if node.args.get("null") is not None or not is_text(node.expression) or not node.expression.name:
        raise Untranslatable("STRING_TO_ARRAY takes one written separator.", node)
    empty = exp.EQ(this=paren(node.this.copy()), expression=literal(""))
    nothing = exp.Cast(this=exp.Array(expressions=[]), to=data_type("TEXT[]"))
    return marked(exp.Case(ifs=[exp.If(this=empty, true=nothing)], default=node.copy()), "array")


def size(node: Node) -> Node:
    """ARRAY_LENGTH(list, 1) is NULL for an empty list."""
    dimension = node.args.get("expression")
    if dimension is not None and whole(dimension) != 1:
        raise Untranslatable("A list has one dimension here.", node)
    return exp.Nullif(this=call("LEN", node.this, kind="int"), expression=literal(0))


def bucket(node: Node) -> Node:
    """WIDTH_BUCKET(x, low, high, n)."""
    low, high, count = (node.args[name] for name in ("min_value", "max_value", "num_buckets"))
    if not all(isinstance(end, exp.Literal) and not end.is_string for end in (low, high)):
        raise Untranslatable("WIDTH_BUCKET takes written ends in DuckDB.", node)
    bottom, top, number = float(low.name), float(high.name), whole(count)
    if bottom >= top or number is None or number < 1:
        raise Untranslatable("WIDTH_BUCKET takes ends that rise and a written number of parts.", node)
    value = exp.Cast(this=node.this, to=data_type("DOUBLE"))
    share = exp.Div(
        this=exp.Mul(this=exp.Paren(this=exp.Sub(this=value, expression=low.copy())), expression=count.copy()),
        expression=exp.Paren(this=exp.Sub(this=high.copy(), expression=low.copy())),
    )
    inside = exp.Add(this=exp.Cast(this=exp.Floor(this=share), to=data_type("BIGINT")), expression=literal(1))
    ifs = [
        exp.If(this=exp.LT(this=paren(node.this.copy()), expression=low.copy()), true=literal(0)),
        exp.If(this=exp.GTE(this=paren(node.this.copy()), expression=high.copy()), true=literal(number + 1)),
        exp.If(this=exp.Not(this=exp.Is(this=paren(node.this.copy()), expression=exp.Null())), true=inside),
    ]
    return marked(exp.Case(ifs=ifs), "int")


RULES: dict[type[exp.Expression], Rule] = {
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), compared),
    exp.In: within,
    exp.StringToArray: cut,
    exp.ArraySize: size,
    exp.WidthBucket: bucket,
}
