"""A random Qwen2 of 70,000 weights and rows of random tokens: small enough to compare every gradient."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnemosyne.training.recipe import Recipe, Source
from mnemosyne.training.rows import Row

VOCABULARY = 96


def model(dtype: str = "float32", seed: int = 1) -> Any:
    """Three layers, four heads of which two share keys, as in the real models."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from mnemosyne.training import attention

    attention.register()
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        initializer_range=0.2,
        attn_implementation="eager",
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen2ForCausalLM(config).to(getattr(torch, dtype)).requires_grad_(False)


def rows(count: int, schemas: int, seed: int = 0, *, prefix: tuple[int, int] = (20, 60), mark: str = "") -> list[Row]:
    """`count` rows over `schemas` prefixes; questions of 3 to 30 tokens, answers of 1 to 20."""
    rng = random.Random(seed)
    prefixes = [tuple(rng.choices(range(VOCABULARY), k=rng.randint(*prefix))) for _ in range(schemas)]
    made = []
    for i in range(count):
        schema = rng.randrange(schemas)
        question, answer = rng.randint(3, 30), rng.randint(1, 20)
        branch = tuple(rng.choices(range(VOCABULARY), k=question + answer))
        made.append(Row(f"{mark}row-{i}", f"{mark}schema-{schema}", prefixes[schema], branch, question, "made"))
    return made


def recipe(**changes: Any) -> Recipe:
    """A recipe that fits the tiny model."""
    values: dict[str, Any] = {
        "name": "tiny",
        "base": "tiny",
        "data": (Source("rows.jsonl"),),
        "rank": 4,
        "alpha": 8.0,
        "learning_rate": 5e-3,
        "batch": 12,
        "group_size": 4,
        "pack_tokens": 512,
        "max_tokens": 256,
        "checkpoint_minutes": 0.0,
    }
    return Recipe(**values | changes)


def trainer(folder: Path, made: Sequence[Row], seed: int = 1, dtype: str = "float32", **changes: Any) -> Any:
    """A trainer of the tiny model on `made`, as `loop.run` takes it."""
    from mnemosyne.training import plan
    from mnemosyne.training.loop import Trainer

    chosen = recipe(**changes)
    steps = plan.epoch(
        made,
        batch=chosen.batch,
        group_size=chosen.group_size,
        pack_tokens=chosen.pack_tokens,
        seed=chosen.seed,
        number=0,
    )
    return Trainer(model(dtype, seed), chosen, steps, folder)
