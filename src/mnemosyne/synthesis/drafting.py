"""A first lexicon from the schema alone: names are split, comments are read, stored values decide what a column is for.

The draft is YAML for a person to edit: better nouns, verbs between tables, terms and measures. Only columns that
privacy permits are looked at, and no stored value is written into the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import yaml

from mnemosyne.databases import Database, Limits
from mnemosyne.guard import SafeQuery, check
from mnemosyne.results import Result
from mnemosyne.schema import Column, Schema, Table
from mnemosyne.schema.writing import type_name
from mnemosyne.synthesis.lexicon import fit_alias

AUDIT = re.compile(r"(created|modified|updated|changed|deleted|inserted)_?(at|by|on|date|time)?$|^row_?version$|_hash$")
"""Columns that are about the record, not about the world."""

CATEGORIES = 40
"""A text column with at most so many different values is a category."""

_NAMED = re.compile(r"(^|_)(name|title|label)$|^(full|last|user)_?name$", re.I)
_CODED = re.compile(r"(^|_)(code|number|no|ref|reference|key|symbol|abbreviation)$", re.I)
_IDENTITY = re.compile(r"(^|_)(id|uuid|guid)$|[a-z]Id$|ID$")
_NUMBERED = re.compile(r"phone|zip|fax|ssn|(^|_)(no|num|number|code)$", re.I)
_SUMS = re.compile(
    r"amount|total|price|cost|quantity|sales|revenue|budget|salary|points|population|volume|attendance", re.I
)
_NO_AVERAGE = re.compile(r"(^|_)(year|zip|phone|postcode|latitude|longitude|lat|long|order|rank|version)($|_)", re.I)


_SHORT = {
    "lname": "last name", "fname": "first name", "num": "number", "no": "number", "qty": "quantity", "dept": "department",
    "addr": "address", "desc": "description", "yr": "year", "dob": "date of birth", "amt": "amount", "pct": "percentage",
    "stu": "student", "emp": "employee", "org": "organisation", "mfg": "manufacturer", "loc": "location", "cnt": "count",
}  # fmt: skip
"""Abbreviations that databases use and people do not say."""


def words(name: str) -> str:
    """`ClientProjects_id` as plain lower-case words: `client projects id`; a brace would be a slot of phrases."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    spaced = re.sub(r"^([LF]) ?(?=name$)", r"\1", spaced, flags=re.I)
    parts = re.split(r"[\s_.\-{}]+", spaced.lower())
    return " ".join(_SHORT.get(part, part) for part in parts).strip() or re.sub("[{}]", "", name.lower()) or "field"


def singular(noun: str) -> str:
    """The singular of a noun phrase, as far as its last word's ending tells."""
    head, _, last = noun.rpartition(" ")
    if last in (
        "status",
        "address",
        "analysis",
        "series",
        "basis",
        "class",
        "process",
        "bus",
        "gas",
        "news",
        "species",
    ):
        made = last
    elif last.endswith("ies") and len(last) > 4:
        made = last[:-3] + "y"
    elif re.search(r"(sses|shes|ches|xes|zes)$", last):
        made = last[:-2]
    elif last == "analyses":
        made = "analysis"
    elif last == "people":
        made = "person"
    elif last.endswith("s") and not last.endswith(("ss", "us", "is")):
        made = last[:-1]
    else:
        made = last
    return f"{head} {made}".strip()


