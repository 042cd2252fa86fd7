"""Masked attention over local windows or whole sequences, and its weights on request.

Axes: queries, keys and values are [batch, heads, time, width]; `key_mask` is [batch, time]
bool, True where a key may be attended to.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST_CHUNK = 16


def attend(
    query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor, *, window: int, bias: Tensor | None = None
) -> Tensor:
    """Attention output [batch, heads, time, width]; 0 where no key may be attended to.

    Args:
        window: odd number of steps centred on the query, or -1 for all steps.
        bias: [heads, window] added to the scores by relative position; local windows only.

    Local windows take memory linear in time: queries are cut into chunks, each multiplied with
    the keys of its own steps and of half a window on both sides; one head at a time, since
    memory laid out for all at once would have to be copied there.
    """
    if window < 0:
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=key_mask[:, None, None])
        return torch.where(key_mask.any(dim=1)[:, None, None, None], attended, 0.0)
    time = query.shape[2]
    near = _neighbourhoods(value, _chunk(window), window // 2)
    # Steps first is how small products are quickest: weights times values, not the other way round.
    heads = [
        weights @ near[:, head].transpose(-1, -2)
        for head, weights in enumerate(_chunk_weights(query, key, key_mask, window, bias))
    ]
    return torch.stack(heads, dim=3).flatten(1, 2)[:, :time].transpose(1, 2)


def attention_weights(query: Tensor, key: Tensor, key_mask: Tensor, *, window: int) -> Tensor:
    """The weights that `attend` uses.

    Returns: [batch, heads, time, window], entry `k` on step `t + k - window // 2`, or
        [batch, heads, time, time] for `window=-1`; 0 on keys that may not be attended to.
    """
    if window < 0:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return _softmax(scores, key_mask[:, None, None])
    weights = torch.stack(list(_chunk_weights(query, key, key_mask, window, None)), dim=1)
    row = torch.arange(weights.shape[-2], device=weights.device)[:, None]
    column = row + torch.arange(window, device=weights.device)
    return weights[..., row, column].flatten(2, 3)[:, :, : query.shape[2]]


def split_heads(features: Tensor, heads: int) -> Tensor:
    """[batch, channels, time] to [batch, heads, time, channels / heads]."""
    return features.unflatten(1, (heads, -1)).transpose(2, 3)


def join_heads(features: Tensor) -> Tensor:
    """[batch, heads, time, width] to [batch, heads * width, time]."""
    return features.transpose(2, 3).flatten(1, 2)


def _chunk_weights(query: Tensor, key: Tensor, key_mask: Tensor, window: int, bias: Tensor | None) -> Iterator[Tensor]:
    """Weights [batch, chunks, chunk, chunk + window - 1] on each chunk's neighbourhood, head by head."""
    radius, chunk = window // 2, _chunk(window)
    offset = torch.arange(chunk + 2 * radius, device=query.device) - torch.arange(chunk, device=query.device)[:, None]
    near_keys = _neighbourhoods(key_mask[:, None, :, None], chunk, radius)[:, 0]
    allowed = near_keys & (offset >= 0) & (offset < window)
    # Added up rather than filled in, the mask is made once for all heads; half the range leaves room for scores.
    barred = torch.zeros(allowed.shape, dtype=query.dtype, device=query.device)
    barred = barred.masked_fill_(~allowed, torch.finfo(query.dtype).min / 2)
    answered = allowed.any(dim=-1, keepdim=True)
    all_answered = bool(answered.all())
    more = -query.shape[2] % chunk
    query = (functional.pad(query, (0, 0, 0, more)) if more else query).unflatten(2, (-1, chunk))
    near = _neighbourhoods(key, chunk, radius)
    for head in range(query.shape[1]):
        scores = (query[:, head] @ near[:, head]).mul_(query.shape[-1] ** -0.5).add_(barred)
        if bias is not None:
            scores = scores + bias[head, offset.clamp(0, window - 1)]
        weights = scores.softmax(dim=-1)
        yield weights if all_answered else weights * answered.to(query.dtype)


def _chunk(window: int) -> int:
    """Queries that are multiplied at once."""
    return max(_SMALLEST_CHUNK, window - 1)


def _neighbourhoods(features: Tensor, chunk: int, radius: int) -> Tensor:
    """[batch, heads, time, width] to [batch, heads, chunks, width, chunk + 2 * radius]; zeros beyond the ends."""
    # Channels are contiguous in time, so that padding them there is a plain copy; `pad` would fill all of it first.
    before = features.new_zeros(*features.shape[:2], features.shape[3], radius)
    after = features.new_zeros(*features.shape[:2], features.shape[3], radius + -features.shape[2] % chunk)
    padded = torch.cat([before, features.transpose(2, 3), after], dim=-1)
    return padded.unfold(3, chunk + 2 * radius, chunk).transpose(2, 3)


def _softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over allowed entries; a row without any is all 0, not NaN."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~allowed, lowest).softmax(dim=-1).masked_fill(~allowed, 0.0)
