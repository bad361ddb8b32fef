"""Weights before a command needs them, with progress that suits a terminal or a log. Not a verb itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mnemosyne.settings import Settings
    from mnemosyne.weights import Progress

_ELSEWHERE = ("openai:", "transformers:", "http://", "https://")
"""Beginnings of model names whose weights are not ours to fetch."""


def fetch(name: str, settings: Settings) -> None:
    """Make the weights of `name` present, so that what follows only has to load them. Raises WeightsError."""
    if name.startswith(_ELSEWHERE):
        return
    from mnemosyne.weights import resolve

    with progress(quiet=False) as shown:
        resolve(name, settings, progress=shown)


def is_here(name: str, settings: Settings) -> bool:
    """Whether the catalogue's files of `name` are on this machine already. Raises WeightsError for an unknown name."""
    if name.startswith(_ELSEWHERE):
        return True
    from mnemosyne.weights import cached, catalogue
    from mnemosyne.weights.resolving import split

    entries = catalogue()
    parts = [entries.get(part) for part in split(name, entries) if part is not None]
    return all(entry is None or cached(entry, settings) is not None for entry in parts)


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar on a terminal (drawn by the weights themselves), a line for each step elsewhere."""
    if quiet:
        yield lambda label, done, total: None
    elif sys.stderr.isatty():
        yield None
    else:
        yield _Lines()


class _Lines:
    """Progress for a log: one line when a step begins and one at each tenth."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, label: str, done: int, total: int) -> None:
        step = (label, done * 10 // total)
        if step != self._last:
            self._last = step
            click.echo(f"{label}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", err=True)
