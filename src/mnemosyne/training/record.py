"""The run record: everything that is needed to say what a number means, as `run.json`."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne import __version__
from mnemosyne.datasets.jsonl import fingerprint
from mnemosyne.training import resuming
from mnemosyne.training.loop import Trainer, peak_memory_gb

if TYPE_CHECKING:
    from mnemosyne.training.run import Prepared

LIBRARIES = ("torch", "transformers", "peft", "trl", "safetensors", "gguf", "numpy")
"""Libraries whose versions matter to a run."""


class Record:
    """`run.json` of a run folder."""

    def __init__(self, folder: Path, prepared: Prepared) -> None:
        self._path = folder / "run.json"
        self._prepared = prepared

    def start(self, trainer: Trainer) -> None:
        """What is about to be run; a resumed run notes the sitting, and which fields of the recipe it changed."""
        old = resuming.facts(self._path.parent)
        facts = self._facts(trainer)
        self._write({**facts, "sittings": sittings(old, facts["recipe"], trainer.done)})

    def finish(self, trainer: Trainer) -> None:
        """What came of it."""
        facts = json.loads(self._path.read_text())
        best = next((m for m in reversed(trainer.measurements) if m.best), None)
        facts["schedule"] = _schedule(trainer, trainer.done)
        facts["result"] = {
            "steps": trainer.done,
            "hours": round(trainer.hours, 4),
            "peak_memory_gb": round(peak_memory_gb(), 2),
            "best": asdict(best) if best else None,
            "finished": now(),
        }
        if trainer.stopped:
            facts["result"]["stopped_early"] = trainer.stopped
        self._write(facts)

    def _facts(self, trainer: Trainer) -> dict[str, Any]:
        prepared = self._prepared
        return {
            "recipe": json.loads(json.dumps(asdict(prepared.recipe))),
            "seed": prepared.recipe.seed,
            "base": {"name": prepared.base.name, "sha256": prepared.base.sha256},
            "data": [
                {
                    "path": part.source.path,
                    "fingerprint": part.fingerprint,
                    "rows": len(part.rows),
                    "too_long": [list(row) for row in part.too_long],
                }
                for part in prepared.loaded
            ],
            "validation": {"path": str(prepared.validation_path), "fingerprint": fingerprint(prepared.validation)}
            if prepared.validation
            else None,
            "steps": len(trainer.steps),
            "cutting": prepared.cutting,
            "schedule": _schedule(trainer, len(trainer.steps)),
            "questions": sum(len(step.rows) for step in trainer.steps),
            "versions": versions(),
            "machine": machine(),
        }

    def _write(self, facts: dict[str, Any]) -> None:
        write(self._path, facts)


def write(path: Path, facts: Mapping[str, Any]) -> None:
    """Write a run record, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(facts, indent=2) + "\n")
    partial.replace(path)


def _schedule(trainer: Trainer, end: int) -> list[dict[str, int]]:
    """Which steps, first to last, took their learning rates from a schedule of how many."""
    ends = [stretch.first - 1 for stretch in trainer.stretches[1:]] + [end]
    return [{"first": s.first, "last": last, "of": s.of} for s, last in zip(trainer.stretches, ends, strict=True)]


def sittings(old: Mapping[str, Any], recipe: Mapping[str, Any], done: int) -> list[dict[str, Any]]:
    """Those of an earlier record and the one that begins now, with the fields of the recipe that it changed."""
    changed = _changed(old.get("recipe", recipe), recipe)
    sitting = {"from_step": done, "started": now()}
    return [*old.get("sittings", []), sitting | ({"changed": changed} if changed else {})]


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field to [before, now], of the fields that differ."""
    return {name: [old[name], value] for name, value in new.items() if old.get(name, value) != value}


def versions() -> dict[str, str]:
    """Versions of Mnemosyne, Python and the libraries that matter to a run."""
    found = {"mnemosyne": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """What a run ran on."""
    return {"processor": _processor(), "cores": os.cpu_count()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def now() -> str:
    """This moment, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
