"""Results as files: CSV, JSON and Parquet, whole or not at all. Not a verb itself."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
import sys
from datetime import date
from pathlib import Path

from mnemosyne.errors import SettingsError
from mnemosyne.results import Result, Value

FORMATS = ("csv", "json", "parquet")
"""What a result can be written as."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_BIGINT = 2**63


def format_of(output: Path) -> str:
    """The format that a file's name asks for: its suffix, CSV when that says nothing."""
    suffix = output.suffix.lower().lstrip(".")
    return suffix if suffix in FORMATS else "csv"


def check_place(output: Path) -> None:
    """See before any work whether a file can be written there. Raises SettingsError."""
    if output.is_dir():
        raise SettingsError(f"{output} is a folder.", hint="Name a file in it.")
    folder = behind(output).parent
    if not folder.is_dir():
        raise SettingsError(f"There is no folder {folder}.", hint="Create it first, or choose another place.")
    if output.exists() and not output.is_file() and not is_stream(output):
        raise SettingsError(f"{output} is no file, and nothing that rows can be written to.", hint="Name a file.")


def behind(output: Path) -> Path:
    """The file that a symbolic link stands for, so that the file is replaced and the link stays; else `output`."""
    return output.resolve() if output.is_symlink() else output


def is_stream(output: Path) -> bool:
    """Whether this is a pipe or a device such as /dev/null: written to, and never replaced by a file.

    So is /dev/stdout, even when it stands for a file: whoever opened that writes on into it.
    """
    return output.is_fifo() or output.is_char_device() or (output.is_absolute() and output.parts[1] in ("dev", "proc"))


def put_in_place(partial: Path, target: Path) -> None:
    """Give a finished file its name. The permissions of a file that had the name before stay as they were."""
    if target.exists():
        partial.chmod(stat.S_IMODE(target.stat().st_mode))
    partial.replace(target)


def check_terminal(form: str, output: Path | None) -> None:
    """See before any work that a file of bytes does not go to a terminal. Raises SettingsError."""
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise SettingsError("Parquet is not for a terminal.", hint="Name a file: --output RESULT.parquet")


def write(result: Result, form: str, output: Path | None) -> None:
    """A result to a file that appears whole or not at all, or to standard output.

    NULL is empty in CSV and null in JSON; bytes are `\\x` and hexadecimal digits; NaN and infinity, which
    JSON does not have, are text there. Days become DATE in Parquet. Raises SettingsError.
    """
    check_terminal(form, output)
    data = {"csv": _csv, "json": _json, "parquet": _parquet}[form](result)
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if is_stream(output):
        with output.open("ab") as stream:
            stream.write(data)
        return
    target = behind(output)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        put_in_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def unique_names(names: tuple[str, ...]) -> list[str]:
    """Column names made different from each other, whatever their case: a, A_2, a_3."""
    taken: set[str] = set()
    unique = []
    for name in names:
        fresh, count = name, 1
        while fresh.lower() in taken:
            count += 1
            fresh = f"{name}_{count}"
        taken.add(fresh.lower())
        unique.append(fresh)
    return unique


def _csv(result: Result) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(result.columns)
    writer.writerows([_hexadecimal(cell) for cell in row] for row in result.rows)
    return text.getvalue().encode("utf-8", "replace")


def _json(result: Result) -> bytes:
    names = unique_names(result.columns)
    rows = [dict(zip(names, map(_for_json, row), strict=True)) for row in result.rows]
    return json.dumps(rows, ensure_ascii=False, indent=2, allow_nan=False).encode("utf-8", "replace") + b"\n"


def _hexadecimal(cell: Value) -> Value:
    return "\\x" + cell.hex() if isinstance(cell, bytes) else cell


def _for_json(cell: Value) -> Value:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else _hexadecimal(cell)


def _parquet(result: Result) -> bytes:
    """Through DuckDB: one list a column, so that ten thousand rows are one statement."""
    import tempfile

    import duckdb

    names = unique_names(result.columns)
    columns = list(zip(*result.rows, strict=True)) if result.rows else [()] * len(names)
    kinds = [_kind(cells) for cells in columns]
    picked = ", ".join(
        f"unnest(CAST(? AS {kind}[])) AS {_quote(name)}" for name, kind in zip(names, kinds, strict=True)
    )
    values = [
        [cell if cell is None or kind != "VARCHAR" else str(_hexadecimal(cell)) for cell in cells]
        for cells, kind in zip(columns, kinds, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "result.parquet"
        connection.execute(f"CREATE TABLE result AS SELECT {picked}", values)
        connection.execute(f"COPY result TO '{file}' (FORMAT parquet)")
        return file.read_bytes()


def _kind(cells: tuple[Value, ...]) -> str:
    """The type of a column: the narrowest that holds every cell without loss, else text."""
    present = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in present}
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {bytes}:
        return "BLOB"
    if kinds and kinds <= {int, bool}:
        fits = all(-_BIGINT <= cell < _BIGINT for cell in present if isinstance(cell, int))
        return "BIGINT" if fits else "VARCHAR"
    if kinds and kinds <= {int, float}:
        return "DOUBLE"
    return "DATE" if present and all(_is_day(cell) for cell in present) else "VARCHAR"


def _is_day(cell: Value) -> bool:
    if not isinstance(cell, str) or not _DAY.fullmatch(cell):
        return False
    try:
        date.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _quote(name: str) -> str:
    return '"' + (name.replace('"', '""') or " ") + '"'
