"""`--resume` goes on only with the recipe that a run began with; what may change is noted in its record."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import base, loop, plan, run, trl_frame, trl_record
from mnemosyne.training import recipe as recipes
from mnemosyne.training.recipe import Recipe, Source

Prepare = Callable[[Recipe], run.Prepared]


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    """One step of three, nothing measured."""
    return replace(recipes.load(recipe_file), validation=None, max_steps=1)


@pytest.fixture
def prepare(small: Any) -> Prepare:
    return lambda wanted: run.prepare(wanted, small.folder, Settings(home=small.home))


def train(prepared: run.Prepared, out: Path, *, resume: bool = False) -> dict[str, Any]:
    """Train, and give the record."""
    run.train(prepared, out, resume=resume, judge=None, listen=lambda event: None)
    record: dict[str, Any] = json.loads((out / "run.json").read_text())
    return record


CHANGES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"alpha": 32.0}, "alpha was 16 and is 32"),
    ({"rank": 4}, "rank was 8 and is 4"),
    ({"targets": ("q_proj", "v_proj")}, "targets was q_proj, .*down_proj and is q_proj, v_proj"),
    ({"frozen_layers": 1}, "frozen_layers was 0 and is 1"),
    ({"learning_rate": 1e-3}, "learning_rate was 0.005 and is 0.001"),
    ({"warmup": 0.5}, "warmup was 0.05 and is 0.5"),
    ({"weight_decay": 0.1}, "weight_decay was 0.01 and is 0.1"),
    ({"clip": 2.0}, "clip was 1 and is 2"),
    ({"optimizer": "adamw_8bit"}, "optimizer was adamw and is adamw_8bit"),
    ({"max_tokens": 500}, "max_tokens was 512 and is 500"),
    ({"start_from": "elsewhere.gguf"}, "start_from was not set and is elsewhere.gguf"),
    ({"seed": 3, "batch": 20}, "batch was 18 and is 20; seed was 0 and is 3"),
)


def test_what_makes_the_curve_another_one_is_refused_before_a_model_is_loaded(
    recipe: Recipe, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(prepare(recipe), tmp_path)
    kept = (tmp_path / "run.json").read_bytes()
    monkeypatch.setattr("mnemosyne.training.base.load_model", lambda *_: pytest.fail("a model was loaded"))
    for change, said in CHANGES:
        with pytest.raises(TrainingError, match=f"cannot go on with this recipe: {said}\\.$") as caught:
            train(prepare(replace(recipe, max_steps=2, **change)), tmp_path, resume=True)
        assert "recipe.yaml" in caught.value.hint
        assert f"start_from: {tmp_path}" in caught.value.hint
    assert (tmp_path / "run.json").read_bytes() == kept


def test_what_may_change_is_noted(recipe: Recipe, prepare: Prepare, tmp_path: Path) -> None:
    train(prepare(recipe), tmp_path)
    other = replace(recipe, max_steps=2, checkpoint_minutes=7.0, pack_tokens=900, targets=recipe.targets[::-1])
    first, second = train(prepare(other), tmp_path, resume=True)["sittings"]
    assert "changed" not in first
    assert second["from_step"] == 1
    assert {name: second["changed"][name] for name in ("max_steps", "checkpoint_minutes", "pack_tokens")} == {
        "max_steps": [1, 2],
        "checkpoint_minutes": [5.0, 7.0],
        "pack_tokens": [1024, 900],
    }


def test_a_torn_record_is_told_with_what_to_do_and_the_run_then_goes_on(
    recipe: Recipe, prepare: Prepare, tmp_path: Path
) -> None:
    train(prepare(recipe), tmp_path)
    record = tmp_path / "run.json"
    record.write_text(record.read_text()[:200])
    longer = prepare(replace(recipe, max_steps=2))
    with pytest.raises(TrainingError, match=r"run\.json is no whole run record") as caught:
        train(longer, tmp_path, resume=True)
    assert f"mv {record} {record}.torn" in caught.value.hint
    with pytest.raises(TrainingError, match=r"run\.json is no whole run record"):
        run.export_newest(tmp_path)
    record.rename(f"{record}.torn")
    assert train(longer, tmp_path, resume=True)["sittings"][-1]["from_step"] == 1


def test_a_run_that_finds_nothing_to_go_on_from_says_that_it_begins_anew(
    recipe: Recipe, prepare: Prepare, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = prepare(recipe)
    train(prepared, tmp_path, resume=True)
    assert "checkpoints holds no checkpoint; the run begins anew at step 1" in caplog.text
    caplog.clear()
    for state in tmp_path.glob("checkpoints/step-*/state.json"):
        state.write_text("{}")
    assert train(prepared, tmp_path, resume=True)["sittings"][-1]["from_step"] == 0
    assert "checkpoints holds no whole checkpoint, all are damaged; the run begins anew at step 1" in caplog.text


def test_the_base_is_its_file_whatever_it_is_called(
    recipe: Recipe, prepare: Prepare, small: Any, tmp_path: Path
) -> None:
    prepared = prepare(recipe)
    train(prepared, tmp_path)
    other = replace(prepared, base=replace(prepared.base, sha256="0" * 64))
    with pytest.raises(
        TrainingError, match=r"base was .*tiny.gguf with sha256 \w{12}… and is .*with sha256 000000000000…"
    ):
        train(other, tmp_path, resume=True)
    (tmp_path / "same.gguf").symlink_to(small.gguf)
    again = prepare(replace(recipe, base=str(tmp_path / "same.gguf"), max_steps=2))
    assert train(again, tmp_path, resume=True)["result"]["steps"] == 2


def test_an_adapter_to_start_from_is_its_place_however_it_is_written(
    recipe: Recipe, prepare: Prepare, small: Any, tmp_path: Path
) -> None:
    train(prepare(recipe), tmp_path / "first")
    second = replace(recipe, start_from=str(tmp_path / "first"))
    train(prepare(second), tmp_path / "second")
    near = os.path.relpath(tmp_path / "first", small.folder)
    train(prepare(replace(second, start_from=near, max_steps=2)), tmp_path / "second", resume=True)
    with pytest.raises(TrainingError, match=r"start_from was .* and is not set"):
        train(prepare(replace(recipe, max_steps=3)), tmp_path / "second", resume=True)


def test_a_run_whose_steps_were_cut_in_the_first_way_ends_so(recipe: Recipe, prepare: Prepare, tmp_path: Path) -> None:
    now = prepare(replace(recipe, max_steps=3))
    before = replace(now, steps=tuple(loop.schedule(now.loaded, now.recipe, 1)), cutting=1)
    assert plan.fingerprint(before.steps[:1]) != plan.fingerprint(now.steps[:1])
    record = train(replace(before, recipe=recipe, steps=before.steps[:1]), tmp_path)
    del record["cutting"]  # the records of that time had none
    (tmp_path / "run.json").write_text(json.dumps(record))

    record = train(now, tmp_path, resume=True)
    questions = [json.loads(line)["questions"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert questions == [len(step.rows) for step in before.steps]
    assert (record["cutting"], record["questions"]) == (1, 54)


def test_a_frame_goes_on_only_with_its_own_runs(recipe: Recipe, prepare: Prepare, small: Any, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    train(prepare(recipe), tmp_path)
    other = replace(recipe, frame="trl", select="loss")
    with pytest.raises(TrainingError, match="frame was shared-prefix and is trl"):
        trl_frame.train(other, small.folder, tmp_path, Settings(home=small.home), resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": 32.0}, "alpha was 16 and is 32"),
        ({"base": "acme/other"}, "base was .*tiny.gguf and is acme/other"),
        ({"data": (Source("pairs.jsonl"), Source("general.jsonl", weight=0.5))}, "data is not what it was"),
        ({"data": (Source("pairs.jsonl"),)}, "data was pairs.jsonl, general.jsonl and is pairs.jsonl"),
    ],
)
def test_the_trainers_of_trl_go_on_with_the_same_recipe_and_data(
    recipe: Recipe, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    pytest.importorskip("trl")
    settings = Settings(home=small.home)
    began = replace(recipe, frame="trl", select="loss")
    sha256 = base.prepare(began.base, settings).sha256
    (tmp_path / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    trl_record.start(began, small.folder, tmp_path, began.base, sha256)
    monkeypatch.setattr("mnemosyne.training.trl_frame._load", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(TrainingError, match=said):
        trl_frame.train(replace(began, **change), small.folder, tmp_path, settings, resume=True)


@pytest.mark.parametrize("hold", [True, False])
def test_buffers_are_held_unless_the_recipe_says_no(
    recipe: Recipe, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: bool
) -> None:
    told: list[str] = []
    monkeypatch.setattr("mnemosyne.training.surroundings.hold_memory", lambda: told.append("hold"))

    def load_model(*_: object) -> None:
        told.append("load")
        raise TrainingError("That is far enough.")

    monkeypatch.setattr("mnemosyne.training.base.load_model", load_model)
    with pytest.raises(TrainingError, match="far enough"):
        train(prepare(replace(recipe, hold_memory=hold)), tmp_path)
    assert told == (["hold", "load"] if hold else ["load"])
