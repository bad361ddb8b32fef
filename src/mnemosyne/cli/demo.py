"""`mnemosyne demo`: a laboratory from nothing, three questions, their SQL, results and timings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnemosyne.cli import console, downloading

if TYPE_CHECKING:
    from rich.console import Console

    from mnemosyne.assistant import Answer

QUESTIONS = (
    "How many samples were received in the last 30 days?",
    "Show the five clients with the most failed results this year, with the number of failures.",
    "Which determinands had a failure rate above 5 % this year? Determinand and failure rate.",
)
"""Of rising difficulty: one table, a join with grouping, a rate over joined tables with a condition on it."""


@click.command("demo")
@click.option("--model", metavar="NAME", help="Catalogue name, GGUF file, or BASE+ADAPTER.gguf.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Seed of the laboratory.")
def command(model: str | None, seed: int) -> int:
    """Create the demo laboratory (once a day) and ask it three questions with a real model.

    Exit codes: 0 when at least one question was answered, 1 when none was, 2 broken surroundings.
    """
    from mnemosyne import settings
    from mnemosyne.assistant import Assistant

    out, err = console.stdout(), console.stderr()
    chosen = settings.load()
    name = model or chosen.model
    started = time.perf_counter()
    _heading(out, "1", "The laboratory")
    file = _laboratory_file(chosen.home, seed)
    url = f"sqlite:///{file}"
    _laboratory(out, file, url, seed)
    _heading(out, "2", "The model")
    downloading.fetch(name, chosen)
    loading = time.perf_counter()
    with err.status("Loading the model …"):
        assistant = Assistant.open(url, model=name, settings=chosen)
    out.print(f"  {name}, on this machine, ready in {time.perf_counter() - loading:.1f} s", markup=False)
    with assistant:
        answers = []
        for number, question in enumerate(QUESTIONS, 3):
            _heading(out, str(number), question)
            with err.status("Thinking …"):
                answers.append(assistant.ask(question))
            _answer(out, answers[-1], assistant.dialect)
    _timings(out, answers, time.perf_counter() - started)
    out.print("\nAsk it something yourself:\n", style="bold")
    out.print(f'  {_program()} ask "Which samples are overdue?" --db {url}\n', markup=False, soft_wrap=True)
    return 0 if any(answer.ok for answer in answers) else 1


def _heading(out: Console, number: str, text: str) -> None:
    from rich.text import Text

    out.print()
    out.print(Text.assemble((number, "bold cyan"), "  ", (text, "bold")), soft_wrap=True)


def _laboratory(out: Console, file: Path, url: str, seed: int) -> None:
    from mnemosyne import lims

    if file.exists():
        out.print("  the one that an earlier run made today", style="dim")
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = lims.create(url, seed=seed).rows
        tables = ", ".join(f"{count:,} {table}" for table, count in rows.items() if table in _COUNTED)
        out.print(f"  entirely fictional, three years up to today: {tables}", soft_wrap=True)
    out.print(f"  {file}", style="dim", markup=False, soft_wrap=True)


_COUNTED = ("clients", "samples", "results", "worksheets")


def _answer(out: Console, answer: Answer, dialect: str) -> None:
    out.print()
    if answer.understood is not None:
        out.print(f"  understood: {answer.understood.line}\n", style="dim", markup=False, soft_wrap=True)
    if answer.sql:
        console.print_sql(out, answer.sql, dialect)
    if answer.result is None:
        written = answer.written.strip()
        if written and not answer.sql:
            out.print(f"  {written}", style="dim", markup=False, soft_wrap=True)
        out.print(f"  {answer.problem}", style="yellow", markup=False, soft_wrap=True)
    else:
        console.print_result(out, answer.result, most=12)


def _timings(out: Console, answers: list[Answer], seconds: float) -> None:
    """One line a question: how long the model and the database took."""
    from rich import box
    from rich.padding import Padding
    from rich.table import Table

    _heading(out, str(len(answers) + 3), "The time it took")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", border_style="dim")
    table.add_column("question")
    for name in ("model", "database", "in all", "attempts"):
        table.add_column(name, justify="right")
    for number, answer in enumerate(answers, 3):
        model = sum(step.completion.seconds for step in answer.steps)
        inside = answer.result.seconds if answer.result is not None else 0.0
        row = (f"{model:.2f} s", f"{inside:.3f} s", f"{answer.seconds:.2f} s", str(len(answer.steps)))
        table.add_row(str(number), *row)
    out.print(Padding(table, (0, 0, 0, 1)))
    out.print(f"  {seconds:.1f} s from start to end", style="dim")


def _laboratory_file(home: Path, seed: int) -> Path:
    """One laboratory a day and seed, since its data are anchored to today."""
    return home / "demo" / f"lab-{time.strftime('%Y-%m-%d')}-{seed}.db"


def _program() -> str:
    """How this program was called, so that the line can be copied: `.venv/bin/mnemosyne` after `make demo`."""
    import sys

    called = sys.argv[0]
    return "python -m mnemosyne" if called.endswith("__main__.py") else called if "/" in called else "mnemosyne"
