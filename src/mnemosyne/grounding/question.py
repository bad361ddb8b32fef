"""One question, grounded: the part of the schema to show, the stored values it means, or why it is given back.

`Grounder` owns what is built once for a schema (value index, schema index, scope) and is asked per question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from mnemosyne.grounding.laboratory import dated, laboratory_terms, laboratory_words
from mnemosyne.grounding.names import Names
from mnemosyne.grounding.scope import Abstention, Scope
from mnemosyne.grounding.tables import SchemaIndex, estimate_tokens
from mnemosyne.grounding.terms import Said, Term, flags, said
from mnemosyne.grounding.values import Mention, ValueIndex, told
from mnemosyne.grounding.windows import Window, has_moments, is_dated, windows
from mnemosyne.schema import Schema

LINKED_TOKENS = 600
"""What a model is shown of a large schema at first. Small models take a neighbour of like name where they see more."""

WIDE_TOKENS = 1_200
"""What it is shown once it did not find there what it needs."""

NEAR = 3.0
"""How far behind the most wanted table, in the units of `SchemaIndex.rank`, another may lie to be shown at first."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What is known of a question before a model is asked."""

    ddl: str
    """The schema as the model reads it for this question."""
    hints: tuple[str, ...] = ()
    """Conditions on stored values, then windows of time, that the model is told of."""
    mentions: tuple[Mention, ...] = ()
    """Stored values that the question means."""
    windows: tuple[Window, ...] = ()
    """Windows of time that it names."""
    terms: tuple[Said, ...] = ()
    """Derived terms that it names; the model is not told of them, an answer is measured by them."""
    tables: tuple[str, ...] = ()
    """Tables that were chosen from a larger schema; empty when it goes in whole."""
    wider: str = ""
    """More of a schema of which `ddl` is a part, for a model that did not find there what it needs; else empty."""
    wider_tables: tuple[str, ...] = ()
    """Its tables."""
    abstention: Abstention | None = None
    """Why the question should be given back, None to answer it."""

    def widened(self) -> Grounded:
        """The same with the wider part in place of the first."""
        return replace(self, ddl=self.wider, tables=self.wider_tables, wider="", wider_tables=())


@dataclass
class Grounder:
    """Grounds questions in one schema and its stored values."""

    schema: Schema
    """All tables that may be asked about."""
    values: ValueIndex | None = None
    """Stored values; None to look none up."""
    whole_tokens: int = 3_000
    """A schema of at most so many tokens is shown whole, the same bytes for every question."""
    linked_tokens: int = LINKED_TOKENS
    """What is shown of a larger one at most, and only the tables that come near the most wanted."""
    wide_tokens: int = WIDE_TOKENS
    """What is shown of it once that was not enough, however far a table lies behind."""
    words_of: Schema | None = None
    """The schema whose laboratory's words are known when `schema` is only the permitted part of it."""
    names: Names = field(default_factory=Names)
    """What people call tables, columns and values beside their own names."""
    ddl: str = field(init=False)
    """The whole schema as the model reads it."""

    def __post_init__(self) -> None:
        self.ddl = self.schema.to_ddl()

    def ground(self, question: str, *, hints: bool = True, linking: bool = True, abstain: bool = False) -> Grounded:
        """What is known of a question; each part can be switched off."""
        mentions = tuple(self.values.mentions(question)) if self.values is not None and (hints or abstain) else ()
        named = self._windows(question) if hints else ()
        terms = (*said(question, self.terms), *self._dates(question, named)) if hints else ()
        known = _lines(mentions, named) if hints else ()
        abstention = self.scope.judge(question) if abstain else None
        if not linking or estimate_tokens(self.ddl) <= self.whole_tokens:
            return Grounded(self.ddl, known, mentions, named, terms, abstention=abstention)
        places = self.values.places(question) if self.values is not None else {}
        places |= {(mention.table, mention.column): 1.0 for mention in mentions}
        part = self.index.link(question, self.linked_tokens, values=places, within=NEAR).schema
        room = max(self.wide_tokens, self.linked_tokens)
        wide = self.index.link(question, room, values=places, first=part).schema
        tables, more = (tuple(table.full_name for table in shown.tables) for shown in (part, wide))
        return Grounded(
            part.to_ddl(), known, mentions, named, terms, tables, wide.to_ddl(), more, abstention
        )  # fmt: skip

    def hints(self, question: str) -> tuple[str, ...]:
        """What the model is told of a question, as `ground` gives it: training rows carry the same."""
        mentions = self.values.mentions(question) if self.values is not None else ()
        return _lines(mentions, self._windows(question))

    def _windows(self, question: str) -> tuple[Window, ...]:
        return windows(question, moments=self._moments) if self._dated else ()

    def _dates(self, question: str, named: Sequence[Window]) -> Iterator[Said]:
        if not self.names.terms:
            shown = {column.name.lower() for table in self.schema.tables for column in table.columns}
            yield from (one for one in dated(question, named, self.words_of or self.schema) if one.columns <= shown)

    @cached_property
    def _dated(self) -> bool:
        return is_dated(self.schema)

    @cached_property
    def _moments(self) -> bool:
        return has_moments(self.schema)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Derived terms: the lexicon's, and truth values called by one word."""
        lexicon = self.names.terms or laboratory_terms(self.words_of or self.schema)
        shown = {column.name.lower() for table in self.schema.tables for column in table.columns}
        return tuple(term for term in (*lexicon, *flags(self.schema)) if term.columns <= shown)

    @cached_property
    def index(self) -> SchemaIndex:
        """The schema ready to be searched."""
        return SchemaIndex(self.schema, names=self.names)

    @cached_property
    def scope(self) -> Scope:
        """What the schema has words for."""
        words = (*laboratory_words(self.words_of or self.schema), *self.names.words)
        return Scope(self.schema, self.values, words)


def _lines(mentions: Sequence[Mention], named: Sequence[Window]) -> tuple[str, ...]:
    """What the model is told: values first, then windows."""
    return (*told(mentions), *(window.hint for window in named))
