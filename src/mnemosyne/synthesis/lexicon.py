"""The lexicon: what tables, columns, stored values, measures and derived terms of a schema are called.

A YAML file that a person edits. `load` checks every name against the schema and reports line and nearest name;
`draft` (in `drafting.py`) writes a first one from the schema alone. The engine knows only these records.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import sqlglot
import yaml
from sqlglot import exp

from mnemosyne.errors import LexiconError
from mnemosyne.schema import Schema

Kind = Literal["name", "category", "date", "number", "boolean", "text", "id", "hidden"]
"""What a column is good for: naming a row, grouping, time windows, measuring, flags, text search, identity."""

KINDS = ("name", "category", "date", "number", "boolean", "text", "id", "hidden")


@dataclass(frozen=True, slots=True)
class Phrases:
    """Ways to say one condition about the rows of a table."""

    pre: tuple[str, ...] = ()
    """Before the noun: `urgent` samples."""
    post: tuple[str, ...] = ()
    """After the noun: samples `from {v}`."""


@dataclass(frozen=True, slots=True)
class ColumnWords:
    """What one column is called."""

    table: str
    """The table's name."""
    name: str
    """The column's name."""
    kind: Kind
    """What it is good for."""
    nouns: tuple[str, ...]
    """Singular nouns, the first one is the plainest."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Stored value to what people call it."""
    phrases: Mapping[str, Phrases] = field(default_factory=dict)
    """Phrases by use: `is`, `is_not`, `in`, `true`, `false`, `null`, `not_null`, `over`, `under`, `like`, `starts`."""
    done: tuple[str, ...] = ()
    """Participles of a date column: `collected`, `taken`."""
    aggregates: tuple[str, ...] = ()
    """Aggregates that make sense of a number: avg, min, max, sum."""
    needs: str = ""
    """`table.column` that must be fixed before values of this column may be aggregated together."""
    group: bool = True
    """Whether `per X` makes sense."""
    unit: str = ""
    """A unit that is said after a number."""
    plain_values: bool = False
    """True when stored values are said as they are, never in lower case (names of people and places)."""
    moment: bool = False
    """True for a date column that also holds a time of day: only windows with open ends are right for it."""
    weight: float = 1.0
    """How often it is spoken of, against the other columns of its table."""


@dataclass(frozen=True, slots=True)
class TableWords:
    """What one table is called and how its rows are talked about."""

    name: str
    """The table's name."""
    alias: str
    """The alias in queries that join it."""
    nouns: tuple[str, ...]
    """Singular nouns for one row."""
    label: str
    """The column that names a row in an answer."""
    columns: Mapping[str, ColumnWords]
    """Every column that may be spoken of."""
    when: str = ""
    """The date column meant when only a time is given."""
    person: bool = False
    """True when a row is a person: who, not which."""
    through: Mapping[str, Mapping[str, Phrases]] = field(default_factory=dict)
    """`table.column` of an ancestor to phrases for rows of this table."""
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ancestor table to prepositions: results `from` samples ..."""
    subject: bool = True
    """False for bridge tables that nobody asks about."""
    weight: float = 1.0
    """How often people ask about it, against other tables."""
    bare_when: bool = False
    """True when a time alone (`results last month`) can only mean the column `when`."""


@dataclass(frozen=True, slots=True)
class Term:
    """A named condition on the rows of a table, such as `overdue`."""

    on: str
    """The table."""
    sql: exp.Expression
    """The condition over `table.column`s of the table or its ancestors."""
    phrases: Phrases
    """How it is said."""
    weight: float = 1.0
    """How often it is drawn."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number about a group of rows, such as `failure rate`."""

    on: str
    """The table whose rows are measured."""
    sql: exp.Expression
    """The aggregate over `table.column`s."""
    alias: str
    """The name of the returned column."""
    nouns: tuple[str, ...]
    """Noun phrases without article: `failure rate`, `average turnaround time`."""
    where: exp.Expression | None = None
    """A condition that belongs to the measure."""
    about: str = ""
    """Noun of the rows measured, when the measure's nouns do not say it."""
    needs: str = ""
    """`table.column` that must be fixed for the measure to make sense."""
    rate: bool = False
    """True for a percentage."""
    integer: bool = False
    """True for a count."""
    thresholds: tuple[float, ...] = ()
    """Sensible bounds for HAVING."""
    weight: float = 1.0
    """How often it is drawn."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How rows of a table are spoken of through rows below them: clients who `submitted` samples."""

    parent: str
    """The table above."""
    child: str
    """The table below."""
    did: tuple[str, ...]
    """Past forms: `submitted {np}`, `have had {np}`."""
    did_not: tuple[str, ...]
    """Negated forms: `have never submitted {np}`, where {np} takes no article."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A table that only ties rows of two others together, and how that is said."""

    table: str
    """The table with the two keys."""
    left: str
    """The table asked for."""
    right: str
    """The table that the conditions are about."""
    did: tuple[str, ...]
    """Between the two: samples `are on` worksheets."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Everything that is known about the words of a schema."""

    name: str
    """The name of the schema in examples."""
    tables: Mapping[str, TableWords]
    """By name."""
    terms: tuple[Term, ...]
    """Named conditions."""
    measures: tuple[Measure, ...]
    """Named measures."""
    relations: tuple[Relation, ...]
    """Verbs between tables."""
    computed: tuple[Measure, ...] = ()
    """Row-level expressions that can be listed, filtered and averaged, such as days of turnaround."""
    bridges: tuple[Bridge, ...] = ()
    """Tables that tie two others together."""
    contexts: tuple[str, ...] = ()
    """Sentences that may stand before a question."""

    def column(self, table: str, name: str) -> ColumnWords | None:
        """The words of a column, None when it is hidden."""
        words = self.tables.get(table)
        return words.columns.get(name) if words else None


