"""Saved states of schema prefixes: what lets the first question of a new process skip the prefill.

A state is what the model computed for a prefix: 12 KB a token at 0.5B, 28 KB at 1.5B. It is written
once per (weights, adapter, library, prefix) and read back in milliseconds. The folder belongs to this
user alone and its size is limited; states of what was chosen for one question go first, then those used
longest ago. The library aborts the whole process on a torn state, so each carries a sha256 which is checked
before the library sees it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from mnemosyne.settings import Settings
from mnemosyne.weights import Model

SUFFIX = ".state"

ABANDONED_SECONDS = 3600
"""Age of a temporary file whose writer is gone; writing one takes a fraction of a second."""

PASSING_SECONDS = 10 * 365 * 86_400
"""States that serve one question and its repairs look so much older than they are: all others outlive them."""


def key(model: Model, library: str, prefix: str) -> str:
    """The name under which the state of `prefix` is kept."""
    parts = (model.sha256, model.adapter_sha256 or "", library, prefix)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


class PrefixStates:
    """The folder of saved states."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def find(self, name: str, lasting: bool = True) -> str | None:
        """The file of a whole and unchanged state, None when there is none; a damaged one is deleted."""
        path = self.folder / f"{name}{SUFFIX}"
        try:
            promised = path.with_suffix(".sha256").read_text(encoding="ascii")
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, UnicodeDecodeError):
            return None
        if found != promised:
            self.forget(name)
            return None
        with contextlib.suppress(OSError):
            _date(path, lasting)
        return path.name

    def keep(self, name: str, write: Callable[[str], int], lasting: bool = True) -> None:
        """Let `write` fill a temporary file of the folder, then make it visible and delete the oldest.

        Where not `lasting` the state is of use to one question, and gives way to any that is.
        `write` gives the bytes that it wrote; a file with fewer is torn. A disk that is full costs the next
        process a prefill, not this one its answer.
        """
        temporary = self.folder / f"{name}.{os.getpid()}.tmp"
        path = self.folder / f"{name}{SUFFIX}"
        try:
            if write(temporary.name) != temporary.stat().st_size:
                return
            with temporary.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.chmod(temporary, 0o600)
            path.with_suffix(".sha256").write_text(sha256, encoding="ascii")
            temporary.replace(path)
            _date(path, lasting)
            self._shrink(keep=path if lasting else None)
        except OSError:
            return
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Delete a state."""
        for suffix in (SUFFIX, ".sha256"):
            with contextlib.suppress(OSError):
                (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _shrink(self, keep: Path | None) -> None:
        """Delete the states used longest ago until the folder fits its limit, and what killed writers left."""
        for left in self.folder.glob("*.tmp"):
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    left.unlink()
        states = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                states.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in states)
        for _, size, path in sorted(states):
            if total <= self.limit_bytes:
                return
            if path != keep or size > self.limit_bytes:
                self.forget(path.name.removesuffix(SUFFIX))
                total -= size


def _date(path: Path, lasting: bool) -> None:
    """Mark a state as used now."""
    now = time.time() - (0 if lasting else PASSING_SECONDS)
    os.utime(path, (now, now))


def open_states(settings: Settings) -> PrefixStates | None:
    """The folder of states below the home, None when it is switched off or cannot be kept private."""
    folder = settings.home / "prefixes"
    if settings.prefix_cache_mb <= 0:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat(follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return None
        if status.st_mode & 0o077:
            folder.chmod(0o700)
        if not os.access(folder, os.W_OK):
            return None
    except OSError:
        return None
    return PrefixStates(folder, settings.prefix_cache_mb * 1_000_000)
