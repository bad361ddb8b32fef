"""`mnemosyne synth`: verified question-SQL pairs for your own database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnemosyne import settings
from mnemosyne.cli import console, downloading
from mnemosyne.errors import DatasetError

if TYPE_CHECKING:
    from mnemosyne.synthesis.checking import Checked
    from mnemosyne.synthesis.generate import Progress


@click.command("synth")
@click.option("--db", "url", required=True, help="The database: a file, sqlite:///…, duckdb:///… or postgresql://…")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder.")
@click.option(
    "--lexicon", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What things are called. Default: OUTPUT/lexicon.yaml, drafted when it is not there.",
)  # fmt: skip
@click.option("-n", "--count", type=click.IntRange(min=1), default=1_000, show_default=True, help="Pairs wanted.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Other seeds, other pairs.")
@click.option("--draft", "only_draft", is_flag=True, help="Only draft the lexicon, so that you can edit it first.")
@click.option("--exclude", multiple=True, metavar="COLUMN", help="Never read this column (name or table.name).")
@click.option(
    "--disguise", multiple=True, metavar="COLUMN",
    help="Replace this column's values by look-alikes in copies, questions and SQL; '*' means every text column.",
)  # fmt: skip
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="What CURRENT_DATE means.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--ray", is_flag=True, help="Make pairs on Ray (extra 'cluster').")
@click.option(
    "--name", default="", help="Name of the schema in the pairs. Default: the lexicon's, 'own' in a drafted one."
)
@click.option(
    "--paraphrase", "model", metavar="MODEL",
    help="Also ask this model for other words, kept where it then gives the gold's rows: OUTPUT/paraphrases.jsonl.gz.",
)  # fmt: skip
@click.option(
    "--check", "written", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PAIRS.jsonl",
    help="Make none: judge pairs that you wrote (question, sql); those that pass go to OUTPUT/checked.jsonl.gz.",
)  # fmt: skip
@click.option(
    "--protect", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PAIRS.jsonl",
    help="Your evaluation questions (question, sql): no pair that is near one of them is made, or passes --check.",
)  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    url: str,
    output: Path,
    lexicon: Path | None,
    count: int,
    seed: int,
    only_draft: bool,
    exclude: tuple[str, ...],
    disguise: tuple[str, ...],
    today: datetime | None,
    workers: int,
    ray: bool,
    name: str,
    model: str | None,
    written: Path | None,
    protect: tuple[Path, ...],
    quiet: bool,
) -> int:
    """Synthesise verified question-SQL pairs for the schema of a database.

    A lexicon (YAML) says what tables, columns and values are called; the first one is drafted from the schema, and
    better words in it give better questions. Every pair is run on three populations (thinned copies of your
    database, or invented rows when it is empty) and kept only when its rows tell it apart from queries that are
    nearly the same. Your database is only ever read. A stopped run goes on where it was.
    """
    from mnemosyne.grounding.linking import Linker
    from mnemosyne.synthesis import own
    from mnemosyne.synthesis.order import Order
    from mnemosyne.synthesis.pools import Privacy

    order = Order(
        url, output, count, seed, lexicon, Privacy(frozenset(exclude), frozenset(disguise)),
        (today or datetime.now()).date(), name, workers, ray,
    )  # fmt: skip
    if written is not None:
        return _check(own.check(order, written, Linker, _remark, protect), output)
    _, file = own.prepare(order)
    if only_draft:
        click.echo(f"The lexicon is {file}. Edit it, then run the same command without --draft.")
        return 0
    started = time.perf_counter()
    remarks: list[str] = []
    with _progress(quiet, "Opening the database …", "pairs") as progress:
        made = own.synthesise(order, progress, Linker, remarks.append, protect)
    for remark in remarks:
        _remark(remark)
    told = 100 * made.told_apart.total() / max(1, made.tried.total())
    click.echo(f"{len(made.examples):,} pairs in {time.perf_counter() - started:.0f} s: {output / 'pairs.jsonl.gz'}")
    click.echo(f"{told:.1f} % of {made.tried.total():,} neighbours told apart. Report: {output / 'report.md'}")
    if model is not None:
        if not quiet:
            downloading.fetch(model, settings.load())
        with _progress(quiet, "Loading the model …", "pairs tried in other words") as progress:
            kept, asked = own.reword(order, made, model, protect, progress)
        click.echo(f"{kept:,} of {asked:,} paraphrases kept: {output / 'paraphrases.jsonl.gz'}")
    if made.examples:
        click.echo(f"Train on them: mnemosyne train {output / 'recipe.yaml'} --dry-run")
    if made.exhausted:
        click.echo(f"Fewer than the {count:,} wanted: add words to {file}, or rows to the database.", err=True)
    return 0 if made.examples else 1


def _remark(text: str) -> None:
    """Say what a person should know of the populations."""
    click.echo(text, err=True)


def _check(verdicts: Iterator[Checked], output: Path) -> int:
    """Say what is wrong with each pair that does not pass."""
    passed = refused = 0
    for verdict in verdicts:
        if verdict.example is not None:
            passed += 1
            continue
        refused += 1
        click.echo(f"line {verdict.line}: {verdict.question}\n    {verdict.reason}")
    if not passed + refused:
        raise DatasetError("The file holds no pair.", hint="One JSON object a line, with question and sql.")
    click.echo(f"{passed:,} pairs pass, {refused:,} do not: {output / 'checked.jsonl.gz'}")
    return 0 if passed else 1


@contextmanager
def _progress(quiet: bool, begin: str, what: str) -> Iterator[Progress | None]:
    """What is done so far of what is wanted, on a terminal."""
    err = console.stderr()
    if quiet or not err.is_terminal:
        yield None
        return
    with err.status(begin) as status:
        yield lambda done, wanted: status.update(f"{done:,} of {wanted:,} {what}")
