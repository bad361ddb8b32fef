"""What TRL's trainers are watched for: numbers that are none, damaged checkpoints, another batch, many processes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnemosyne.errors import TrainingError
from mnemosyne.settings import Settings
from mnemosyne.training import recipe as recipes
from mnemosyne.training.recipe import Recipe

pytest.importorskip("trl")
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The libraries of this frame warn of their own futures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    found = recipes.load(recipe_file)
    return replace(
        found, frame="trl", select="loss", batch=8, micro_batch=4, group_size=4, max_steps=2, validation=None
    )


def trainer(recipe: Recipe, small: Any, out: Path) -> Any:
    """TRL's trainer of `recipe` on the tiny model, not started."""
    from mnemosyne.training import base, trl_frame

    dense = base.prepare(recipe.base, Settings(home=small.home))
    make = trl_frame._sft if recipe.frame == "trl" else trl_frame._grpo
    place = trl_frame.Place(False, False)
    model, tokenizer = trl_frame._load(recipe, str(dense.folder), place, None)
    return make(recipe, small.folder, out, model, tokenizer, place, lambda answers: [False] * len(answers))


def spoil(model: Any) -> None:
    """Put a number that is none into the weights of the base."""
    with torch.no_grad():
        next(p for name, p in model.named_parameters() if "down_proj" in name and "lora" not in name)[0, 0] = torch.nan


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_with_step_and_rows_and_no_adapter(
    recipe: Recipe, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnemosyne.training import trl_frame

    load = trl_frame._load

    def spoiled(*arguments: Any) -> Any:
        model, tokenizer = load(*arguments)
        spoil(model)
        return model, tokenizer

    monkeypatch.setattr(trl_frame, "_load", spoiled)
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"The loss of step 1 is nan; its rows: (mine|other)-\d+, ") as caught:
        trl_frame.train(recipe, small.folder, run, Settings(home=small.home))
    assert str(caught.value).count("-") == 4, "the four rows of the pass"
    assert str(run / "checkpoints") in caught.value.hint
    assert not list(run.rglob("adapter*"))


@pytest.mark.slow
def test_a_gradient_that_is_no_number_stops_before_the_step_is_taken(
    recipe: Recipe, small: Any, tmp_path: Path
) -> None:
    made = trainer(recipe, small, tmp_path)
    weights = {name: p.detach().clone() for name, p in made.model.named_parameters() if p.requires_grad}
    last = [p for p in made.model.parameters() if p.requires_grad][-1]
    last.register_hook(lambda grad: grad * torch.nan)
    with pytest.raises(TrainingError, match="The gradient of step 1 is nan; its rows: ") as caught:
        made.train()
    assert str(caught.value).count("-") == 8, "the rows of both passes"
    for name, parameter in made.model.named_parameters():
        if name in weights:
            assert torch.equal(parameter, weights[name]), name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_an_adapter_that_f16_cannot_hold_is_not_written(value: float, tmp_path: Path) -> None:
    import tiny_training as tiny

    from mnemosyne.training import adapter_gguf, lora

    tensors = {name: tensor.clone() for name, tensor in lora.tensors(tiny.trainer(tmp_path, []).model).items()}
    name = sorted(tensors)[3]
    tensors[name][0, 0] = value
    with pytest.raises(TrainingError, match=f"1 of its {len(tensors)} matrices .*{name}"):
        adapter_gguf.write_peft(tmp_path / "peft", tensors, rank=4, alpha=8, base_name="tiny")
    with pytest.raises(TrainingError, match="not finite"):
        adapter_gguf.write_gguf(tmp_path / "a.gguf", tensors, alpha=8, name="a")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    recipe: Recipe, small: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mnemosyne.training import trl_frame, trl_watch

    settings, run = Settings(home=small.home), tmp_path / "run"
    trl_frame.train(recipe, small.folder, run, settings)
    folder = run / "checkpoints"
    assert trl_watch.newest(folder) == folder / "checkpoint-2"
    weights = folder / "checkpoint-2" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert trl_watch.newest(folder) == folder / "checkpoint-1"
    assert "checkpoint-2 is damaged (adapter_model.safetensors)" in caplog.text
    with caplog.at_level(logging.INFO):
        trl_frame.train(recipe, small.folder, run, settings, resume=True)
    assert trl_watch.newest(folder) == folder / "checkpoint-2", "written anew"
    for checkpoint in (1, 2):
        (folder / f"checkpoint-{checkpoint}" / "manifest.json").unlink()
    assert trl_watch.newest(folder) is None, "cut before it was whole"


@pytest.mark.slow
def test_of_several_processes_only_the_first_writes(
    recipe: Recipe, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    from mnemosyne.training import trl_frame

    monkeypatch.setattr(transformers.Trainer, "is_world_process_zero", lambda self: False)
    trl_frame.train(replace(recipe, max_steps=1), small.folder, tmp_path / "run", Settings(home=small.home))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoints"}


@pytest.mark.parametrize(
    ("batch", "micro", "processes", "hint"),
    [(64, 32, 4, "128; or lower micro_batch to 16"), (64, 0, 3, "63; or lower micro_batch, or start fewer processes"),
     (8, 2, 16, "32; or lower micro_batch, or start fewer processes")],
)  # fmt: skip
def test_more_processes_than_the_batch_has_parts_for_are_refused(
    recipe: Recipe, batch: int, micro: int, processes: int, hint: str
) -> None:
    from mnemosyne.training import trl_frame

    wanted = replace(recipe, batch=batch, micro_batch=micro)
    with pytest.raises(TrainingError, match=rf"batch \({batch}\) cannot be kept: {processes} processes") as caught:
        trl_frame.check(wanted, trl_frame.Place(True, True, processes))
    assert hint in caught.value.hint


@pytest.mark.parametrize(("micro", "processes"), [(32, 1), (32, 2), (16, 4), (0, 1), (0, 4)])
def test_any_launch_that_is_let_through_keeps_the_batch(
    recipe: Recipe, micro: int, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnemosyne.training import trl_frame

    monkeypatch.setenv("WORLD_SIZE", str(processes))
    wanted, place = replace(recipe, batch=64, micro_batch=micro), trl_frame.Place.here()
    trl_frame.check(wanted, place)
    told = trl_frame._arguments(wanted, tmp_path, place, 10)
    assert told["per_device_train_batch_size"] * told["gradient_accumulation_steps"] * processes == 64


def test_a_trainer_that_takes_another_batch_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    from trl import SFTConfig

    from mnemosyne.training import trl_frame

    arguments = SFTConfig(**trl_frame._arguments(recipe, tmp_path, trl_frame.Place(False, False), 10))
    trl_frame.need_batch(arguments, recipe)
    arguments._n_gpu = 2  # one process that shares each pass out to both
    with pytest.raises(TrainingError, match="A step would take 16 sequences, not the recipe's batch of 8: there are 2"):
        trl_frame.need_batch(arguments, recipe)


@pytest.mark.slow
def test_an_epoch_of_grpo_answers_every_question_once(recipe: Recipe, small: Any, tmp_path: Path) -> None:
    whole = replace(recipe, frame="grpo", data=recipe.data[:1], max_steps=0)
    made = trainer(whole, small, tmp_path)
    assert made.args.max_steps == 48 * 4 // 8
    batches = [list(batch) for batch in made.get_train_dataloader()]
    asked = [
        row["id"] for batch in batches[: made.args.max_steps * made.args.gradient_accumulation_steps] for row in batch
    ]
    assert len(set(asked)) == 48
