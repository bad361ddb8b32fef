"""Low-rank adapters on frozen linear layers, with a backward written out by hand.

    y = x W^T + bias + s (x A^T) B^T        s = alpha / rank

The base is frozen and in the precision of the model (bf16); A and B are kept in fp32 and cast once a call, so
that small steps of the optimizer are not lost. PEFT's layer casts the activations to fp32 instead, which costs
more than the matrix products do; names and meaning of the tensors are PEFT's, so the files are too.
Source: Hu et al. 2021, LoRA.
"""

from __future__ import annotations

import math
import re
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
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        flat, low, weight, a, b = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        grad_low = (rows @ b).mul_(ctx.scale)  # (T, r)
        grad_a = grad_low.t() @ flat
        grad_b = (rows.t() @ low).mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (rows @ weight).addmm_(grad_low, a).view(*grad.shape[:-1], -1)
        return grad_x, None, None, grad_a.float(), grad_b.float(), None


class LoraMlp(nn.Module):
    """The gated layer of a block, down(silu(gate(x)) * up(x)), with adapters on all three.

    Kept for backward are x and the outputs of gate and up; their product, which is as large, is made again.
    """

    def __init__(self, gate_proj: LoraLinear, up_proj: LoraLinear, down_proj: LoraLinear) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = gate_proj, up_proj, down_proj

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        parts = (self.gate_proj, self.up_proj, self.down_proj)
        tensors = [tensor for part in parts for tensor in (part.weight, part.lora_a, part.lora_b)]
        y: Tensor = _Mlp.apply(x, self.gate_proj.scale, *tensors)  # type: ignore[no-untyped-call]
        return y


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, *tensors: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        weights, firsts, seconds = ([t.to(x.dtype) for t in tensors[i::3]] for i in range(3))
        gate, gate_low = _project(flat, weights[0], firsts[0], seconds[0], scale)
        up, up_low = _project(flat, weights[1], firsts[1], seconds[1], scale)
        inner = torch.nn.functional.silu(gate).mul_(up)
        y, down_low = _project(inner, weights[2], firsts[2], seconds[2], scale)
        ctx.save_for_backward(flat, gate, up, gate_low, up_low, down_low, *weights, *firsts, *seconds)
        ctx.scale = scale
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        flat, gate, up, gate_low, up_low, down_low, *rest = ctx.saved_tensors
        weights, firsts, seconds = rest[:3], rest[3:6], rest[6:]
        active = torch.nn.functional.silu(gate)
        grad_inner, *down = _project_back(
            grad.reshape(-1, grad.shape[-1]), active * up, down_low, weights[2], firsts[2], seconds[2], ctx.scale
        )
        grad_up = active.mul_(grad_inner)
        grad_gate = torch.ops.aten.silu_backward(grad_inner.mul_(up), gate)
        from_up, *up_grads = _project_back(grad_up, flat, up_low, weights[1], firsts[1], seconds[1], ctx.scale)
        from_gate, *gate_grads = _project_back(
            grad_gate, flat, gate_low, weights[0], firsts[0], seconds[0], ctx.scale, onto=from_up
        )
        grad_x = from_gate.view(*grad.shape[:-1], -1)
        return (grad_x, None, None, *gate_grads, None, *up_grads, None, *down)


def _project(flat: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """An adapted product without bias, (T, in) to (T, out), and its low-rank part (T, r)."""
    low = flat @ a.t()
    return (flat @ weight.t()).addmm_(low, b.t(), alpha=scale), low


def _project_back(
    rows: Tensor,
    flat: Tensor,
    low: Tensor,
    weight: Tensor,
    a: Tensor,
    b: Tensor,
    scale: float,
    onto: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of input (added to `onto`), A and B, the last two in fp32."""
    grad_low = (rows @ b).mul_(scale)
    grad_x = rows @ weight if onto is None else onto.addmm_(rows, weight)
    grad_x.addmm_(grad_low, a)
    return grad_x, (grad_low.t() @ flat).float(), (rows.t() @ low).mul_(scale).float()


class Norm(nn.Module):
    """Qwen2's RMS norm, keeping its input in the model's precision instead of a copy in fp32."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = weight, epsilon

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        y: Tensor = _Norm.apply(x, self.weight, self.epsilon)  # type: ignore[no-untyped-call]
        return y


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        inverse = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        inverse = inverse.add_(epsilon).rsqrt_()  # (..., 1)
        ctx.save_for_backward(x, weight, inverse)
        y: Tensor = weight * (wide * inverse).to(x.dtype)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        x, weight, inverse = ctx.saved_tensors
        unit = x * inverse  # fp32
        wide = (grad * weight).float()
        along = (wide * unit).mean(-1, keepdim=True)
        return wide.addcmul_(unit, along, value=-1).mul_(inverse).to(x.dtype), None, None


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
    _fuse(model)


def _fuse(model: nn.Module) -> None:
    """Put the hand-written layers where they compute the same: gated layers adapted in all parts, RMS norms."""
    child: Any
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__ == "Qwen2RMSNorm":
                setattr(parent, name, Norm(child.weight, child.variance_epsilon))
            elif type(child).__name__ == "Qwen2MLP":
                parts = [getattr(child, part) for part in ("gate_proj", "up_proj", "down_proj")]
                if all(isinstance(part, LoraLinear) and part.bias is None for part in parts):
                    setattr(parent, name, LoraMlp(*parts))


def adapters(model: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Every adapted layer with its path, such as `model.layers.0.self_attn.q_proj`."""
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            yield name, module


def freeze_lowest(model: nn.Module, blocks: int) -> None:
    """Leave the adapters of the lowest `blocks` transformer blocks as they are: backward ends above them."""
    for name, module in adapters(model):
        layer = _LAYER.search(name)
        if layer is not None and int(layer[1]) < blocks:
            module.requires_grad_(False)


_LAYER = re.compile(r"\blayers\.(\d+)\.")


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, under PEFT's names."""
    return {name: parameter for name, parameter in parameters(model).items() if parameter.requires_grad}


def parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The adapter's parameters under PEFT's names."""
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
    need_fit(named, saved)
    with torch.no_grad():
        for name, tensor in saved.items():
            named[name].copy_(tensor)


def need_fit(named: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Raise TrainingError when names or shapes of the adapter `saved` are not those of a model's adapters, `named`."""
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
