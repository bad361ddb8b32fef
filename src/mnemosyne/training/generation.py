"""Greedy answers of the model under training, many questions of one schema side by side.

The prefix is read once and its keys are shared, not copied: each new token attends to the prefix (one call for
all questions) and to its own branch, merged through the log-sum-exp as in `attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mnemosyne.training.attention import NAME, Layout, register, span

DECODE = "mnemosyne_decode"
"""The name under which transformers knows the attention of this room."""

SIDE_BY_SIDE = 32
"""Questions answered together at most."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def answers(
    model: Any, prefix: Sequence[int], tails: Sequence[Sequence[int]], *, stop: int, max_tokens: int
) -> list[list[int]]:
    """The greedy answer to each tail behind one prefix, without the stop token, `max_tokens` at most."""
    from transformers import AttentionInterface

    register()
    AttentionInterface.register(DECODE, _interface)
    kind, training = model.config._attn_implementation, model.training
    model.eval()
    try:
        with torch.inference_mode():
            shared = _read_prefix(model, prefix)
            model.config._attn_implementation = DECODE
            replies: list[list[int]] = []
            for start in range(0, len(tails), SIDE_BY_SIDE):
                part = tails[start : start + SIDE_BY_SIDE]
                replies += _answer(model, len(prefix), shared, part, stop, max_tokens)
            return replies
    finally:
        model.config._attn_implementation = kind
        model.train(training)


Shared = list[tuple[Tensor, Tensor]]
"""Keys and values (1, H, P, d) of the prefix in every layer."""


def _read_prefix(model: Any, prefix: Sequence[int]) -> Shared:
    from transformers import DynamicCache

    model.config._attn_implementation = NAME
    cache = DynamicCache()
    model.model(
        input_ids=torch.tensor([list(prefix)]),
        attention_mask={"full_attention": None},
        layout=Layout((span(0, 0, [len(prefix)]),)),
        cache=cache,
        use_cache=True,
    )
    repeats = model.config.num_attention_heads // model.config.num_key_value_heads
    return [
        (layer.keys.repeat_interleave(repeats, 1), layer.values.repeat_interleave(repeats, 1)) for layer in cache.layers
    ]


def _answer(
    model: Any, prefix: int, shared: Shared, tails: Sequence[Sequence[int]], stop: int, max_tokens: int
) -> list[list[int]]:
    from transformers import DynamicCache

    longest = max(len(tail) for tail in tails)
    padding = torch.tensor([longest - len(tail) for tail in tails])
    tokens = torch.tensor([[stop] * (longest - len(tail)) + list(tail) for tail in tails])
    cache = DynamicCache()
    replies: list[list[int]] = [[] for _ in tails]
    open_rows = list(range(len(tails)))
    for _ in range(max_tokens):
        logits = _forward(model, prefix, shared, cache, tokens, padding)
        chosen = logits.argmax(-1).tolist()
        keep = [i for i, token in enumerate(chosen) if token != stop]
        for i in keep:
            replies[open_rows[i]].append(chosen[i])
        if not keep:
            break
        if len(keep) < len(chosen):
            cache.batch_select_indices(torch.tensor(keep))
            padding = padding[keep]
        open_rows = [open_rows[i] for i in keep]
        tokens = torch.tensor([[chosen[i]] for i in keep])
    return replies


def _forward(model: Any, prefix: int, shared: Shared, cache: Any, tokens: Tensor, padding: Tensor) -> Tensor:
    """Logits (n, V) after `tokens` (n, q), which follow what `cache` holds; rows are padded on the left."""
    past, count = cache.get_seq_length(), tokens.shape[1]
    place = past + torch.arange(count)
    key = torch.arange(past + count)
    visible = (key[None, None, :] <= place[None, :, None]) & (key[None, None, :] >= padding[:, None, None])
    visible |= key[None, None, :] == place[None, :, None]  # a padding token sees itself, so that nothing is empty
    hidden = model.model(
        input_ids=tokens,
        position_ids=(prefix + place[None, :] - padding[:, None]).clamp_min(0),
        attention_mask={"full_attention": None},
        visible=visible[:, None],
        shared=shared,
        cache=cache,
        use_cache=True,
    ).last_hidden_state[:, -1]
    logits: Tensor = model.lm_head(hidden)
    return logits


def _interface(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """Query (n, H, q, d), key and value (n, K, past + q, d) of the branches to (n, q, H, d)."""
    scale = kwargs["scaling"]
    count, heads, length, width = query.shape
    prefix_key, prefix_value = kwargs["shared"][module.layer_idx]
    together = query.transpose(0, 1).reshape(1, heads, count * length, width)
    seen, seen_lse = _flash(together, prefix_key, prefix_value, 0.0, False, scale=scale)
    seen = seen.view(heads, count, length, width).transpose(0, 1)
    seen_lse = seen_lse.view(heads, count, length).transpose(0, 1)
    repeats = heads // key.shape[1]
    mask = torch.zeros(kwargs["visible"].shape, dtype=query.dtype).masked_fill_(~kwargs["visible"], float("-inf"))
    own, own_lse = _flash(
        query,
        key.repeat_interleave(repeats, 1),
        value.repeat_interleave(repeats, 1),
        0.0,
        False,
        attn_mask=mask.expand(count, heads, -1, -1),
        scale=scale,
    )
    share = torch.sigmoid(seen_lse - own_lse)[..., None]
    out = seen * share + own * (1 - share)
    return out.to(query.dtype).transpose(1, 2).contiguous(), None
