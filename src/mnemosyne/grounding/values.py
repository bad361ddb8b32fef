"""Value linking: the stored values that a question means, found by spelling, synonym or near spelling.

The index holds distinct values of text columns, up to a cap for each column, and forms under which
people write them. A question is cut into runs of words; a run that equals a form, or nearly does,
is a mention. A value that the schema itself lists (a CHECK list) is only worth a hint when the
question writes it differently, since the model already sees the list.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mnemosyne import guard
from mnemosyne.databases import Database, Limits
from mnemosyne.guard.query import SafeQuery
from mnemosyne.results import Result
from mnemosyne.schema import Column, Schema, Table

VALUES_PER_COLUMN = 2_000
"""Distinct values indexed for one column; a column with more is sampled, the first ones by name."""

MAX_VALUE_CHARACTERS = 80
"""Longer values are prose, not names."""

LONGEST_RUN = 7
"""Words in a run of the question at most."""

NEAR = 88.0
"""Similarity (0 to 100, rapidfuzz ratio) from which a misspelt run is taken for a value."""

NEAR_CHARACTERS = 6
"""Runs shorter than this must be spelt right."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A stored value that the question means."""

    table: str
    """Table that stores it."""
    column: str
    """Column that stores it."""
    value: str
    """As stored."""
    words: str
    """As the question writes it."""
    how: str
    """`spelling`, `synonym` or `near`."""
    similarity: float
    """100 unless `near`."""

    @property
    def hint(self) -> str:
        """The condition, in the form that training uses: `determinands.determinand_name = 'E. coli'`."""
        return f"{self.table}.{self.column} = '" + self.value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write one stored value."""

    table: str
    column: str
    value: str
    how: str
    listed: bool
    """The schema lists the value, so its own spelling needs no hint."""


class ValueIndex:
    """Forms of stored values, ready to be matched against questions."""

    def __init__(self, forms: Mapping[str, Sequence[_Form]], schema_words: Iterable[str] = ()) -> None:
        self._forms = dict(forms)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for form in self._forms:
            if len(form) >= NEAR_CHARACTERS:
                self._by_length[len(form)].append(form)
        self._schema_words = frozenset(schema_words)

    @classmethod
    def build(
        cls,
        database: Database,
        schema: Schema,
        *,
        exclude: Iterable[str] = (),
        synonyms: Path | None = None,
        cap: int = VALUES_PER_COLUMN,
    ) -> ValueIndex:
        """Read the distinct values of every text column that is not excluded (`table.column`, or a bare column).

        Queries go through the guard and run read-only; a column that fails is left out.
        """
        left_out = {name.lower() for name in exclude}
        groups = _groups(synonyms)
        forms: dict[str, list[_Form]] = defaultdict(list)
        for table in schema.tables:
            for column in table.columns:
                excluded = f"{table.name}.{column.name}".lower() in left_out or column.name.lower() in left_out
                if excluded or not _is_text(column):
                    continue
                for value in _distinct(database, schema, table, column, cap):
                    _add_forms(forms, groups, table.name, column, value)
        return cls(forms, _words_of(schema))

    def mentions(self, question: str) -> list[Mention]:
        """The stored values that a question means, in the order of the question; overlapping runs: the longest wins."""
        words = list(re.finditer(r"[^\W_]+(?:[.'&/+-][^\W_]+)*[.+-]?", question))
        found: list[tuple[int, int, Mention]] = []
        for length in range(min(LONGEST_RUN, len(words)), 0, -1):
            for start in range(len(words) - length + 1):
                end = start + length
                if any(start < other_end and other_start < end for other_start, other_end, _ in found):
                    continue
                run = question[words[start].start() : words[end - 1].end()]
                mention = self._match(run, length, question)
                if mention is not None:
                    found.append((start, end, mention))
        found.sort(key=lambda item: item[0])
        return [mention for _, _, mention in found]

    def hints(self, question: str) -> tuple[str, ...]:
        """Conditions to add to the prompt, each once."""
        listed = {(f.table, f.column, f.value): f.listed for forms in self._forms.values() for f in forms}
        useful = (
            mention.hint
            for mention in self.mentions(question)
            if not (mention.how == "spelling" and listed[mention.table, mention.column, mention.value])
        )
        return tuple(dict.fromkeys(useful))

    def __len__(self) -> int:
        return len(self._forms)

    def _match(self, run: str, length: int, question: str) -> Mention | None:
        form, similarity = normal(run), 100.0
        candidates = self._forms.get(form) or self._forms.get(_singular(form))
        if candidates is None:
            near = self._near(form) if length <= 4 else None
            if near is None:
                return None
            form, similarity = near
            candidates = self._forms[form]
        if similarity == 100.0 and length == 1 and form in self._schema_words and candidates[0].how == "spelling":
            return None
        chosen = _choose(candidates, question)
        if chosen is None:
            return None
        how = chosen.how if similarity == 100.0 else "near"
        return Mention(chosen.table, chosen.column, chosen.value, run, how, similarity)

    def _near(self, form: str) -> tuple[str, float] | None:
        """The form that a run nearly spells: same first letter, about the same length."""
        if len(form) < NEAR_CHARACTERS or form in self._schema_words:
            return None
        from rapidfuzz import fuzz, process

        pool = [f for n in (-1, 0, 1) for f in self._by_length.get(len(form) + n, ()) if f[0] == form[0]]
        best = process.extractOne(form, pool, scorer=fuzz.ratio, score_cutoff=NEAR)
        return (best[0], best[1]) if best else None


def normal(text: str) -> str:
    """Letters and digits only, lower case, no accents: `E. coli` and `e.coli` are both `ecoli`."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in plain if character.isalnum())


