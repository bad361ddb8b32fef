"""What `--model` means: a catalogue name, a GGUF path, or `BASE+ADAPTER`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mnemosyne.errors import UnknownModel
from mnemosyne.settings import Settings
from mnemosyne.weights.catalogue import Entry, catalogue
from mnemosyne.weights.digest import digest
from mnemosyne.weights.header import facts, is_adapter
from mnemosyne.weights.store import Progress, pull

DEFAULT_CONTEXT = 4096
"""Tokens for a GGUF file that the catalogue does not know."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose files are on this machine and verified."""

    name: str
    """What `--model` called it."""
    gguf: Path
    """The weights of the base."""
    sha256: str
    """Of `gguf`."""
    base: str
    """Catalogue name of the base, or the path when the catalogue does not know it."""
    adapter: Path | None = None
    """A GGUF adapter that goes onto the base."""
    adapter_sha256: str | None = None
    """Of `adapter`."""
    context: int = DEFAULT_CONTEXT
    """Tokens of prompt and answer at most."""
    licence: str = ""
    """SPDX name, empty when unknown."""


def resolve(
    name: str,
    settings: Settings,
    *,
    progress: Progress | None = None,
    entries: Mapping[str, Entry] | None = None,
) -> Model:
    """The files that `name` means, fetched when they are not here yet.

    `name` is a catalogue name, a path of a GGUF file, or `BASE+ADAPTER` where either is a name or a
    path. An adapter that says which catalogued model it was trained on needs no `BASE+`. `entries`
    replaces the catalogue (tests do). Raises UnknownModel, WeightsUnavailable, WeightsCorrupt, DiskFull.
    """
    entries = catalogue() if entries is None else entries
    base, adapter = split(name, entries)
    model = _base(base, settings, progress, entries)
    if adapter is not None:
        model = _with_adapter(model, adapter, settings, progress, entries)
    if settings.context:
        model = replace(model, context=settings.context)
    return replace(model, name=name)


def split(name: str, entries: Mapping[str, Entry]) -> tuple[str, str | None]:
    """`name` as (base, adapter). An adapter brings its base; a path may itself hold a `+`."""
    entry = entries.get(name)
    if entry is not None:
        return (entry.base, name) if entry.kind == "adapter" and entry.base else (name, None)
    if (path := _path(name)).is_file():
        return (_base_of(path, entries), name) if is_adapter(path) else (name, None)
    if "+" not in name:
        return name, None
    for base, adapter in _cuts(name):
        if base in entries or _path(base).is_file():
            return base, adapter
    base, adapter = name.split("+", 1)
    return base, adapter


def _base_of(adapter: Path, entries: Mapping[str, Entry]) -> str:
    """The catalogued model that an adapter file says it was trained on."""
    sha256 = facts(adapter).get("mnemosyne.base_sha256")
    for entry in entries.values():
        if entry.kind == "model" and entry.sha256 == sha256:
            return entry.name
    raise UnknownModel(
        f"{adapter} is an adapter and does not say on which model of the catalogue it belongs.",
        hint=f"Name its base: BASE+{adapter}",
    )


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    for place, letter in enumerate(name):
        if letter == "+":
            yield name[:place], name[place + 1 :]


def _base(name: str, settings: Settings, progress: Progress | None, entries: Mapping[str, Entry]) -> Model:
    entry = entries.get(name)
    if entry is None:
        path = _gguf(name, entries)
        if is_adapter(path):
            raise UnknownModel(f"{name} is an adapter and cannot stand before '+'.", hint=f"Name its base: BASE+{name}")
        sha256 = digest(path, settings)
        known = next((e for e in entries.values() if e.sha256 == sha256), None)
        return Model(
            name,
            path,
            sha256,
            base=known.name if known else str(path),
            context=known.context if known else DEFAULT_CONTEXT,
            licence=known.licence if known else "",
        )
    if entry.kind == "adapter":
        raise UnknownModel(
            f"{name} is an adapter and cannot stand before '+'.", hint=f"Its base is {entry.base}: use {name} alone."
        )
    path = pull(entry, settings, progress=progress)
    return Model(name, path, entry.sha256, base=name, context=entry.context, licence=entry.licence)


def _with_adapter(
    model: Model, adapter: str, settings: Settings, progress: Progress | None, entries: Mapping[str, Entry]
) -> Model:
    entry = entries.get(adapter)
    if entry is None:
        path = _gguf(adapter, entries)
        _check_belongs(path, model)
        return replace(model, adapter=path, adapter_sha256=digest(path, settings))
    if entry.kind != "adapter":
        raise UnknownModel(f"{adapter} is a whole model, not an adapter.", hint=f"Use {adapter} alone.")
    if entry.base != model.base:
        raise UnknownModel(
            f"The adapter {adapter} was trained on {entry.base}, not on {model.base}.", hint=f"Use {adapter} alone."
        )
    path = pull(entry, settings, progress=progress)
    return replace(
        model,
        adapter=path,
        adapter_sha256=entry.sha256,
        context=entry.context or model.context,
        licence=entry.licence,
    )


def _path(name: str) -> Path:
    """`name` as a path; `~somebody` stays as it is where nobody is called so, and is then no file."""
    return Path(os.path.expanduser(name))


def _gguf(name: str, entries: Mapping[str, Entry]) -> Path:
    path = _path(name)
    if not path.is_file():
        raise unknown(name, entries)
    return path


def _check_belongs(adapter: Path, model: Model) -> None:
    """Raise UnknownModel when `adapter` is none, or was trained on other weights than those of `model`."""
    said = facts(adapter)
    if said.get("general.type") != "adapter":
        raise UnknownModel(f"{adapter} is a whole model, not an adapter.", hint=f"Use {adapter} alone.")
    trained_on = said.get("mnemosyne.base_sha256") or model.sha256
    if trained_on != model.sha256:
        base = said.get("mnemosyne.base") or f"weights with sha256 {trained_on}"
        raise UnknownModel(f"The adapter {adapter} was trained on {base}, not on {model.base}.")


def find(name: str, entries: Mapping[str, Entry] | None = None) -> Entry:
    """The entry of a catalogue name. Raises UnknownModel with the nearest name."""
    entries = catalogue() if entries is None else entries
    if name not in entries:
        raise unknown(name, entries)
    return entries[name]


def unknown(name: str, entries: Mapping[str, Entry]) -> UnknownModel:
    """The error for a name that nothing has, with the nearest catalogue name as its hint."""
    from rapidfuzz import process

    if "/" in name or name.endswith(".gguf"):
        return UnknownModel(
            f"There is no file {name}.", hint="`mnemosyne models` lists the models that can be fetched by name."
        )
    near = process.extractOne(name.lower(), list(entries), score_cutoff=60)
    hint = f"Did you mean {near[0]}? " if near else ""
    return UnknownModel(
        f"No model is called {name!r}.", hint=hint + "`mnemosyne models` lists all; a path of a GGUF file works too."
    )
