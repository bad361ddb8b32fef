"""`mnemosyne schema`: what the model sees of a database."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mnemosyne.errors import SchemaError
from mnemosyne.schema import Schema


@click.command("schema")
@click.option("--db", "url", metavar="URL", help="sqlite:///file, duckdb:///file, postgresql://… or a file.")
@click.option("--schema", "file", metavar="FILE", help="A file of DDL, such as a dump; '-' is standard input.")
@click.option("--dialect", type=click.Choice(["postgres", "sqlite", "duckdb", "mysql"]), default="postgres",
              show_default=True, help="Dialect of FILE.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["ddl", "json", "markdown"]), default="ddl", show_default=True)
@click.option("--tokens", is_flag=True, help="Say how many tokens of the model's context the DDL takes.")
@click.option("--model", metavar="NAME", help="The model whose tokens are counted.")
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), metavar="FILE",
              help="YAML file: print only what this policy permits.")  # fmt: skip
def command(
    url: str | None,
    file: str | None,
    dialect: str,
    form: str,
    tokens: bool,
    model: str | None,
    policy_file: Path | None,
) -> int:
    """Print the schema of a database or of a DDL file as the model sees it.

    `--format markdown` draws a diagram of the keys. The text comes from names, keys, value lists and
    comments alone: no data is read.
    """
    if (url is None) == (file is None):
        raise click.UsageError("Give either --db URL or --schema FILE.")
    schema = _of_database(url) if url is not None else Schema.from_ddl(_text(str(file)), dialect)
    if policy_file is not None:
        from mnemosyne import guard
        from mnemosyne.guard.policy import read_policy

        schema = guard.visible(schema, read_policy(policy_file))
    click.echo(_printed(schema, form))
    if tokens:
        click.echo(_token_count(schema.to_ddl(), model), err=True)
    return 0


def _of_database(url: str) -> Schema:
    from mnemosyne.databases import open_database

    database = open_database(url)
    try:
        return database.schema()
    finally:
        database.close()


def _text(file: str) -> str:
    """The text of a DDL file or of standard input. Raises SchemaError."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except FileNotFoundError:
        raise SchemaError(f"There is no file {file}.", hint="--db names a database, --schema a file of DDL.") from None
    except OSError as error:
        raise SchemaError(f"{file} cannot be read: {error.strerror}.") from None
    if data.startswith(b"SQLite format 3\x00") or data[8:12] == b"DUCK":
        raise SchemaError(f"{file} is a database, not a file of DDL.", hint=f"mnemosyne schema --db {file}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaError(
            f"{file} is not text in UTF-8.", hint="Export the schema as SQL text, or convert the file to UTF-8."
        ) from None


def _printed(schema: Schema, form: str) -> str:
    from mnemosyne.schema.describing import to_json, to_markdown

    return {"ddl": Schema.to_ddl, "json": to_json, "markdown": to_markdown}[form](schema)


def _token_count(ddl: str, model: str | None) -> str:
    from mnemosyne.engines import open_engine
    from mnemosyne.settings import load

    settings = load()
    engine = open_engine(model or settings.model, settings)
    try:
        return f"{engine.count_tokens(ddl):,} tokens; the context of {engine.name} holds {engine.context:,}."
    finally:
        engine.close()
