"""Blocks made by Ray tasks: on this machine's cores or on a cluster's, in the order of their numbers.

The driver keeps the work folder; workers read the populations, which nodes on other machines need under the same path.
What a block holds depends on its number alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnemosyne.cluster import reach
from mnemosyne.errors import MissingExtra, SettingsError
from mnemosyne.synthesis.block import Block
from mnemosyne.synthesis.generate import Recipe, read, write


def on_ray(recipe: Recipe, work: Path | None, workers: int) -> Iterator[Block]:
    """Blocks 0, 1, 2 ... for ever. Starts Ray here unless the process is connected already or RAY_ADDRESS names a cluster.

    Raises SettingsError when that does not answer, MissingExtra.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingExtra("cluster", "Synthesis on Ray") from None
    from mnemosyne.synthesis.generate import Lazy

    started = not ray.is_initialized()
    if started:
        _start(ray, workers)
    actor: Any = ray.remote(num_cpus=1)(_Worker)
    actors = [actor.remote(recipe, Lazy) for _ in range(max(1, workers))]
    waiting: dict[int, Any] = {}

    def ask(number: int) -> None:
        if work is None or read(work, number) is None:
            waiting[number] = actors[number % len(actors)].block.remote(number)

    try:
        ahead = 2 * len(actors)
        for number in range(ahead):
            ask(number)
        number = 0
        while True:
            reference = waiting.pop(number, None)
            block = Block.read(ray.get(reference)) if reference is not None else None
            if block is None:
                assert work is not None
                block = read(work, number)
                assert block is not None
            elif work is not None:
                write(work, block)
            ask(number + ahead)
            number += 1
            yield block
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any, workers: int) -> None:
    """Connect to the cluster that RAY_ADDRESS names, which has its own processors, or start Ray here."""
    address = os.environ.get("RAY_ADDRESS", "")
    where = {} if address not in ("", "local") else {"num_cpus": max(1, workers), "include_dashboard": False}
    try:
        reach(address)
        ray.init(log_to_driver=False, configure_logging=False, **where)
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(
            f"No Ray cluster answers at {address or 'this machine'}: {str(error).splitlines()[0]}",
            hint="Check RAY_ADDRESS; without it Ray is started here.",
        ) from None


class _Worker:
    """A Ray actor: one maker, opened when the first block is asked for."""

    def __init__(self, recipe: Recipe, lazy: Any) -> None:
        self.maker = lazy(recipe)

    def block(self, number: int) -> str:
        """A block as JSON."""
        text: str = self.maker.block(number).dump()
        return text
