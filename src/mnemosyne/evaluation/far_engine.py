"""A model that answers on the nodes of a Ray cluster: the same answers, spread over machines.

A Ray task is a batch of prompts, of one schema where there are enough, answered by a model that the Ray
worker loads once and keeps. A worker or node that dies takes only its batches with it, and Ray runs those
again elsewhere. Every node needs the weights, or a way to fetch them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mnemosyne.engines import Completion, Engine, Sampling
from mnemosyne.errors import EvaluationError
from mnemosyne.prompt import Prompt

BATCH = 16
"""Prompts in one Ray task: two rounds of the local model's slots."""

TRIES = 5
"""How often a batch is begun again after its worker or node died."""

Opener = Callable[[], Engine]


class FarEngine:
    """`open_here` opens the model on a node; `near` is the same model here: it counts tokens and knows its context."""

    def __init__(self, near: Engine, open_here: Opener, *, cores: int = 0, batch: int = BATCH) -> None:
        """Ray must be connected.

        `cores` is what one model needs of a node; 0 for as many as this machine has, or the largest node where that
        has fewer: a task that wants more would wait for ever.
        """
        import ray

        self.name = near.name
        self.context = near.context
        self.adapter_sha256 = near.adapter_sha256
        self._near = near
        self._ray = ray
        self._open = ray.put(open_here)
        self._batch = batch
        self._answer = ray.remote(max_retries=TRIES, num_cpus=cores or _cores(ray))(_answer_batch)

    def complete(self, prompt: Prompt, sampling: Sampling = Sampling()) -> list[Completion]:
        """`sampling.n` answers to one prompt. Raises EvaluationError, EngineError."""
        [(_, completions)] = self.complete_many([prompt], sampling)
        return completions

    def complete_many(
        self, prompts: Sequence[Prompt], sampling: Sampling = Sampling()
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Answers as batches finish. Raises EvaluationError when a batch dies too often."""
        order = sorted(range(len(prompts)), key=lambda index: prompts[index].prefix)
        pending: dict[Any, list[int]] = {}
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            pending[self._answer.remote(self._open, self.name, [prompts[place] for place in places], sampling)] = places
        while pending:
            [done], _ = self._ray.wait(list(pending), num_returns=1)
            places = pending.pop(done)
            try:
                answers = self._ray.get(done)
            except self._ray.exceptions.RayTaskError as error:
                raise EvaluationError(f"A model on the cluster failed: {error.cause}") from None
            except self._ray.exceptions.RayError as error:
                raise EvaluationError(
                    f"A batch of prompts died on {TRIES + 1} workers in turn: {type(error).__name__}.",
                    hint="Have the nodes enough memory for the model?",
                ) from None
            yield from zip(places, answers, strict=True)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`."""
        return self._near.count_tokens(text)

    def close(self) -> None:
        """Free the model here; those of the nodes end with their Ray workers."""
        self._near.close()


_here: dict[str, Engine] = {}
"""On a node: the model of this Ray worker by name, kept for its next batch."""


def _answer_batch(
    open_here: Opener, name: str, prompts: Sequence[Prompt], sampling: Sampling
) -> list[list[Completion]]:
    """On a node: answer a few prompts. One model at a time is kept."""
    if name not in _here:
        while _here:
            _here.popitem()[1].close()
        _here[name] = open_here()
    answers = dict(_here[name].complete_many(prompts, sampling))
    return [answers[index] for index in range(len(prompts))]


def _cores(ray: Any) -> int:
    """What one model gets of a node: the cores of this machine, at most those of the largest node."""
    largest = max((int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=0)
    here = os.cpu_count() or 1
    return min(here, largest) if largest else here
