"""The lexicon: what tables, columns, stored values, measures and derived terms of a schema are called.

A YAML file that a person edits. `load` checks every name against the schema and reports line and nearest name;
`draft` (in `drafting.py`) writes a first one from the schema alone. The engine knows only these records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

import sqlglot
from sqlglot import exp

from mnemosyne.errors import LexiconError
from mnemosyne.schema import Schema, writing
from mnemosyne.synthesis.lexicon_yaml import Entry, Lines, described, failure, read
from mnemosyne.synthesis.lexicon_yaml import text_of as text_of

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

    def trimmed(self) -> Lexicon:
        """The same without what it says of tables that it does not list: nobody speaks of a table that was taken out."""
        listed = self.tables
        return replace(
            self,
            terms=tuple(term for term in self.terms if term.on in listed),
            measures=tuple(measure for measure in self.measures if measure.on in listed),
            relations=tuple(r for r in self.relations if r.parent in listed and r.child in listed),
            computed=tuple(measure for measure in self.computed if measure.on in listed),
            bridges=tuple(b for b in self.bridges if b.left in listed and b.right in listed),
        )


class _Reader:
    """Reads one lexicon against one schema."""

    def __init__(self, schema: Schema) -> None:
        self.tables = {t.name: t for t in schema.tables}

    def table(self, entry: Entry, key: str, name: str) -> str:
        """A table's name. Raises LexiconError at `key` when the schema has no such table."""
        if name not in self.tables:
            raise entry.fail(f"the schema has no table {name!r}.", key, name=name, known=self.tables)
        return name

    def reference(self, entry: Entry, key: str, text: str) -> str:
        """A `table.column`. Raises LexiconError at `key` when the schema has none."""
        table, dot, column = text.partition(".")
        if not dot or not table:
            name = column or table
            raise entry.fail(f"{name!r} names no table.", key, hint=f"Write it as table.{name or 'column'}.")
        self.table(entry, key, table)
        known = [c.name for c in self.tables[table].columns]
        if column not in known:
            raise entry.fail(f"table {table!r} has no column {column!r}.", key, name=column, known=known)
        return text

    def needs(self, entry: Entry) -> str:
        """The `table.column` under `needs`, empty when there is none."""
        return self.reference(entry, "needs", entry.text("needs")) if entry.text("needs") else ""

    def expression(self, entry: Entry, key: str) -> exp.Expression:
        """The SQL under a key, over columns that the schema has."""
        text = entry.text(key)
        try:
            tree = sqlglot.parse_one(text, read="postgres")
        except sqlglot.errors.SqlglotError as error:
            raise entry.fail(f"{text!r} is not SQL: {str(error).splitlines()[0]}", key) from None
        except RecursionError:
            raise entry.fail(f"{key!r} is not SQL that can be read: it is nested too deeply.", key) from None
        for column in tree.find_all(exp.Column):
            self.reference(entry, key, f"{column.table}.{column.name}")
        return cast(exp.Expression, tree)


_TABLE = ("alias", "nouns", "weight", "label", "when", "person", "columns", "through", "links", "subject", "bare_when")
_USES: dict[str, tuple[str, ...]] = {
    "is": ("v", "n"), "is_not": ("v",), "in": ("v",), "true": (), "false": (), "null": (), "not_null": (),
    "over": ("n",), "under": ("n",), "at_least": ("n",), "at_most": ("n",), "like": ("v",), "starts": ("v",),
    "between": ("a", "b"),
}  # fmt: skip
"""What is said of a column, and the slots that its phrases may have."""

_COLUMN = (
    *_USES, "kind", "nouns", "values", "done", "aggregates", "needs", "group", "unit", "plain_values", "moment",
    "weight",
)  # fmt: skip
_TERM = ("on", "sql", "weight", "pre", "post")
_MEASURE = (
    "on", "sql", "alias", "nouns", "where", "about", "needs", "rate", "integer", "thresholds", "weight",
)  # fmt: skip
_AGGREGATES = ("avg", "min", "max", "sum")


def load(path: Path, schema: Schema) -> Lexicon:
    """Read a lexicon file. Raises LexiconError with the line and the nearest name."""
    return parse(text_of(path), schema, where=path.name)


