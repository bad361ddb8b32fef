"""`mnemosyne lims`: the demo laboratory, created in a database of your choice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mnemosyne.cli import console

if TYPE_CHECKING:
    from mnemosyne.lims.create import Progress


@click.group("lims")
def command() -> None:
    """The demo laboratory: eight tables of realistic, entirely fictional data."""


@command.command("create")
@click.argument("url")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Other seeds, other data.")
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The day the data end. Default: today."
)
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Times 3,000 samples and 12,000 results over 3 years."
)
@click.option("--force", is_flag=True, help="Replace a laboratory that is there already.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
def create(url: str, seed: int, today: datetime | None, scale: float, force: bool, quiet: bool) -> int:
    """Create the laboratory at URL: sqlite:///FILE, duckdb:///FILE or postgresql://….

    The same seed, scale and day give the same rows in all three engines. The laboratory appears whole
    or not at all.
    """
    from mnemosyne import lims

    started = time.perf_counter()
    with _progress(quiet) as progress:
        made = lims.create(
            url,
            seed=seed,
            scale=scale,
            today=today.date() if today is not None else None,
            progress=progress,
            force=force,
        )
    if not quiet:
        for table, rows in made.rows.items():
            click.echo(f"{table:<18}{rows:>12,}")
        click.echo(f"Created in {time.perf_counter() - started:.1f} s. Ask it: mnemosyne ask QUESTION --db {made.url}")
    return 0


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """The table that is being filled, on a terminal."""
    err = console.stderr()
    if quiet or not err.is_terminal:
        yield None
        return
    with err.status("Creating the laboratory …") as status:
        yield lambda table, rows: status.update(f"Creating the laboratory: {table}, {rows:,} rows")
