"""`mnemosyne ask`: one question, its SQL, its answer."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnemosyne.cli import console, downloading, files

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from mnemosyne.assistant import Answer, Assistant
    from mnemosyne.grounding import Understood
    from mnemosyne.guard.query import SafeQuery
    from mnemosyne.guard.showing import Foreign


@click.command("ask")
@click.argument("question")
@click.option("--db", "url", required=True, metavar="URL", help="sqlite:///file, duckdb:///file or postgresql://…")
@click.option("--model", metavar="NAME", help="Catalogue name, GGUF file, or BASE+ADAPTER.gguf.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", *files.FORMATS)),
    help="How the result is printed or written. [default: table, or what the name of --output says]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result to a file.")
@click.option("--sql-only", is_flag=True, help="Print the checked SQL and stop: nothing runs.")
@click.option(
    "--dialect",
    type=click.Choice(("mysql", "tsql", "oracle", "snowflake", "bigquery")),
    help="With --sql-only: print the SQL for this database instead. It is read back, but not executed here.",
)
@click.option("--yes", is_flag=True, help="Run without the review that a terminal asks for.")
@click.option("--explain", is_flag=True, help="Show every attempt of the model and what became of it.")
@click.option(
    "--votes", type=click.IntRange(1, 32), default=1, show_default=True, help="Candidates to draw and compare."
)
@click.option("--no-repair", is_flag=True, help="Do not give a failing query back to the model.")
@click.option("--no-grounding", is_flag=True, help="Tell the model nothing of stored values and windows of time, and "
              "do not look whether its query has them.")  # fmt: skip
@click.option("--no-linking", is_flag=True, help="Show a large schema whole, not the tables that a question needs.")
@click.option("--anyway", is_flag=True, help="Ask the model even when the words say that there is no answer.")
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), metavar="FILE",
              help="YAML file: the tables, columns and rows that may be read.")  # fmt: skip
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="Take this day for today.")
def command(
    question: str,
    url: str,
    model: str | None,
    form: str | None,
    output: Path | None,
    sql_only: bool,
    dialect: Foreign | None,
    yes: bool,
    explain: bool,
    votes: int,
    no_repair: bool,
    no_grounding: bool,
    no_linking: bool,
    anyway: bool,
    policy_file: Path | None,
    today: datetime | None,
) -> int:
    """Ask the database at URL a QUESTION in plain words.

    Prints the SQL, then the result. On a terminal the SQL is shown for review before it runs; --yes
    skips that. A QUESTION that begins with '-' or is very long comes through standard input: write -
    in its place.

    Exit codes: 0 answered, 1 no answer, 2 misuse or broken surroundings, 3 refused by the guard.
    """
    from mnemosyne import settings
    from mnemosyne.assistant import Assistant, Options, not_a_question
    from mnemosyne.databases import open_database
    from mnemosyne.databases.places import parse
    from mnemosyne.guard.policy import read_policy

    if dialect is not None and not sql_only:
        raise click.UsageError("--dialect goes with --sql-only: those databases are not asked.")
    if sql_only and (output is not None or form not in (None, "table")):
        raise click.UsageError("--format and --output are for rows: --sql-only prints SQL, so send it on with > FILE.")
    text = console.text_argument(question)
    if output is not None:
        files.check_place(output)
        if form == "table":
            raise click.UsageError("A table is for the eye: choose csv, json or parquet for a file.")
    form = form or ("table" if output is None else files.format_of(output))
    if not sql_only:
        files.check_terminal(form, output)
    parse(url)
    policy = read_policy(policy_file) if policy_file is not None else None
    chosen = settings.load()
    options = Options(
        votes=votes,
        repairs=0 if no_repair else Options().repairs,
        run=not sql_only,
        grounding=not no_grounding,
        linking=not no_linking,
        abstain=not anyway,
        today=today.date() if today is not None else None,
    )
    out, err = console.stdout(), console.stderr()
    if problem := not_a_question(text):
        err.print(problem, style="yellow", markup=False, soft_wrap=True)
        return 1
    if not downloading.is_here(model or chosen.model, chosen):
        open_database(url).close()  # a wrong password or a broken file is told before a gigabyte is fetched
    downloading.fetch(model or chosen.model, chosen)
    with err.status("Loading the model …"):
        assistant = Assistant.open(url, model=model, settings=chosen, options=options, policy=policy)
    with assistant:
        review = not yes and not sql_only and sys.stdin.isatty() and sys.stdout.isatty()
        with err.status("Thinking …") as status:
            if review:
                assistant.review = _Review(out, err, status, options.today)
            answer = assistant.ask(text)
    if explain:
        _explain_question(err, answer)
        for number, step in enumerate(answer.steps, 1):
            console.print_step(err, step, number)
    if sql_only and answer.sql:
        _say_understood(err, answer.understood)
        _say_doubts(err, answer)
        if dialect is not None:
            return _show_foreign(out, err, answer, assistant, dialect)
        console.print_sql(out, answer.sql, assistant.dialect)
    else:
        _show(out, err, answer, assistant.dialect, form, output, sql_shown=review)
    return _exit_code(answer)


def _show_foreign(out: Console, err: Console, answer: Answer, assistant: Assistant, dialect: Foreign) -> int:
    """The answer's SQL for a database that is not executed here, marked as such."""
    from mnemosyne import guard

    checked = (step.checked for step in reversed(answer.steps) if step.sql == answer.written)
    source = next((one.source for one in checked if isinstance(one, guard.SafeQuery)), answer.written)
    today = assistant.options.today
    shown = guard.show(source, assistant.schema, dialect, today=today, policy=assistant.policy)
    if isinstance(shown, guard.Refusal):
        err.print(f"{shown.code}: {shown.reason}", style="yellow", markup=False)
        return 3
    console.print_sql(out, shown.sql, dialect)
    err.print(shown.note, style="dim", markup=False)
    return 0


