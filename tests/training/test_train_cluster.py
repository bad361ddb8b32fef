"""Two Ray workers on this machine: the losses of one process, step for step."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.train.torch")
pytest.importorskip("torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def steps(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]


def test_two_workers_have_the_losses_of_one_process(recipe_file: Path, small: Any, tmp_path: Path) -> None:
    from mnemosyne.settings import Settings
    from mnemosyne.training import cluster, recipe, run

    settings = Settings(home=small.home, threads=1)
    wanted = replace(recipe.load(recipe_file), pack_tokens=600, validation=None)
    prepared = run.prepare(wanted, small.folder, settings)
    assert min(len(step.packs) for step in prepared.steps) >= 2, "each worker has passes of its own"
    run.train(prepared, tmp_path / "alone", resume=False, judge=None, listen=lambda event: None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = cluster.train(wanted, small.folder, tmp_path / "together", settings, workers=2)

    alone, together = steps(tmp_path / "alone"), steps(tmp_path / "together")
    assert [step["step"] for step in together] == [1, 2, 3]
    for one, two in zip(alone, together, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=2e-3)
        assert two["norm"] == pytest.approx(one["norm"], rel=2e-2)
        assert two["questions"] == one["questions"]
    assert (adapter / "adapter.gguf").is_file()
