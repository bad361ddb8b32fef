"""Look-alikes in the place of stored values: texts of the same shape that are stored nowhere.

One value has one look-alike in all columns and populations, so that rows still meet by their keys and a condition
finds as many rows as before. Columns that a foreign key ties to a disguised one are disguised with it.
"""

from __future__ import annotations

import difflib
import random
import string
from collections.abc import Collection, Iterable
from dataclasses import replace
from decimal import Decimal

from sqlglot import exp

from mnemosyne.errors import SettingsError
from mnemosyne.schema import Column, Schema
from mnemosyne.schema.writing import type_name
from mnemosyne.synthesis.lexicon import Lexicon, Measure, Term
from mnemosyne.synthesis.pools import Privacy
from mnemosyne.synthesis.references import Rows, references, text_of

Columns = frozenset[tuple[str, str]]
"""(table, column) pairs."""

_FIXED = ("BOOLEAN", "DATE", "TIMESTAMP", "TIME")
"""Types whose values have no look-alikes."""

_NUMBERS = ("INTEGER", "FLOAT", "NUMERIC")

_TRIES = 20
"""Look-alikes of the same length before one that is longer."""

_LONGEST = 500
"""Characters of a look-alike; nobody asks for prose by its wording."""


def check_names(privacy: Privacy, schema: Schema) -> None:
    """Raises SettingsError, with the nearest name, when privacy names a column that is not there or has no look-alikes."""
    for option, names in (("--exclude", privacy.exclude), ("--disguise", privacy.disguise - {"*"})):
        for name in sorted(names):
            _check(option, name, schema)
    for table in schema.tables:
        for column in table.columns:
            if privacy.names(table.name, column.name) and type_name(column.type) in _FIXED:
                raise SettingsError(
                    f"--disguise: {table.name}.{column.name} is a {type_name(column.type)}, which has no look-alikes.",
                    hint=f"Use --exclude {table.name}.{column.name}, or name the columns to disguise as table.column.",
                )


def _check(option: str, name: str, schema: Schema) -> None:
    known = {f"{table.name}.{column.name}" for table in schema.tables for column in table.columns}
    bare = {column.name for table in schema.tables for column in table.columns}
    lowered = {each.lower(): each for each in sorted(known | bare)}
    if name.lower() in lowered:
        return
    table = schema.table(name)
    if table is not None:
        raise SettingsError(
            f"{option}: {name!r} is a table; name its columns.",
            hint="Its columns: " + ", ".join(f"{table.name}.{c.name}" for c in table.columns[:12]) + ".",
        )
    candidates = [each for each in lowered if ("." in each) == ("." in name)]
    near = difflib.get_close_matches(name.lower(), candidates, n=1, cutoff=0.4)
    raise SettingsError(
        f"{option}: the schema has no column {name!r}.",
        hint=f"Did you mean {lowered[near[0]]!r}?" if near else "Name a column, or table.column, as the database does.",
    )


def disguised(privacy: Privacy, schema: Schema) -> Columns:
    """The columns that are disguised: those named, every text column for `*`, and what keys tie to them."""
    found = {
        (table.name, column.name)
        for table in schema.tables
        for column in table.columns
        if privacy.names(table.name, column.name) or ("*" in privacy.disguise and _is_text(column))
    }
    tables = {table.name: table for table in schema.tables}
    ties = [
        ((key.child, tables[key.child].columns[own].name), (key.parent, tables[key.parent].columns[other].name))
        for key in references(schema)
        for own, other in zip(key.places, key.targets, strict=True)
    ]
    size = -1
    while size < len(found):
        size = len(found)
        found |= {end for tie in ties if found & set(tie) for end in tie}
    return frozenset(found)


def _is_text(column: Column) -> bool:
    return type_name(column.type) not in (*_FIXED, *_NUMBERS)


