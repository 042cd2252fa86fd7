"""Masked attention over local windows or whole sequences, and its weights on request.

Axes: queries, keys and values are [batch, heads, time, width]; `key_mask` is [batch, time]
bool, True where a key may be attended to.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Keys of a chunk are a multiple of this many, which small products are quickest with.
_KEYS = 16


def attend(
    query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor, *, window: int, bias: Tensor | None = None
) -> Tensor:
    """Attention output [batch, heads, time, width]; 0 where no key may be attended to.

    Quickest where heads lie side by side in memory and steps one after another, as `split_heads`
    gives them; the output lies so.

    Args:
        window: odd number of steps centred on the query, or -1 for all steps.
        bias: [heads, window] added to the scores by relative position; local windows only.

    Local windows take memory linear in time: queries are cut into chunks, each of which attends
    to the keys of its own steps and of half a window on both sides.
    """
    if window < 0:
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=key_mask[:, None, None])
        return torch.where(key_mask.any(dim=1)[:, None, None, None], attended, 0.0)
    clips, heads, time, width = query.shape
    chunk = _chunk(window)
    added, answered = _added_to_scores(key_mask, query, window, bias)
    attended = functional.scaled_dot_product_attention(
        _chunks(query, chunk, 0), _chunks(key, chunk, window // 2), _chunks(value, chunk, window // 2), attn_mask=added
    )
    if not bool(answered.all()):
        attended = attended * answered.to(attended.dtype)
    return attended.transpose(1, 2).reshape(clips, -1, heads, width)[:, :time].transpose(1, 2)


def attention_weights(query: Tensor, key: Tensor, key_mask: Tensor, *, window: int) -> Tensor:
    """The weights that `attend` uses.

    Returns: [batch, heads, time, window], entry `k` on step `t + k - window // 2`, or
        [batch, heads, time, time] for `window=-1`; 0 on keys that may not be attended to.
    """
    if window < 0:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return _softmax(scores, key_mask[:, None, None])
    chunk = _chunk(window)
    added, answered = _added_to_scores(key_mask, query, window, None)
    near = _chunks(key, chunk, window // 2)
    scores = (_chunks(query, chunk, 0) * query.shape[-1] ** -0.5) @ near.transpose(-1, -2) + added
    weights = (scores.softmax(dim=-1) * answered.to(query.dtype)).unflatten(0, (len(query), -1)).transpose(1, 2)
    row = torch.arange(chunk, device=weights.device)[:, None]
    column = row + torch.arange(window, device=weights.device)
    return weights[..., row, column].flatten(2, 3)[:, :, : query.shape[2]]


def split_heads(features: Tensor, heads: int) -> Tensor:
    """[batch, time, channels] to [batch, heads, time, channels / heads]."""
    return features.unflatten(2, (heads, -1)).transpose(1, 2)


def join_heads(features: Tensor) -> Tensor:
    """[batch, heads, time, width] to [batch, heads * width, time]."""
    return features.transpose(1, 2).flatten(2).transpose(1, 2)


def _added_to_scores(key_mask: Tensor, query: Tensor, window: int, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """What bars a chunk's queries from keys out of reach, and which queries have any key.

    Returns: [batch * chunks, 1 or heads, chunk, chunk + window - 1] and, bool, [batch * chunks, 1, chunk, 1].
    """
    chunk = _chunk(window)
    offset = torch.arange(chunk + window - 1, device=query.device) - torch.arange(chunk, device=query.device)[:, None]
    near_keys = _chunks(key_mask[:, None, :, None], chunk, window // 2).transpose(-1, -2)
    allowed = near_keys & ((offset >= 0) & (offset < window))
    # Half the range leaves room for scores.
    added = torch.zeros(allowed.shape, dtype=query.dtype, device=query.device)
    added = added.masked_fill_(~allowed, torch.finfo(query.dtype).min / 2)
    if bias is not None:
        added = added + bias[:, offset.clamp(0, window - 1)].to(query.dtype)
    return added, allowed.any(dim=-1, keepdim=True)


def _chunk(window: int) -> int:
    """Queries that are multiplied at once, about as many as their neighbours on both sides."""
    return -(-max(2 * _KEYS, 2 * (window - 1)) // _KEYS) * _KEYS - (window - 1)


def _chunks(features: Tensor, chunk: int, radius: int) -> Tensor:
    """[batch, heads, time, width] to [batch * chunks, heads, chunk + 2 * radius, width].

    Each chunk with `radius` steps to both sides; zeros beyond the ends. Of one clip no chunk is a
    copy, and neighbours overlap in memory.
    """
    clips, heads, time, width = features.shape
    before, after = radius, radius + -time % chunk
    features = features.transpose(1, 2)
    if after:
        zeros = features.new_zeros(clips, max(before, after), heads, width)
        features = torch.cat([zeros[:, :before], features, zeros[:, :after]], dim=1)
    return features.unfold(1, chunk + 2 * radius, chunk).movedim(-1, 3).flatten(0, 1)


def _softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over allowed entries; a row without any is all 0, not NaN."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~allowed, lowest).softmax(dim=-1).masked_fill(~allowed, 0.0)
