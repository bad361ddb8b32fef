"""The catalogue: which models have a name, what their bytes are, and where the bytes may come from.

One data file, `mnemosyne/data/catalogue.json`. An entry is identified by its sha256; the sources
(a file beside the code, the model hub, wheels of the package index) are only ways to get those bytes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the model hub, pinned to a commit."""

    repository: str
    """`owner/name`."""
    revision: str
    """The commit: its bytes never change."""
    file: str
    """Path inside the repository."""


@dataclass(frozen=True, slots=True)
class WheelParts:
    """A file that is spread over wheels of the package index; the parts are concatenated in order."""

    distribution: str
    """Name of a distribution, with `{number}` for the part, which counts from 1."""
    version: str
    """The pinned version."""
    parts: int
    """How many wheels."""
    member: str
    """Where the bytes lie inside a wheel's package, with `{number}`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One catalogued file: a model, or an adapter that goes onto one."""

    name: str
    """What `--model` and `pull` call it."""
    kind: Literal["model", "adapter"]
    """A model answers by itself; an adapter needs its base."""
    about: str
    """One line for `mnemosyne models`."""
    file: str
    """File name in the cache."""
    bytes: int
    """Size of the file."""
    sha256: str
    """What identifies the file."""
    licence: str
    """SPDX name."""
    context: int
    """Tokens of prompt and answer, when the settings do not say otherwise; for an adapter 0 means its base's."""
    base: str | None = None
    """Of an adapter: the catalogued model that it was trained on."""
    local: str | None = None
    """Where the file lies when it comes with the code: a path below `mnemosyne/data` or below the repository."""
    hub: HubFile | None = None
    """Where the model hub has it."""
    wheels: WheelParts | None = None
    """Where the package index has it."""


def parse(document: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    """The entries of a catalogue document, in its order. Raises TypeError for an unknown or a missing field."""
    entries = {}
    for name, fields in document.items():
        values = dict(fields)
        hub, wheels = values.pop("hub", None), values.pop("wheels", None)
        entries[name] = Entry(
            name=name,
            hub=HubFile(**hub) if hub else None,
            wheels=WheelParts(**wheels) if wheels else None,
            **values,
        )
    return entries


@functools.cache
def catalogue() -> Mapping[str, Entry]:
    """Every catalogued file by name."""
    text = resources.files("mnemosyne.data").joinpath("catalogue.json").read_text(encoding="utf-8")
    return MappingProxyType(parse(json.loads(text)))


def shipped(entry: Entry) -> Path | None:
    """The file of an entry that comes with the package or lies in the repository, None when there is none."""
    if entry.local is None:
        return None
    package = Path(str(resources.files("mnemosyne")))
    for folder in (package / "data", package.parent.parent):
        path = folder / entry.local
        if path.is_file():
            return path
    return None
