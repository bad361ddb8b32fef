"""`start_from` reads every form of an adapter as the same matrices, and says what does not fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
import tiny_training as tiny
import torch

from mnemosyne import weights
from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import adapter_gguf, checkpoint, loop, lora, starting
from mnemosyne.training.recipe import Recipe


def trained(folder: Path, **changes: Any) -> Any:
    """A trainer after five steps, with its checkpoints."""
    trainer = tiny.trainer(folder, tiny.rows(60, 3), **changes)
    loop.run(trainer, None, lambda event: None)
    return trainer


def same(some: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor], share: float = 0.0) -> bool:
    """Equal but for rounding: `share` of the largest number of each matrix."""
    return some.keys() == others.keys() and all(
        (some[name] - other).abs().max() <= share * other.abs().max() for name, other in others.items()
    )


@pytest.mark.parametrize(("precision", "rounding"), [("f16", 1e-3), ("q8_0", 1 / 254 + 1e-3)])
def test_an_adapter_comes_back_from_gguf_within_rounding(
    tmp_path: Path, precision: Literal["f16", "q8_0"], rounding: float
) -> None:
    """Ranks are multiples of 32 here, as of the adapters that ship: so both matrices are quantised."""
    before = trained(tmp_path / "run", rank=32, alpha=64.0)
    matrices = lora.tensors(before.model)
    peft, file = tmp_path / "peft", tmp_path / "adapter.gguf"
    adapter_gguf.write_peft(peft, matrices, rank=32, alpha=64, base_name="tiny")
    adapter_gguf.write_gguf(file, matrices, alpha=64, name="a", base_name="tiny", base_sha256="1", precision=precision)

    start = starting.read(file)
    assert (start.rank, start.alpha, start.base, start.base_sha256) == (32, 64.0, "tiny", "1")
    assert same(starting.read(peft).tensors, matrices)
    assert same(start.tensors, matrices, rounding)
    assert not same(start.tensors, matrices), "it was rounded"


def test_every_form_of_an_adapter_starts_the_same_run(tmp_path: Path) -> None:
    before = trained(tmp_path / "run")
    matrices = lora.tensors(before.model)
    (tmp_path / "run" / "recipe.yaml").write_text("alpha: 8.0\n")
    adapter_gguf.write_peft(tmp_path / "run" / "best", matrices, rank=4, alpha=8, base_name="tiny")
    newest = checkpoint.found(before.checkpoints)[0]
    for path in (tmp_path / "run" / "best", tmp_path / "run", newest):
        start = starting.read(path)
        assert (start.rank, start.alpha) == (4, 8.0)
        fresh = tiny.trainer(tmp_path / "other", tiny.rows(200, 3))
        lora.load(fresh.model, starting.tensors(start, fresh.recipe))
        assert same(lora.tensors(fresh.model), matrices)


def test_with_another_alpha_the_function_is_the_saved_one(tmp_path: Path) -> None:
    before = trained(tmp_path / "run")
    adapter_gguf.write_peft(tmp_path / "peft", lora.tensors(before.model), rank=4, alpha=8, base_name="tiny")
    after = tiny.trainer(tmp_path / "other", tiny.rows(60, 3), alpha=32.0)
    lora.load(after.model, starting.tensors(starting.read(tmp_path / "peft"), after.recipe))
    for (name, old), (_, new) in zip(lora.adapters(before.model), lora.adapters(after.model), strict=True):
        torch.testing.assert_close(new.scale * new.lora_b @ new.lora_a, old.scale * old.lora_b @ old.lora_a, msg=name)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe of rank 4 whose folder holds `old`, a PEFT adapter of rank 4."""
    small = tiny.trainer(tmp_path, tiny.rows(20, 2))
    adapter_gguf.write_peft(tmp_path / "recipes" / "old", lora.tensors(small.model), rank=4, alpha=8, base_name="tiny")
    return tiny.recipe(start_from="old")


