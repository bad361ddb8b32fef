"""Examples in JSON Lines files, plain or gzipped, and their fingerprint.

One object a line, keys in the order of `Example`, empty fields left out; gzip without a time stamp,
so that equal examples are equal bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

from mnemosyne.datasets.example import Example
from mnemosyne.errors import DatasetError

_FIELDS = tuple(field.name for field in fields(Example))
_LISTS = frozenset({"tags", "hints"})


def read_examples(path: Path | str) -> list[Example]:
    """Every example of a `.jsonl` or `.jsonl.gz` file.

    Raises:
        DatasetError: no such file, or a line that is not an example (the line is named).
    """
    return [_example(value, path, number) for number, value in read_lines(path)]


def write_examples(path: Path | str, examples: Iterable[Example]) -> None:
    """Write examples to a `.jsonl` or `.jsonl.gz` file; the file appears whole or not at all."""
    path = Path(path)
    data = b"".join(dump(example) + b"\n" for example in examples)
    if path.suffix == ".gz":
        buffer = io.BytesIO()
        with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as packed:
            packed.write(data)
        data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def fingerprint(examples: Iterable[Example]) -> str:
    """sha256 of the examples in their order, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(dump(example) + b"\n")
    return digest.hexdigest()[:16]


def dump(example: Example) -> bytes:
    """One example as a line of JSON, without its line end."""
    record = {name: value for name in _FIELDS if (value := getattr(example, name)) not in ("", ())}
    return json.dumps(record, ensure_ascii=False).encode()


def read_lines(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line that is not blank. Raises DatasetError at the first that is no object."""
    path = Path(path)
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(line, path, number)
    except FileNotFoundError:
        raise DatasetError(
            f"No such file: {path}.", hint="Check the path; data sets end in .jsonl or .jsonl.gz."
        ) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint="Is it JSON Lines in UTF-8, whole?") from None


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DatasetError(f"{path}, line {number}: not JSON ({error}).") from None
    if not isinstance(value, dict):
        raise DatasetError(f"{path}, line {number}: not an object but {type(value).__name__}.")
    return value


def _example(value: dict[str, Any], path: Path | str, number: int) -> Example:
    values: dict[str, Any] = {"sql": ""}
    for name in _FIELDS:
        if name in value:
            values[name] = tuple(value[name]) if name in _LISTS else value[name]
    missing: Sequence[str] = [name for name in ("id", "question", "schema") if not isinstance(values.get(name), str)]
    if missing:
        raise DatasetError(
            f"{path}, line {number}: {', '.join(missing)} missing or not text.",
            hint='A line is {"id": …, "question": …, "sql": …, "schema": …}.',
        )
    return Example(**values)
