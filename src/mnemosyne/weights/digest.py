"""The sha256 of a file, computed once: a marker remembers it for as long as size and time of change stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from mnemosyne.settings import Settings

BLOCK = 1 << 20
"""Bytes read at a time."""


def digest(path: Path, settings: Settings) -> str:
    """sha256 of `path` in hexadecimal, from the marker when the file has not changed since."""
    stat = path.stat()
    marker = _marker(path, settings)
    try:
        known = json.loads(marker.read_text(encoding="utf-8"))
        if known["bytes"] == stat.st_size and known["mtime_ns"] == stat.st_mtime_ns:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no marker, or a torn one: the file itself is asked
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    remember(path, sha256, settings, stat)
    return sha256


def remember(path: Path, sha256: str, settings: Settings, stat: os.stat_result | None = None) -> None:
    """Write the marker of `path`, whose bytes were those of `sha256` when it had `stat`, now where that is left out.

    A home that cannot be written costs time later, not correctness now.
    """
    stat = stat or path.stat()
    marker = _marker(path, settings)
    text = json.dumps({"path": str(path), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256})
    temporary = marker.with_name(f"{marker.name}.{os.getpid()}")
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(marker)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _marker(path: Path, settings: Settings) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
    return settings.home / "weights" / "verified" / f"{name}.json"
