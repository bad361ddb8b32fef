"""Processes that train one model together: each takes some passes of a step, gradients are added over all.

The loss of a pass is divided by the answer tokens of the whole step, so the sum over processes is the gradient that
one process would have, and every process takes the same step. `Peers()` is one process alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

Item = TypeVar("Item")


class Peers:
    """Alone, or one of several when torch.distributed has been started."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @classmethod
    def joined(cls) -> Peers:
        """This process within torch's default group."""
        from torch import distributed

        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """True for the one process that writes files and measures."""
        return self.rank == 0

    def mine(self, passes: Sequence[Item]) -> Sequence[Item]:
        """The passes of a step that this process computes."""
        return passes[self.rank :: self.count]

    def add(self, parameters: Iterable[nn.Parameter], loss: float) -> float:
        """Make every gradient the sum over all processes; gives the summed loss."""
        if self.count == 1:
            return loss
        import torch
        from torch import distributed

        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)
        total = torch.tensor([loss], dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total.item())

    def agree(self, stop: bool) -> bool:
        """What the first process says."""
        if self.count == 1:
            return stop
        import torch
        from torch import distributed

        said = torch.tensor([int(stop)])
        distributed.broadcast(said, 0)
        return bool(said.item())
