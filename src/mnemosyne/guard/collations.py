"""Collations of PostgreSQL under the names of the other engines; what only one engine has stays with it."""

from __future__ import annotations

from sqlglot import exp

from mnemosyne.guard.trees import Node, Rule

_BY_BYTES = frozenset({"C", "POSIX", "UCS_BASIC", "BINARY"})


def by_bytes(name: str) -> Rule:
    """A rule for COLLATE in an engine that compares by bytes unless it is told otherwise, and calls that `name`."""

    def rule(node: Node) -> Node | None:
        written = node.expression.name.upper()
        if written == "DEFAULT":
            inner: Node = node.this
            return inner
        if written in _BY_BYTES:
            node.set("expression", exp.Var(this=name))
        return None

    return rule
