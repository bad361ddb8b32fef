"""`mnemosyne models`: the catalogue, and what of it is on this machine. An adapter is of use only with its base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from mnemosyne.settings import Settings, load
from mnemosyne.weights import Entry, cached, catalogue


@click.command(name="models")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(form: str) -> None:
    """List the models of the catalogue and say which are on this machine.

    Every command that takes --model takes these names, a path of a GGUF file, BASE+ADAPTER.gguf, or
    openai:http://host:port/v1#model for a model server.
    """
    settings = load()
    found = {entry: cached(entry, settings) for entry in catalogue().values()}
    if form == "json":
        click.echo(json.dumps([_record(entry, found) for entry in found], indent=2))
    else:
        _print_table(found, settings)


def _based(entry: Entry, found: Mapping[Entry, Path | None]) -> bool:
    """Whether the base of an adapter is here; a whole model needs none."""
    return entry.base is None or any(path for other, path in found.items() if other.name == entry.base)


def _record(entry: Entry, found: Mapping[Entry, Path | None]) -> dict[str, object]:
    path = found[entry]
    return {
        "name": entry.name,
        "kind": entry.kind,
        "base": entry.base,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "context": entry.context,
        "path": str(path) if path else None,
        "ready": path is not None and _based(entry, found),
    }


def _print_table(found: Mapping[Entry, Path | None], settings: Settings) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, side in (("name", "left"), ("size", "right"), ("licence", "left"), ("base", "left"), ("here", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=heading == "name")
    for entry, path in found.items():
        name = f"[bold]{entry.name}[/bold]" + (" [dim](default)[/dim]" if entry.name == settings.model else "")
        here = "[green]yes[/green]" if path else "[dim]no[/dim]"
        if path and not _based(entry, found):
            here = "[yellow]without its base[/yellow]"
        table.add_row(name, f"{entry.bytes / 1e6:,.0f} MB", entry.licence, entry.base or "–", here)
    Console().print(table)
    click.echo(f"Fetch one with `mnemosyne pull NAME`. Cache: {settings.home / 'weights'}")
