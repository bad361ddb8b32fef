"""The stored values of a database, kept beside the cache: read once, then only what changed.

One file per database, readable by its owner alone. A table is read again when its definition changed or the
database's file did; a server does not tell when rows change, so what was read there is good for a day.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from mnemosyne import guard
from mnemosyne.databases import Database
from mnemosyne.databases.places import parse
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.stored import VALUES_PER_COLUMN, stored_values
from mnemosyne.grounding.values import ValueIndex
from mnemosyne.guard.policy import Policy
from mnemosyne.schema import Column, Schema, Table
from mnemosyne.settings import Settings

FORMAT = 3
"""Of the file; another one is read anew."""

MAX_AGE_SECONDS = 24 * 3600.0
"""How long the values of a server are good."""


def open_values(
    database: Database,
    schema: Schema,
    folder: Path,
    *,
    exclude: Sequence[str] = (),
    synonyms: Path | None = None,
    cap: int = VALUES_PER_COLUMN,
    policy: Policy | None = None,
    names: Names | None = None,
) -> ValueIndex:
    """The index of a database's values, from `folder` as far as it is still true, else read now and kept there.

    `schema` is the whole one; under a policy only what that permits is read, and kept in a file of its own.
    """
    seen = guard.visible(schema, policy, database.dialect)
    whose = () if policy is None else (policy.text,)
    path = folder / f"{_digest(database.url, sorted(exclude), cap, *whose)}.json"
    stamp = _stamp(database)
    kept, made = _load(path, stamp)
    fresh: dict[str, dict[str, object]] = {}
    for table in seen.tables:
        definition = _digest(Schema((table,)).to_ddl(), *_clock(table, policy))
        known = kept.get(table.full_name)
        if known is not None and known["definition"] == definition:
            fresh[table.full_name] = known
            continue
        read = stored_values(database, schema, exclude=exclude, cap=cap, policy=policy, only=table.full_name)
        fresh[table.full_name] = {"definition": definition, "columns": {c.name: values for _, c, values in read}}
    if fresh != kept:
        with suppress(OSError):  # a full or read-only disk costs time at the next start, no more
            _save(path, {"format": FORMAT, "stamp": stamp, "made": made, "tables": fresh})
    return ValueIndex.of(_columns(seen, fresh), seen, synonyms=synonyms, cap=cap, names=names)


def keep(
    database: Database, schema: Schema, settings: Settings, policy: Policy | None = None, names: Names | None = None
) -> ValueIndex:
    """The index of a database's values as the settings want it: where it is kept, what it leaves out, house words."""
    exclude = [name.strip() for name in settings.exclude_values.split(",") if name.strip()]
    synonyms = Path(settings.synonyms).expanduser() if settings.synonyms else None
    return open_values(
        database,
        schema,
        settings.home / "values",
        exclude=exclude,
        synonyms=synonyms,
        policy=policy,
        names=names,
    )


def _clock(table: Table, policy: Policy | None) -> tuple[str, ...]:
    """Today, where a rule chooses rows: it may ask for the date, so what it permitted is good for a day."""
    rule = policy.rule(table.name, namespace=table.namespace, is_view=table.is_view) if policy is not None else None
    return (date.today().isoformat(),) if rule is not None and rule.rows else ()


def _columns(schema: Schema, tables: dict[str, dict[str, object]]) -> list[tuple[Table, Column, list[str]]]:
    found = []
    for table in schema.tables:
        columns = tables[table.full_name]["columns"]
        assert isinstance(columns, dict)
        found += [(table, column, columns[column.name]) for column in table.columns if column.name in columns]
    return found


def _stamp(database: Database) -> str:
    """What changes when a database file changes; empty for a server."""
    place = parse(database.url)
    if place.path is None:
        return ""
    files = [place.path, Path(f"{place.path}-wal"), Path(f"{place.path}.wal")]
    states = [file.stat() for file in files if file.exists()]
    return " ".join(f"{state.st_size}:{state.st_mtime_ns}" for state in states)


def _load(path: Path, stamp: str) -> tuple[dict[str, dict[str, object]], float]:
    """The tables of a file that is still good, and when the oldest was read; none and now otherwise."""
    nothing: tuple[dict[str, dict[str, object]], float] = ({}, time.time())
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return nothing
    good = isinstance(content, dict) and content.get("format") == FORMAT and content.get("stamp") == stamp
    if not good or (not stamp and time.time() - content["made"] > MAX_AGE_SECONDS):
        return nothing
    return dict(content["tables"]), float(content["made"])


def _save(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
    temporary.replace(path)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
