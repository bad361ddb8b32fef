"""`mnemosyne evaluate`: measure models on a bench, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mnemosyne.evaluation.predicting import Progress, Way
    from mnemosyne.evaluation.selftest import Judges

ENGINES = click.Choice(["postgres", "sqlite", "duckdb"])


@click.command("evaluate")
@click.option("--model", "models", help="Models to measure, separated by commas.")
@click.option("--bench", required=True, help="lab, lab-dev, lab-unanswerable, spider, spider-dev, or a JSONL file.")
@click.option("--predictions", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="Answers made elsewhere: JSONL with `id` and `sql`. May be repeated.")  # fmt: skip
@click.option("--dialect", type=ENGINES, help="What the SQL of --predictions is written in. [default: postgres]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run. [default: runs/BENCH]"
)
@click.option("--votes", type=click.IntRange(1, 32), default=1, show_default=True,
              help="Candidates per question; the largest group answers.")  # fmt: skip
@click.option("--repair/--no-repair", default=False, help="Let the assistant mend refused and failing drafts.")
@click.option("--grounding/--no-grounding", default=False, help="Tell the model which stored values a question means.")
@click.option("--linking", type=click.IntRange(100), metavar="TOKENS",
              help="Show so much of a schema: what the question needs. A last repair sees twice as much.")  # fmt: skip
@click.option("--abstain/--no-abstain", default=False, help="Let the assistant give back what has no answer.")
@click.option(
    "--limit", type=click.IntRange(0), default=0, help="Measure on this many questions, spread over the bench."
)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Spider's folder.")
@click.option("--database", "databases", multiple=True, help="Population of a file's schema. May be repeated.")
@click.option("--on", "engine", type=ENGINES, help="Where the laboratory runs. [default: postgres]")
@click.option("--mirror/--no-mirror", default=True, show_default=True,
              help="Prove the laboratory's golds equal on the other engines first.")  # fmt: skip
@click.option("--server", default="", help="URL of a PostgreSQL server to use instead of the embedded one.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that judge.")
@click.option("--ray", "address", default="", help="Answer and judge on a Ray cluster: its address, or `local`.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap and of drawn candidates.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
              help="Seconds that one query may run.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print run.json instead of the table.")
def command(models: str | None, bench: str, predictions: tuple[Path, ...], output: Path | None, **options: Any) -> None:
    """Measure models: EX, TS, EM and VLD with 95 % intervals, after a self-test of the bench's golds.

    Without further options this is the model alone: one greedy pass, nothing repaired, nothing added to the prompt.
    An interrupted run goes on where it stopped: call it again with the same folder. Called with another model or
    another way of asking, it adds a row to the folder's table; without --model it makes the report again.
    """
    from mnemosyne.evaluation.predicting import Way

    folder = output or Path("runs") / Path(bench).stem
    names = [name.strip() for name in (models or "").split(",") if name.strip()]
    if not names and not predictions and not (folder / "recipe.json").exists():
        raise click.UsageError("Name a --model or a file of --predictions.")
    if options["dialect"] and not predictions:
        raise click.UsageError("--dialect is of --predictions; a model is asked for PostgreSQL.")
    way = Way(
        options["votes"],
        2 if options["repair"] else 0,
        options["seed"],
        grounding=options["grounding"],
        abstain=options["abstain"],
        linked=options["linking"] or 0,
    )
    record = _measure(names, predictions, bench, folder, way, options)
    if options["as_json"]:
        click.echo((folder / "run.json").read_text(encoding="utf-8").rstrip("\n"))
        return
    from mnemosyne.evaluation.tables import console

    console(record)
    click.echo(f"Report: {folder / 'report.html'}")


def _measure(
    models: list[str], files: tuple[Path, ...], bench_name: str, folder: Path, way: Way, options: dict[str, Any]
) -> dict[str, Any]:
    from mnemosyne import settings as settings_room
    from mnemosyne.databases import Limits
    from mnemosyne.evaluation import plots, record, running
    from mnemosyne.evaluation.benches import Where, check_bench, open_bench
    from mnemosyne.evaluation.predicting import own_words
    from mnemosyne.evaluation.report import write_report

    plots.require()
    settings = settings_room.load()
    check_bench(bench_name, options["data"], options["databases"])
    if way.grounded:
        way = replace(way, words=own_words(settings))
    limits = Limits(options["timeout"], max_rows=100_000)
    systems = [running.model_system(name, way, folder, settings) for name in models]
    systems += [running.System(file.stem, None, file, dialect=options["dialect"] or "postgres") for file in files]
    where = Where(
        settings.home,
        options["engine"],
        options["server"],
        options["data"],
        options["databases"],
        options["mirror"],
    )
    with (
        open_bench(bench_name, where, limit=options["limit"]) as bench,
        running.alone(folder),
        _judges(options) as judges,
        _progress() as progress,
    ):
        before = record.load(folder) if (folder / "run.json").exists() else None
        test = running.prepare(bench, judges, limits, progress)
        systems = running.pin(folder, bench, systems)
        answers, wall = {}, {}
        for system in systems:
            collected = running.collect(system, bench, settings, limits, progress, far=bool(options["address"]))
            answers[system.label], wall[system.label] = collected
        dialects = {system.label: system.dialect for system in systems}
        judged = running.judge_all(bench, answers, judges, limits, progress, dialects)
        found = record.conclude(bench, systems, judged, test, seed=options["seed"], wall=wall, previous=before)
        record.save(found, judged, folder)
        write_report(found, folder)
    return found


@contextmanager
def _judges(options: dict[str, Any]) -> Iterator[Judges]:
    if options["address"]:
        from mnemosyne.evaluation.cluster import Cluster

        with Cluster(options["address"]) as cluster:
            yield cluster
    else:
        from mnemosyne.evaluation.workers import Workers

        with Workers(options["workers"]) as workers:
            yield workers


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line per kind of work on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield tell
