"""Attention over packed questions that share a schema prefix, without padding and without copying the prefix.

A packed sequence of T tokens is a row of *spans*. A span is a prefix followed by branches::

    span    = prefix | branch 1 | branch 2 | ... | branch n
    prefix  : causal
    branch i: sees the whole prefix and, causally, itself; never another branch

So every linear layer runs once over all T tokens, the prefix is computed once for its n questions, and
its gradient is the sum over them, exactly as in n separate sequences. A span whose prefix is empty is a
plain batch: n sequences side by side.

Attention of a branch is the merge of two flash-attention calls (on the prefix, on itself) through their
log-sum-exp; backward runs each part with the merged output and log-sum-exp, as ring attention does.
Source: Milakov and Gimelshein 2018 (online softmax), Dao 2023 (FlashAttention-2, backward).

Registered in transformers as `mnemosyne_tree`; `layout` travels there as a keyword of the model's forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NAME = "mnemosyne_tree"
"""The name under which transformers knows this attention."""

PADDED_TOKENS_PER_BATCH = 4_096
"""A bucket of branches holds at most so many padded tokens, so that scores stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Branches of similar length, padded to one length for one attention call."""

    index: Tensor
    """(n, L) int64: position in the packed sequence; padding repeats the branch's last token."""
    valid: Tensor
    """(n, L) bool: False for padding."""
    positions: Tensor
    """(tokens,) int64: `index[valid]`."""


@dataclass(frozen=True, slots=True)
class Span:
    """A prefix and its branches inside the packed sequence."""

    start: int
    """Position of the first token of the prefix."""
    prefix: int
    """Tokens of the prefix, 0 for a plain batch."""
    end: int
    """Position after the last token of the last branch."""
    buckets: tuple[Bucket, ...]
    """The branches."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Who sees whom in a packed sequence."""

    spans: tuple[Span, ...]
    """In the order of the sequence; together they cover it."""

    def mask(self) -> Tensor:
        """(T, T) bool, True where a token sees another: the slow, obvious form, for proofs."""
        total = self.spans[-1].end
        visible = torch.zeros(total, total, dtype=torch.bool)
        for span in self.spans:
            head = span.start + span.prefix
            visible[span.start : head, span.start : head] = True
            visible[head : span.end, span.start : head] = True
            for bucket in span.buckets:
                for index, valid in zip(bucket.index, bucket.valid, strict=True):
                    own = index[valid]
                    visible[own[:, None], own[None, :]] = True
        return visible.tril()


def span(start: int, prefix: int, lengths: Sequence[int]) -> Span:
    """A span at `start` with a prefix and branches of these lengths, in this order."""
    starts = []
    position = start + prefix
    for length in lengths:
        starts.append(position)
        position += length
    by_length = sorted(range(len(lengths)), key=lambda i: lengths[i])
    buckets: list[Bucket] = []
    current: list[int] = []
    for i in by_length:
        too_many = (len(current) + 1) * lengths[i] > PADDED_TOKENS_PER_BATCH
        too_uneven = bool(current) and lengths[i] > 1.5 * lengths[current[0]] + 8
        if current and (too_many or too_uneven):
            buckets.append(_bucket([(starts[j], lengths[j]) for j in current]))
            current = []
        current.append(i)
    if current:
        buckets.append(_bucket([(starts[j], lengths[j]) for j in current]))
    return Span(start, prefix, position, tuple(buckets))


def _bucket(branches: Sequence[tuple[int, int]]) -> Bucket:
    longest = max(length for _, length in branches)
    offset = torch.arange(longest)[None, :]
    first = torch.tensor([start for start, _ in branches])[:, None]
    count = torch.tensor([length for _, length in branches])[:, None]
    valid = offset < count
    index = first + torch.minimum(offset, count - 1)
    return Bucket(index, valid, index[valid])


