"""The part of a schema that a policy leaves: what a model, a person or an index of values may see. Runs nothing."""

from __future__ import annotations

from dataclasses import replace

from mnemosyne.errors import SettingsError
from mnemosyne.guard.catalogue import KnownTable, catalogue_of
from mnemosyne.guard.policy import Policy
from mnemosyne.guard.query import Dialect
from mnemosyne.schema import Schema, Table


def visible(schema: Schema, policy: Policy | None, dialect: Dialect = "postgres") -> Schema:
    """The schema without what the policy denies, and without keys that would name it; the same schema without a policy.

    Every rule of the policy is tried on the way, so that one without meaning stops the start and not the third
    question. Raises SettingsError for such a rule, and when nothing is left to ask about.
    """
    if policy is None:
        return schema
    known = [one for group in catalogue_of(schema, policy).tables.values() for one in group]
    if not known:
        raise SettingsError(
            "The policy permits no table of this schema.",
            hint="Name the permitted tables under `tables`, or set `others: true`.",
        )
    _try_rules(schema, policy, dialect)
    permitted = {id(one.table): one for one in known}
    left = Schema(tuple(table for table in schema.tables if id(table) in permitted), schema.case_sensitive)
    return replace(left, tables=tuple(_narrowed(table, permitted, left) for table in left.tables))


def _narrowed(table: Table, permitted: dict[int, KnownTable], left: Schema) -> Table:
    def sees(one: Table, names: tuple[str, ...]) -> bool:
        return all(name.lower() in permitted[id(one)].columns for name in names)

    keys = []
    for key in table.foreign_keys:
        other = left.table(key.table)
        if sees(table, key.columns) and other is not None and sees(other, key.references or other.primary_key):
            keys.append(key)
    return replace(
        table,
        columns=tuple(column for column in table.columns if sees(table, (column.name,))),
        primary_key=table.primary_key if sees(table, table.primary_key) else (),
        foreign_keys=tuple(keys),
    )


def _try_rules(schema: Schema, policy: Policy, dialect: Dialect) -> None:
    from mnemosyne.guard.dialect import translate
    from mnemosyne.guard.narrow import permitted_part

    for table in schema.tables:
        rule = policy.rule(table.name, namespace=table.namespace, is_view=table.is_view)
        if rule is not None and rule.rows:
            permitted_part(table, rule, schema, dialect, None, translate)
