"""Examples to tokens: a prefix that a schema's questions share, and a branch of question and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnemosyne import prompt

if TYPE_CHECKING:
    from mnemosyne.datasets.example import Example

Encode = Callable[[list[str]], list[list[int]]]
"""Texts to token ids, control tokens parsed, nothing added."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question as tokens."""

    id: str
    """`Example.id`, for messages."""
    schema: str
    """The prefix text: rows of equal prefix may share it."""
    prefix: tuple[int, ...]
    """Tokens of system message and schema; one object for all rows of a schema."""
    branch: tuple[int, ...]
    """Tokens of question, hints and answer."""
    answer: int
    """Where the answer starts in `branch`; the loss counts `branch[answer:]`."""
    source: str = ""
    """`Example.source`."""

    @property
    def tokens(self) -> int:
        """Tokens of the whole sequence."""
        return len(self.prefix) + len(self.branch)

    @property
    def answers(self) -> int:
        """Tokens that the loss counts."""
        return len(self.branch) - self.answer


@dataclass(frozen=True, slots=True)
class Tokenised:
    """Rows that fit, and those that do not."""

    rows: tuple[Row, ...]
    """In the order of the examples."""
    too_long: tuple[tuple[str, int], ...]
    """(id, tokens) of rows over the limit; they are left out whole, never cut."""


def tokenise(
    examples: Sequence[Example], ddl_of: Callable[[Example], str], encode: Encode, max_tokens: int
) -> Tokenised:
    """The rows of `examples`, in order. `ddl_of` gives the canonical DDL of an example's schema."""
    prompts = [prompt.build(ddl_of(e), e.question, hints=e.hints) for e in examples]
    texts = list(dict.fromkeys(p.prefix for p in prompts))
    prefixes = dict(zip(texts, map(tuple, encode(texts)), strict=True))
    tails = encode([p.tail for p in prompts])
    answers = encode([prompt.answer(e.sql) for e in examples])
    rows: list[Row] = []
    too_long: list[tuple[str, int]] = []
    for example, parts, tail, sql in zip(examples, prompts, tails, answers, strict=True):
        row = Row(
            example.id, parts.prefix, prefixes[parts.prefix], (*tail, *sql), len(tail), example.source or "unnamed"
        )
        if row.tokens > max_tokens:
            too_long.append((row.id, row.tokens))
        else:
            rows.append(row)
    return Tokenised(tuple(rows), tuple(too_long))


def encoder(tokenizer: object) -> Encode:
    """The `Encode` of a transformers tokenizer."""

    def encode(texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[operator]
        return ids

    return encode


def longest(rows: Iterable[Row]) -> int:
    """Tokens of the longest row, 0 for none."""
    return max((row.tokens for row in rows), default=0)