def test_a_relative_path_means_the_recipes_folder_first_and_then_the_current_one(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here, settings = tmp_path / "recipes", Settings(home=tmp_path / "home")
    assert starting.find(recipe, here, settings).path == here / "old"
    os.rename(here / "old", tmp_path / "old")
    assert starting.find(recipe, here, settings).path.samefile(tmp_path / "old")
    (here / "old").mkdir()
    with pytest.raises(TrainingError, match=r"There is no adapter at .*recipes/old"):
        starting.find(recipe, here, settings)


def test_the_adapter_that_ships_is_meant_by_its_name(tmp_path: Path) -> None:
    entry = weights.find("mnemosyne-1.5b")
    base = weights.find(entry.base)
    recipe = tiny.recipe(start_from=entry.name, base=base.name, rank=32, alpha=64.0)
    start = starting.find(recipe, tmp_path, Settings(home=tmp_path), base.sha256)
    assert len(start.tensors) == 28 * 7 * 2
    assert start.tensors["base_model.model.model.layers.27.mlp.down_proj.lora_A.weight"].shape == (32, 8960)
    assert start.tensors["base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight"].shape == (256, 32)
    assert all(bool(tensor.isfinite().all()) and bool(tensor.any()) for tensor in start.tensors.values())
    with pytest.raises(TrainingError, match="has rank 32, the recipe has rank 16") as caught:
        starting.find(replace(recipe, rank=16), tmp_path, Settings(home=tmp_path))
    assert caught.value.hint == "Write rank: 32 and alpha: 64."
    smaller = replace(recipe, base="qwen2.5-coder-0.5b-instruct")
    with pytest.raises(TrainingError, match=r"trained on qwen2.5-coder-1.5b-instruct, the recipe's base is qwen2.5-co"):
        starting.find(smaller, tmp_path, Settings(home=tmp_path))
    with pytest.raises(TrainingError, match=r"the recipe.s base is mine\.gguf"):
        starting.find(replace(recipe, base="mine.gguf"), tmp_path, Settings(home=tmp_path), "0" * 64)


def test_what_is_no_adapter_is_said_with_what_to_do(recipe: Recipe, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(TrainingError, match=r"there is no adapter at .*recipes/mnemosyne-1\.5 and .*") as caught:
        starting.find(replace(recipe, start_from="mnemosyne-1.5"), tmp_path / "recipes", settings)
    assert caught.value.hint.startswith("Did you mean mnemosyne-1.5b? start_from is a PEFT folder, a run folder,")
    with pytest.raises(TrainingError, match="is a whole model, not an adapter"):
        starting.find(replace(recipe, start_from="qwen2.5-coder-0.5b-instruct"), tmp_path, settings)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not a GGUF file"):
        starting.find(replace(recipe, start_from="notes.txt"), tmp_path, settings)
    (tmp_path / "recipes" / "old" / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match="cannot be read"):
        starting.find(recipe, tmp_path / "recipes", settings)


def test_a_torn_adapter_config_is_an_error_that_names_it(recipe: Recipe, tmp_path: Path) -> None:
    config = tmp_path / "recipes" / "old" / "adapter_config.json"
    for text in (config.read_text()[:40], "[]", '{"lora_alpha": "many"}'):
        config.write_text(text)
        with pytest.raises(TrainingError, match=r"old/adapter_config\.json ") as caught:
            starting.read(config.parent)
        assert "Is " in caught.value.hint


def test_an_adapter_gguf_without_alpha_is_an_error_that_names_it(tmp_path: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(str(tmp_path / "a.gguf"), "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(TrainingError, match=r"a\.gguf does not say its alpha") as caught:
        starting.read(tmp_path / "a.gguf")
    assert "Convert the adapter again" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("recipe.yaml", "alpha: 8.0\ndata: [", r"recipe\.yaml cannot be read"),
        ("recipe.yaml", "name: tiny\n", r"recipe\.yaml does not say the alpha"),
        ("run.json", '{"recipe": {', r"run\.json is no whole run record"),
    ],
)
def test_a_torn_file_beside_a_checkpoint_is_an_error_that_names_it(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    trainer = tiny.trainer(tmp_path, tiny.rows(20, 2))
    saved = trainer.save()
    (tmp_path / name).write_text(text)
    with pytest.raises(TrainingError, match=said) as caught:
        starting.read(saved)
    assert "back" in caught.value.hint


def test_an_adapter_that_does_not_fit_its_base_is_refused(tmp_path: Path) -> None:
    small = lora.tensors(tiny.trainer(tmp_path, tiny.rows(20, 2), rank=2).model)
    large = tiny.trainer(tmp_path, tiny.rows(20, 2), rank=4)
    with pytest.raises(TrainingError, match=r"does not fit its base: .* is \(2, 64\), not \(4, 64\)"):
        lora.load(large.model, small)
    fewer = tiny.trainer(tmp_path, tiny.rows(20, 2), rank=2, targets=("q_proj",))
    with pytest.raises(TrainingError, match="0 matrices missing, 36 unknown"):
        lora.load(fewer.model, small)