def parse(text: str, schema: Schema, where: str = "lexicon") -> Lexicon:
    """Read a lexicon's text. Raises LexiconError with the line and the nearest name."""
    data = read(text, where)
    if not isinstance(data, Lines):
        raise LexiconError(
            f"{where}, line 1: a lexicon is a mapping with 'tables', not {described(data)}.",
            hint="mnemosyne synth --draft writes a first one.",
        )
    reader = _Reader(schema)
    known = ("name", "tables", "terms", "measures", "relations", "computed", "bridges", "contexts")
    for key, line in data.lines.items():
        if key not in known:
            raise failure(where, line, f"unknown part {key!r}.", name=key, known=known)
    whole = Entry(where, "the lexicon", data, 1)
    tables = whole.inner("tables", "'tables'")
    return Lexicon(
        name=whole.text("name", "schema"),
        tables={name: _table(reader, tables, name) for name in tables},
        terms=tuple(_term(reader, entry) for entry in whole.entries("terms", "a term", _TERM)),
        measures=tuple(_measure(reader, entry) for entry in whole.entries("measures", "a measure", _MEASURE)),
        relations=tuple(
            _relation(reader, entry)
            for entry in whole.entries("relations", "a relation", ("parent", "child", "did", "did_not"))
        ),
        computed=tuple(_measure(reader, entry) for entry in whole.entries("computed", "a measure", _MEASURE)),
        bridges=tuple(
            _bridge(reader, entry) for entry in whole.entries("bridges", "a bridge", ("table", "left", "right", "did"))
        ),
        contexts=whole.words("contexts"),
    )


def _table(reader: _Reader, tables: Entry, name: str) -> TableWords:
    reader.table(tables, name, name)
    entry = tables.inner(name, f"table {name!r}", _TABLE)
    listed = entry.inner("columns", f"'columns' of table {name!r}")
    columns = {column: _column(reader, listed, name, column) for column in listed}
    label = entry.text("label") or next(iter(columns), "")
    if not label:
        raise entry.fail(f"{entry.what} needs 'label' or 'columns'.", hint="The label is the column that names a row.")
    reader.reference(entry, "label", f"{name}.{label}")
    links = entry.inner("links", f"'links' of table {name!r}")
    for parent in links:
        reader.table(links, parent, parent)
    return TableWords(
        name=name,
        alias=_alias(entry, name[0] if name[:1].isidentifier() else "t"),
        nouns=entry.words("nouns") or (name.rstrip("s").replace("_", " "),),
        label=label,
        columns={key: value for key, value in columns.items() if value.kind != "hidden"},
        when=_when(entry, columns),
        person=entry.flag("person"),
        through=_through(reader, entry),
        links={parent: links.words(parent) for parent in links},
        subject=entry.flag("subject", True),
        weight=entry.number("weight"),
        bare_when=entry.flag("bare_when"),
    )


_NO_ALIASES = frozenset(
    "anti asof at by describe glob lambda pivot positional qualify semi show summarize unpivot".split()
)
"""Words that DuckDB, on which pairs are verified, does not take for an alias; PostgreSQL does."""


def fit_alias(alias: str) -> bool:
    """Whether queries can give this name without quotes, in PostgreSQL and where pairs are verified."""
    if not alias.isidentifier() or alias.lower() in _NO_ALIASES or (alias.isascii() and not writing.plain(alias)):
        return False
    try:
        select = sqlglot.parse_one(f"SELECT {alias}.x AS {alias} FROM t {alias}", read="postgres")
    except sqlglot.errors.SqlglotError:
        return False
    return bool(select.find(exp.Table).alias == alias)  # type: ignore[union-attr]


def _alias(entry: Entry, default: str = "") -> str:
    """A name that queries can give without quotes."""
    alias = entry.text("alias", default)
    if not fit_alias(alias):
        raise entry.fail(
            f"{alias!r} cannot be an alias.", "alias", hint="Write letters, digits and _ only, no keyword."
        )
    return alias


