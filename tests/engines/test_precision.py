"""The precision of dense weights is what this processor multiplies fastest."""

from __future__ import annotations

import pytest
import torch

from mnemosyne.engines import precision


@pytest.mark.parametrize(("bf16", "fp32", "wanted"), [(1.0, 2.0, torch.bfloat16), (3.0, 0.1, torch.float32)])
def test_the_faster_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, bf16: float, fp32: float, wanted: torch.dtype
) -> None:
    precision.bf16_is_faster.cache_clear()
    monkeypatch.setattr(precision, "seconds", {torch.bfloat16: bf16, torch.float32: fp32}.__getitem__)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert precision.dtype() == wanted
    precision.bf16_is_faster.cache_clear()


def test_a_recipe_may_say_which() -> None:
    assert precision.dtype("bf16") == torch.bfloat16
    assert precision.dtype("fp32") == torch.float32


def test_a_product_is_really_timed() -> None:
    assert 0 < precision.seconds(torch.float32) < 10