def _explain_question(err: Console, answer: Answer) -> None:
    """What the model was told: stored values, windows of time, and the tables chosen from a larger schema."""
    if answer.tables:
        err.print(f"shown of the schema: {', '.join(answer.tables)}", style="dim", markup=False, soft_wrap=True)
    if answer.hints:
        err.print(f"told beside the question: {'; '.join(answer.hints)}", style="dim", markup=False, soft_wrap=True)


class _Review:
    """Shows what was understood and its query, and asks whether it may run; the same query is asked about once."""

    def __init__(self, out: Console, err: Console, status: Status, today: date | None) -> None:
        self.out, self.err = out, err
        self.status = status
        self.today = today
        self.decided: dict[str, bool] = {}

    def __call__(self, query: SafeQuery) -> bool:
        if query.sql not in self.decided:
            from mnemosyne.grounding import understand

            self.status.stop()
            _say_understood(self.err, understand(query, self.today))
            console.print_sql(self.out, query.sql, query.dialect)
            self.decided[query.sql] = click.confirm("\nRun it?", default=True)
            self.status.start()
        return self.decided[query.sql]


def _show(
    out: Console, err: Console, answer: Answer, dialect: str, form: str, output: Path | None, *, sql_shown: bool
) -> None:
    """The SQL (beside a file or pipe format: on standard error), then the result or the problem."""
    if answer.sql and not sql_shown:
        _say_understood(err, answer.understood)
        console.print_sql(out if form == "table" else err, answer.sql, dialect)
    if answer.result is None:
        err.print(answer.problem, style="yellow", markup=False, soft_wrap=True)
        if answer.abstained is not None and not answer.steps:
            err.print("Ask in other words, or with --anyway.", style="dim")
        return
    _say_doubts(err, answer)
    if form == "table":
        console.print_result(out, answer.result)
    else:
        files.write(answer.result, form, output)
        if answer.result.truncated:
            err.print(
                f"The limit cut the result after {len(answer.result.rows):,} rows: there are more "
                "(MNEMOSYNE_MAX_ROWS, MNEMOSYNE_MAX_BYTES).",
                style="yellow",
            )
    err.print(_cost(answer), style="dim")


def _say_understood(err: Console, understood: Understood | None) -> None:
    if understood is not None:
        err.print(f"understood: {understood.line}", style="dim", markup=False, soft_wrap=True)


def _say_doubts(err: Console, answer: Answer) -> None:
    """Why an answer should be looked at twice."""
    if answer.abstained is not None:
        err.print(answer.abstained.message, style="yellow", markup=False, soft_wrap=True)
    for lack in answer.lacks:
        err.print(lack, style="yellow", markup=False, soft_wrap=True)


def _cost(answer: Answer) -> str:
    model = sum(step.completion.seconds for step in answer.steps)
    attempts = "" if len(answer.steps) == 1 else f", {len(answer.steps)} attempts"
    agreement = f", {answer.agreement:.0%} of the candidates agree" if answer.agreement is not None else ""
    sure = f", {answer.confidence:.0%} sure" if answer.confidence is not None else ""
    return f"{answer.seconds:.2f} s, of which the model {model:.2f} s{attempts}{agreement}{sure}"


def _exit_code(answer: Answer) -> int:
    if answer.ok:
        return 0
    return 3 if answer.refusal is not None and answer.refusal.code != "no-sql" else 1
