"""What two examples share: normalised questions, word n-grams, SQL forms. Keeps training apart from evaluation."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from mnemosyne.datasets.example import Example

NGRAM_WORDS = 8
"""Words of a shared run that count as overlap; questions shorter than this are compared whole."""


def normal_question(question: str) -> str:
    """Lower-case words and numbers of any script, single spaces, no punctuation, no accents."""
    plain = unicodedata.normalize("NFKD", question.lower())
    if not plain.isascii():
        plain = "".join(c if _in_word(c) else " " for c in plain if not unicodedata.combining(c))
        return " ".join(word for word in plain.split() if any(map(str.isalnum, word)))
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def _in_word(character: str) -> bool:
    """Whether a character belongs to a word: letters, digits, and vowel signs that some scripts write apart."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def sql_skeleton(sql: str, dialect: str = "postgres") -> str:
    """The form of a query: tables, columns and clauses stay; literals become `?`, aliases `t1`, `t2` …

    Output aliases, letter case and the order of writing white space do not matter. Text that sqlglot
    cannot parse is its own skeleton, white space collapsed.
    """
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return " ".join(sql.lower().split())
    names: dict[str, str] = {}
    for node in tree.find_all(exp.Table, exp.Subquery, exp.CTE):
        if alias := node.alias:
            names.setdefault(alias.lower(), f"t{len(names) + 1}")
    for projection in tree.find_all(exp.Alias):
        if projection.alias and projection.alias != projection.this.name:
            names.setdefault(projection.alias.lower(), f"o{len(names) + 1}")
    for node in list(tree.find_all(exp.Literal)):
        node.replace(exp.Placeholder())
    for identifier in tree.find_all(exp.Identifier):
        name = identifier.name.lower()
        identifier.set("this", names.get(name, name))
        identifier.set("quoted", False)
    for projection in list(tree.find_all(exp.Alias)):
        if isinstance(projection.parent, exp.Select):
            projection.replace(projection.this)
    return tree.sql(dialect="postgres", normalize_functions="upper", comments=False)


_WRITING = frozenset(
    word
    for line in (
        "Alias TableAlias Identifier CTE Subquery Paren Cast DataType Placeholder",
        "Select From Where Ordered Tuple Var",
    )
    for word in line.split()
)
"""Nodes that stand for how a query is written; what they hold is counted."""


def sql_form(sql: str, dialect: str = "postgres") -> str:
    """The parts of a query without their order: queries that say the same in another order of writing share it.

    Literals and intervals become `?`; qualifiers, aliases and the names of CTEs go; the rest is counted, not placed.
    Two different queries may share a form (`a - b`, `b - a`; `IS NULL`, `IS NOT NULL`): meant for keeping training
    apart from evaluation, where a pair too many is left out rather than one too few.
    """
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return " ".join(sorted(sql.lower().split()))
    own = {node.alias.lower() for node in tree.find_all(exp.CTE, exp.Subquery, exp.Alias) if node.alias}
    parts: list[str] = []
    for node in tree.walk(prune=lambda node: isinstance(node, (exp.Interval, exp.Literal))):
        if isinstance(node, (exp.Literal, exp.Interval, exp.Boolean)):
            parts.append("?")
        elif isinstance(node, exp.Between):
            parts += ["GTE", "LTE", "And"]
        elif isinstance(node, (exp.Column, exp.Table)):
            name = node.name.lower()
            parts.append("own" if name in own else name)
        elif isinstance(node, exp.Anonymous):
            parts.append(node.name.lower())
        elif type(node).__name__ not in _WRITING:
            parts.append(type(node).__name__)
    return " ".join(sorted(parts))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The example that a question is most like."""

    id: str
    """Its id."""
    question: str
    """Its question."""
    similarity: float
    """0 to 1: share of three-letter pieces that both questions have (Jaccard)."""


class OverlapIndex:
    """Everything that must not be trained on, ready to be asked about one example at a time."""

    def __init__(self, protected: Iterable[Example], *, forms: bool = True) -> None:
        """`protected` are evaluation examples; `forms=False` lets a shared SQL form pass (other schemas)."""
        self._questions: set[str] = set()
        self._ngrams: set[tuple[str, ...]] = set()
        self._forms: set[str] = set()
        for example in protected:
            normal = normal_question(example.question)
            self._questions.add(normal)
            self._ngrams.update(_ngrams(normal))
            if forms and example.sql:
                self._forms.add(sql_form(example.sql, example.dialect))

    def reason(self, example: Example) -> str:
        """Why the example overlaps (`question`, `n-gram`, `form`), or an empty text."""
        normal = normal_question(example.question)
        if normal in self._questions:
            return "question"
        if not self._ngrams.isdisjoint(_ngrams(normal)):
            return "n-gram"
        if self._forms and sql_form(example.sql, example.dialect) in self._forms:
            return "form"
        return ""


class NeighbourIndex:
    """Finds the training question that is most like a given one."""

    def __init__(self, examples: Iterable[Example]) -> None:
        """Index the questions of `examples`."""
        self._examples = list(examples)
        self._pieces = [_pieces(example.question) for example in self._examples]
        self._holders: dict[str, list[int]] = defaultdict(list)
        for position, pieces in enumerate(self._pieces):
            for piece in pieces:
                self._holders[piece].append(position)

    def nearest(self, question: str) -> Neighbour | None:
        """The most similar question, None when nothing shares a piece."""
        asked = _pieces(question)
        shared: dict[int, int] = defaultdict(int)
        for piece in asked:
            for position in self._holders.get(piece, ()):
                shared[position] += 1
        if not shared:
            return None
        score = {p: n / (len(asked) + len(self._pieces[p]) - n) for p, n in shared.items()}
        best = max(score, key=lambda p: (score[p], -p))
        found = self._examples[best]
        return Neighbour(found.id, found.question, round(score[best], 4))


def _ngrams(normal: str) -> set[tuple[str, ...]]:
    words = normal.split()
    return {tuple(words[i : i + NGRAM_WORDS]) for i in range(len(words) - NGRAM_WORDS + 1)}


def _pieces(question: str) -> frozenset[str]:
    normal = f"  {normal_question(question)} "
    return frozenset(normal[i : i + 3] for i in range(len(normal) - 2))
