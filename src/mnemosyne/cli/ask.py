"""`mnemosyne ask`: one question, its SQL, its answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnemosyne.cli import console

if TYPE_CHECKING:
    from rich.console import Console

    from mnemosyne.assistant import Answer
    from mnemosyne.guard.query import SafeQuery


@click.command("ask")
@click.argument("question")
@click.option("--db", "url", required=True, metavar="URL", help="sqlite:///file, duckdb:///file or postgresql://…")
@click.option("--model", metavar="NAME", help="Catalogue name, GGUF file, or BASE+ADAPTER.gguf.")
@click.option("--format", "form", type=click.Choice(console.FORMATS), default="table", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the result to a file.")
@click.option("--sql-only", is_flag=True, help="Print the checked SQL and stop: nothing runs.")
@click.option("--yes", is_flag=True, help="Run without the review that a terminal asks for.")
@click.option("--explain", is_flag=True, help="Show every attempt of the model and what became of it.")
@click.option(
    "--votes", type=click.IntRange(1, 32), default=1, show_default=True, help="Candidates to draw and compare."
)
@click.option("--no-repair", is_flag=True, help="Do not give a failing query back to the model.")
@click.option("--no-grounding", is_flag=True, help="Do not look up stored values.")
def command(
    question: str,
    url: str,
    model: str | None,
    form: str,
    output: Path | None,
    sql_only: bool,
    yes: bool,
    explain: bool,
    votes: int,
    no_repair: bool,
    no_grounding: bool,
) -> int:
    """Ask the database at URL a QUESTION in plain words ('-' reads it from standard input).

    Prints the SQL, then the result. Exit codes: 0 answered, 1 no answer, 2 misuse or broken
    surroundings, 3 refused by the guard.
    """
    from mnemosyne.assistant import Assistant, Options

    out, err = console.stdout(), console.stderr()
    options = Options(
        votes=votes, repairs=0 if no_repair else Options().repairs, run=not sql_only, grounding=not no_grounding
    )
    with err.status("Loading the model …"):
        assistant = Assistant.open(url, model=model, options=options)
    with assistant:
        review = sys.stdin.isatty() and sys.stdout.isatty() and not yes and not sql_only
        status = err.status("Thinking …")
        status.start()
        if review:
            assistant.review = lambda query: _review(out, query, status)
        try:
            answer = assistant.ask(console.text_argument(question))
        finally:
            status.stop()
    if explain:
        for number, step in enumerate(answer.steps, 1):
            console.print_step(err, step, number)
    if sql_only and answer.sql:
        out.print(console.pretty_sql(answer.sql, assistant.dialect), markup=False, soft_wrap=True)
        return 0
    if answer.hints:
        err.print("understood: " + ", ".join(answer.hints), style="dim", markup=False)
    _show(out, err, answer, assistant.dialect, form, output, sql_shown=review)
    return _exit_code(answer)


def _review(out: Console, query: SafeQuery, status: object) -> bool:
    status.stop()  # type: ignore[attr-defined]
    console.print_sql(out, query.sql, query.dialect)
    return click.confirm("Run it?", default=True)


def _show(
    out: Console, err: Console, answer: Answer, dialect: str, form: str, output: Path | None, *, sql_shown: bool
) -> None:
    """The SQL (beside a file or pipe format: on standard error), then the result or the problem."""
    if answer.sql and not sql_shown:
        console.print_sql(out if form == "table" and output is None else err, answer.sql, dialect)
    if answer.result is None:
        err.print(answer.problem, style="yellow", markup=False)
        return
    if form == "table" and output is None:
        console.print_result(out, answer.result)
    else:
        console.write_result(answer.result, "csv" if form == "table" else form, output)
    agreement = f", {answer.agreement:.0%} of the candidates agree" if answer.agreement is not None else ""
    err.print(f"{answer.seconds:.1f} s{agreement}", style="dim")


def _exit_code(answer: Answer) -> int:
    if answer.ok:
        return 0
    return 3 if answer.refusal is not None and answer.refusal.code != "no-sql" else 1
