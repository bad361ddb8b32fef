"""Checkpoints that are whole or absent: written beside, synced, renamed, and verified by sha256 when read.

    RUN/checkpoints/step-000120/
        adapter.safetensors     fp32, PEFT's names
        optimizer.safetensors   first and second moments, fp32
        state.json              step, tokens seen, history, random state
        manifest.json           sha256 of the three, written last

`kill -9` at any moment leaves either the old or the new one. A damaged one is passed over for the one before.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

_FILES = ("adapter.safetensors", "optimizer.safetensors", "state.json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on."""

    step: int
    """Optimizer steps done."""
    adapter: dict[str, Tensor]
    """Under PEFT's names."""
    optimizer: dict[str, Tensor]
    """Under `exp_avg/NAME`, `exp_avg_sq/NAME`."""
    state: dict[str, Any]
    """Everything else, as JSON."""


def need_room(folder: Path, size: int) -> None:
    """Raise TrainingError when `folder`'s disk cannot take another checkpoint of `size` bytes: before the step."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size * 1.1 + 50_000_000:
        raise TrainingError(
            f"The next checkpoint needs {size / 1e6:.0f} MB in {folder}; {free / 1e6:.0f} MB are free.",
            hint="Free some space and start again with --resume; it goes on from the newest checkpoint.",
        )


def save(
    folder: Path,
    step: int,
    adapter: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    state: Mapping[str, Any],
    *,
    keep: int = 2,
) -> Path:
    """Write the checkpoint of `step` below `folder` and delete all but the newest `keep`.

    Raises TrainingError when the disk does not take it; the checkpoints before it stay.
    """
    from safetensors import SafetensorError

    target = folder / f"step-{step:06d}"
    partial = folder / f".partial-{step:06d}-{os.getpid()}"
    for stale in folder.glob(".partial-*"):
        shutil.rmtree(stale)
    try:
        _write(partial, adapter, optimizer, {"step": step, **state})
    except (OSError, SafetensorError) as error:  # the second is what a full disk raises inside safetensors
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(
            f"The checkpoint of step {step} cannot be written in {folder}: {error}.",
            hint="Look at the disk and start again with --resume; it goes on from the newest checkpoint.",
        ) from error
    if target.exists():
        shutil.rmtree(target)
    os.rename(partial, target)
    _sync(folder)
    for old in found(folder)[keep:]:
        shutil.rmtree(old)
    return target


def _write(
    partial: Path, adapter: Mapping[str, Tensor], optimizer: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    from safetensors.torch import save_file

    partial.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in adapter.items()}, partial / "adapter.safetensors")
    save_file({k: v.contiguous() for k, v in optimizer.items()}, partial / "optimizer.safetensors")
    (partial / "state.json").write_text(json.dumps(state))
    manifest = {name: _sha256(partial / name) for name in _FILES}
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=2))
    for name in (*_FILES, "manifest.json"):
        _sync(partial / name)


def found(folder: Path) -> list[Path]:
    """Checkpoints below `folder`, newest first, not verified."""
    return sorted(folder.glob("step-*"), reverse=True)


def newest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint, None when there is none. Damaged ones are logged and passed over."""
    path = newest_path(folder)
    return load(path) if path else None


def newest_path(folder: Path) -> Path | None:
    """Where the newest whole checkpoint is, as `newest`."""
    for path in found(folder):
        damage = _damage(path)
        if damage:
            log.warning("checkpoint %s is damaged (%s): using the one before", path.name, damage)
            continue
        return path
    return None


def load(path: Path) -> Checkpoint:
    """A checkpoint that is known to be whole."""
    from safetensors.torch import load_file

    state = json.loads((path / "state.json").read_text())
    return Checkpoint(
        state.pop("step"), load_file(path / "adapter.safetensors"), load_file(path / "optimizer.safetensors"), state
    )


def _damage(path: Path) -> str:
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        wrong = [name for name in _FILES if _sha256(path / name) != manifest.get(name)]
    except (OSError, json.JSONDecodeError) as error:
        return str(error)
    return ", ".join(wrong)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
