"""The package's laboratory lexicon, for schemas with the laboratory's tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mnemosyne.grounding.names import texts
from mnemosyne.grounding.terms import Term, terms_of
from mnemosyne.schema import Schema


def laboratory_words(schema: Schema) -> tuple[str, ...]:
    """The words of the package's laboratory lexicon, when the schema is that laboratory's; none otherwise."""
    return tuple(text for key, part in _document(schema).items() if key != "contexts" for text in texts(part))


def laboratory_terms(schema: Schema) -> tuple[Term, ...]:
    """Its derived terms, likewise."""
    document = _document(schema)
    return terms_of(document, {name: table["nouns"] for name, table in document.get("tables", {}).items()})


def _document(schema: Schema) -> Mapping[str, Any]:
    names = {table.name.lower() for table in schema.tables}
    if not {"samples", "results", "determinands"} <= names:
        return {}
    document = _read()
    return document if set(document["tables"]) <= names else {}


@cache
def _read() -> dict[str, Any]:
    import yaml

    text = (files("mnemosyne.data") / "lims" / "lexicon.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for entry in (entry for part in document.values() if isinstance(part, list) for entry in part):
        if isinstance(entry, dict) and True in entry:  # YAML 1.1 reads `on` as true
            entry["on"] = entry.pop(True)
    return document
