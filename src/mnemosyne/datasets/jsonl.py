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
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from mnemosyne.datasets.example import Example
from mnemosyne.errors import DatasetError

_FIELDS = tuple(field.name for field in fields(Example))
_LISTS = frozenset({"tags", "hints"})
_NEEDED = ("id", "question", "schema")


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


def read_lines(path: Path | str, *, torn: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line that is not blank. Raises DatasetError at the first that is no object.

    `torn` leaves out a last line that has no end and is no object: what an interrupted writer leaves.
    """
    for number, value in try_lines(path, torn=torn):
        if isinstance(value, str):
            raise DatasetError(f"{path}, line {number}: {value}.", hint="Every line is one JSON object in UTF-8.")
        yield number, value


def try_lines(path: Path | str, *, torn: bool = False) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """As `read_lines`, but a bad line does not end the reading: in its object's place stands why it is bad.

    Raises:
        DatasetError: the file cannot be read at all, or not to its end.
    """
    path = Path(path)
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                value = _object(line)
                if torn and isinstance(value, str) and not line.endswith(b"\n"):
                    return
                yield number, value
    except FileNotFoundError:
        raise DatasetError(
            f"No such file: {path}.", hint="Check the path; data sets end in .jsonl or .jsonl.gz."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint="Is it JSON Lines in UTF-8, whole?") from None


def _open(path: Path) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _object(line: bytes) -> dict[str, Any] | str:
    """The object of a line, or why it is none."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error.reason} at byte {error.start + 1})"
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error})"
    if b"\\u" in line and not is_text(value):
        return "half of a surrogate pair in it, which is no text"
    return value if isinstance(value, dict) else f"not an object but {type(value).__name__}"


def is_text(value: object) -> bool:
    """Whether every text in a JSON value can be written as UTF-8; JSON may name half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _example(value: dict[str, Any], path: Path | str, number: int) -> Example:
    missing = [name for name in _NEEDED if not isinstance(value.get(name), str)]
    if missing:
        raise DatasetError(
            f"{path}, line {number}: {', '.join(missing)} missing or not text.",
            hint='A line is {"id": …, "question": …, "sql": …, "schema": …}.',
        )
    values: dict[str, Any] = {"sql": ""}
    for name in _FIELDS:
        if name in value:
            values[name] = _field(name, value[name], f"{path}, line {number}")
    return Example(**values)


def _field(name: str, value: object, place: str) -> str | tuple[str, ...]:
    """One field of an example as what it must be: text, or a list of texts. Raises DatasetError."""
    if name not in _LISTS:
        if isinstance(value, str):
            return value
        raise DatasetError(
            f"{place}: {name!r} must be text, not {_kind(value)}.",
            hint="Leave out the key when there is nothing to say.",
        )
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    found = _kind(value) if not isinstance(value, list) else "a list with other things in it"
    raise DatasetError(f"{place}: {name!r} must be a list of texts, not {found}.", hint=f'Write "{name}": ["…", "…"].')


def _kind(value: object) -> str:
    """What a JSON value is, for a message."""
    names = {str: "text", list: "a list", dict: "an object", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
