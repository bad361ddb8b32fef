"""In what precision a processor multiplies fastest.

Processors with AMX or AVX-512 BF16 multiply bf16 matrices in hardware; those without
emulate it (measured on two cores with AVX2: 0.8 against 153 GFLOP/s), so the weights are worth their double
memory in fp32 there. Nothing is looked up: both are timed once, on a small product.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "bf16", "fp32"]
"""What a recipe may say."""

SHAPE = (128, 256, 256)
"""Rows, inner and outer width of the product that is timed: 17 MFLOP."""


def dtype(precision: Precision = "auto") -> torch.dtype:
    """The torch type of a precision; `auto` is the faster one of this machine, bf16 on a GPU."""
    import torch

    if precision == "auto":
        return torch.bfloat16 if torch.cuda.is_available() or bf16_is_faster() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


@cache
def bf16_is_faster() -> bool:
    """Whether this processor multiplies bf16 matrices at least as fast as fp32 ones."""
    import torch

    return seconds(torch.bfloat16) <= seconds(torch.float32)


def seconds(kind: torch.dtype) -> float:
    """Wall seconds of one product of `SHAPE`, the better of three after one to warm up."""
    import torch

    rows, inner, outer = SHAPE
    left, right = torch.ones(rows, inner, dtype=kind), torch.ones(inner, outer, dtype=kind)
    taken = []
    for _ in range(4):
        started = time.perf_counter()
        left @ right
        taken.append(time.perf_counter() - started)
    return min(taken[1:])
