"""Derived terms of a lexicon in a question: `pending`, `less-than`, `pass rate`, and the condition that each stands for.

A term is looked for in the query that a model wrote (`assistant.unmet`); it is not told beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemosyne.schema import Schema


@dataclass(frozen=True, slots=True)
class Term:
    """What people say and the condition (PostgreSQL, columns as table.column) that it stands for."""

    words: re.Pattern[str]
    condition: str
    columns: frozenset[str]
    """Names of the columns of the condition, lower case."""
    tables: frozenset[str] = frozenset()
    """The table whose rows it speaks of; none when any may be meant."""


@dataclass(frozen=True, slots=True)
class Said:
    """A term in one question."""

    words: str
    """As the question has them."""
    condition: str
    columns: frozenset[str]
    tables: frozenset[str]


def said(question: str, terms: Sequence[Term]) -> tuple[Said, ...]:
    """The terms that a question names, each condition once."""
    text = " ".join(question.split())
    found = {
        term.condition: Said(match.group(0), term.condition, term.columns, term.tables)
        for term in terms
        if (match := term.words.search(text)) is not None
    }
    return tuple(found.values())


def terms_of(document: Mapping[str, Any], nouns: Mapping[str, Iterable[str]]) -> tuple[Term, ...]:
    """The terms of a lexicon's document, and the conditions that its rates are taken under.

    `nouns` are what a row of each table is called: an adjective counts only shortly before one of them.
    """
    terms = [
        _term(
            [*_adjectives(entry.get("pre"), nouns.get(entry["on"], ())), *_phrases(entry.get("post"))],
            entry["sql"],
            entry["on"],
        )
        for entry in document.get("terms") or ()
    ]
    terms += [
        _term([rf"{phrase}s?" for phrase in _phrases(entry.get("nouns"))], entry["where"], entry["on"])
        for entry in document.get("measures") or ()
        if entry.get("rate") and entry.get("where")
    ]
    return tuple(term for term in terms if term is not None)


def flags(schema: Schema) -> tuple[Term, ...]:
    """Truth values named by one adjective (`accredited`), which a question says as it is stored."""
    names = {
        column.name.lower()
        for table in schema.tables
        for column in table.columns
        if column.type.upper() in ("BOOL", "BOOLEAN") and re.fullmatch(r"[A-Za-z]{4,}", column.name)
    }
    degree = "".join(rf"(?<!\b{word} )" for word in ("most", "more", "least", "less"))
    return tuple(
        Term(re.compile(rf"{degree}\b{name}\b", re.IGNORECASE), name, frozenset({name})) for name in sorted(names)
    )


def term(pattern: str, condition: str, on: str) -> Term:
    """What a pattern says of the rows of a table, and the condition that it stands for."""
    found = _term([pattern], condition, on)
    assert found is not None
    return found


_SOMETHING_ELSE = r"(?!\w)(?!\s+(?:approval|sign|review|authori|of\s+(?:detection|quantification)))"
"""After the words of a term: *pending approval* has its value, *the limit of detection* is no legal one."""

_COUNTED = r"(?!\s+(?:\d|(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|half|the)\b))"
"""After an adjective: *less than 10 results* compares a count."""


def _term(patterns: Sequence[str], condition: str, on: str) -> Term | None:
    import sqlglot
    from sqlglot import exp

    if not patterns:
        return None
    tree = sqlglot.parse_one(f"SELECT 1 WHERE {condition}", read="postgres")
    columns = list(tree.find_all(exp.Column))
    return Term(
        re.compile(rf"\b(?:{'|'.join(patterns)}){_SOMETHING_ELSE}", re.IGNORECASE),
        condition,
        frozenset(column.name.lower() for column in columns),
        frozenset({on.lower()}),
    )


def _phrases(texts: Iterable[str] | str | None) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts or ())
    return [re.escape(text).replace(r"\ ", r"\s+").replace(r"\-", "[- ]") for text in listed]


def _adjectives(texts: Iterable[str] | str | None, nouns: Iterable[str]) -> list[str]:
    things = "|".join(f"{phrase}s?" for phrase in _phrases(list(nouns)))
    return [rf"{phrase}{_COUNTED} (?:[\w.-]+ ){{0,2}}(?:{things})" for phrase in _phrases(texts)] if things else []
