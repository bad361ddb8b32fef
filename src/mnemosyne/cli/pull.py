"""`mnemosyne pull`: fetch and verify the weights of a model."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from mnemosyne.settings import load
from mnemosyne.weights import Progress, resolve


@click.command(name="pull")
@click.argument("name")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(name: str, quiet: bool) -> None:
    """Fetch and verify the weights of a model.

    NAME is a name of `mnemosyne models`, or BASE+ADAPTER. Nothing is fetched twice, and an interrupted
    download goes on where it stopped. The paths of the files go to standard output.
    """
    with _progress(quiet) as progress:
        model = resolve(name, load(), progress=progress)
    click.echo(model.gguf)
    if model.adapter is not None:
        click.echo(model.adapter)


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, a line for each step elsewhere."""
    if quiet:
        yield lambda label, done, total: None
    elif sys.stderr.isatty():
        from mnemosyne.weights.bar import bar

        with bar() as shown:
            yield shown
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
