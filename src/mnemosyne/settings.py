"""One frozen record of settings, read from `MNEMOSYNE_*` variables. Options of a command win over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mnemosyne.errors import SettingsError


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mnemosyne"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting; the variable is `MNEMOSYNE_` and the field's name in capitals."""

    home: Path = field(default_factory=_cache_home)
    """Folder for weights, prefix states and indexes."""
    model: str = "mnemosyne-1.5b"
    """Model of `ask`, `predict` and `demo` when none is named."""
    offline: bool = False
    """True: never ask a model hub or package index (HF_HUB_OFFLINE is respected too)."""
    hub_timeout_seconds: float = 5.0
    """How long the model hub may take to answer before the next source is tried."""
    threads: int = 0
    """Threads of the local model, 0 for all cores."""
    context: int = 0
    """Context of the local model in tokens, 0 for what the catalogue says."""
    query_timeout_seconds: float = 30.0
    """How long one query may run."""
    max_rows: int = 10_000
    """Rows returned at most; more are cut and the answer says so."""
    max_bytes: int = 50_000_000
    """Bytes of values returned at most; more are cut and the answer says so."""
    memory_mb: int = 1_024
    """Memory that a DuckDB query may use."""
    prefix_cache_mb: int = 1_024
    """Disk space for saved schema prefixes; the oldest go first."""
    exclude_values: str = ""
    """Columns whose values are never read for hints, separated by commas: `column`, `table.column` or `table.*`."""
    synonyms: str = ""
    """File with the laboratory's own names for stored values, in the form of the package's synonyms."""
    lexicon: str = ""
    """File with what people call tables, columns and values of the database, as `mnemosyne synth --draft` writes it."""
    api_key: str = field(default="", repr=False)
    """Key for a remote model server."""
    remote_timeout_seconds: float = 120.0
    """How long a remote model server may take for one answer."""


_AT_LEAST_ONE = ("max_rows", "max_bytes", "memory_mb")
"""Numbers of which none would answer no question; of the others 0 has a meaning."""

_LONGEST_SECONDS = 1e6
"""The longest wait that every engine can be told of: PostgreSQL counts milliseconds in 31 bits."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; an empty variable is one that is not set.

    Raises SettingsError for an unknown or meaningless variable.
    """
    environ = os.environ if environ is None else environ
    known = {f"MNEMOSYNE_{f.name.upper()}": f for f in fields(Settings)}
    values: dict[str, object] = {}
    for name, text in environ.items():
        if not name.startswith("MNEMOSYNE_"):
            continue
        if name not in known:
            raise SettingsError(f"{name} is not a setting.", hint="Settings: " + ", ".join(sorted(known)))
        if text.strip():
            values[known[name].name] = _in_bounds(known[name].name, _parse(name, text, str(known[name].type)))
    return Settings(**values)  # type: ignore[arg-type]


def _parse(name: str, text: str, kind: str) -> object:
    try:
        match kind:
            case "Path":
                return Path(text).expanduser()
            case "bool":
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                    text.strip().lower()
                ]
            case "int":
                return int(text)
            case "float":
                return float(text)
            case _:
                return text
    except (KeyError, ValueError, RuntimeError):  # a home folder of nobody
        raise SettingsError(f"{name}={text!r} is not a value of kind {kind}.") from None


def _in_bounds(field_name: str, value: object) -> object:
    """The value, when it is a number that can be lived with. Raises SettingsError."""
    name = f"MNEMOSYNE_{field_name.upper()}"
    if isinstance(value, float) and not 0 < value <= _LONGEST_SECONDS:  # nan compares with nothing
        raise SettingsError(
            f"{name}={value:g} has no meaning.", hint=f"Seconds: above 0, at most {_LONGEST_SECONDS:,.0f}."
        )
    least = 1 if field_name in _AT_LEAST_ONE else 0
    if isinstance(value, int) and value < least:
        raise SettingsError(f"{name}={value} has no meaning.", hint=f"The least is {least}.")
    return value
