"""Whether a run may go on with a recipe: what makes the rest of its curve that of another run must be as it was.

`run.json` says what it was. Rows and batches are known by a fingerprint in the checkpoints (`loop`); that record has
none for the trainers of TRL, so here their data are compared too. What may change, `record` notes.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnemosyne import weights
from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import plan
from mnemosyne.training.recipe import Recipe

log = logging.getLogger(__name__)

FIXED = (
    "frame", "rank", "alpha", "targets", "frozen_layers", "start_from", "learning_rate", "warmup", "weight_decay",
    "clip", "optimizer", "load_in_4bit", "batch", "group_size", "max_tokens", "seed",
)  # fmt: skip
"""Fields of a recipe that a run keeps to its end, beside `base`."""


def facts(out: Path) -> dict[str, Any]:
    """The record of a run folder, empty when there is none. Raises TrainingError when it is torn."""
    path = out / "run.json"
    if not path.is_file():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, or of the encoding
        raise _torn(path, str(error)) from None
    if not isinstance(known, dict) or not all(isinstance(known.get(name), dict) for name in ("recipe", "base")):
        raise _torn(path, "recipe or base is missing")
    if not {"name", "sha256"} <= known["base"].keys():
        raise _torn(path, "the base's name or sha256 is missing")
    return known


def _torn(path: Path, why: str) -> TrainingError:
    return TrainingError(
        f"{path} is no whole run record: {why}.",
        hint=f"Put a copy of it back; or move it away (mv {path} {path}.torn): checkpoints can be gone on from without it.",
    )


def anew(out: Path) -> str:
    """What to say when `--resume` finds nothing in a run folder to go on from."""
    what = "no whole checkpoint, all are damaged" if begun(out) else "no checkpoint"
    return f"--resume: {out / 'checkpoints'} holds {what}; the run begins anew at step 1"


def begun(out: Path) -> bool:
    """Whether a run folder holds a checkpoint, of whichever frame."""
    folder = out / "checkpoints"
    return any(True for form in ("step-*", "checkpoint-*") for _ in folder.glob(form))


def cutting(known: Mapping[str, Any]) -> int:
    """How the steps of a run were cut; records of the first way do not say."""
    return int(known.get("cutting", 1)) if known else plan.CUTTING


def need_same(out: Path, recipe: Recipe, folder: Path, settings: Settings, base_name: str, base_sha256: str) -> None:
    """Raise TrainingError when the run in `out` was another one than `recipe` on that base would go on with."""
    known = facts(out)
    if not known:
        log.warning("%s has no run.json: that the recipe is the one it began with is believed", out)
        return
    before, now = known["recipe"], json.loads(json.dumps(asdict(recipe)))
    changed = [
        f"{name} was {_said(before[name])} and is {_said(now[name])}"
        for name in FIXED
        if name in before
        and _meaning(name, before[name], folder, settings) != _meaning(name, now[name], folder, settings)
    ]
    changed += _other_base(known["base"], base_name, base_sha256)
    _refuse(out, changed)


def need_same_data(out: Path, recipe: Recipe, data: list[dict[str, Any]]) -> None:
    """Raise TrainingError when the run in `out` learned from other files, weights or caps than `recipe` names."""
    known = facts(out)
    if not known:
        return
    shares = [(source["weight"], source["cap"]) for source in known["recipe"]["data"]]
    before = [(part["fingerprint"], *share) for part, share in zip(known["data"], shares, strict=True)]
    now = [(part["fingerprint"], s.weight, s.cap) for part, s in zip(data, recipe.data, strict=True)]
    if before != now:
        names = [", ".join(part["path"] for part in parts) for parts in (known["data"], data)]
        _refuse(out, [f"data was {names[0]} and is {names[1]}" if names[0] != names[1] else "data is not what it was"])


def _refuse(out: Path, changed: list[str]) -> None:
    if changed:
        raise TrainingError(
            f"The run in {out} cannot go on with this recipe: {'; '.join(changed)}.",
            hint=f"Put that back as {out / 'recipe.yaml'} has it; or start a new run folder with --out,"
            f" with `start_from: {out}` in the recipe.",
        )


def _other_base(before: Mapping[str, str], name: str, sha256: str) -> list[str]:
    """What is another base: by the sha256 of its file where both are known, else by its name."""
    if before["sha256"] and sha256:
        if before["sha256"] == sha256:
            return []
        was, now = (f"{n} with sha256 {s[:12]}…" for n, s in ((before["name"], before["sha256"]), (name, sha256)))
        return [f"base was {was} and is {now}"]
    return [] if before["name"] == name else [f"base was {before['name']} and is {name}"]


def _meaning(name: str, value: Any, folder: Path, settings: Settings) -> Any:
    """What a field means, however it is written: an adapter's name, relative or whole path are the same place."""
    if name == "targets":
        return sorted(value)
    if name != "start_from" or not value:
        return value
    tried = (folder / Path(os.path.expanduser(value)), Path(os.path.expanduser(value)))
    entry = weights.catalogue().get(value)
    kept = weights.cached(entry, settings) if entry is not None else None
    return next((path.resolve() for path in tried if path.exists()), (kept or tried[0]).resolve())


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value) or "not set"
