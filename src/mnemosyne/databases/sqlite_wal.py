"""What SQLite keeps beside a database in WAL mode, FILE-wal and FILE-shm: when it is not needed, and what is left.

Reading makes both files, and a read-only connection cannot take them away again. Nothing here writes to the database
or unlinks a file: SQLite does, under its locks, and only when the log is empty and nobody else has the database open.
Not covered: files that two processes made together stay when the first that came is the first that goes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

NO_FILES_BESIDE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_READONLY_CANTINIT}
)
"""Error codes of a database in WAL mode beside which its files cannot be made."""

_made: set[Path] = set()
"""Databases beside which this process has made the files."""

Mark = tuple[int, int, int, int]
"""What changes when a database is written: inode, time of change in nanoseconds, bytes, bytes of its log."""


def uri(path: Path, options: str) -> str:
    """The URI of a database's file with options such as `mode=ro`."""
    return f"file:{quote(str(path.resolve()))}?{options}"


def log_of(path: Path) -> Path:
    """FILE-wal."""
    return Path(f"{path.resolve()}-wal")


def mark(path: Path) -> Mark:
    """Of a database now; all zeros when it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size, _log_bytes(path))


def still(path: Path) -> bool:
    """Whether the file alone is the whole database, and this user could not change that: no log, a closed folder."""
    effective = os.access in os.supports_effective_ids
    return not _log_bytes(path) and not os.access(path.resolve().parent, os.W_OK, effective_ids=effective)


def remember(path: Path) -> None:
    """To be called before the first read: what is not there now is ours to tidy."""
    if not log_of(path).exists():
        _made.add(path.resolve())


def tidy(path: Path) -> None:
    """To be called after the last read: SQLite takes away what this process made, if it is empty and nobody's."""
    if path.resolve() not in _made or not log_of(path).exists() or _log_bytes(path):
        return
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(uri(path, "mode=rw"), uri=True, timeout=0, isolation_level=None)) as last,
    ):
        last.execute("SELECT count(*) FROM sqlite_master").fetchone()  # else the log is not looked at
    if not log_of(path).exists():
        _made.discard(path.resolve())


def _log_bytes(path: Path) -> int:
    try:
        return log_of(path).stat().st_size
    except OSError:
        return 0
