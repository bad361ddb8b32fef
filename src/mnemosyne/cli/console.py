"""What the verbs share: highlighted SQL, tables of results, files of results. Not a verb itself."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import SettingsError
from mnemosyne.results import Result, Value

if TYPE_CHECKING:
    from rich.console import Console

    from mnemosyne.assistant import Answer, Step

FORMATS = ("table", "csv", "json", "parquet")
"""How a result can be shown or written."""


def text_argument(value: str) -> str:
    """The argument itself, or standard input when it is `-`."""
    return sys.stdin.read() if value == "-" else value


def stdout() -> Console:
    """The console for results; colours only on a terminal."""
    from rich.console import Console

    return Console(highlight=False)


def stderr() -> Console:
    """The console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_sql(console: Console, sql: str, dialect: str = "postgres") -> None:
    """SQL, laid out in lines and highlighted."""
    from rich.padding import Padding
    from rich.syntax import Syntax

    text = pretty_sql(sql, dialect)
    if console.is_terminal:
        console.print(Padding(Syntax(text, "sql", theme="ansi_dark", background_color="default"), (0, 0, 0, 2)))
    else:
        console.print(text, markup=False, soft_wrap=True)


def pretty_sql(sql: str, dialect: str) -> str:
    """The same query over several lines, as a person would write it; unparsed text comes back unchanged."""
    import sqlglot

    try:
        return sqlglot.parse_one(sql, read=dialect).sql(dialect=dialect, pretty=True)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return sql


def print_result(console: Console, result: Result, most: int = 40) -> None:
    """A result as a table, its first `most` rows, and a line that says how many there are."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for position, name in enumerate(result.columns):
        numeric = any(isinstance(row[position], int | float) for row in result.rows[:most])
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in result.rows[:most]:
        table.add_row(*(Text(show(value), style="dim" if value is None else "") for value in row))
    console.print(table)
    shown = "" if len(result.rows) <= most else f", the first {most} shown (--format csv gives all)"
    cut = " at least: the limit cut the result" if result.truncated else ""
    rows = "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    console.print(f"{rows}{cut}{shown}", style="dim")


def show(value: Value) -> str:
    """A cell for the eye: NULL is said, floats lose their noise."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.2f}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value)


def write_result(result: Result, form: str, output: Path | None) -> None:
    """A result as CSV, JSON or Parquet, to a file that appears whole or not at all, or to standard output."""
    data = _encode(result, form, output)
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    partial.write_bytes(data)
    partial.replace(output)


def _encode(result: Result, form: str, output: Path | None) -> bytes:
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(result.columns)
        writer.writerows(result.rows)
        return text.getvalue().encode()
    if form == "json":
        rows = [dict(zip(unique_names(result.columns), row, strict=True)) for row in result.rows]
        return json.dumps(rows, ensure_ascii=False, indent=2, default=show).encode() + b"\n"
    if output is None and sys.stdout.isatty():
        raise SettingsError("Parquet is not for a terminal.", hint="Name a file: --output RESULT.parquet")
    return _parquet(result)


def _parquet(result: Result) -> bytes:
    import tempfile

    import duckdb

    names = unique_names(result.columns)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "result.parquet"
        kinds = [_kind([row[i] for row in result.rows]) for i in range(len(names))]
        columns = ", ".join(f"{_quote(name)} {kind}" for name, kind in zip(names, kinds, strict=True))
        connection.execute(f"CREATE TABLE result ({columns})")
        if result.rows:
            connection.executemany(f"INSERT INTO result VALUES ({', '.join('?' * len(names))})", result.rows)
        connection.execute(f"COPY result TO '{file}' (FORMAT parquet)")
        return file.read_bytes()


def _kind(values: list[Value]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if not kinds or not kinds <= {bool, int, float, bytes}:
        return "VARCHAR"
    return "BOOLEAN" if kinds == {bool} else "BLOB" if kinds == {bytes} else "DOUBLE" if float in kinds else "BIGINT"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def unique_names(names: tuple[str, ...]) -> list[str]:
    """Column names made different from each other: a, a_2, a_3."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


def print_step(console: Console, step: Step, number: int) -> None:
    """One attempt of the trace."""
    speed = f"{step.completion.tokens} tokens in {step.completion.seconds:.2f} s"
    cached = f", {step.completion.cached_tokens} of {step.completion.prompt_tokens} prompt tokens cached"
    console.print(f"[bold]{number}. {step.kind}[/] [dim]{speed}{cached if step.completion.prompt_tokens else ''}[/]")
    console.print(f"   {step.sql or step.completion.text}", markup=False, soft_wrap=True)
    if step.problem:
        console.print(f"   {step.problem}", style="yellow", markup=False)
    elif isinstance(step.outcome, Result):
        console.print(f"   {len(step.outcome.rows)} rows in {step.outcome.seconds:.3f} s", style="dim")


def answer_record(answer: Answer, identity: Any, model: str, dialect: str) -> dict[str, Any]:
    """An answer as one line of `predict`."""
    return {
        "id": identity,
        "sql": answer.sql,
        "dialect": dialect,
        "ok": answer.ok,
        "problem": answer.problem,
        "written": answer.written,
        "attempts": len(answer.steps),
        "agreement": answer.agreement,
        "tokens": sum(step.completion.tokens for step in answer.steps),
        "seconds": round(answer.seconds, 3),
        "model": model,
    }