def _singular(form: str) -> str:
    return form[:-1] if len(form) > 4 and form.endswith("s") else form


def _choose(candidates: Sequence[_Form], question: str) -> _Form | None:
    """The column that the question speaks of; None when several columns store the value and none is named."""
    places = {(form.table, form.column) for form in candidates}
    if len(places) == 1:
        return candidates[0]
    asked = {_singular(normal(word)) for word in question.split()}

    def named(form: _Form) -> int:
        words = {_singular(normal(word)) for word in re.split(r"[_\W]+", f"{form.column} {form.table}")}
        return len(words & asked)

    ranked = sorted(candidates, key=named, reverse=True)
    return ranked[0] if named(ranked[0]) > named(ranked[1]) else None


def _is_text(column: Column) -> bool:
    kind = column.type.upper()
    return any(word in kind for word in ("CHAR", "TEXT", "STRING", "CLOB")) or (
        bool(column.values) and "INT" not in kind
    )


def _distinct(database: Database, schema: Schema, table: Table, column: Column, cap: int) -> list[str]:
    if column.values:
        return [value for value in column.values if isinstance(value, str)]
    quoted_column, quoted_table = _quote(column.name), _quote(table.name)
    sql = (
        f"SELECT DISTINCT {quoted_column} FROM {quoted_table} WHERE {quoted_column} IS NOT NULL "
        f"ORDER BY {quoted_column} LIMIT {cap}"
    )
    checked = guard.check(sql, schema, target=database.dialect)
    if not isinstance(checked, SafeQuery):
        return []
    outcome = database.run(checked, Limits(timeout_seconds=10, max_rows=cap))
    if not isinstance(outcome, Result):
        return []
    values = [row[0] for row in outcome.rows]
    return [value for value in values if isinstance(value, str) and len(value) <= MAX_VALUE_CHARACTERS]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _add_forms(
    forms: dict[str, list[_Form]], groups: Mapping[str, frozenset[str]], table: str, column: Column, value: str
) -> None:
    own = normal(value)
    if len(own) < 2 or own.isdigit():
        return
    listed = value in column.values
    written = {own: "spelling", **{form: "synonym" for form in groups.get(own, ()) if form != own}}
    for form, how in written.items():
        forms[form].append(_Form(table, column.name, value, how, listed))


def _groups(extra: Path | None) -> dict[str, frozenset[str]]:
    """Normal form to all normal forms of its group, from the package's synonyms and the person's own file."""
    import yaml

    texts = [(files("mnemosyne.data") / "grounding" / "synonyms.yaml").read_text(encoding="utf-8")]
    if extra is not None:
        texts.append(extra.read_text(encoding="utf-8"))
    groups: dict[str, frozenset[str]] = {}
    for text in texts:
        for members in yaml.safe_load(text)["groups"]:
            group = frozenset(normal(str(member)) for member in members)
            for form in group:
                groups[form] = groups.get(form, frozenset()) | group
    return groups


def _words_of(schema: Schema) -> set[str]:
    names = [name for table in schema.tables for name in (table.name, *(column.name for column in table.columns))]
    words = {normal(word) for name in names for word in name.split("_")} | {normal(name) for name in names}
    return words | {_singular(word) for word in words}
