"""References: a column that an expression names, to the source in sight that has it."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from mnemosyne.guard.catalogue import Catalogue
from mnemosyne.guard.query import Dialect
from mnemosyne.guard.refused import Refused, piece
from mnemosyne.guard.scopes import Field, Scope, Source
from mnemosyne.guard.unknown import refuse_ambiguous, refuse_reference, refuse_source


class References:
    """Resolves the columns of expressions; `names.Resolver` resolves the queries around and inside them."""

    def __init__(self, catalogue: Catalogue, written: Dialect, target: Dialect) -> None:
        self.catalogue = catalogue
        self.written = written
        self.target = target
        self.tables: dict[str, None] = {}
        self.columns: dict[tuple[str, str], None] = {}
        self.renamed = 0

    def query(self, node: exp.Expression, outer: Scope | None, ctes: dict[str, Source]) -> list[Field]:
        """Resolve a query that stands in an expression; its output columns."""
        raise NotImplementedError

    def _expression(self, root: exp.Expression, scope: Scope, aliases: str = "") -> None:
        """Resolve every column and every nested query of an expression."""
        stack: list[Any] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Column):
                self._reference(node, scope, aliases)
                continue
            if isinstance(node, (exp.Select, exp.SetOperation, exp.Subquery)):
                self.query(node, scope, scope.ctes)
                continue
            if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
                raise Refused("construct", "* may stand only alone in SELECT or in COUNT(*)", place="*")
            if isinstance(node, exp.In) and node.args.get("field") is not None:
                raise Refused("construct", "IN needs a list in brackets or a subquery")
            for value in reversed(node.args.values()):
                if isinstance(value, exp.Expression):
                    stack.append(value)
                elif type(value) is list:
                    stack.extend(one for one in reversed(value) if isinstance(one, exp.Expression))

    def _reference(self, node: exp.Column, scope: Scope, aliases: str) -> None:
        if isinstance(node.this, exp.Star):
            raise Refused("whole-row", f"{piece(node)} stands for a whole row; name the columns", place=piece(node))
        found = self._look_up(node, scope)
        if found is not None:
            return
        name, low = node.name, node.name.lower()
        if not node.args.get("table"):
            if aliases == "expand" and self._expand_alias(node, scope):
                return
            if self.written == "sqlite" and node.this.args.get("quoted"):
                node.replace(exp.Literal.string(name))  # SQLite takes "text" for text when no column has the name
                return
            current: Scope | None = scope
            while current is not None:
                if low in current.sources:
                    raise Refused(
                        "whole-row", f"{name} stands for a whole row of a table; name the columns", place=name
                    )
                current = current.outer
        refuse_reference(node, scope, self.catalogue, single_quotes=self.written == "postgres")

    def _look_up(self, node: exp.Column, scope: Scope) -> Field | None:
        wanted = node.text("table").lower()
        low = node.name.lower()
        current: Scope | None = scope
        while current is not None:
            if wanted:
                source = current.sources.get(wanted)
                if source is not None and not self._namespace_fits(node, source):
                    source = None
                if source is not None:
                    matches = source.by_name.get(low)
                    if not matches:
                        return None
                    if len(matches) > 1:
                        refuse_ambiguous(node.name, current)
                    return self._settle(node, matches[0], source)
            else:
                one = self._look_up_bare(node, low, current, scope)
                if one is not None:
                    return one
            current = current.outer
        if wanted:
            refuse_source(node.text("table"), scope, self.catalogue)
        return None

    def _look_up_bare(self, node: exp.Column, low: str, current: Scope, scope: Scope) -> Field | None:
        if low in current.merged:
            return self._settle(node, current.merged[low], None)
        matches = [(one, source) for source in current.sources.values() for one in source.by_name.get(low, [])]
        if not matches:
            return None
        if len(matches) > 1:
            refuse_ambiguous(node.name, current)
        one, source = matches[0]
        needs_table = len(current.sources) > 1 or current is not scope
        return self._settle(node, one, source if needs_table and source.name else None)

    @staticmethod
    def _namespace_fits(node: exp.Column, source: Source) -> bool:
        return not node.args.get("db") or bool(source.table and source.table.lower() == source.name.lower())

    def _settle(self, node: exp.Column, one: Field, source: Source | None) -> Field:
        """Write the reference as it was declared."""
        self._give_name(one)
        self._spell(node.this, one.name, one.quoted)
        if source is not None:
            node.set("table", exp.Identifier(this=source.name, quoted=source.quoted))
        node.set("db", None)
        node.meta["origin"] = one.origin
        self._read(one)
        return one

    def _expand_alias(self, node: exp.Column, scope: Scope) -> bool:
        outputs = scope.aliases.get(node.name.lower(), [])
        if not outputs:
            return False
        _, expression = outputs[0]
        inner = expression.this if isinstance(expression, exp.Alias) else expression
        if isinstance(inner, exp.Literal):
            return False
        copy = inner.copy()
        node.replace(exp.Paren(this=copy) if isinstance(copy, (exp.Binary, exp.Not)) else copy)
        return True

    def _read(self, one: Field) -> None:
        if one.origin is not None:
            self.columns[one.origin] = None

    @staticmethod
    def _spell(name: exp.Identifier, spelling: str, quoted: bool) -> None:
        name.set("this", spelling)
        name.set("quoted", quoted)

    def _is_mixed(self, name: str) -> bool:
        """PostgreSQL folds bare names to lower case, so stored capitals need quotes."""
        return self.target == "postgres" and name != name.lower()

    @staticmethod
    def _give_name(one: Field) -> None:
        """An expression without an alias gets one when it is referred to, so that all engines call it the same."""
        item = one.unnamed
        if item is None:
            return
        one.unnamed = None
        if not one.name.isidentifier():
            one.name = "value"
        item.replace(exp.Alias(this=item.copy(), alias=exp.Identifier(this=one.name, quoted=False)))
