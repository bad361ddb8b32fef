"""Low-rank adapters on frozen linear layers, with a backward written out by hand.

    y = x W^T + bias + s (x A^T) B^T        s = alpha / rank

The base is frozen and in the precision of the model (bf16); A and B are kept in fp32 and cast once a call, so
that small steps of the optimizer are not lost. PEFT's layer casts the activations to fp32 instead, which costs
more than the matrix products do; names and meaning of the tensors are PEFT's, so the files are too.
Source: Hu et al. 2021, LoRA.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mnemosyne.errors import TrainingError


class LoraLinear(nn.Module):
    """A frozen linear layer and its adapter."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = base.weight
        self.bias = base.bias
        self.scale = alpha / rank
        bound = 1 / math.sqrt(base.in_features)
        first = torch.empty(rank, base.in_features, dtype=torch.float32).uniform_(-bound, bound, generator=generator)
        self.lora_a = nn.Parameter(first.to(base.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y: Tensor = _Lora.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.lora_a, self.lora_b, self.scale
        )
        return y


class _Lora(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        a, b = a.to(x.dtype), b.to(x.dtype)
        low = flat @ a.t()  # (T, r)
        y = torch.nn.functional.linear(flat, weight, bias)
        y.addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(flat, low, weight, a, b)
        ctx.scale = scale
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:  # type: ignore[override]
        flat, low, weight, a, b = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        grad_low = (rows @ b).mul_(ctx.scale)  # (T, r)
        grad_a = grad_low.t() @ flat
        grad_b = (rows.t() @ low).mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (rows @ weight).addmm_(grad_low, a).view(*grad.shape[:-1], -1)
        return grad_x, None, None, grad_a.float(), grad_b.float(), None


def attach(model: nn.Module, rank: int, alpha: float, targets: Sequence[str], seed: int) -> None:
    """Freeze `model` and replace its linear layers named in `targets` (such as `q_proj`) by `LoraLinear`.

    The start depends on `seed` alone.
    """
    generator = torch.Generator().manual_seed(seed)
    model.requires_grad_(False)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if name in targets and isinstance(child, nn.Linear):
                setattr(parent, name, LoraLinear(child, rank, alpha, generator))


def adapters(model: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Every adapted layer with its path, such as `model.layers.0.self_attn.q_proj`."""
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            yield name, module


def parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trained parameters under PEFT's names."""
    named: dict[str, nn.Parameter] = {}
    for name, module in adapters(model):
        named[f"base_model.model.{name}.lora_A.weight"] = module.lora_a
        named[f"base_model.model.{name}.lora_B.weight"] = module.lora_b
    return named


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """The adapter under PEFT's names, fp32, not copied."""
    return {name: parameter.detach() for name, parameter in parameters(model).items()}


def load(model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Copy an adapter into the model. Raises TrainingError when its names or shapes are not the model's."""
    named = parameters(model)
    missing, unknown = sorted(named.keys() - saved.keys()), sorted(saved.keys() - named.keys())
    if missing or unknown:
        raise TrainingError(
            f"The adapter does not fit its base: {len(missing)} matrices missing, {len(unknown)} unknown"
            f" (such as {(missing + unknown)[0]}).",
            hint="Use the base, rank and targets that it was trained with.",
        )
    for name, tensor in saved.items():
        if tensor.shape != named[name].shape:
            raise TrainingError(
                f"The adapter does not fit its base: {name} is {tuple(tensor.shape)}, not {tuple(named[name].shape)}.",
                hint="Use the base, rank and targets that it was trained with.",
            )
    with torch.no_grad():
        for name, tensor in saved.items():
            named[name].copy_(tensor)
