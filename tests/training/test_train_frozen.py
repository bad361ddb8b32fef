"""Frozen layers: the lowest blocks keep their adapters, the others learn as before, and a step takes less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import tiny_training as tiny
import torch
from test_train_shared_prefix import bytes_kept, packed, with_adapters_that_are_not_zero

from mnemosyne.errors import TrainingError


def below(name: str, blocks: int) -> bool:
    return int(name.split(".layers.")[1].split(".")[0]) < blocks


def made(folder: Path, **changes: Any) -> Any:
    """A trainer of three layers that goes on from an adapter."""
    from mnemosyne.training import lora

    trainer = tiny.trainer(folder, tiny.rows(60, 3), **changes)
    started = with_adapters_that_are_not_zero(tiny.trainer(folder, [*tiny.rows(60, 3)]))
    lora.load(trainer.model, lora.tensors(started.model))
    return trainer


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "computed again"])
def test_the_other_layers_have_the_gradients_that_they_had(tmp_path: Path, recompute: bool) -> None:
    whole, cut = made(tmp_path), made(tmp_path, frozen_layers=2, recompute=recompute)
    cut.model.train()
    (loss, expected), (found_loss, found) = packed(whole, whole.steps[0].packs), packed(cut, cut.steps[0].packs)
    assert found_loss == pytest.approx(loss, rel=1e-6)
    assert found.keys() == {name for name in expected if not below(name, 2)}
    assert len(found) == 7 * 2
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_frozen_adapters_stay_as_they_are_bit_for_bit_through_checkpoint_and_resume(tmp_path: Path) -> None:
    from mnemosyne.training import checkpoint, loop, lora

    trainer = made(tmp_path, frozen_layers=2)
    before = {name: tensor.clone() for name, tensor in lora.tensors(trainer.model).items()}
    loop.run(trainer, None, lambda event: None)
    after = lora.tensors(trainer.model)
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor) == below(name, 2), name

    saved = checkpoint.newest(trainer.checkpoints)
    assert saved is not None
    assert saved.adapter.keys() == before.keys(), "whole, so that it can be exported and gone on from"
    assert not [key for key in saved.optimizer if below(key, 2)]
    again = tiny.trainer(tmp_path, tiny.rows(60, 3), frozen_layers=2)
    assert again.resume()
    assert all(torch.equal(tensor, after[name]) for name, tensor in lora.tensors(again.model).items())
    for other in (0, 1):
        with pytest.raises(TrainingError, match="trained other layers") as caught:
            tiny.trainer(tmp_path, tiny.rows(60, 3), frozen_layers=other).resume()
        assert "frozen_layers" in caught.value.hint


def test_a_pass_keeps_a_layer_for_each_layer_that_is_trained(tmp_path: Path) -> None:
    kept = [bytes_kept(made(tmp_path, frozen_layers=n), made(tmp_path).steps[0]) for n in (0, 1, 2)]
    assert kept[2] < 0.5 * kept[0]
    assert kept[1] - kept[2] == pytest.approx(kept[0] - kept[1], rel=0.1)


def test_the_estimate_counts_frozen_layers_as_small(tmp_path: Path) -> None:
    from mnemosyne.training.estimate import PROCESS_BYTES, memory

    config = tiny.model().config.to_dict()
    need = [memory(config, tiny.recipe(frozen_layers=n), 0, 3000) - PROCESS_BYTES for n in (0, 1, 2)]
    assert need[0] - need[1] == need[1] - need[2] > 0.2 * need[0]
