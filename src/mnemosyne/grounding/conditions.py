"""How the conditions of a query hang together: which stand beside each other, which are alternatives, which are ruled out.

`NOT` is worked in on the way (`NOT (a OR b)` is `NOT a` beside `NOT b`), so that whoever reads a condition is told
whether it holds or is ruled out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    Condition = tuple[exp.Expr, bool]
    """A comparison, or an OR of several, and whether it is ruled out."""


def is_condition(node: exp.Expr) -> bool:
    """Whether a node is true or false by its form."""
    from sqlglot import exp

    return isinstance(node, exp.Connector | exp.Not | exp.Predicate) or _wrapped(node) is not None


def beside(node: exp.Expr, ruled_out: bool = False) -> list[Condition]:
    """The conditions that all have to hold; an alternative among them stays whole."""
    return _members(node, ruled_out, either=False)


def choices(node: exp.Expr, ruled_out: bool = False) -> list[Condition]:
    """The conditions of which one is enough; of a single comparison only itself."""
    return _members(node, ruled_out, either=True)


def is_choice(node: exp.Expr, ruled_out: bool = False) -> bool:
    """Whether one of several conditions is enough."""
    from sqlglot import exp

    return isinstance(node, exp.And if ruled_out else exp.Or)


def places(tree: exp.Expr) -> Iterator[tuple[exp.Expr, list[Condition]]]:
    """Conditions that hold together, with where they stand: a query, one of its FILTERs or CASEs, or an alternative."""
    from sqlglot import exp

    for node in tree.walk(bfs=False):
        parent = node.parent
        if not is_condition(node) or isinstance(parent, exp.Connector):
            continue
        if parent is not None and (wrapped := _wrapped(parent)) is not None and wrapped[0] is node:
            continue
        yield from _places(node.find_ancestor(exp.Filter, exp.If, exp.Select) or node, (node, False))


def _places(place: exp.Expr, condition: Condition) -> Iterator[tuple[exp.Expr, list[Condition]]]:
    members = beside(*condition)
    yield place, [member for member in members if not is_choice(*member)]
    for member in members:
        if is_choice(*member):
            for choice in choices(*member):
                yield from _places(choice[0], choice)


def _members(node: exp.Expr, ruled_out: bool, *, either: bool) -> list[Condition]:
    from sqlglot import exp

    found: list[Condition] = []
    left = [(node, ruled_out)]
    while left:
        one, out = left.pop()
        while (wrapped := _wrapped(one)) is not None:
            one, out = wrapped[0], out != wrapped[1]
        if isinstance(one, exp.Or if either != out else exp.And):
            left += [(one.expression, out), (one.this, out)]
        else:
            found.append((one, out))
    return found


def _wrapped(node: exp.Expr) -> tuple[exp.Expr, bool] | None:
    """The condition that another form of it holds, and whether that turns it round: `NOT (…)`, `(…) IS FALSE`."""
    from sqlglot import exp

    if isinstance(node, exp.Not):
        return node.this, True
    if isinstance(node, exp.Is | exp.EQ | exp.NEQ) and isinstance(node.expression, exp.Boolean):
        turned = bool(node.args.get("negate")) != isinstance(node, exp.NEQ)
        return (node.this, turned != (not node.expression.this)) if is_condition(node.this) else None
    if isinstance(node, exp.Paren | exp.Cast | exp.Coalesce | exp.LogicalOr | exp.LogicalAnd):
        return (node.this, False) if is_condition(node.this) else None
    return None
