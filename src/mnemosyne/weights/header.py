"""The first facts in a GGUF file: is it a model or an adapter, and which base was the adapter trained on?

Reads single values up to the first list (models keep their vocabulary there) and no tensor.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from mnemosyne.errors import WeightsCorrupt

MAGIC = b"GGUF"
"""The first bytes of every GGUF file."""

_STRING, _ARRAY = 8, 9
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_LONGEST = 1 << 20
"""Bytes of a key or text; more means that the file is torn."""


def facts(path: Path) -> dict[str, str | int | float | bool]:
    """Keys and values, such as `general.type`: `adapter`. Raises WeightsCorrupt."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise WeightsCorrupt(
                f"{path} is not a GGUF file.", hint="llama.cpp's convert_hf_to_gguf.py turns safetensors into GGUF."
            )
        try:
            return dict(_pairs(file))
        except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
            raise WeightsCorrupt(f"{path} is damaged: its header cannot be read.", hint="Fetch it again.") from error


def is_adapter(path: Path) -> bool:
    """True for a LoRA that needs a base."""
    return facts(path).get("general.type") == "adapter"


def _pairs(file: BinaryIO) -> list[tuple[str, str | int | float | bool]]:
    _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
    pairs = []
    for _ in range(count):
        key = _text(file)
        (kind,) = struct.unpack("<I", file.read(4))
        if kind == _ARRAY:
            break
        pairs.append((key, _text(file) if kind == _STRING else _number(file, _FORMATS[kind])))
    return pairs


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST:
        raise ValueError("too long")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("torn")
    return data.decode()


def _number(file: BinaryIO, letter: str) -> int | float | bool:
    (value,) = struct.unpack(f"<{letter}", file.read(struct.calcsize(f"<{letter}")))
    assert isinstance(value, int | float)
    return value