class _Facts:
    """What a database says about a column; nothing when there is no database or it is excluded."""

    def __init__(self, database: Database | None, schema: Schema, exclude: frozenset[str]) -> None:
        self.database, self.schema, self.exclude = database, schema, exclude

    def distinct(self, table: Table, column: Column) -> tuple[int, int, int]:
        """(rows, different values, characters of the longest), all 0 when unknown."""
        if self.database is None or {column.name.lower(), f"{table.name}.{column.name}".lower()} & self.exclude:
            return 0, 0, 0
        name, where = _quote(column.name), _quote(table.name)
        sql = f"SELECT COUNT({name}), COUNT(DISTINCT {name}), MAX(LENGTH({name})) FROM {where}"
        checked = check(sql, self.schema, target=self.database.dialect)
        if not isinstance(checked, SafeQuery):
            return 0, 0, 0
        outcome = self.database.run(checked, Limits(timeout_seconds=10, max_rows=1))
        if not isinstance(outcome, Result) or not outcome.rows:
            return 0, 0, 0
        rows, different, longest = (int(float(str(cell or 0))) for cell in outcome.rows[0])
        return rows, different, longest


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def draft(
    schema: Schema, database: Database | None = None, *, name: str = "own", exclude: frozenset[str] = frozenset()
) -> str:
    """A lexicon for a schema, as YAML. `exclude` names columns (`table.column` or bare) that are not looked at."""
    facts = _Facts(database, schema, frozenset(e.lower() for e in exclude))
    tables = [table for table in schema.tables if not table.is_view and not _is_bookkeeping(table)]
    dotted = [table.name for table in tables if "." in table.name]
    tables = [table for table in tables if table.name not in dotted]
    aliases = _aliases([table.name for table in tables])
    known = {table.name: table for table in tables}
    body: dict[str, Any] = {"name": name, "tables": {}}
    for table in tables:
        body["tables"][table.name] = _table(table, known, aliases[table.name], facts)
    relations, bridges = [], []
    for table in tables:
        if _is_bridge(table, known):
            ends = [key.table for key in table.foreign_keys if key.table in known][:2]
            for left, right in (ends, ends[::-1]):
                bridges.append({"table": table.name, "left": left, "right": right, "did": ["are linked to"]})
            continue
        for parent in _single_parents(table, known):
            relations.append({
                "parent": parent, "child": table.name, "did": ["have {np}"],
                "did_not": ["have no {np}", "do not have any {np}"],
            })  # fmt: skip
    body["relations"], body["bridges"] = relations, bridges
    body["terms"], body["measures"], body["contexts"] = [], [], []
    header = (
        "# A first lexicon, drafted from the schema. Edit it: nouns (the plainest first), what columns are for (kind),\n"
        "# what stored values are called (values), verbs between tables (relations), named conditions (terms) and\n"
        "# numbers (measures). Columns of kind `hidden` are never spoken of.\n"
    )
    for table_name in dotted:
        header += (
            f"# Left out, since `table.column` could not tell where its name ends: {' '.join(table_name.split())}\n"
        )
    return header + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def _is_bookkeeping(table: Table) -> bool:
    return bool(re.search(r"(alembic|schema)_(version|migrations)|^sqlite_|^django_|^flyway_", table.name, re.I))


def _aliases(names: list[str]) -> dict[str, str]:
    """Short aliases, all different."""
    taken: set[str] = set()
    found = {}
    for name in names:
        parts = words(name).split()
        stem = "".join(part[0] for part in parts if part[0].isalpha()) or "t"
        for candidate in (stem, *(f"{parts[0][:n]}" for n in (2, 3, 4)), *(f"{stem}{n}" for n in range(2, 99))):
            if candidate not in taken and fit_alias(candidate):
                found[name] = candidate
                taken.add(candidate)
                break
    return found


def _is_bridge(table: Table, known: Mapping[str, Table]) -> bool:
    """Two keys to two other tables, and nothing else worth speaking of."""
    keys = [key for key in table.foreign_keys if key.table in known]
    ends = {key.table for key in keys if not AUDIT.search(key.columns[0])}
    own = {column for key in keys for column in key.columns} | set(table.primary_key)
    rest = [c for c in table.columns if c.name not in own and not AUDIT.search(c.name)]
    return len(ends) == 2 and len(rest) <= 1


def _single_parents(table: Table, known: Mapping[str, Table]) -> list[str]:
    """Tables that exactly one key refers to."""
    targets = [key.table for key in table.foreign_keys if key.table in known and key.table != table.name]
    return [target for target in dict.fromkeys(targets) if targets.count(target) == 1]


def _label(table: Table, facts: _Facts) -> str:
    """The column that names a row: a name, a title, a code, else the key."""
    keys = {column for key in table.foreign_keys for column in key.columns}
    texts = [c for c in table.columns if type_name(c.type) == "TEXT" and c.name not in keys]
    found = {c.name: facts.distinct(table, c) for c in texts}
    # A name that many rows share names none of them: a status or a type is no label.
    texts = [c for c in texts if found[c.name][1] >= 0.8 * found[c.name][0]]
    noun = singular(words(table.name)).replace(" ", "")
    for column in texts:
        if difflib.SequenceMatcher(None, words(column.name).replace(" ", ""), noun).ratio() > 0.85:
            return column.name
    for pattern in (_NAMED, re.compile("name|title", re.I), _CODED):
        for column in texts:
            if pattern.search(column.name):
                return column.name
    if len(table.primary_key) == 1:
        return table.primary_key[0]
    return texts[0].name if texts else table.columns[0].name


def _table(table: Table, known: Mapping[str, Table], alias: str, facts: _Facts) -> dict[str, Any]:
    noun = singular(words(table.name))
    label = _label(table, facts)
    keys = {column for key in table.foreign_keys for column in key.columns}
    columns = {c.name: _column(table, c, label, keys, facts) for c in table.columns}
    dates = [name for name, body in columns.items() if body["kind"] == "date"]
    made: dict[str, Any] = {"alias": alias, "nouns": [noun], "label": label}
    if dates:
        made["when"] = dates[0]
    if noun in (
        "person",
        "user",
        "employee",
        "student",
        "teacher",
        "analyst",
        "customer",
        "client",
        "member",
        "doctor",
    ):
        made["person"] = noun not in ("client", "customer")
    if _is_bridge(table, known) or columns[label]["kind"] == "hidden":
        made["subject"] = False
    links = {parent: ["of", "for"] for parent in _single_parents(table, known)}
    made["columns"] = columns
    if links:
        made["links"] = links
    return made