def shown(schema: Schema, columns: Columns) -> Schema:
    """The schema without the value lists of these columns."""
    tables = []
    for table in schema.tables:
        bare = (replace(c, values=()) if (table.name, c.name) in columns else c for c in table.columns)
        tables.append(replace(table, columns=tuple(bare)))
    return replace(schema, tables=tuple(tables))


def spoken(lexicon: Lexicon, columns: Columns) -> Lexicon:
    """The lexicon without what it says of stored values of these columns, in names of values, terms and measures."""
    if not columns:
        return lexicon
    tables = {}
    for name, table in lexicon.tables.items():
        words = {c: replace(w, values={}) if (name, c) in columns else w for c, w in table.columns.items()}
        tables[name] = replace(table, columns=words)
    return replace(
        lexicon,
        tables=tables,
        terms=tuple(term for term in lexicon.terms if not _tells(term, columns)),
        measures=tuple(measure for measure in lexicon.measures if not _tells(measure, columns)),
        computed=tuple(measure for measure in lexicon.computed if not _tells(measure, columns)),
    )


def _tells(entry: Term | Measure, columns: Columns) -> bool:
    """Whether SQL reads a disguised column and writes a text out."""
    trees = [entry.sql] + ([entry.where] if isinstance(entry, Measure) and entry.where is not None else [])
    return any(
        any(literal.is_string for literal in tree.find_all(exp.Literal))
        and any((c.table, c.name) in columns for c in tree.find_all(exp.Column))
        for tree in trees
    )


def disguise(rows: Rows, schema: Schema, columns: Columns, stored: Collection[str] = ()) -> Rows:
    """Rows with look-alikes in these columns; none of them is in the rows or among the `stored` values."""
    places = {t.name: [i for i, c in enumerate(t.columns) if (t.name, c.name) in columns] for t in schema.tables}
    here = {
        _text(row[place])
        for name, found in rows.items()
        for row in found
        for place in places[name]
        if row[place] is not None
    }
    other = lookalikes(here - {""}, stored)
    made: Rows = {}
    for name, found in rows.items():
        made[name] = [list(row) for row in found]
        for row in made[name]:
            for place in places[name]:
                if row[place] is not None:
                    row[place] = other.get(_text(row[place]), "")
    return made


def _text(cell: object) -> str:
    """A cell as text, numbers without exponents."""
    text = text_of(cell)
    return format(Decimal(text), "f") if isinstance(cell, float) and "e" in text.lower() else text


def lookalikes(values: Iterable[str], stored: Iterable[str] = ()) -> dict[str, str]:
    """A text of the same shape for each: letters stay letters, digits digits, the rest as it is.

    No two are the same, whatever the case of their letters, and none is a value or stored; where shapes run out, a
    text is longer. What they are depends on the order of the values alone, so nothing leads back to a value.
    """
    given = sorted(set(values))
    taken = {value.lower() for value in given} | {value.lower() for value in stored}
    made = {}
    for number, value in enumerate(given):
        rng = random.Random(f"look-alike:{number}:{len(value)}")
        shape, tries = value[:_LONGEST], 0
        while (other := "".join(_like(shape, place, rng) for place in range(len(shape)))).lower() in taken:
            tries += 1
            if tries % _TRIES == 0:
                shape += "1" if shape[-1].isdigit() else "n"
        taken.add(other.lower())
        made[value] = other
    return made


def _like(shape: str, place: int, rng: random.Random) -> str:
    """A letter for a letter and a digit for a digit; 0 neither begins a number nor ends a fraction."""
    character, vowels = shape[place], "aeiou"
    if character.isdigit():
        first = character != "0" and not any(c.isdigit() for c in shape[:place])
        last = place == len(shape) - 1 and "." in shape
        return rng.choice(string.digits[1:] if first or last else string.digits)
    if not character.isalpha():
        return character
    letters = vowels if character.lower() in vowels else "bcdfghklmnprstvw"
    chosen = rng.choice(letters)
    return chosen.upper() if character.isupper() else chosen
