"""AdamW on the adapters, the learning rate over the steps, and the optimizer's state under names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Learning rate of `step` (0 … steps-1): a linear rise over `warmup` of the steps, then a cosine down to 0."""
    rising = max(1, round(warmup * steps)) if warmup else 0
    if step < rising:
        return peak * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def adamw(named: Mapping[str, nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """AdamW with the betas and epsilon of transformers (0.9, 0.999, 1e-8), in one fused pass."""
    import torch

    return torch.optim.AdamW(named.values(), lr=0.0, weight_decay=weight_decay, fused=True)


def moments(optimizer: torch.optim.AdamW, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """First and second moments by parameter name, and the step count of each."""
    saved: dict[str, Tensor] = {}
    for name, parameter in named.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            saved[f"{key}/{name}"] = value
    return saved


def restore(optimizer: torch.optim.AdamW, named: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor]) -> None:
    """Put `moments` back."""
    for key, value in saved.items():
        kind, name = key.split("/", 1)
        optimizer.state[named[name]][kind] = value.clone()
