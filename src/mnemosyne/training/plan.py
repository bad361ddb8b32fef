"""Which rows make which optimizer step: every step mixes schemas, and the plan is a function of the seed.

A *group* is up to `group_size` rows of one schema, behind one prefix. The groups of every schema are spread
evenly over the epoch (a schema with a third of the rows is in every step with a third of it), steps are cut to
`batch` rows or a few more or fewer, and a step's groups are put together into packs of at most `pack_tokens` tokens.
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

CUTTING = 2
"""How steps are cut, a number for each way that there was. A run ends with the one that it began with."""

AHEAD = 32
"""Groups among which one is looked for that fits into the rest of a step, before one is divided."""


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


def epoch(
    rows: Sequence[Row],
    *,
    batch: int,
    group_size: int,
    pack_tokens: int,
    seed: int,
    number: int,
    cutting: int = CUTTING,
) -> list[Step]:
    """The steps of epoch `number` (0, 1, …): every row once, in an order that depends on (seed, number) alone."""
    rng = random.Random(f"{seed}/{number}")
    groups = _spread(rows, group_size, rng)
    if cutting == 1:
        steps = _cut_at_middles(groups, batch)
    else:
        steps = _cut(groups, batch)
        _mix(steps)
        steps = [_joined(step, group_size) for step in steps]
    return [Step(_packs(step, pack_tokens)) for step in steps]


def _spread(rows: Sequence[Row], group_size: int, rng: random.Random) -> list[Group]:
    """Groups of all schemas, those of each schema (of each source, for schemas of one group) evenly spaced."""
    by_schema: dict[str, list[Row]] = {}
    for row in rows:
        by_schema.setdefault(row.schema, []).append(row)
    strata: dict[str, list[Group]] = {}
    for schema, members in by_schema.items():
        rng.shuffle(members)
        groups = _pieces(members, group_size)
        key = schema if len(groups) > 1 else f"source:{members[0].source}"
        strata.setdefault(key, []).extend(groups)
    placed: list[tuple[float, int, Group]] = []
    for groups in strata.values():
        rng.shuffle(groups)
        start = rng.random()
        for i, group in enumerate(groups):
            placed.append(((i + start) / len(groups), len(placed), group))
    return [group for _, _, group in sorted(placed, key=lambda item: item[:2])]


def _pieces(rows: Sequence[Row], group_size: int) -> list[Group]:
    """Rows of one schema as the fewest groups, of equal size or one less."""
    count = -(-len(rows) // group_size)
    return [tuple(rows[i::count]) for i in range(count)]


def _cut(groups: Sequence[Group], batch: int) -> list[list[Group]]:
    """Steps of equal size, each end off by at most a sixteenth of `batch`; a group is divided where none in reach fits."""
    total = _size(groups)
    count = max(1, round(total / batch))
    waiting = list(groups)
    steps: list[list[Group]] = []
    done = 0
    for number in range(1, count + 1):
        end, slack = number * total // count, batch // 16 if number < count else 0
        step: list[Group] = []
        while done < end - slack:
            room = end - done
            near = enumerate(waiting[:AHEAD])
            fitting = next((i for i, group in near if len(group) <= room + slack), None)
            if fitting is None:
                step.append(waiting[0][:room])
                waiting[0] = waiting[0][room:]
            else:
                step.append(waiting.pop(fitting))
            done += len(step[-1])
        steps.append(step)
    return [step for step in steps if step]


def _mix(steps: Sequence[list[Group]]) -> None:
    """Let every step of one schema exchange rows with the step that has most rows of others, while one can spare any."""
    if len({group[0].schema for step in steps for group in step}) < 2:
        return
    for step in steps:
        own = step[0][0].schema
        if _others(step, own) or _size(step) < 2:
            continue
        donor = max(steps, key=lambda other: _others(other, own))
        spare = _others(donor, own) - 1
        if spare < 1:
            continue
        theirs = max((group for group in donor if group[0].schema != own), key=len)
        mine = max(step, key=len)
        count = max(1, min(len(theirs), spare, len(mine), _size(step) - 1) // 2)
        for giver, given, taker in ((donor, theirs, step), (step, mine, donor)):
            giver.remove(given)
            giver.extend([given[count:]] if given[count:] else [])
            taker.append(given[:count])


def _size(groups: Sequence[Group]) -> int:
    return sum(len(group) for group in groups)


def _others(step: Sequence[Group], schema: str) -> int:
    """Rows of other schemas."""
    return sum(len(group) for group in step if group[0].schema != schema)


def _joined(step: Sequence[Group], group_size: int) -> list[Group]:
    """The rows of a step in the fewest groups: what was divided and came together again shares a prefix."""
    by_schema: dict[str, list[Row]] = {}
    for group in step:
        by_schema.setdefault(group[0].schema, []).extend(group)
    return [group for rows in by_schema.values() for group in _pieces(rows, group_size)]


def _cut_at_middles(groups: Sequence[Group], batch: int) -> list[list[Group]]:
    """Cutting 1: a group is in the step that its middle falls into, so steps may be very uneven, or of one schema."""
    total = _size(groups)
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