class _Lines(dict[Any, Any]):
    """A mapping that remembers the line of each key."""

    lines: dict[Any, int]


class _Loader(yaml.SafeLoader):
    """Safe YAML whose mappings know their lines."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> _Lines:
    made = _Lines()
    made.lines = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        made[key] = loader.construct_object(value_node, deep=True)
        made.lines[key] = key_node.start_mark.line + 1
    return made


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Only `true` and `false` are truth values: `on` is a key here, and `No` may be a stored value.
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _Reader:
    """Reads one lexicon against one schema."""

    def __init__(self, schema: Schema, where: str) -> None:
        self.where = where
        self.tables = {t.name: t for t in schema.tables}

    def fail(self, message: str, line: int, name: str = "", known: list[str] | None = None) -> LexiconError:
        near = difflib.get_close_matches(name, known or [], n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join((known or [])[:12])}" if known else ""
        return LexiconError(f"{self.where}, line {line}: {message}", hint=hint)

    def table(self, name: str, line: int) -> str:
        if name not in self.tables:
            raise self.fail(f"the schema has no table {name!r}.", line, name, list(self.tables))
        return name

    def reference(self, text: str, line: int) -> str:
        table, _, column = str(text).partition(".")
        self.table(table, line)
        known = [c.name for c in self.tables[table].columns]
        if column not in known:
            raise self.fail(f"table {table!r} has no column {column!r}.", line, column, known)
        return str(text)

    def expression(self, text: str, line: int) -> exp.Expression:
        try:
            tree = sqlglot.parse_one(str(text), read="postgres")
        except sqlglot.errors.ParseError as error:
            raise self.fail(f"{text!r} is not SQL: {str(error).splitlines()[0]}", line) from None
        for column in tree.find_all(exp.Column):
            self.reference(f"{column.table}.{column.name}", line)
        return cast(exp.Expression, tree)


def _words(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(v) for v in value) if isinstance(value, list) else (str(value),)


def _phrases(value: object) -> Phrases:
    if not isinstance(value, dict):
        return Phrases(post=_words(value))
    return Phrases(pre=_words(value.get("pre")), post=_words(value.get("post")))


def load(path: Path, schema: Schema) -> Lexicon:
    """Read a lexicon file. Raises LexiconError with the line and the nearest name."""
    return parse(path.read_text("utf-8"), schema, where=path.name)


def parse(text: str, schema: Schema, where: str = "lexicon") -> Lexicon:
    """Read a lexicon's text. Raises LexiconError with the line and the nearest name."""
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise LexiconError(f"{where}, line {line}: not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, _Lines):
        raise LexiconError(f"{where}: a lexicon is a mapping with 'tables'.")
    reader = _Reader(schema, where)
    known = ["name", "tables", "terms", "measures", "relations", "computed", "bridges", "contexts"]
    for key, line in data.lines.items():
        if key not in known:
            raise reader.fail(f"unknown part {key!r}.", line, str(key), known)
    tables = {}
    for name, body in (data.get("tables") or _Lines()).items():
        line = data["tables"].lines[name]
        tables[reader.table(name, line)] = _table(reader, name, body or _Lines(), line)
    return Lexicon(
        name=str(data.get("name", "schema")),
        tables=tables,
        terms=tuple(_term(reader, t) for t in data.get("terms") or []),
        measures=tuple(_measure(reader, m) for m in data.get("measures") or []),
        relations=tuple(_relation(reader, r) for r in data.get("relations") or []),
        computed=tuple(_measure(reader, m) for m in data.get("computed") or []),
        bridges=tuple(_bridge(reader, b) for b in data.get("bridges") or []),
        contexts=_words(data.get("contexts")),
    )


def _table(reader: _Reader, name: str, body: _Lines, line: int) -> TableWords:
    columns: dict[str, ColumnWords] = {}
    lines = getattr(body, "lines", {})
    for column, words in (body.get("columns") or _Lines()).items():
        at = body["columns"].lines[column]
        reader.reference(f"{name}.{column}", at)
        columns[column] = _column(reader, name, column, words or _Lines(), at)
    label = str(body.get("label") or next(iter(columns), ""))
    reader.reference(f"{name}.{label}", lines.get("label", line))
    through = body.get("through") or _Lines()
    for reference in through:
        reader.reference(reference, through.lines[reference])
    return TableWords(
        name=name,
        alias=str(body.get("alias") or name[0]),
        nouns=_words(body.get("nouns")) or (name.rstrip("s").replace("_", " "),),
        label=label,
        columns={key: value for key, value in columns.items() if value.kind != "hidden"},
        when=str(body.get("when") or ""),
        person=bool(body.get("person", False)),
        through={key: {use: _phrases(p) for use, p in value.items()} for key, value in through.items()},
        links={key: _words(value) for key, value in (body.get("links") or {}).items()},
        subject=bool(body.get("subject", True)),
        weight=float(body.get("weight", 1.0)),
        bare_when=bool(body.get("bare_when", False)),
    )


_USES = (
    "is", "is_not", "in", "true", "false", "null", "not_null", "over", "under", "at_least", "at_most", "like", "starts",
    "between",
)  # fmt: skip


def _column(reader: _Reader, table: str, name: str, body: _Lines, line: int) -> ColumnWords:
    kind = str(body.get("kind", "text"))
    if kind not in KINDS:
        raise reader.fail(f"unknown kind {kind!r}.", line, kind, list(KINDS))
    known = [
        *_USES,
        "kind",
        "nouns",
        "values",
        "done",
        "aggregates",
        "needs",
        "group",
        "unit",
        "plain_values",
        "moment",
        "weight",
    ]
    for key in body:
        if key not in known:
            raise reader.fail(f"unknown entry {key!r} of column {name!r}.", body.lines[key], str(key), known)
    if body.get("needs"):
        reader.reference(body["needs"], body.lines["needs"])
    return ColumnWords(
        table=table,
        name=name,
        kind=kind,  # type: ignore[arg-type]
        nouns=_words(body.get("nouns")) or (name.replace("_", " "),),
        values={str(key): _words(value) for key, value in (body.get("values") or {}).items()},
        phrases={use: _phrases(body[use]) for use in _USES if use in body},
        done=_words(body.get("done")),
        aggregates=_words(body.get("aggregates")),
        needs=str(body.get("needs") or ""),
        group=bool(body.get("group", True)),
        unit=str(body.get("unit") or ""),
        plain_values=bool(body.get("plain_values", False)),
        moment=bool(body.get("moment", False)),
        weight=float(body.get("weight", 1.0)),
    )


def _term(reader: _Reader, body: _Lines) -> Term:
    line = min(body.lines.values())
    return Term(
        on=reader.table(body["on"], line),
        sql=reader.expression(body["sql"], body.lines["sql"]),
        phrases=_phrases(body),
        weight=float(body.get("weight", 1.0)),
    )


def _measure(reader: _Reader, body: _Lines) -> Measure:
    line = min(body.lines.values())
    where = body.get("where")
    if body.get("needs"):
        reader.reference(body["needs"], body.lines["needs"])
    return Measure(
        on=reader.table(body["on"], line),
        sql=reader.expression(body["sql"], body.lines["sql"]),
        alias=str(body["alias"]),
        nouns=_words(body["nouns"]),
        where=reader.expression(where, body.lines["where"]) if where else None,
        about=str(body.get("about") or ""),
        needs=str(body.get("needs") or ""),
        rate=bool(body.get("rate", False)),
        integer=bool(body.get("integer", False)),
        thresholds=tuple(float(t) for t in body.get("thresholds") or ()),
        weight=float(body.get("weight", 1.0)),
    )


def _relation(reader: _Reader, body: _Lines) -> Relation:
    line = min(body.lines.values())
    return Relation(
        parent=reader.table(body["parent"], line),
        child=reader.table(body["child"], line),
        did=_words(body["did"]),
        did_not=_words(body["did_not"]),
    )


def _bridge(reader: _Reader, body: _Lines) -> Bridge:
    table, left, right = (reader.table(body[part], body.lines[part]) for part in ("table", "left", "right"))
    return Bridge(table, left, right, _words(body["did"]))
