"""The frames of TRL: the reference's SFT and GRPO, here on a random model of a million weights."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnemosyne.datasets import read_examples
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
    assert found.validation
    return replace(
        found,
        frame="trl",
        select="loss",
        batch=8,
        micro_batch=4,
        group_size=4,
        max_steps=3,
        optimizer="adamw_8bit",
        validation=replace(found.validation, database=""),
    )


@pytest.mark.slow
def test_sft_on_a_cpu_gives_an_adapter_and_says_which_optimizer_it_used(
    recipe: Recipe, small: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file

    from mnemosyne.training import trl_frame

    with caplog.at_level(logging.WARNING):
        adapter = trl_frame.train(recipe, small.folder, tmp_path / "run", Settings(home=small.home))
    assert "torch AdamW is used" in caplog.text
    history = json.loads((tmp_path / "run" / "log.json").read_text())
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert any("eval_loss" in entry for entry in history)
    assert (adapter / "adapter.gguf").is_file()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["result"]["steps"] == 3
    assert record["result"]["best"]["loss"] == min(e["eval_loss"] for e in history if "eval_loss" in e)
    assert [part["rows"] for part in record["data"]] == [
        len(read_examples(small.folder / part["path"])) for part in record["data"]
    ]
    assert len(record["base"]["sha256"]) == 64
    assert recipes.load(tmp_path / "run" / "recipe.yaml").frame == "trl"
    assert (tmp_path / "run" / "loss.png").stat().st_size > 5_000
    tensors = load_file(adapter / "adapter_model.safetensors")
    assert len(tensors) == 2 * 7 * 2
    assert max(tensor.abs().max() for name, tensor in tensors.items() if "lora_B" in name) > 0


@pytest.mark.slow
def test_rows_that_are_too_long_are_listed_and_validation_questions_are_not_learned(
    recipe: Recipe, small: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mnemosyne.training import base, data, trl_frame
    from mnemosyne.training.rows import encoder

    settings = Settings(home=small.home)
    tokenizer = base.load_tokenizer(base.prepare(recipe.base, settings))
    rows = [row for part in data.load(recipe, small.folder, encoder(tokenizer)) for row in part.rows]
    longest = max(rows, key=lambda row: row.tokens)
    assert recipe.validation
    same = replace(
        recipe,
        max_tokens=longest.tokens - 1,
        validation=replace(recipe.validation, path=recipe.data[0].path, questions=10**6),
    )
    with pytest.raises(TrainingError, match="ask what the validation set asks"):
        trl_frame.train(same, small.folder, tmp_path / "run", settings)
    assert f"left out: {longest.id} of" in caplog.text


@pytest.mark.slow
def test_it_goes_on_from_an_adapter_that_llama_cpp_wrote(recipe: Recipe, small: Any, tmp_path: Path) -> None:
    import tiny_qwen

    from mnemosyne.training import adapter_gguf, base, starting, trl_frame

    settings = Settings(home=small.home)
    config = base.prepare(recipe.base, settings).config
    matrices = tiny_qwen.random_adapter(config, 8)
    adapter_gguf.write_gguf(tmp_path / "begin.gguf", matrices, alpha=32, name="begin")
    few = replace(recipe, max_steps=1, learning_rate=1e-9, start_from=str(tmp_path / "begin.gguf"), validation=None)
    adapter = trl_frame.train(few, small.folder, tmp_path / "run", settings)
    last = starting.read(adapter)
    assert last.alpha == 16, "the recipe's; B was rescaled"
    for name, tensor in last.tensors.items():
        factor = 2 if ".lora_B." in name else 1
        torch.testing.assert_close(tensor, factor * matrices[name], rtol=2e-3, atol=1e-4, msg=name)


@pytest.mark.slow
def test_its_loss_is_that_of_the_shared_prefix_frame_on_the_same_rows(
    recipe: Recipe, small: Any, tmp_path: Path
) -> None:
    from mnemosyne.training import base, data, plan, trl_frame
    from mnemosyne.training.loop import Trainer
    from mnemosyne.training.packing import pack
    from mnemosyne.training.rows import encoder

    settings = Settings(home=small.home)
    few = replace(recipe, batch=48, micro_batch=48, max_steps=1, data=recipe.data[:1], validation=None)
    trl_frame.train(few, small.folder, tmp_path / "run", settings)
    (theirs,) = [e["loss"] for e in json.loads((tmp_path / "run" / "log.json").read_text()) if "loss" in e]

    dense = base.prepare(few.base, settings)
    (loaded,) = data.load(few, small.folder, encoder(base.load_tokenizer(dense)))
    ours = Trainer(base.load_model(dense), few, [], tmp_path)
    (step,) = plan.epoch(loaded.rows, batch=48, group_size=48, pack_tokens=9999, seed=0, number=0)
    with torch.no_grad():
        loss = ours.loss(pack(step.packs[0])).item() / step.answers
    assert loss == pytest.approx(theirs, rel=0.01)


def test_each_epoch_draws_its_own_rows_where_a_source_has_a_share_or_a_cap() -> None:
    import tiny_training as tiny

    from mnemosyne.training import data, trl_frame
    from mnemosyne.training.recipe import Source

    few = tiny.recipe(frame="trl", batch=4, epochs=3)
    rows = tuple(tiny.rows(40, 2))

    def learned(*sources: Source, steps: int = 15) -> tuple[list[Any], bool]:
        return trl_frame.learned([data.Loaded(source, rows, (), "") for source in sources], few, steps)

    assert learned(Source("whole"), steps=30) == (list(rows), False), "the trainer repeats and shuffles them"
    for source in (Source("half", weight=0.5), Source("capped", cap=20)):
        found, own_order = learned(source)
        epochs = [[row.id for row in found[start : start + 20]] for start in (0, 20, 40)]
        assert own_order
        assert len(found) == 60
        assert [set(epoch) for epoch in epochs] == [
            {row.id for row in data.epoch_rows([data.Loaded(source, rows, (), "")], few.seed, i)} for i in range(3)
        ]
        assert len({frozenset(epoch) for epoch in epochs}) == 3
        assert learned(source, steps=5)[0] == found[:20], "a longer run begins as a shorter one"
    assert learned(Source("none", weight=0.001)) == ([], False)


@pytest.mark.slow
def test_rows_with_an_order_of_their_own_are_learned_in_it(recipe: Recipe, small: Any, tmp_path: Path) -> None:
    from mnemosyne.training import base, data, trl_frame
    from mnemosyne.training.rows import encoder

    dense = base.prepare(recipe.base, Settings(home=small.home))
    tokenizer = base.load_tokenizer(dense)
    sources = (replace(recipe.data[0], weight=0.5), recipe.data[1])
    few = replace(recipe, data=sources, validation=None, epochs=2.0, max_steps=0, micro_batch=8)
    loaded = data.load(few, small.folder, encoder(tokenizer))
    trainer = trl_frame._sft(
        few, small.folder, tmp_path, base.load_model(dense), tokenizer, trl_frame.Place(False, False), None
    )
    rows, own_order = trl_frame.learned(loaded, few, trainer.args.max_steps)
    assert own_order
    assert len(rows) == 3 * (24 + 6), "eight steps of eight end in a third epoch"
    given = [ids.tolist() for batch in trainer.get_train_dataloader() for ids in batch["input_ids"]]
    for ids, row in zip(given, rows, strict=True):
        assert ids[: row.tokens] == [*row.prefix, *row.branch]


def test_four_bit_weights_without_a_gpu_are_refused_before_anything_is_loaded(recipe: Recipe) -> None:
    from mnemosyne.training import trl_frame

    four = replace(recipe, load_in_4bit=True)
    with pytest.raises(TrainingError, match="needs an NVIDIA GPU; there is none here") as caught:
        trl_frame.check(four, trl_frame.Place(cuda=False, bitsandbytes=True))
    assert "mnemosyne-0.5b" in caught.value.hint
    with pytest.raises(TrainingError) as caught:
        trl_frame.check(four, trl_frame.Place(cuda=True, bitsandbytes=False))
    assert caught.value.hint == "pip install bitsandbytes"
    trl_frame.check(four, trl_frame.Place(cuda=True, bitsandbytes=True))


def test_with_gpu_and_bitsandbytes_the_optimizer_is_the_one_of_the_reference(recipe: Recipe) -> None:
    from mnemosyne.training import trl_frame

    assert trl_frame.optimizer_name(recipe, trl_frame.Place(cuda=True, bitsandbytes=True)) == "adamw_8bit"


@pytest.mark.slow
def test_grpo_steps_on_the_reward_of_executed_answers(recipe: Recipe, small: Any, tmp_path: Path) -> None:
    from mnemosyne.training import trl_frame

    asked = []

    def judge(answers: Any) -> list[bool]:
        asked.extend(answers)
        return [len(sql) % 2 == 0 for _, sql in answers]

    shipped = recipes.load("mnemosyne-1.5b-grpo")
    small_parts = {"batch": 4, "micro_batch": 4, "group_size": 4, "max_steps": 2, "rank": 8, "start_from": ""}
    few = replace(shipped, base=recipe.base, data=recipe.data[:1], validation=recipe.validation, **small_parts)
    adapter = trl_frame.train(few, small.folder, tmp_path / "run", Settings(home=small.home), judge=judge)
    history = json.loads((tmp_path / "run" / "log.json").read_text())
    assert len([entry for entry in history if "reward" in entry]) == 2
    assert (tmp_path / "run" / "reward.png").stat().st_size > 5_000
    assert (adapter / "adapter.gguf").is_file()


def test_the_reward_is_one_for_right_rows_little_for_other_sql_and_nothing_for_prose(small: Any) -> None:
    from mnemosyne.datasets import Example
    from mnemosyne.training import trl_frame

    example = Example("a", "How many?", "SELECT 1", "mine")

    def judge(answers: Any) -> list[bool]:
        return [sql == "SELECT 1" for _, sql in answers]

    pay = trl_frame.reward({"a": example}, judge)
    assert pay(completions=["SELECT 1;", "Sorry.", "SELECT 2"], id=["a"] * 3, prompts=[""] * 3) == [1.0, 0.0, 0.1]
    assert pay(completions=["no"], id=["a"]) == [0.0]


def test_grpo_without_a_database_is_refused(recipe: Recipe, small: Any, tmp_path: Path) -> None:
    from mnemosyne.training import trl_frame

    few = replace(recipe, frame="grpo", validation=None)
    with pytest.raises(TrainingError, match="needs a database"):
        trl_frame.train(few, small.folder, tmp_path / "run", Settings(home=small.home))
