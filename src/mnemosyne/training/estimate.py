"""What a run will take, before it is started: tokens, steps, memory, time. No weights are loaded.

Time is measured, not looked up: one and two layers of random weights, of the model's own shape, work on a pack of
the run's own rows; what the second layer adds, times the layers, plus what the ends cost, is the time of a
pack (a frozen layer is timed likewise). Memory is counted from what the layers keep for backward, and from the holes
that they leave between it. Measurements on the validation set come on top.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemosyne.engines import precision
from mnemosyne.errors import TrainingError
from mnemosyne.training import plan
from mnemosyne.training.loss import CHUNK
from mnemosyne.training.packing import packed_tokens
from mnemosyne.training.recipe import Recipe
from mnemosyne.training.surroundings import hold_memory

if TYPE_CHECKING:
    from mnemosyne.training.run import Prepared

PROCESS_BYTES = 500_000_000
"""Python, torch and transformers."""

REPEATS = 2
"""Timed passes of each kind; the quickest counts."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a count is spread over the rows."""

    mean: float
    """Mean."""
    median: int
    """Half of the rows have at most so many."""
    high: int
    """95 of 100 rows have at most so many."""
    most: int
    """The largest."""

    @classmethod
    def of(cls, values: Iterable[int]) -> Spread:
        """The spread of some counts, at least one."""
        ordered = sorted(values)
        at = min(len(ordered) - 1, int(0.95 * len(ordered)))
        return cls(statistics.fmean(ordered), ordered[len(ordered) // 2], ordered[at], ordered[-1])


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take."""

    rows: int
    """Rows that fit, in all files."""
    schemas: int
    """Different schemas in them."""
    too_long: int
    """Rows over `max_tokens`."""
    prefix: Spread
    """Tokens of system message and schema."""
    question: Spread
    """Tokens of question and hints."""
    answer: Spread
    """Tokens of the answer: what the loss counts."""
    steps: int
    """Optimizer steps."""
    questions: int
    """Rows seen in all steps."""
    passes: int
    """Forward and backward passes."""
    tokens: int
    """Tokens computed, shared prefixes counted once a group."""
    alone: int
    """Tokens that the same rows have as separate sequences."""
    seconds: float
    """Wall time of all steps on this machine."""
    memory_bytes: int
    """Peak memory of the process."""


def estimate(prepared: Prepared) -> Estimate:
    """Count the run, and time it on this machine."""
    rows = [row for part in prepared.loaded for row in part.rows]
    packs = [pack for step in prepared.steps for pack in step.packs]
    tokens = sum(packed_tokens(pack) for pack in packs)
    return Estimate(
        rows=len(rows),
        schemas=len({row.schema for row in rows}),
        too_long=sum(len(part.too_long) for part in prepared.loaded),
        prefix=Spread.of(len(row.prefix) for row in rows),
        question=Spread.of(row.answer for row in rows),
        answer=Spread.of(row.answers for row in rows),
        steps=len(prepared.steps),
        questions=sum(len(step.rows) for step in prepared.steps),
        passes=len(packs),
        tokens=tokens,
        alone=sum(row.tokens for step in prepared.steps for row in step.rows),
        seconds=tokens * seconds_per_token(prepared.base.config, prepared.recipe, packs),
        memory_bytes=memory(
            prepared.base.config, prepared.recipe, prepared.base.weight_bytes, max(map(packed_tokens, packs))
        ),
    )


def memory(config: Mapping[str, Any], recipe: Recipe, weight_bytes: int, pack_tokens: int) -> int:
    """Peak bytes of a process that trains the model of `config` with passes of `pack_tokens` tokens."""
    inner, vocabulary = int(config["intermediate_size"]), int(config["vocab_size"])
    trained = int(config["num_hidden_layers"]) - recipe.frozen_layers
    one = adapter_parameters(config, recipe)
    adapter = 16 * trained * one + 4 * recipe.frozen_layers * one  # weights, gradients and two moments, fp32
    layer, holes = layer_bytes(config, recipe.rank), hole_bytes(config)
    inputs = 2 * int(config["hidden_size"])
    kept = pack_tokens * (layer + holes + trained * inputs if recipe.recompute else trained * (layer + holes))
    gated = pack_tokens * inner * 2 * 5  # of one layer in backward: by then the logits are gone
    wider = precision.dtype(recipe.precision).itemsize // 2  # than bf16
    logits = CHUNK * vocabulary * 8  # and their softmax in fp32
    return PROCESS_BYTES + adapter + wider * (weight_bytes + kept) + max(wider * gated, logits)


def hole_bytes(config: Mapping[str, Any]) -> int:
    """Bytes of holes that the allocator leaves between what one layer keeps, a token, in bf16.

    Measured with glibc on models of both shapes: in use after a forward pass is what `layer_bytes` counts, resident 1.4 to
    1.5 times that. The difference is the gated product and three more of the layer's width, freed and not filled again.
    """
    return 2 * (int(config["intermediate_size"]) + 3 * int(config["hidden_size"]))


def layer_bytes(config: Mapping[str, Any], rank: int) -> int:
    """Bytes that one layer keeps for backward, a token: in bf16 (in fp32 twice as many), with adapters on all seven matrices."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    heads, shared = int(config["num_attention_heads"]), int(config["num_key_value_heads"])
    keys = shared * width // heads
    norms = 2 * width + 2 * 2  # their inputs, and one fp32 number each
    attention = width + width + 2 * keys + width + 2 * heads  # input; query, key, value, output; log-sum-exp in fp32
    gated = width + 2 * inner
    return 2 * (norms + attention + gated + 7 * rank)


def adapter_parameters(config: Mapping[str, Any], recipe: Recipe) -> int:
    """Weights of one layer's adapters."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    keys = int(config["num_key_value_heads"]) * width // int(config["num_attention_heads"])
    shapes = {
        "q_proj": (width, width),
        "k_proj": (width, keys),
        "v_proj": (width, keys),
        "o_proj": (width, width),
        "gate_proj": (width, inner),
        "up_proj": (width, inner),
        "down_proj": (inner, width),
    }
    return recipe.rank * sum(sum(shapes[name]) for name in recipe.targets)


def seconds_per_token(config: Mapping[str, Any], recipe: Recipe, packs: Sequence[Sequence[plan.Group]]) -> float:
    """Wall seconds of a token of `packs`, forward and backward, timed on a pack of middling size."""
    if recipe.hold_memory:
        hold_memory()
    pack = sorted(packs, key=packed_tokens)[len(packs) // 2]
    one, two = (_timed(config, recipe, pack, layers) for layers in (1, 2))
    trained, frozen = int(config["num_hidden_layers"]) - recipe.frozen_layers, recipe.frozen_layers
    layer = two - one
    below = frozen * (_timed(config, recipe, pack, 2, frozen=1) - one) if frozen else 0.0
    return (one - layer + trained * layer + below) / packed_tokens(pack)


def _timed(
    config: Mapping[str, Any], recipe: Recipe, groups: Sequence[plan.Group], layers: int, frozen: int = 0
) -> float:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from mnemosyne.training import attention
    from mnemosyne.training.loop import Trainer
    from mnemosyne.training.packing import pack

    attention.register()
    kind = precision.dtype(recipe.precision)
    values = {**config, "num_hidden_layers": layers, "layer_types": ["full_attention"] * layers}
    shape = AutoConfig.for_model(**values)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape, dtype=kind, attn_implementation=attention.NAME)
    model = model.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.data.fill_(0.01)
    model.model.rotary_emb = type(model.model.rotary_emb)(shape)
    trainer = Trainer(model, replace(recipe, frame="shared-prefix", frozen_layers=frozen), [], Path(os.devnull))
    batch = pack(groups)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        trainer.loss(batch).backward()  # type: ignore[no-untyped-call]
        taken.append(time.perf_counter() - started)
    return min(taken)


def need_memory(prepared: Prepared) -> None:
    """Raise TrainingError when this machine has too little memory for the run: said before anything is loaded."""
    largest = max(packed_tokens(pack) for step in prepared.steps for pack in step.packs)
    need = memory(prepared.base.config, prepared.recipe, prepared.base.weight_bytes, largest)
    free = available_memory()
    if free and need > free:
        raise TrainingError(
            f"The run needs about {need / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are available.",
            hint="Lower pack_tokens (and max_tokens, rank), close other programs, or take a smaller base.",
        )


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that new processes can have, 0 when this system does not say."""
    if not meminfo.is_file():
        return 0
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
