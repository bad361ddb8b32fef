"""`mnemosyne compare`: two evaluation runs of the same bench, question by question."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("compare")
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--metric", default="", help="EX, EX lenient, TS, EM, VLD; ABS or SAFE where nothing has an answer. "
              "[default: EX, or ABS]")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(first: Path, second: Path, metric: str, seed: int, as_json: bool) -> None:
    """Compare two evaluation runs: differences with intervals, McNemar's test, and the questions that changed."""
    from mnemosyne.evaluation.comparing import compare
    from mnemosyne.evaluation.tables import console_comparison

    found = compare(first, second, metric=metric, seed=seed)
    if as_json:
        import json

        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        console_comparison(found)
