"""The progress bar of a download, on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mnemosyne.weights.store import Progress


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """A `Progress` that draws a bar with bytes, speed and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:>15}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=False) as display:
        task = display.add_task("starting", total=None)
        yield lambda label, done, total: display.update(task, description=label, completed=done, total=total)