def register() -> None:
    """Make this attention known to transformers. Safe to call twice."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _interface)


def _interface(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """The signature that transformers calls: query (1, H, T, d), key and value (1, K, T, d) to (1, T, H, d)."""
    out = tree_attention(query, key, value, kwargs["layout"], float(kwargs["scaling"]))
    return out.transpose(1, 2), None


def tree_attention(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float) -> Tensor:
    """Attention over a packed sequence: query (1, H, T, d), key and value (1, K, T, d), H a multiple of K; (1, H, T, d)."""
    if query.device.type != "cpu":
        return _dense(query, key, value, layout, scale)
    out: Tensor = _Tree.apply(query, key, value, layout, scale)  # type: ignore[no-untyped-call]
    return out


def _dense(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float) -> Tensor:
    """The same by one dense mask: for devices whose flash kernels give no log-sum-exp, and for proofs."""
    mask = layout.mask().to(query.device)
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
    )


_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class _Tree(torch.autograd.Function):
    """Tree attention on the CPU."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float) -> Tensor:
        heads, total, width = query.shape[1:]
        repeats = heads // key.shape[1]
        wide_key = key.repeat_interleave(repeats, 1)
        wide_value = value.repeat_interleave(repeats, 1)
        out = query.new_empty(1, total, heads, width).transpose(1, 2)
        lse = query.new_empty(1, heads, total, dtype=torch.float32)
        for part in layout.spans:
            _forward_span(part, query, wide_key, wide_value, out, lse, scale)
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, lse = ctx.saved_tensors
        heads, total, width = query.shape[1:]
        repeats = heads // key.shape[1]
        wide_key = key.repeat_interleave(repeats, 1)
        wide_value = value.repeat_interleave(repeats, 1)
        grads = tuple(query.new_empty(1, total, heads, width).transpose(1, 2) for _ in range(3))
        for part in ctx.layout.spans:
            _backward_span(part, grad, query, wide_key, wide_value, out, lse, grads, ctx.scale)
        grad_query, grad_key, grad_value = grads
        grad_key = grad_key.unflatten(1, (-1, repeats)).sum(2)
        grad_value = grad_value.unflatten(1, (-1, repeats)).sum(2)
        return grad_query, grad_key, grad_value, None, None


def _forward_span(
    part: Span, query: Tensor, key: Tensor, value: Tensor, out: Tensor, lse: Tensor, scale: float
) -> None:
    """Fill `out` (1, H, T, d) and `lse` (1, H, T) for the tokens of one span."""
    head = part.start + part.prefix
    if part.prefix:
        prefix = slice(part.start, head)
        branches = slice(head, part.end)
        own_key, own_value = key[:, :, prefix], value[:, :, prefix]
        out[:, :, prefix], lse[:, :, prefix] = _flash(query[:, :, prefix], own_key, own_value, 0.0, True, scale=scale)
        out[:, :, branches], lse[:, :, branches] = _flash(
            query[:, :, branches], own_key, own_value, 0.0, False, scale=scale
        )
    for bucket in part.buckets:
        padded = [_gather(x, bucket) for x in (query, key, value)]
        bucket_out, bucket_lse = _flash(*padded, 0.0, True, scale=scale)
        own_out = bucket_out.transpose(0, 1)[:, bucket.valid]  # (H, tokens, d)
        own_lse = bucket_lse.transpose(0, 1)[:, bucket.valid]  # (H, tokens)
        at = bucket.positions
        if part.prefix:
            seen_out, seen_lse = out[0][:, at], lse[0][:, at]
            merged = torch.logaddexp(seen_lse, own_lse)
            own_out = seen_out * (seen_lse - merged).exp()[..., None] + own_out * (own_lse - merged).exp()[..., None]
            own_lse = merged
        out[0][:, at] = own_out.to(out.dtype)
        lse[0][:, at] = own_lse


def _backward_span(
    part: Span,
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    lse: Tensor,
    grads: tuple[Tensor, ...],
    scale: float,
) -> None:
    """Fill the gradients of query, key and value (1, H, T, d) for the tokens of one span."""
    head = part.start + part.prefix
    for bucket in part.buckets:
        padded = [_gather(x, bucket) for x in (grad, query, key, value, out)]
        padded[0] = padded[0] * bucket.valid[:, None, :, None]
        padded_lse = lse[0][:, bucket.index].transpose(0, 1).contiguous()
        for target, part_grad in zip(grads, _flash_backward(*padded, padded_lse, 0.0, True, scale=scale), strict=True):
            target[0][:, bucket.positions] = part_grad.transpose(0, 1)[:, bucket.valid]
    if not part.prefix:
        return
    prefix, branches = slice(part.start, head), slice(head, part.end)
    own_key, own_value = key[:, :, prefix], value[:, :, prefix]
    for rows, causal in ((prefix, True), (branches, False)):
        part_grads = _flash_backward(
            grad[:, :, rows],
            query[:, :, rows],
            own_key,
            own_value,
            out[:, :, rows],
            lse[:, :, rows].contiguous(),
            0.0,
            causal,
            scale=scale,
        )
        if causal:
            for target, part_grad in zip(grads, part_grads, strict=True):
                target[:, :, prefix] = part_grad
        else:
            grads[0][:, :, branches] += part_grads[0]
            grads[1][:, :, prefix] += part_grads[1]
            grads[2][:, :, prefix] += part_grads[2]


def _gather(tensor: Tensor, bucket: Bucket) -> Tensor:
    """(1, H, T, d) to the padded branches (n, H, L, d)."""
    return tensor[0][:, bucket.index].transpose(0, 1)
