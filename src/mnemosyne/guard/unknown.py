"""Refusals of names, worded for a person and for a model that repairs: what is wrong, and what is near."""

from __future__ import annotations

from typing import NoReturn

from sqlglot import exp

from mnemosyne.guard.catalogue import Catalogue
from mnemosyne.guard.equivalents import way
from mnemosyne.guard.refused import Refused
from mnemosyne.guard.scopes import Scope

_CLOCK = frozenset({"sysdate", "getdate", "curdate", "today", "now"})
"""Names that other databases read as the clock; as columns they do not exist."""


def refuse_table(item: exp.Table, catalogue: Catalogue) -> NoReturn:
    """A table that the schema does not have, or that the policy hides."""
    name = item.name
    if name.lower() in catalogue.denied:
        raise Refused("denied", f"the table {name} may not be read", place=name)
    near = catalogue.nearest_tables(name)
    known = sorted(group[0].table.name for group in catalogue.tables.values())
    raise Refused(
        "unknown-table",
        f"there is no table {name}{_did_you_mean(near)}",
        place=name,
        hint=_hint(near, "Tables: " + ", ".join(known[:40])),
    )


def refuse_source(name: str, scope: Scope, catalogue: Catalogue) -> NoReturn:
    """A qualifier that is no table or alias of FROM."""
    for source in scope.sources.values():
        if source.table and source.table.lower() == name.lower():
            raise Refused(
                "unknown-table", f"{name} is called {source.name} in this query", place=name, hint=source.name
            )
    if catalogue.find(name) is not None:
        raise Refused("unknown-table", f"{name} is not in FROM", place=name, hint=f"Join {name}.")
    known = ", ".join(source.name for source in scope.sources.values() if source.name)
    raise Refused("unknown-table", f"no table or alias {name} is in FROM", place=name, hint=known)


def refuse_reference(node: exp.Column, scope: Scope, catalogue: Catalogue, *, single_quotes: bool) -> NoReturn:
    """A column that no source in sight has. `single_quotes`: double quotes cannot hold text in this dialect."""
    wanted = node.text("table").lower()
    source = scope.sources.get(wanted) if wanted else None
    if source is not None:
        refuse_column(node.name, [source.table] if source.table else [], source.table or source.name, catalogue)
    if wanted:
        refuse_column(node.name, [], node.text("table"), catalogue)
    tables = [one.table for one in scope.sources.values() if one.table]
    if single_quotes and node.this.args.get("quoted"):
        near = catalogue.nearest_columns(node.name, tables)
        raise Refused(
            "unknown-column",
            f"\"{node.name}\" in double quotes is the name of a column; text takes single quotes: '{node.name}'"
            if not near
            else f"there is no column {node.name}{_did_you_mean(near)}",
            place=node.name,
            hint=_hint(near, f"'{node.name}'"),
        )
    if len(tables) == 1 and len(scope.sources) == 1:
        refuse_column(node.name, tables, tables[0], catalogue)
    refuse_column(node.name, tables, "", catalogue)


def refuse_column(name: str, preferred: list[str], holder: str, catalogue: Catalogue) -> NoReturn:
    """A column that `holder` (a table, an alias, or nothing in particular) does not have."""
    for table in preferred:
        known = catalogue.find(table)
        if known is not None and name.lower() in known.denied:
            raise Refused("denied", f"the column {table}.{name} may not be read", place=name)
    near = catalogue.nearest_columns(name, preferred)
    if name.lower() in _CLOCK:
        raise Refused("unknown-column", f"there is no column {name}", place=name, hint=way(name))
    if holder:
        says = f"{holder} has no column {name}"
    elif preferred:
        says = f"no table of the query ({', '.join(preferred)}) has a column {name}"
    else:
        says = f"there is no column {name}"
    raise Refused("unknown-column", says + _did_you_mean(near), place=name, hint=_hint(near, ""))


def refuse_ambiguous(name: str, scope: Scope) -> NoReturn:
    """A column that more than one source has."""
    holders = [one.name for one in scope.sources.values() if name.lower() in one.by_name and one.name]
    if len(holders) < 2:
        reason = f"{name} is returned twice by {holders[0] if holders else 'the query'}; give each column its own alias"
    else:
        reason = f"{name} could be a column of {' or '.join(holders)}; write {holders[0]}.{name}"
    hint = ", ".join(f"{holder}.{name}" for holder in holders)
    raise Refused("ambiguous-column", reason, place=name, hint=hint)


def _did_you_mean(near: list[str]) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _hint(near: list[str], otherwise: str) -> str:
    return ("Nearest: " + ", ".join(near)) if near else otherwise
