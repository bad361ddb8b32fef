"""A person's lexicon, as `mnemosyne synth` drafts and reads it, for the questions that are asked of its schema."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.grounding.names import Names, texts
from mnemosyne.grounding.terms import terms_of
from mnemosyne.schema import Schema

if TYPE_CHECKING:
    from mnemosyne.settings import Settings

NOT_SAID = frozenset(
    {"kind", "alias", "sql", "where", "about", "needs", "label", "when", "on", "table", "left", "right"}
)
"""Entries that are for the synthesis and no words of people; `columns` may have columns of these names."""


def chosen(settings: Settings | None, schema: Schema) -> Names:
    """The names of the lexicon that the settings choose, none when they choose none. Raises LexiconError."""
    return (
        read(Path(os.path.expanduser(settings.lexicon)), schema)
        if settings is not None and settings.lexicon
        else Names()
    )


def read(path: Path, schema: Schema) -> Names:
    """The names of a lexicon file. Raises LexiconError with the line, also for what the schema does not have."""
    from mnemosyne.synthesis import lexicon, lexicon_yaml

    text = lexicon.text_of(path)
    known = lexicon.parse(text, schema, path.name)
    columns = [column for table in known.tables.values() for column in table.columns.values()]
    document = {
        key: part for key, part in lexicon_yaml.read(text, path.name).items() if key not in ("name", "contexts")
    }
    return Names(
        tables={name: table.nouns for name, table in known.tables.items()},
        columns={(column.table, column.name): column.nouns for column in columns},
        values={(column.table, column.name): column.values for column in columns if column.values},
        terms=terms_of(document, {name: table.nouns for name, table in known.tables.items()}),
        words=tuple(texts(_said(document))),
    )


def _said(part: Any) -> Any:
    """A lexicon without the entries that nobody says."""
    if isinstance(part, dict):
        return {key: _said(item) for key, item in part.items() if key not in NOT_SAID or not isinstance(item, str)}
    return [_said(item) for item in part] if isinstance(part, list) else part
