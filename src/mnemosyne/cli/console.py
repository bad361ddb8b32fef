"""What the verbs share: text from the command line, highlighted SQL, tables, the trace. Not a verb itself."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import SettingsError
from mnemosyne.results import Result, Value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mnemosyne.assistant import Answer, Step

MAX_INPUT_BYTES = 1_000_000
"""More than this on standard input is no question."""


def text_argument(value: str) -> str:
    """The argument itself, or standard input when it is `-`. Raises SettingsError when it is no text."""
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1) if value == "-" else value.encode("utf-8", "surrogateescape")
    if len(data) > MAX_INPUT_BYTES:
        raise SettingsError(f"The text is longer than {MAX_INPUT_BYTES:,} bytes.", hint="Ask one question at a time.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError("The question is not text in UTF-8.", hint="Is it a file of another kind?") from None


def stdout() -> Console:
    """The console for results; colours only on a terminal."""
    from rich.console import Console

    return Console(highlight=False)


def stderr() -> Console:
    """The console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_sql(console: Console, sql: str, dialect: str = "postgres") -> None:
    """SQL, laid out in lines; highlighted and indented on a terminal, plain elsewhere."""
    from rich.padding import Padding
    from rich.syntax import Syntax

    text = pretty_sql(sql, dialect)
    if console.is_terminal:
        code = Syntax(text, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
        console.print(Padding(code, (0, 0, 0, 2)))
    else:
        console.print(text, markup=False, soft_wrap=True)


def pretty_sql(sql: str, dialect: str) -> str:
    """The same query over several lines, as a person would write it; unparsed text comes back unchanged."""
    import sqlglot

    try:
        return sqlglot.parse_one(sql, read=dialect).sql(dialect=dialect, pretty=True, max_text_width=100)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return sql


def print_result(console: Console, result: Result, most: int = 40) -> None:
    """A result as a table, its first `most` rows, and a line that says how many there are.

    Of more columns than the console has room for, each row is a list of its own.
    """
    from rich.padding import Padding

    table = _records(result, most) if _is_too_wide(result, most, console.width) else _table(result, most)
    console.print(Padding(table, (0, 0, 0, 1)) if console.is_terminal else table)
    indent = "  " if console.is_terminal else ""
    console.print(indent + _row_count(result, most), style="dim")


_NARROWEST = 6
"""Signs that a column needs to be read, when its cells have as many."""


def _is_too_wide(result: Result, most: int, width: int) -> bool:
    """Whether columns of a table would be cut to where nothing can be read in them."""
    needed = 3
    for position, name in enumerate(result.columns):
        longest = max(len(text) for text in (name, *(show(row[position]) for row in result.rows[:most])))
        needed += min(longest, _NARROWEST) + 2
    return needed > width


def _records(result: Result, most: int) -> Table:
    """Every row as names and values, one below the other, with a line between rows."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for number, row in enumerate(result.rows[:most]):
        if number:
            table.add_row("", "")
        for name, value in zip(result.columns, row, strict=True):
            table.add_row(Text(_safe(name)), Text(_safe(show(value)), style="dim" if value is None else ""))
    return table


def _table(result: Result, most: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", border_style="dim")
    for position, name in enumerate(result.columns):
        numeric = any(isinstance(row[position], int | float) for row in result.rows[:most])
        table.add_column(Text(_safe(name)), justify="right" if numeric else "left", overflow="fold")
    for row in result.rows[:most]:
        table.add_row(*(Text(_safe(show(value)), style="dim" if value is None else "") for value in row))
    return table


def _row_count(result: Result, most: int) -> str:
    count = "no rows" if not result.rows else "1 row" if len(result.rows) == 1 else f"{len(result.rows):,} rows"
    cut = ", cut by the limit: there are more (MNEMOSYNE_MAX_ROWS, MNEMOSYNE_MAX_BYTES)" if result.truncated else ""
    shown = f"; the first {most} are shown, --format csv gives all" if len(result.rows) > most else ""
    return count + cut + shown


def _safe(text: str) -> str:
    """Text without the signs that move a terminal's cursor or change its colours."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def show(value: Value) -> str:
    """A cell for the eye: NULL is said, floats lose their noise."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value)


def _number(value: float) -> str:
    """A float's 15 digits that can be relied on, without the noise behind them, and written out where that is short."""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = f"{value:.15g}"
    return f"{Decimal(text):f}" if 1e-6 <= abs(value) < 1e15 else text


def print_step(console: Console, step: Step, number: int) -> None:
    """One attempt of the trace: what the model wrote, at what cost, and what became of it."""
    said = step.completion
    cost = f"{said.tokens} tokens in {said.seconds:.2f} s"
    if said.prompt_tokens:
        cost += f", {said.cached_tokens:,} of {said.prompt_tokens:,} prompt tokens from the cache"
    console.print(f"[bold]{number}. {step.kind}[/] [dim]{cost}[/]")
    console.print(f"   {step.sql or said.text}", markup=False, soft_wrap=True)
    if step.problem:
        console.print(f"   ✗ {step.problem}", style="yellow", markup=False, soft_wrap=True)
    elif isinstance(step.outcome, Result):
        console.print(f"   ✓ {len(step.outcome.rows):,} rows in {step.outcome.seconds:.3f} s", style="green")


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
