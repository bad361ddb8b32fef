"""Which rows make which optimizer step: every step mixes schemas, and the plan is a function of the seed.

A *group* is up to `group_size` rows of one schema, behind one prefix. The groups of every schema are spread
evenly over the epoch (a schema with a third of the rows is in every step with a third of it), steps are cut to
`batch` rows, and a step's groups are put together into packs of at most `pack_tokens` tokens.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from mnemosyne.training.packing import packed_tokens
from mnemosyne.training.rows import Row

Group = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step."""

    packs: tuple[tuple[Group, ...], ...]
    """Forward and backward passes; their gradients add up."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row of the step."""
        return tuple(row for pack in self.packs for group in pack for row in group)

    @property
    def answers(self) -> int:
        """Answer tokens: the step's loss is their mean."""
        return sum(row.answers for row in self.rows)

    @property
    def tokens(self) -> int:
        """Tokens that are computed, prefixes counted once a group."""
        return sum(packed_tokens(pack) for pack in self.packs)

    @property
    def schemas(self) -> int:
        """Different schemas."""
        return len({row.schema for row in self.rows})


def fingerprint(steps: Sequence[Step]) -> str:
    """sha256 of the rows of `steps` and of their batches; how a step is cut into passes does not count."""
    prefixes: dict[str, bytes] = {}
    whole = hashlib.sha256()

    def row(row: Row) -> bytes:
        if row.schema not in prefixes:
            prefixes[row.schema] = hashlib.sha256(array("I", row.prefix).tobytes()).digest()
        return prefixes[row.schema] + array("I", (row.answer, len(row.branch), *row.branch)).tobytes()

    for step in steps:
        groups = [hashlib.sha256(b"".join(map(row, group))).digest() for pack in step.packs for group in pack]
        whole.update(hashlib.sha256(b"".join(sorted(groups))).digest())
    return whole.hexdigest()


def epoch(rows: Sequence[Row], *, batch: int, group_size: int, pack_tokens: int, seed: int, number: int) -> list[Step]:
    """The steps of epoch `number` (0, 1, …): every row once, in an order that depends on (seed, number) alone."""
    rng = random.Random(f"{seed}/{number}")
    groups = _spread(rows, group_size, rng)
    return [Step(_packs(step, pack_tokens)) for step in _cut(groups, batch)]


def _spread(rows: Sequence[Row], group_size: int, rng: random.Random) -> list[Group]:
    """Groups of all schemas, those of each schema (of each source, for schemas of one group) evenly spaced."""
    by_schema: dict[str, list[Row]] = {}
    for row in rows:
        by_schema.setdefault(row.schema, []).append(row)
    strata: dict[str, list[Group]] = {}
    for schema, members in by_schema.items():
        rng.shuffle(members)
        pieces = -(-len(members) // group_size)
        groups = [tuple(members[i::pieces]) for i in range(pieces)]
        key = schema if pieces > 1 else f"source:{members[0].source}"
        strata.setdefault(key, []).extend(groups)
    placed: list[tuple[float, int, Group]] = []
    for groups in strata.values():
        rng.shuffle(groups)
        start = rng.random()
        for i, group in enumerate(groups):
            placed.append(((i + start) / len(groups), len(placed), group))
    return [group for _, _, group in sorted(placed, key=lambda item: item[:2])]


def _cut(groups: Sequence[Group], batch: int) -> list[list[Group]]:
    """Consecutive groups as steps of about `batch` rows; a short rest joins the last step."""
    total = sum(len(group) for group in groups)
    count = max(1, round(total / batch))
    steps: list[list[Group]] = [[] for _ in range(count)]
    done = 0
    for group in groups:
        steps[min(count - 1, (done + len(group) // 2) * count // total)].append(group)
        done += len(group)
    return [step for step in steps if step]


def _packs(groups: Sequence[Group], pack_tokens: int) -> tuple[tuple[Group, ...], ...]:
    """Groups put together, longest first, so that a pack holds at most `pack_tokens` tokens (one group may be more)."""
    packs: list[tuple[int, list[Group]]] = []
    for group in sorted(groups, key=lambda g: -packed_tokens([g])):
        size = packed_tokens([group])
        for i, (used, members) in enumerate(packs):
            if used + size <= pack_tokens:
                members.append(group)
                packs[i] = (used + size, members)
                break
        else:
            packs.append((size, [group]))
    return tuple(tuple(members) for _, members in packs)
