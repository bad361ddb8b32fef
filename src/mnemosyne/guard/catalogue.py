"""What a query may name: the tables of a schema as seen through a policy, and the nearest names to a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mnemosyne.errors import SettingsError
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.refused import Refused
from mnemosyne.schema import Schema, Table

_SYSTEM_NAMESPACES = frozenset({"pg_catalog", "information_schema", "pg_toast", "pg_temp", "temp", "system"})
_SYSTEM_TABLE = re.compile(
    r"pg_.*|sqlite_.*|duckdb_.*|pragma_.*|dbstat|sqlite3_.*|fts\d.*|bytecode|tables_used|"
    r"json_each|json_tree|information_schema.*"
)
_USUAL_NAMESPACES = frozenset({"public", "main", "dbo"})


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table as a query may see it."""

    table: Table
    """The table of the schema."""
    columns: dict[str, str]
    """Permitted columns: lower-case name to the name as stored, in the order of the table.

    Of columns that differ only in case the first has its lower-case name, each other its own.
    """
    denied: frozenset[str]
    """Lower-case names of columns that exist but are not permitted."""


@dataclass(slots=True)
class Catalogue:
    """The permitted part of a schema, indexed by lower-case names."""

    tables: dict[str, list[KnownTable]] = field(default_factory=dict)
    """Lower-case table name to its tables; more than one when namespaces share a name, or names differ only in case."""
    denied: set[str] = field(default_factory=set)
    """Lower-case names of tables that exist but are not permitted."""

    def find(self, name: str, namespace: str | None = None) -> KnownTable | None:
        """The table that a text means by `namespace.name`, or by `name` alone when the namespace is empty.

        Without a namespace (None) nobody knows which text is meant: what all tables of the name have in common.
        Raises Refused when the text could mean several.
        """
        candidates = self.tables.get(name.lower(), [])
        if namespace is None:
            return _in_common(candidates)
        candidates = _spelled(_within(candidates, namespace), name)
        if len(candidates) > 1:
            names = [known.table.full_name for known in candidates]
            raise Refused(
                "ambiguous-table",
                f"the table {name} could be {' or '.join(names)}; write which one is meant",
                place=name,
                hint=", ".join(names),
            )
        return candidates[0] if candidates else None

    def nearest_tables(self, name: str) -> list[str]:
        """Up to three permitted tables with a name like this one, best first."""
        names = {known.table.full_name: known.table.name for group in self.tables.values() for known in group}
        return _nearest(name, names)

    def nearest_columns(self, name: str, preferred: Iterable[str] = ()) -> list[str]:
        """Up to three permitted columns, written `table.column`, from any table; those of `preferred` tables first."""
        first = frozenset(table.lower() for table in preferred)
        names = {
            f"{known.table.name}.{column}": column
            for group in self.tables.values()
            for known in group
            for column in known.columns.values()
        }
        return _nearest(name, names, first)


def _within(candidates: list[KnownTable], namespace: str) -> list[KnownTable]:
    """The tables of a namespace; of the default one, or else of all, when it is empty."""
    default = [known for known in candidates if not known.table.namespace]
    if not namespace:
        return default or candidates
    same = [known for known in candidates if known.table.namespace.lower() == namespace.lower()]
    exact = [known for known in same if known.table.namespace == namespace]
    return exact or same or (default if namespace.lower() in _USUAL_NAMESPACES else [])


def _spelled(candidates: list[KnownTable], name: str) -> list[KnownTable]:
    """Of tables that differ only in case: those written exactly so, or else in lower case, as PostgreSQL folds names.

    Whether the text has the name in quotes is not known here.
    """
    for wanted in (name, name.lower()):
        same = [known for known in candidates if known.table.name == wanted]
        if same:
            return same
    return candidates


def _in_common(candidates: list[KnownTable]) -> KnownTable | None:
    """One table for several: what is a key in all of them, and what is denied in any."""
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    first = _within(candidates, "")[0]
    keys = {known.table.primary_key for known in candidates}
    table = first.table if len(keys) == 1 else replace(first.table, primary_key=())
    return replace(first, table=table, denied=frozenset().union(*(known.denied for known in candidates)))


def catalogue_of(schema: Schema, policy: Policy | None) -> Catalogue:
    """The catalogue of a schema under a policy; the last few are kept, because every question asks for the same."""
    key = (id(schema), id(policy))
    kept = _kept.get(key)
    if kept is not None and kept[0] is schema and kept[1] is policy:
        return kept[2]
    catalogue = _build(schema, policy)
    if len(_kept) >= 64:
        _kept.clear()
    _kept[key] = (schema, policy, catalogue)
    return catalogue


_kept: dict[tuple[int, int], tuple[Schema, Policy | None, Catalogue]] = {}


def _build(schema: Schema, policy: Policy | None) -> Catalogue:
    catalogue = Catalogue()
    if policy is not None:
        _refuse_unknown_rules(schema, policy)
    for table in schema.tables:
        permitted = _columns(table)
        denied: frozenset[str] = frozenset()
        if policy is not None:
            rule = policy.rule(table.name, namespace=table.namespace, is_view=table.is_view)
            if rule is None or not any(rule.permits(low) for low in permitted):
                catalogue.denied.add(table.name.lower())
                continue
            seen = {key: name for key, name in permitted.items() if rule.permits(name.lower())}
            permitted, denied = seen, frozenset(permitted) - frozenset(seen)
        catalogue.tables.setdefault(table.name.lower(), []).append(KnownTable(table, permitted, denied))
    return catalogue


def _columns(table: Table) -> dict[str, str]:
    columns: dict[str, str] = {}
    for column in table.columns:
        low = column.name.lower()
        columns[column.name if low in columns else low] = column.name
    return columns


def _refuse_unknown_rules(schema: Schema, policy: Policy) -> None:
    """A rule for a table or column that does not exist protects nothing, and is most likely a slip of the pen."""
    columns: dict[str, set[str]] = {}
    for table in schema.tables:
        for name in {table.name.lower(), table.full_name.lower()}:
            columns.setdefault(name, set()).update(column.name.lower() for column in table.columns)
    for name, rule in policy.tables.items():
        if name not in columns:
            raise SettingsError(f"The policy names a table {name} that the schema does not have.")
        unknown = ((rule.columns or frozenset()) | rule.hidden) - columns[name]
        if unknown:
            raise SettingsError(f"The policy names columns that {name} does not have: {', '.join(sorted(unknown))}.")


def is_system_name(name: str, namespace: str = "") -> bool:
    """Whether a table belongs to the engine itself."""
    return namespace.lower() in _SYSTEM_NAMESPACES or _SYSTEM_TABLE.fullmatch(name.lower()) is not None


def _nearest(wrong: str, names: dict[str, str], preferred: frozenset[str] = frozenset()) -> list[str]:
    """The best of `names` (full name to the part that is compared); names of preferred tables win a tie."""
    from rapidfuzz import fuzz

    wanted = wrong.lower().strip()
    scored: list[tuple[float, str]] = []
    for full, short in names.items():
        low = short.lower()
        by_word = fuzz.token_set_ratio(wanted.replace("_", " "), low.replace("_", " "))
        score = max(fuzz.ratio(wanted, low), 0.9 * by_word)
        if score >= 60:
            scored.append((-score - 5 * (full.split(".")[0].lower() in preferred), full))
    return [full for _, full in sorted(scored)[:3]]
