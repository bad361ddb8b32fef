"""`mnemosyne pull`: fetch and verify the weights of a model."""

from __future__ import annotations

import click

from mnemosyne.cli.downloading import progress
from mnemosyne.settings import load


@click.command(name="pull")
@click.argument("name")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(name: str, quiet: bool) -> None:
    """Fetch and verify the weights of a model.

    NAME is a name of `mnemosyne models`, or BASE+ADAPTER. Nothing is fetched twice, and an interrupted
    download goes on where it stopped. The paths of the files go to standard output.
    """
    from mnemosyne.weights import resolve

    with progress(quiet) as shown:
        model = resolve(name, load(), progress=shown)
    click.echo(model.gguf)
    if model.adapter is not None:
        click.echo(model.adapter)
