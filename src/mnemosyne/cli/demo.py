"""`mnemosyne demo`: a laboratory from nothing, three questions, their SQL, results and timings."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mnemosyne.cli import console

QUESTIONS = (
    "How many samples were received in the last 30 days?",
    "Show the five clients with the most failed results this year, with the number of failures.",
    "For each month of this year, what percentage of E. coli results in drinking water failed?",
)
"""Of rising difficulty: one table, a join with grouping, a rate over joined tables by month."""


@click.command("demo")
@click.option("--model", metavar="NAME", help="Catalogue name, GGUF file, or BASE+ADAPTER.gguf.")
@click.option("--seed", default=7, show_default=True, help="Seed of the laboratory.")
def command(model: str | None, seed: int) -> int:
    """Create the demo laboratory (once) and ask it three questions with a real model."""
    from mnemosyne import lims, settings
    from mnemosyne.assistant import Assistant

    out, err = console.stdout(), console.stderr()
    chosen = settings.load()
    file = _laboratory_file(chosen.home, seed)
    url = f"sqlite:///{file}"
    if not file.exists():
        out.print(f"[bold]1.[/] A fictional laboratory, filled with three years of samples: [dim]{file}[/]")
        file.parent.mkdir(parents=True, exist_ok=True)
        lims.create(url, seed=seed)
    else:
        out.print(f"[bold]1.[/] The laboratory of an earlier run: [dim]{file}[/]")
    started = time.perf_counter()
    out.print(f"[bold]2.[/] The model: [bold]{model or chosen.model}[/], on this machine")
    assistant = Assistant.open(url, model=model, settings=chosen)
    out.print(f"   ready in {time.perf_counter() - started:.1f} s", style="dim")
    out.print("[bold]3.[/] Three questions\n")
    answered = 0
    with assistant:
        for question in QUESTIONS:
            out.print(f"[bold cyan]› {question}[/]\n")
            with err.status("Thinking …"):
                answer = assistant.ask(question)
            if answer.sql:
                console.print_sql(out, answer.sql, assistant.dialect)
            if answer.result is None:
                out.print(answer.problem, style="yellow", markup=False)
            else:
                console.print_result(out, answer.result, most=8)
                answered += 1
            drafting = sum(step.completion.seconds for step in answer.steps)
            out.print(f"{answer.seconds:.2f} s, of which the model took {drafting:.2f} s\n", style="dim")
    out.print("Ask it something yourself:", style="bold")
    out.print(f'  mnemosyne ask "Which samples are overdue?" --db {url}\n', markup=False, soft_wrap=True)
    return 0 if answered else 1


def _laboratory_file(home: Path, seed: int) -> Path:
    """One laboratory a day and seed, since its data are anchored to today."""
    return home / "demo" / f"lab-{time.strftime('%Y-%m-%d')}-{seed}.db"
