"""The stored values of a database, kept beside the cache: read once, then only what changed.

One file per database, readable by its owner alone. A table is read again when its definition changed or the
database's file did; a server does not tell when rows change, so what was read there is good for a day.
"""

from __future__ import annotations

import hashlib
import json
import logging
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
from mnemosyne.grounding.stored import NAMES_IN_ALL, VALUES_PER_COLUMN, beyond, stored_values, unknown_exclusions
from mnemosyne.grounding.values import ValueIndex
from mnemosyne.guard.policy import Policy
from mnemosyne.schema import Column, Schema, Table
from mnemosyne.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 4
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
    policy: Policy | None = None,
    names: Names | None = None,
) -> ValueIndex:
    """The index of a database's values, from `folder` as far as it is still true, else read now and kept there.

    `schema` is the whole one; under a policy only what that permits is read, and kept in a file of its own.
    """
    seen = guard.visible(schema, policy, database.dialect)
    whose = () if policy is None else (policy.text,)
    path = folder / f"{_digest(database.url, sorted(exclude), VALUES_PER_COLUMN, *whose)}.json"
    stamp = _stamp(database)
    kept, made = _load(path, stamp)
    definitions = {table.full_name: _digest(Schema((table,)).to_ddl(), *_clock(table, policy)) for table in seen.tables}
    fresh = {name: known for name, known in kept.items() if known["definition"] == definitions.get(name)}
    room = NAMES_IN_ALL - sum(beyond(values) for _, _, values in _columns(seen, fresh))
    for name in [name for name in definitions if name not in fresh]:
        read = stored_values(database, schema, exclude=exclude, policy=policy, only=name, room=room)
        columns = {column.name: values for _, column, values in read}
        room -= sum(map(beyond, columns.values()))
        fresh[name] = {"definition": definitions[name], "columns": columns}
    if fresh != kept:
        with suppress(OSError):  # a full or read-only disk costs time at the next start, no more
            _save(path, {"format": FORMAT, "stamp": stamp, "made": made, "tables": fresh})
    return ValueIndex.of(_columns(seen, fresh), seen, synonyms=synonyms, names=names)


def keep(
    database: Database, schema: Schema, settings: Settings, policy: Policy | None = None, names: Names | None = None
) -> ValueIndex:
    """The index of a database's values as the settings want it: where it is kept, what it leaves out, house words.

    What is to be left out and is not there is logged as a warning: the setting may be meant for another database.
    """
    for name, near in unknown_exclusions(excluded(settings), schema).items():
        meant = f" Nearest: {near}." if near else ""
        log.warning("MNEMOSYNE_EXCLUDE_VALUES: no column of %s is called %s.%s", database.url, name, meant)
    return open_values(
        database,
        schema,
        settings.home / "values",
        exclude=excluded(settings),
        synonyms=house_synonyms(settings),
        policy=policy,
        names=names,
    )


def excluded(settings: Settings) -> tuple[str, ...]:
    """The columns whose values are never read: `table.column`, or bare names."""
    return tuple(name.strip() for name in settings.exclude_values.split(",") if name.strip())


def house_synonyms(settings: Settings) -> Path | None:
    """A person's own file of synonyms, None for none."""
    return Path(os.path.expanduser(settings.synonyms)) if settings.synonyms else None


def _clock(table: Table, policy: Policy | None) -> tuple[str, ...]:
    """Today, where a rule chooses rows: it may ask for the date, so what it permitted is good for a day."""
    rule = policy.rule(table.name, namespace=table.namespace, is_view=table.is_view) if policy is not None else None
    return (date.today().isoformat(),) if rule is not None and rule.rows else ()


def _columns(schema: Schema, tables: dict[str, dict[str, object]]) -> list[tuple[Table, Column, list[str]]]:
    found = []
    for table in schema.tables:
        columns = tables.get(table.full_name, {}).get("columns", {})
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
