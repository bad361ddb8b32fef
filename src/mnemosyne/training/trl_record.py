"""What a run of TRL's trainers leaves behind: the same files as a run of the shared-prefix frame.

RUN/recipe.yaml, RUN/run.json, RUN/steps.jsonl, RUN/measurements.jsonl, RUN/loss.png, and RUN/reward.png for GRPO.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from mnemosyne.datasets.jsonl import fingerprint, read_examples
from mnemosyne.training import data, record, resuming
from mnemosyne.training.live import draw
from mnemosyne.training.loop import peak_memory_gb
from mnemosyne.training.recipe import Recipe

History = Sequence[Mapping[str, Any]]
"""`trainer.state.log_history`: one mapping an entry, `loss` in those of steps, `eval_loss` in those of measurements."""


def start(
    recipe: Recipe, folder: Path, out: Path, base_name: str, base_sha256: str, *, done: int = 0
) -> dict[str, Any]:
    """Write the recipe, and `run.json` with what is known before the first step after `done`; gives these facts."""
    old = resuming.facts(out) if done else {}
    (out / "recipe.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), sort_keys=False))
    validation = recipe.validation and data.locate(recipe.validation.path, folder)
    facts: dict[str, Any] = {
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": recipe.seed,
        "base": {"name": base_name, "sha256": base_sha256},
        "data": counted(recipe, folder),
        "validation": {"path": str(validation), "fingerprint": fingerprint(read_examples(validation))}
        if validation
        else None,
        "versions": record.versions(),
        "machine": record.machine(),
        "started": old.get("started", record.now()),
    }
    facts["sittings"] = record.sittings(old, facts["recipe"], done)
    record.write(out / "run.json", facts)
    return facts


def finish(out: Path, facts: Mapping[str, Any], history: History, hours: float) -> None:
    """Write steps, measurements, plots and the result of a run whose log is `history`."""
    steps = [_step(entry) for entry in history if "loss" in entry]
    measured = [
        {"step": int(entry["step"]), "loss": entry["eval_loss"], "right": None, "asked": 0,
         "seconds": entry.get("eval_runtime", 0.0)}
        for entry in history if "eval_loss" in entry
    ]  # fmt: skip
    best = min(measured, key=lambda one: one["loss"], default=None)
    for one in measured:
        one["best"] = one is best
    for name, rows in (("steps", steps), ("measurements", measured)):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = {
        "steps": max((row["step"] for row in steps), default=0),
        "hours": round(hours, 4),
        "peak_memory_gb": round(peak_memory_gb(), 2),
        "best": best,
        "finished": record.now(),
    }
    record.write(out / "run.json", {**facts, "result": result})
    draw(out)
    if any("reward" in row for row in steps):
        _draw_reward(out, steps)


def _step(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = {"loss": "loss", "learning_rate": "rate", "grad_norm": "norm", "reward": "reward"}
    return {"step": int(entry["step"])} | {ours: entry[theirs] for theirs, ours in names.items() if theirs in entry}


def counted(recipe: Recipe, folder: Path) -> list[dict[str, Any]]:
    """Name, fingerprint and rows of each file of the recipe."""
    read = [(source.path, read_examples(data.locate(source.path, folder))) for source in recipe.data]
    return [{"path": path, "fingerprint": fingerprint(rows), "rows": len(rows)} for path, rows in read]


def _draw_reward(out: Path, steps: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([s["step"] for s in steps if "reward" in s], [s["reward"] for s in steps if "reward" in s], lw=1)
    axes.set(xlabel="optimizer step", ylabel="mean reward of an answer", ylim=(0, 1.02))
    figure.savefig(out / "reward.png", dpi=120)
