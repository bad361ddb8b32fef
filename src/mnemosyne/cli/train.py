"""`mnemosyne train`: fine-tune a model from a recipe."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnemosyne.cli import console
from mnemosyne.errors import TrainingError, need

if TYPE_CHECKING:
    from mnemosyne.datasets import Example
    from mnemosyne.settings import Settings
    from mnemosyne.training.recipe import Recipe
    from mnemosyne.training.run import Prepared
    from mnemosyne.training.selection import Judge

log = logging.getLogger(__name__)

LAB_SEED, LAB_TODAY = 7, date(2026, 6, 15)
"""The laboratory that `database: lab` means."""


@click.command("train")
@click.argument("recipe")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Run folder.  [default: runs/NAME]")
@click.option("--resume", is_flag=True, help="Go on from the newest whole checkpoint of the run folder.")
@click.option("--export", is_flag=True, help="Write the adapter of the newest checkpoint of the run folder, and stop.")
@click.option("--dry-run", is_flag=True, help="Print tokens, steps, memory and time, and stop.")
@click.option("--max-steps", type=click.IntRange(1), help="Override the recipe's max_steps; with --resume, too.")
@click.option(
    "--from-samples",
    type=click.IntRange(1),
    metavar="N",
    help="Draw N answers to training questions first; train also on those that are right and new in form.",
)
@click.option(
    "--sample-questions", type=click.IntRange(1), default=200, show_default=True, help="Questions to draw for."
)
@click.option("--workers", type=click.IntRange(1), help="Train on so many Ray workers (extra 'cluster').")
@click.option("--ray", "address", default="local", show_default=True, help="Address of the Ray cluster.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Processor threads, with --workers of each.  [default: all; with --workers one]",
)
def command(
    recipe: str,
    out: Path | None,
    resume: bool,
    export: bool,
    dry_run: bool,
    max_steps: int | None,
    from_samples: int | None,
    sample_questions: int,
    workers: int | None,
    address: str,
    threads: int | None,
) -> int:
    """Fine-tune a model as RECIPE says: a YAML file, or the name of a shipped recipe.

    Writes a run folder with checkpoints, curves, a record, and the adapter for llama.cpp and for PEFT:
    `mnemosyne ask --model BASE+RUN/best/adapter.gguf`; `last/` for `best/` where the recipe has no validation.
    """
    from dataclasses import replace

    from mnemosyne.settings import load as load_settings
    from mnemosyne.training import recipe as recipes
    from mnemosyne.training.surroundings import prepare_process

    wanted = recipes.load(recipe)
    need("train", "Training", "torch", "transformers", "gguf", "safetensors", "tensorboard", "matplotlib")
    if max_steps:
        wanted = replace(wanted, max_steps=max_steps)
    if workers:
        from mnemosyne.training import cluster

        cluster.need_shared_prefix(wanted)
    settings = load_settings()
    prepare_process(threads or settings.threads, offline=settings.offline)
    folder = recipes.folder_of(recipe)
    out = out or Path("runs") / wanted.name
    if export:
        from mnemosyne.training.run import export_newest

        console.stderr().print(f"Adapter: {export_newest(out) / 'adapter.gguf'}", soft_wrap=True)
        return 0
    if from_samples and not dry_run:
        from mnemosyne.cli import train_samples
        from mnemosyne.training import data

        data.need_files(wanted, folder)
        judge = _judge(wanted, out, populations=3, skip=True) if wanted.validation else None
        wanted = train_samples.with_samples(wanted, folder, out, judge, n=from_samples, questions=sample_questions)
    if wanted.frame != "shared-prefix":
        if dry_run:
            raise TrainingError(f"--dry-run knows the frame shared-prefix; {wanted.name} uses {wanted.frame}.")
        return _train_with_trl(wanted, folder, out, resume)
    if dry_run:
        return _dry_run(wanted, folder)
    if workers:
        return _train_on_workers(
            wanted, folder, out, replace(settings, threads=threads or settings.threads), resume, workers, address
        )
    return _train(wanted, folder, out, resume)


def _train(recipe: Recipe, folder: Path, out: Path, resume: bool) -> int:
    from mnemosyne.cli.train_progress import Screen
    from mnemosyne.settings import load as load_settings
    from mnemosyne.training import run

    prepared = run.prepare(recipe, folder, load_settings())
    err = console.stderr()
    _say_too_long(prepared)
    _say_one_schema(prepared)
    judge = _judge(recipe, out) if recipe.validation and recipe.validation.database else None
    with Screen(err, len(prepared.steps)) as screen:
        best = run.train(prepared, out, resume=resume, judge=judge, listen=screen)
    _say_stopped(out)
    err.print(f"Adapter: {best / 'adapter.gguf'}", soft_wrap=True)
    err.print(f"Use it: mnemosyne ask --model {recipe.base}+{best / 'adapter.gguf'} …", soft_wrap=True)
    return 0


def _train_on_workers(
    recipe: Recipe, folder: Path, out: Path, settings: Settings, resume: bool, workers: int, address: str
) -> int:
    from mnemosyne.cli.train_progress import Screen
    from mnemosyne.training import checkpoint, cluster, resuming, run

    prepared = run.prepare(recipe, folder, settings)
    _say_too_long(prepared)
    _say_one_schema(prepared)
    err = console.stderr()
    if resume and checkpoint.newest_path(out / "checkpoints") is None:  # what workers log is not seen here
        err.print(resuming.anew(out), soft_wrap=True)
    with Screen(err, len(prepared.steps)) as screen:
        best = cluster.train(
            recipe, folder, out, settings,
            workers=workers, address=address, resume=resume, make_judge=_judge, listen=screen,
        )  # fmt: skip
    _say_stopped(out)
    err.print(f"Adapter: {best / 'adapter.gguf'}", soft_wrap=True)
    return 0


def _say_too_long(prepared: Prepared) -> None:
    most = prepared.recipe.max_tokens
    for part in prepared.loaded:
        for row, tokens in part.too_long:
            console.stderr().print(f"left out: {row} of {part.source.path} has {tokens:,} tokens (max_tokens {most:,})")


def _say_one_schema(prepared: Prepared) -> None:
    if all(step.schemas == 1 for step in prepared.steps):
        console.stderr().print(
            "every step has one schema only, so other databases may be forgotten: add general rows to data"
            " (made by: python -m mnemosyne.training.general --spider SPIDER_FOLDER -o .)",
            highlight=False,
            soft_wrap=True,
        )


def _say_stopped(out: Path) -> None:
    """Print why a run ended before its last step, as its record says."""
    from mnemosyne.training import resuming

    if why := resuming.facts(out).get("result", {}).get("stopped_early"):
        console.stderr().print(why, highlight=False, soft_wrap=True)


def _train_with_trl(recipe: Recipe, folder: Path, out: Path, resume: bool) -> int:
    from mnemosyne.settings import load as load_settings
    from mnemosyne.training import trl_frame

    judge = _judge(recipe, out) if recipe.frame == "grpo" and recipe.validation else None
    target = trl_frame.train(recipe, folder, out, load_settings(), resume=resume, judge=judge)
    console.stderr().print(f"Adapter: {target / 'adapter.gguf'}")
    return 0


def _dry_run(recipe: Recipe, folder: Path) -> int:
    from mnemosyne.cli.train_progress import clock
    from mnemosyne.settings import load as load_settings
    from mnemosyne.training import run
    from mnemosyne.training.estimate import Spread, available_memory, estimate

    prepared = run.prepare(recipe, folder, load_settings())
    if recipe.start_from:
        run.find_start(prepared)
    found = estimate(prepared)
    _say_one_schema(prepared)

    def spread(name: str, tokens: Spread) -> str:
        return f"{name:10} {tokens.mean:8.1f} {tokens.median:8,} {tokens.high:8,} {tokens.most:8,}"

    click.echo(f"rows       {found.rows:,} of {found.schemas:,} schemas, {found.too_long:,} left out as too long")
    click.echo("tokens         mean   median     95 %     most")
    for name, tokens in (("prefix", found.prefix), ("question", found.question), ("answer", found.answer)):
        click.echo(spread(name, tokens))
    click.echo(
        f"steps      {found.steps:,} of about {found.questions / found.steps:.0f} questions, {found.passes:,} passes"
    )
    times = found.alone / found.tokens
    click.echo(f"computed   {found.tokens:,} tokens; as separate sequences {found.alone:,} ({times:.1f} times)")
    click.echo(f"memory     {found.memory_bytes / 1e9:.1f} GB of {available_memory() / 1e9:.1f} GB available")
    click.echo(
        f"time       {clock(found.seconds)} on this machine as busy as it is now,"
        f" {found.seconds / found.questions:.2f} s a question, measurements not counted"
    )
    return 0


def _judge(recipe: Recipe, out: Path, populations: int = 1, skip: bool = False) -> Judge:
    """Executes answers on the recipe's validation database with the clock frozen; `lab` can be several populations.

    A gold query that cannot be used stops the run; with `skip` no answer to it is right. Nor is one to a gold that
    returns no rows, which would let in every other query that finds nothing.
    """
    from mnemosyne.databases import Limits
    from mnemosyne.evaluation.judging import Answer, Task, judge
    from mnemosyne.evaluation.ordering import order_counts
    from mnemosyne.evaluation.workers import Worlds
    from mnemosyne.schema import Schema

    assert recipe.validation is not None
    url = recipe.validation.database
    urls = tuple(_laboratory(out, LAB_SEED + i) for i in range(populations)) if url == "lab" else (url,)
    frozen = recipe.validation.today
    today = date.fromisoformat(frozen) if frozen else LAB_TODAY if url == "lab" else date.today()
    worlds = Worlds()
    schema: Schema = worlds(urls[0]).schema()
    told: set[str] = set()

    def right(answers: Sequence[tuple[Example, str]]) -> list[bool]:
        verdicts = []
        for example, sql in answers:
            task = Task(
                example.id,
                example.sql,
                "postgres",
                schema,
                urls,
                (Answer(sql),),
                ordered=order_counts(example),
                today=today,
                limits=Limits(timeout_seconds=10.0),
            )
            outcome = judge(task, worlds)
            if (skip and outcome.problem) or (not outcome.problem and not any(outcome.rows)):
                if example.id not in told:
                    what = outcome.problem or f"returns no rows (today is {today})"
                    log.warning("no answer to %s is right: its gold %s", example.id, what)
                told.add(example.id)
                verdicts.append(False)
                continue
            if outcome.problem:
                raise TrainingError(
                    f"The gold query of {example.id} cannot be used: {outcome.problem}.",
                    hint=f"Does validation.database ({url}) fit the validation set?",
                )
            verdicts.append(all(outcome.verdicts[0].strict))
        return verdicts

    return right


def _laboratory(out: Path, seed: int) -> str:
    from mnemosyne import lims

    path = out.absolute().parent / f".{out.name}-lab-{seed}.sqlite"
    url = f"sqlite:///{path}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")  # processes of one launch may make it together
        lims.create(f"sqlite:///{partial}", seed=seed, today=LAB_TODAY)
        partial.replace(path)
    return url
