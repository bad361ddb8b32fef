"""Blocks put together: as many pairs as asked for, in each tier, none twice, the same for any number of workers.

Blocks are made by this process, by others, or on Ray; they arrive in the order of their numbers, and each
is kept in a work folder, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnemosyne.datasets.example import Example
from mnemosyne.datasets.overlap import normal_question, sql_skeleton
from mnemosyne.synthesis.block import TIERS, Block, Maker, Plan

Recipe = Callable[[], Maker]
"""Makes a maker in whatever process it is called; must be picklable."""

Progress = Callable[[int, int], None]
"""Called with the pairs kept so far and the pairs wanted."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much of the same is too much."""

    same_sql: int = 2
    """Pairs with one and the same query."""
    same_skeleton: int = 12
    """Pairs whose queries differ in nothing but literals."""
    barren: int = 12
    """Blocks in a row without a new pair before the world is exhausted."""


@dataclass(slots=True)
class Made:
    """What a run made."""

    examples: list[Example]
    """The pairs, in the order of their making."""
    counts: Counter[str] = field(default_factory=Counter)
    """Draws by outcome."""
    tried: Counter[str] = field(default_factory=Counter)
    """Neighbours tried, by kind."""
    told_apart: Counter[str] = field(default_factory=Counter)
    """Neighbours told apart, by kind."""
    blocks: int = 0
    """Blocks used."""
    exhausted: bool = False
    """True when fewer pairs were found than asked for."""


def generate(
    recipe: Recipe,
    plan: Plan,
    count: int,
    *,
    work: Path | None = None,
    workers: int = 1,
    ray: bool = False,
    quotas: Quotas = Quotas(),
    progress: Progress | None = None,
) -> Made:
    """`count` pairs by a plan, tiers in its shares. `work` keeps finished blocks, so that a stopped run can go on."""
    wanted = _per_tier(count, plan)
    made = Made([])
    keeper = _Keeper(quotas, wanted)
    barren = 0
    blocks = _blocks(recipe, work, workers, ray)
    try:
        for block in blocks:
            made.blocks += 1
            made.counts.update(block.counts)
            made.tried.update(block.tried)
            made.told_apart.update(block.told_apart)
            fresh = [example for example in block.examples if keeper.keep(example, made.counts)]
            made.examples += fresh
            barren = 0 if fresh else barren + 1
            if progress is not None:
                progress(len(made.examples), count)
            if len(made.examples) >= count or barren >= quotas.barren:
                break
    finally:
        blocks.close()
    made.exhausted = len(made.examples) < count
    return made


def _per_tier(count: int, plan: Plan) -> dict[str, int]:
    total = sum(plan.shares)
    wanted = {tier: int(count * share / total) for tier, share in zip(TIERS, plan.shares, strict=True)}
    wanted["moderate"] += count - sum(wanted.values())
    return wanted


class _Keeper:
    """Decides which pairs of arriving blocks are kept."""

    def __init__(self, quotas: Quotas, wanted: dict[str, int]) -> None:
        self.quotas, self.wanted = quotas, dict(wanted)
        self.questions: set[str] = set()
        self.queries: Counter[str] = Counter()
        self.skeletons: Counter[str] = Counter()

    def keep(self, example: Example, counts: Counter[str]) -> bool:
        if self.wanted.get(example.tier, 0) <= 0:
            return False
        normal, skeleton = normal_question(example.question), sql_skeleton(example.sql)
        reason = (
            ("question twice" if normal in self.questions else "")
            or ("query twice" if self.queries[example.sql] >= self.quotas.same_sql else "")
            or ("form too often" if self.skeletons[skeleton] >= self.quotas.same_skeleton else "")
        )
        if reason:
            counts[f"dropped: {reason}"] += 1
            return False
        self.questions.add(normal)
        self.queries[example.sql] += 1
        self.skeletons[skeleton] += 1
        self.wanted[example.tier] -= 1
        return True


def _blocks(recipe: Recipe, work: Path | None, workers: int, ray: bool) -> Generator[Block, None, None]:
    """Blocks 0, 1, 2 ... for ever, in order."""
    if ray:
        from mnemosyne.synthesis.cluster import on_ray

        yield from on_ray(recipe, work, workers)
    elif workers <= 1:
        maker = Lazy(recipe)
        number = 0
        while True:
            yield one(maker, work, number)
            number += 1
    else:
        yield from _in_processes(recipe, work, workers)


class Lazy:
    """A maker that is made when a block is not there yet."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.maker: Maker | None = None

    def block(self, number: int) -> Block:
        """A block, by the maker."""
        if self.maker is None:
            self.maker = self.recipe()
        return self.maker.block(number)


def one(maker: Any, work: Path | None, number: int) -> Block:
    """A block: read when the work folder has it, else made and kept there, whole or not at all."""
    if work is None:
        made: Block = maker.block(number)
        return made
    kept = read(work, number)
    if kept is not None:
        return kept
    block: Block = maker.block(number)
    write(work, block)
    return block


def read(work: Path, number: int) -> Block | None:
    """A block that the work folder has, or None."""
    path = work / f"block-{number:05d}.json"
    return Block.read(path.read_text("utf-8")) if path.exists() else None


def write(work: Path, block: Block) -> None:
    """Keep a block, whole or not at all."""
    path = work / f"block-{block.number:05d}.json"
    work.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(block.dump(), "utf-8")
    partial.replace(path)


_here: Lazy | None = None


def _start(recipe: Recipe) -> None:
    global _here
    _here = Lazy(recipe)


def _task(work: Path | None, number: int) -> str:
    assert _here is not None
    return one(_here, work, number).dump()


def _in_processes(recipe: Recipe, work: Path | None, workers: int) -> Iterator[Block]:
    """Blocks from worker processes, a few ahead of what is needed."""
    import multiprocessing
    from concurrent.futures import Future, ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(recipe,)) as pool:
        ahead: list[Future[str]] = [pool.submit(_task, work, number) for number in range(2 * workers)]
        number = len(ahead)
        try:
            while True:
                block = Block.read(ahead.pop(0).result())
                ahead.append(pool.submit(_task, work, number))
                number += 1
                yield block
        finally:
            for future in ahead:
                future.cancel()
