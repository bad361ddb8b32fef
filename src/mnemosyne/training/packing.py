"""Rows to packed sequences: one prefix, many questions, no padding; and how well that pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mnemosyne.training.attention import Layout, Span, span
from mnemosyne.training.rows import Row


@dataclass(frozen=True, slots=True)
class Pack:
    """One forward and backward pass."""

    input_ids: Tensor
    """(1, T) int64."""
    position_ids: Tensor
    """(1, T) int64: each branch counts on from the end of its prefix."""
    layout: Layout
    """Who sees whom."""
    predict_at: Tensor
    """(A,) int64: positions in the packed sequence whose next token is an answer token."""
    labels: Tensor
    """(A,) int64: those answer tokens."""
    ids: tuple[str, ...]
    """The rows, for messages."""


def pack(groups: Sequence[Sequence[Row]]) -> Pack:
    """The packed sequence of groups; each group shares one prefix. Groups of one row become one plain batch."""
    builder = _Builder()
    alone: list[Row] = []
    for group in groups:
        if len(group) == 1:
            alone.append(group[0])
        else:
            builder.shared(group)
    if alone:
        builder.plain(sorted(alone, key=lambda row: row.tokens))
    return builder.done()


def packed_tokens(groups: Sequence[Sequence[Row]]) -> int:
    """Tokens of `pack(groups)`, without building it."""
    return sum(len(group[0].prefix) + sum(len(row.branch) for row in group) for group in groups)


class _Builder:
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.spans: list[Span] = []
        self.at: list[int] = []
        self.labels: list[int] = []
        self.ids: list[str] = []

    def shared(self, rows: Sequence[Row]) -> None:
        """A prefix with the branches of `rows` behind it."""
        start, prefix = len(self.tokens), rows[0].prefix
        self._extend(prefix, 0)
        for row in rows:
            self._answer(row, len(self.tokens))
            self._extend(row.branch, len(prefix))
        self.spans.append(span(start, len(prefix), [len(row.branch) for row in rows]))

    def plain(self, rows: Sequence[Row]) -> None:
        """Whole sequences side by side."""
        start = len(self.tokens)
        for row in rows:
            self._answer(row, len(self.tokens) + len(row.prefix))
            self._extend((*row.prefix, *row.branch), 0)
        self.spans.append(span(start, 0, [row.tokens for row in rows]))

    def _extend(self, tokens: Sequence[int], position: int) -> None:
        self.tokens.extend(tokens)
        self.positions.extend(range(position, position + len(tokens)))

    def _answer(self, row: Row, branch_start: int) -> None:
        first = branch_start + row.answer
        self.at.extend(range(first - 1, first - 1 + row.answers))
        self.labels.extend(row.branch[row.answer :])
        self.ids.append(row.id)

    def done(self) -> Pack:
        return Pack(
            torch.tensor([self.tokens]),
            torch.tensor([self.positions]),
            Layout(tuple(self.spans)),
            torch.tensor(self.at),
            torch.tensor(self.labels),
            tuple(self.ids),
        )