def _column(table: Table, column: Column, label: str, keys: set[str], facts: _Facts) -> dict[str, Any]:
    kind = _kind(table, column, label, keys, facts)
    noun = words(column.name)
    if column.comment and len(column.comment.split()) <= 4 and column.comment.replace(" ", "").isalpha():
        noun = column.comment.lower()
    noun = re.sub(r"^(is|has) ", "", noun)
    own = singular(words(table.name))
    if noun in ("name", "title", "code", "type", "status", "description", "number", "label", "id"):
        noun = f"{own} {noun}"
    if kind == "hidden":
        return {"kind": "hidden"}
    made: dict[str, Any] = {"kind": kind, "nouns": [noun]}
    if kind in ("category", "name"):
        made["plain_values"] = True
        made["is"] = {"post": [f"whose {noun} is {{v}}", f"with {noun} {{v}}"]}
        made["in"] = {"post": [f"whose {noun} is {{v}}"]}
        if kind == "category":
            made["is_not"] = {"post": [f"whose {noun} is not {{v}}"]}
    if kind in ("name", "text"):
        made["like"] = {"post": [f"whose {noun} contains '{{v}}'"]}
        made["starts"] = {"post": [f"whose {noun} starts with {{v}}"]}
    if kind == "boolean":
        plain = re.sub(r"^(is|has|was|can) ", "", noun)
        adjective = plain in ("active", "enabled", "valid", "public", "approved", "accredited", "verified", "archived")
        made["true"] = {"post": [f"that are {plain}"] if adjective else [f"where {noun} is true", f"with {noun} set"]}
        made["false"] = {"post": [f"that are not {plain}"] if adjective else [f"where {noun} is false"]}
    if kind == "number":
        made["aggregates"] = ["min", "max"] if _NO_AVERAGE.search(column.name) else ["avg", "min", "max"]
        if _SUMS.search(column.name) and not _NO_AVERAGE.search(column.name):
            made["aggregates"].append("sum")
        made |= {
            "over": {"post": [f"with {_a(noun)} above {{n}}", f"whose {noun} is more than {{n}}"]},
            "under": {"post": [f"with {_a(noun)} below {{n}}", f"whose {noun} is less than {{n}}"]},
            "at_least": {"post": [f"with {_a(noun)} of at least {{n}}"]},
            "between": {"post": [f"with {_a(noun)} between {{a}} and {{b}}"]},
        }
    if column.nullable and kind != "id":
        made["null"] = {"post": [f"without {_a(noun)}", f"with no {noun}"]}
        made["not_null"] = {"post": [f"with {_a(noun)}", f"that have {_a(noun)}"]}
    done = re.fullmatch(
        r"(?:date |time )?([a-z]+ed|sent|taken|sold|built|paid|born)(?: (?:date|at|on|time))?", words(column.name)
    )
    if kind == "date" and done:
        made["done"] = [done.group(1)]
    if kind == "date" and type_name(column.type) == "TIMESTAMP":
        made["moment"] = True
    return made


def _a(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def _kind(table: Table, column: Column, label: str, keys: set[str], facts: _Facts) -> str:
    """What a column is good for, by type, name and stored values."""
    kind = type_name(column.type)
    key = column.name in keys or (column.name in table.primary_key and column.name != label)
    if (
        AUDIT.search(column.name)
        or column.name in keys
        or kind in ("JSON", "BYTEA", "UUID", "TIME", "INTERVAL")
        or "[" in kind
    ):
        return "hidden" if column.name != label or column.name in keys or kind in ("JSON", "BYTEA", "UUID") else "id"
    if key:
        return "hidden"
    if column.name == label:
        return "id" if kind != "TEXT" or column.name in table.primary_key else "name"
    if kind in ("DATE", "TIMESTAMP"):
        return "date"
    if kind == "BOOLEAN":
        return "boolean"
    if kind in ("INTEGER", "FLOAT", "NUMERIC"):
        return "hidden" if _IDENTITY.search(column.name) or _NUMBERED.search(column.name) else "number"
    if column.values:
        return "category"
    rows, different, longest = facts.distinct(table, column)
    if longest > 80 or (rows and not different):
        return "hidden"
    personal = re.search(r"phone|mail|address|street|ssn", column.name, re.I)
    if rows and not personal and different <= CATEGORIES and (different <= rows * 0.6 or different <= 6):
        return "category"
    return "text" if kind == "TEXT" and not _IDENTITY.search(column.name) else "hidden"
