"""The package's laboratory lexicon, for schemas with the laboratory's tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mnemosyne.grounding.names import texts
from mnemosyne.grounding.terms import Said, Term, term, terms_of
from mnemosyne.grounding.windows import Window
from mnemosyne.schema import Schema


def laboratory_words(schema: Schema) -> tuple[str, ...]:
    """The words of the package's laboratory lexicon, when the schema is that laboratory's; none otherwise."""
    return tuple(text for key, part in _document(schema).items() if key != "contexts" for text in texts(part))


def laboratory_terms(schema: Schema) -> tuple[Term, ...]:
    """Its derived terms, likewise."""
    document = _document(schema)
    if not document:
        return ()
    listed = terms_of(document, {name: table["nouns"] for name, table in document.get("tables", {}).items()})
    sql = {entry["sql"] for entry in document["terms"]}
    return (*listed, *(term(words, condition, on) for words, condition, on in _SPOKEN if condition in sql))


def dated(question: str, windows: Iterable[Window], schema: Schema) -> Iterator[Said]:
    """The dates that verbs before a window of time mean: samples *received* last year, results *tested* in June."""
    if not _document(schema):
        return
    text = " ".join(question.split())
    for window in windows:
        for match in re.finditer(re.escape(window.words), text, re.IGNORECASE):
            for verb, table, column in _VERBS:
                if said := re.search(rf"\b(?:{verb})(?: (?:in|during|since|on|over|within|from|for))?(?: the)? $",
                                     text[: match.start()], re.IGNORECASE):  # fmt: skip
                    words = f"{said.group(0).strip()} {match.group(0)}"
                    condition = f"{table}.{column} in these days"
                    yield Said(words, condition, frozenset({column}), frozenset({table}))


_OVERDUE = (
    "samples.reported_date IS NULL AND samples.status <> 'Cancelled' AND "
    "samples.received_date < CURRENT_DATE - INTERVAL '10 days'"
)

_SPOKEN = (
    (r"overdue", _OVERDUE, "samples"),
    (r"pending(?! (?:samples?|worksheets?|reports?))", "results.numeric_value IS NULL", "results"),
    (r"unapproved|not (?:yet )?(?:been )?approved|(?:awaiting|await|waiting for|pending) approval",
     "results.approved_date IS NULL", "results"),
    (r"(?:above|over|beyond|exceed\w*) (?:the|its|their|our) limits?",
     "results.numeric_value > determinands.limit_value", "results"),
    (r"open (?:[\w.-]+ ){0,3}samples?|samples? (?:that are |which are |are )?(?:still )?open",
     "samples.status NOT IN ('Reported', 'Cancelled')", "samples"),
)  # fmt: skip
"""The lexicon's terms in other places of a sentence: words, condition, table. `conventions.md` says what they mean."""

_VERBS = (
    ("received|logged in|booked in", "samples", "received_date"),
    ("collected|sampled|taken(?! on)", "samples", "collection_date"),
    ("tested|analysed|analyzed", "results", "test_date"),
    ("reported", "samples", "reported_date"),
)


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