def _when(entry: Entry, columns: Mapping[str, ColumnWords]) -> str:
    """The date column that a bare time is about; it must be spoken of."""
    when = entry.text("when")
    dates = [name for name, column in columns.items() if column.kind == "date"]
    if when and when not in dates:
        raise entry.fail(
            f"'when' of {entry.what} names {when!r}, which 'columns' does not list with kind date.", "when",
            name=when, known=dates, hint="List the column under 'columns' with {kind: date}.",
        )  # fmt: skip
    return when


def _through(reader: _Reader, entry: Entry) -> dict[str, dict[str, Phrases]]:
    """What is said of the rows of a table by columns of tables above it."""
    through = entry.inner("through", f"'through' of {entry.what}")
    made = {}
    for reference in through:
        reader.reference(through, reference, reference)
        uses = through.inner(reference, repr(reference), tuple(_USES))
        made[reference] = {use: _phrases(uses, use) for use in uses}
    return made


def _phrases(entry: Entry, use: str) -> Phrases:
    """The phrases of one use: a mapping of `pre` and `post`, or what stands after the noun."""
    slots = _USES[use]
    if not isinstance(entry.body[use], Lines):
        return Phrases(post=entry.words(use, slots))
    inner = entry.inner(use, f"{use!r}", ("pre", "post"))
    return Phrases(pre=inner.words("pre", slots), post=inner.words("post", slots))


def _column(reader: _Reader, listed: Entry, table: str, name: str) -> ColumnWords:
    reader.reference(listed, name, f"{table}.{name}")
    entry = listed.inner(name, f"column {name!r}", _COLUMN)
    kind = entry.text("kind", "text")
    if kind not in KINDS:
        raise entry.fail(f"unknown kind {kind!r}.", "kind", name=kind, known=KINDS)
    aggregates = entry.words("aggregates")
    for aggregate in aggregates:
        if aggregate not in _AGGREGATES:
            raise entry.fail(f"unknown aggregate {aggregate!r}.", "aggregates", name=aggregate, known=_AGGREGATES)
    values = entry.inner("values", f"'values' of column {name!r}")
    return ColumnWords(
        table=table,
        name=name,
        kind=cast(Kind, kind),
        nouns=entry.words("nouns") or (name.replace("_", " "),),
        values={value: values.words(value, None) for value in values},
        phrases={use: _phrases(entry, use) for use in _USES if use in entry},
        done=entry.words("done"),
        aggregates=aggregates,
        needs=reader.needs(entry),
        group=entry.flag("group", True),
        unit=entry.text("unit"),
        plain_values=entry.flag("plain_values"),
        moment=entry.flag("moment"),
        weight=entry.number("weight"),
    )


def _term(reader: _Reader, entry: Entry) -> Term:
    entry.need("on", "sql")
    return Term(
        on=reader.table(entry, "on", entry.text("on")),
        sql=reader.expression(entry, "sql"),
        phrases=Phrases(pre=entry.words("pre"), post=entry.words("post")),
        weight=entry.number("weight"),
    )


def _measure(reader: _Reader, entry: Entry) -> Measure:
    entry.need("on", "sql", "alias", "nouns")
    return Measure(
        on=reader.table(entry, "on", entry.text("on")),
        sql=reader.expression(entry, "sql"),
        alias=_alias(entry),
        nouns=entry.words("nouns"),
        where=reader.expression(entry, "where") if entry.text("where") else None,
        about=entry.text("about"),
        needs=reader.needs(entry),
        rate=entry.flag("rate"),
        integer=entry.flag("integer"),
        thresholds=entry.numbers("thresholds"),
        weight=entry.number("weight"),
    )


def _relation(reader: _Reader, entry: Entry) -> Relation:
    entry.need("parent", "child", "did", "did_not")
    return Relation(
        parent=reader.table(entry, "parent", entry.text("parent")),
        child=reader.table(entry, "child", entry.text("child")),
        did=entry.words("did", ("np",)),
        did_not=entry.words("did_not", ("np",)),
    )


def _bridge(reader: _Reader, entry: Entry) -> Bridge:
    entry.need("table", "left", "right", "did")
    table, left, right = (reader.table(entry, part, entry.text(part)) for part in ("table", "left", "right"))
    return Bridge(table, left, right, entry.words("did"))
