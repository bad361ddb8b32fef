"""`mnemosyne guard`: print the safe SQL, or the reason for its refusal."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemosyne.errors import SchemaError

if TYPE_CHECKING:
    from mnemosyne.schema import Schema

_DIALECTS = click.Choice(["postgres", "sqlite", "duckdb"])
_SHOWN = ("mysql", "tsql", "oracle", "snowflake", "bigquery")
_MAX_INPUT = 1_000_000


@click.command("guard")
@click.argument("sql")
@click.option(
    "--dialect",
    type=click.Choice([*_DIALECTS.choices, *_SHOWN]),
    help="Dialect of the database. Default: that of --db, else postgres. The last five are shown, never executed.",
)
@click.option(
    "--written", type=_DIALECTS, default="postgres", show_default=True, help="Dialect that SQL is written in."
)
@click.option(
    "--schema", "ddl", type=click.Path(path_type=Path), help="File with CREATE TABLE statements (PostgreSQL)."
)
@click.option("--db", "url", help="URL or file of a database whose schema is read.")
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), help="YAML file: tables, columns, rows.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Freeze the clock at this date.")
def command(
    sql: str,
    dialect: str | None,
    written: str,
    ddl: Path | None,
    url: str | None,
    policy_file: Path | None,
    today: datetime | None,
) -> int:
    """Check a query against a schema. Nothing is run.

    SQL is the query, or - to read it from standard input. A query that begins with - comes after --.

    Exit code 0 and the safe SQL on standard output, or 3 and the reason on standard error.
    """
    from mnemosyne import guard
    from mnemosyne.guard.policy import read_policy

    schema, found = _schema(ddl, url)
    chosen: Any = dialect or found
    verdict = (guard.show if chosen in _SHOWN else guard.check)(
        _text(sql),
        schema,
        **{"dialect" if chosen in _SHOWN else "target": chosen},
        written=written,  # type: ignore[arg-type]
        today=today.date() if today is not None else None,
        policy=read_policy(policy_file) if policy_file is not None else None,
    )
    if isinstance(verdict, guard.ShownQuery):
        click.echo(verdict.sql)
        click.echo(verdict.note, err=True)
        return 0
    if isinstance(verdict, guard.SafeQuery):
        click.echo(verdict.sql)
        return 0
    click.echo(f"{verdict.code}: {verdict.reason}", err=True)
    if verdict.hint:
        click.echo(f"  {verdict.hint}", err=True)
    return 3


def _text(sql: str) -> str:
    """The query itself, or standard input. Bytes that are no text become U+FFFD, which the guard refuses."""
    if sql != "-":
        return sql
    return sys.stdin.buffer.read(_MAX_INPUT + 1).decode("utf-8", errors="replace")


def _schema(ddl: Path | None, url: str | None) -> tuple[Schema, str]:
    """The schema of a file or of a database, and the dialect that goes with it."""
    if (ddl is None) == (url is None):
        raise click.UsageError("Name the schema: either --schema FILE or --db URL.")
    if url is not None:
        from mnemosyne.databases import open_database

        database = open_database(url)
        try:
            return database.schema(), database.dialect
        finally:
            database.close()
    from mnemosyne.schema import Schema

    assert ddl is not None
    try:
        return Schema.from_ddl(ddl.read_text(encoding="utf-8")), "postgres"
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SchemaError(f"The schema {ddl} cannot be read: {why}.", hint="Give a text file of DDL.") from None
