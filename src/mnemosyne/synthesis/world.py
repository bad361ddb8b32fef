"""What patterns draw from: the schema, its lexicon, its graph, and stored values of one population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mnemosyne.schema import Schema
from mnemosyne.synthesis.lexicon import Lexicon
from mnemosyne.synthesis.query import Graph


@dataclass(frozen=True, slots=True)
class Pool:
    """Stored values of one column."""

    values: tuple[str, ...] = ()
    """Distinct texts, the frequent ones first."""
    quantiles: tuple[float, ...] = ()
    """0, 10, ... 100 % of a number."""
    span: tuple[date, date] | None = None
    """First and last date."""
    nulls: bool = False
    """Whether NULL occurs."""
    distinct: int = 0
    """Number of distinct values."""


Pools = Mapping[tuple[str, str], Pool]
"""(table, column) to what is stored there."""


@dataclass(frozen=True)
class World:
    """Everything that does not change from pair to pair."""

    schema: Schema
    """The schema."""
    lexicon: Lexicon
    """Its words."""
    pools: tuple[Pools, ...]
    """Stored values, one mapping a population; pair number i draws from population i modulo their number."""
    today: date
    """What CURRENT_DATE means in every population."""
    graph: Graph = field(init=False)
    """Its foreign keys."""
    aliases: dict[str, str] = field(init=False)
    """Table to alias; joins lead through tables that the lexicon leaves out."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lexicon", self.lexicon.trimmed())
        object.__setattr__(self, "graph", Graph(self.schema))
        unspoken = {t.name: t.name[0].lower() if t.name[:1].isalpha() else "t" for t in self.schema.tables}
        spoken = {name: words.alias for name, words in self.lexicon.tables.items()}
        object.__setattr__(self, "aliases", unspoken | spoken)
