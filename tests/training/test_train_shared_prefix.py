"""Questions behind one shared prefix: loss and gradients equal those of separate sequences, on every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_training as tiny

torch = pytest.importorskip("torch")


def separate(trainer: Any, rows: list[Any]) -> tuple[float, dict[str, Any]]:
    """The plain way: each row alone through transformers' own attention and logits; PEFT's arithmetic by autograd."""
    trainer.model.config._attn_implementation = "eager"
    total = 0.0
    for parameter in trainer.named.values():
        parameter.grad = None
    for row in rows:
        ids = torch.tensor([[*row.prefix, *row.branch]])
        labels = ids.clone()
        labels[:, : len(row.prefix) + row.answer] = -100
        logits = trainer.model(input_ids=ids).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=-100, reduction="sum")
        loss.backward()
        total += loss.item()
    return total, {name: parameter.grad.clone() for name, parameter in trainer.named.items()}


def packed(trainer: Any, packs: Any) -> tuple[float, dict[str, Any]]:
    from mnemosyne.training.attention import NAME
    from mnemosyne.training.packing import pack

    trainer.model.config._attn_implementation = NAME
    total = 0.0
    for parameter in trainer.named.values():
        parameter.grad = None
    for groups in packs:
        loss = trainer.loss(pack(groups))
        loss.backward()
        total += loss.item()
    return total, {name: parameter.grad.clone() for name, parameter in trainer.named.items()}


def with_adapters_that_are_not_zero(trainer: Any) -> Any:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in trainer.named.items():
            if "lora_B" in name:
                parameter.normal_(0, 0.1, generator=generator)
    return trainer


CASES = {
    "one schema": {"count": 7, "schemas": 1},
    "several schemas": {"count": 24, "schemas": 3},
    "rows that share nothing": {"count": 6, "schemas": 500},
    "long and short prefixes": {"count": 20, "schemas": 4, "prefix": (1, 200)},
}


@pytest.mark.parametrize("pack_tokens", [160, 4096], ids=["many passes", "one pass"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_loss_and_gradients_of_all_layers_equal_separate_sequences(
    tmp_path: Path, case: dict[str, Any], pack_tokens: int
) -> None:
    rows = tiny.rows(**case)
    trainer = tiny.trainer(tmp_path, rows, batch=1000, pack_tokens=pack_tokens, max_tokens=100)
    with_adapters_that_are_not_zero(trainer)
    (step,) = trainer.steps
    assert sorted(row.id for row in step.rows) == sorted(row.id for row in rows)

    loss, gradients = packed(trainer, step.packs)
    expected_loss, expected = separate(trainer, rows)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert len(expected) == 3 * 7 * 2
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-4 * gradient.abs().max(), msg=name)


def test_in_bf16_the_gradient_is_as_near_to_fp32_as_that_of_separate_sequences(tmp_path: Path) -> None:
    rows = tiny.rows(20, 2)
    exact = separate(with_adapters_that_are_not_zero(tiny.trainer(tmp_path, rows, batch=1000)), rows)[1]
    rounded = with_adapters_that_are_not_zero(tiny.trainer(tmp_path, rows, batch=1000, dtype="bfloat16"))
    (step,) = rounded.steps

    ours, plain = packed(rounded, step.packs)[1], separate(rounded, rows)[1]

    def error(gradients: dict[str, Any]) -> float:
        squares = sum((gradients[name] - exact[name]).square().sum() for name in exact)
        return float((squares / sum(g.square().sum() for g in exact.values())).sqrt())

    assert error(ours) < 1.2 * error(plain) < 0.2


def test_layers_that_are_computed_again_give_the_same_gradients(tmp_path: Path) -> None:
    rows = tiny.rows(20, 3)
    plain = with_adapters_that_are_not_zero(tiny.trainer(tmp_path, rows, batch=1000))
    again = with_adapters_that_are_not_zero(tiny.trainer(tmp_path, rows, batch=1000, recompute=True))
    again.model.train()
    (step,) = plain.steps
    kept = {id(trainer): bytes_kept(trainer, step) for trainer in (plain, again)}
    assert kept[id(again)] < kept[id(plain)] / 2

    expected, found = packed(plain, step.packs), packed(again, step.packs)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


def bytes_kept(trainer: Any, step: Any) -> int:
    """Bytes that the passes of a step keep for backward."""
    from mnemosyne.training.packing import pack

    seen: dict[int, Any] = {}

    def note(tensor: Any) -> Any:
        seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trainer.loss(pack(step.packs[0]))
    own = {parameter.untyped_storage().data_ptr() for parameter in trainer.model.parameters()}
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in seen.items() if pointer not in own)
