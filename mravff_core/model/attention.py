"""Masked attention over local windows or whole sequences, and its weights on request.

Axes: queries, keys and values are [batch, heads, time, width]; `key_mask` is [batch, time]
bool, True where a key may be attended to.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Keys of a chunk are a multiple of this many, which small products are quickest with.
_KEYS = 16


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_mask: Tensor,
    *,
    window: int,
    bias: Tensor | None = None,
    lengths: Sequence[int] | None = None,
) -> Tensor:
    """Attention output [batch, heads, time, width]; 0 where no key may be attended to.

    Quickest where heads lie side by side in memory and steps one after another, as `split_heads`
    gives them, and where all come with the room that `rooms` names; the output lies so.

    Args:
        window: odd number of steps centred on the query, or -1 for all steps.
        bias: [heads, window] added to the scores by relative position; local windows only.
        lengths: of the sequences that lie one after another in time and do not see each other; None for one.

    Local windows take memory linear in time: queries are cut into chunks, each of which attends
    to the keys of its own steps and of half a window on both sides.
    """
    if window < 0 and lengths is not None and len(lengths) > 1:
        queries, keys, values = (features.split(list(lengths), dim=2) for features in (query, key, value))
        sequences = zip(queries, keys, values, key_mask.split(list(lengths), dim=1), strict=True)
        return torch.cat([attend(*sequence, window=window) for sequence in sequences], dim=2)
    if window < 0:
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=key_mask[:, None, None])
        return torch.where(key_mask.any(dim=1)[:, None, None, None], attended, 0.0)
    clips, heads, _, width = query.shape
    time = key_mask.shape[-1]
    of_queries, of_keys = rooms(time, window)
    added, answered = _added_to_scores(key_mask, query, window, bias, lengths)
    attended = functional.scaled_dot_product_attention(
        _chunks(query, window, time, of_queries),
        _chunks(key, window, time, of_keys),
        _chunks(value, window, time, of_keys),
        attn_mask=added,
    )
    if answered is not None:
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
    time = key_mask.shape[-1]
    of_queries, of_keys = rooms(time, window)
    added, answered = _added_to_scores(key_mask, query, window)
    near = _chunks(key, window, time, of_keys)
    scores = (_chunks(query, window, time, of_queries) * query.shape[-1] ** -0.5) @ near.transpose(-1, -2) + added
    weights = scores.softmax(dim=-1)
    if answered is not None:
        weights = weights * answered.to(query.dtype)
    weights = weights.unflatten(0, (len(query), -1)).transpose(1, 2)
    row = torch.arange(weights.shape[-2], device=weights.device)[:, None]
    column = row + torch.arange(window, device=weights.device)
    return weights[..., row, column].flatten(2, 3)[:, :, :time]


def rooms(time: int, window: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Steps before and after the queries, and the keys and values, of a sequence that its chunks take in."""
    if window < 0:
        return (0, 0), (0, 0)
    radius, missing = window // 2, -time % _chunk(window)
    return (0, missing), (radius, radius + missing)


def split_heads(features: Tensor, heads: int) -> Tensor:
    """[batch, time, channels] to [batch, heads, time, channels / heads]."""
    return features.unflatten(2, (heads, -1)).transpose(1, 2)


def join_heads(features: Tensor) -> Tensor:
    """[batch, heads, time, width] to [batch, heads * width, time]."""
    return features.transpose(1, 2).flatten(2).transpose(1, 2)


def _added_to_scores(
    key_mask: Tensor, query: Tensor, window: int, bias: Tensor | None = None, lengths: Sequence[int] | None = None
) -> tuple[Tensor, Tensor | None]:
    """What bars a chunk's queries from keys out of reach, and which queries have any key.

    Returns: [batch * chunks, 1 or heads, chunk, chunk + window - 1] and, bool, [batch * chunks, 1, chunk, 1];
        None for the latter where all have.
    """
    (clips, time), chunk, device = key_mask.shape, _chunk(window), query.device
    before, after = rooms(time, window)[1]
    offset = torch.arange(chunk + window - 1, device=device) - torch.arange(chunk, device=device)[:, None]
    # Of every step the sequence that it belongs to; the rooms at both ends are sequences of their own.
    ends = torch.tensor([0, *itertools.accumulate(lengths or [time])], device=device)
    sequence = torch.bucketize(torch.arange(-before, time + after, device=device), ends, out_int32=True, right=True)
    of_keys = sequence.unfold(0, chunk + window - 1, chunk)[:, None, None]
    of_queries = sequence[before : len(sequence) - before].view(-1, 1, chunk, 1)
    barred = (of_keys != of_queries) | ((offset < 0) | (offset >= window))
    barred = barred if clips == 1 else barred.repeat(clips, 1, 1, 1)
    answered = None
    if not bool(key_mask.all()):
        near = _chunks(key_mask[:, None, :, None], window, time, (before, after)).transpose(-1, -2)
        barred = barred | ~near
        answered = ~barred.all(dim=-1, keepdim=True)
    # Half the range leaves room for scores.
    added = barred.to(query.dtype) * (torch.finfo(query.dtype).min / 2)
    if bias is not None:
        added = added + bias[:, offset.clamp(0, window - 1)].to(query.dtype)
    return added, answered


def _chunk(window: int) -> int:
    """Queries that are multiplied at once, about as many as their neighbours on both sides."""
    return -(-max(2 * _KEYS, 2 * (window - 1)) // _KEYS) * _KEYS - (window - 1)


def _chunks(features: Tensor, window: int, time: int, room: tuple[int, int]) -> Tensor:
    """[batch, heads, time, width] to [batch * chunks, heads, chunk, width], of keys chunk + window - 1.

    With zeros beyond the ends where `features` come without their room. Of one clip no chunk is a
    copy, and neighbours overlap in memory.
    """
    before, after = room
    features = features.transpose(1, 2)
    if features.shape[1] == time and after:
        clips, _, heads, width = features.shape
        zeros = features.new_zeros(clips, after, heads, width)
        features = torch.cat([zeros[:, :before], features, zeros], dim=1)
    chunk = _chunk(window)
    return features.unfold(1, chunk + 2 * before, chunk).movedim(-1, 3).flatten(0, 1)


def _softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over allowed entries; a row without any is all 0, not NaN."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~allowed, lowest).softmax(dim=-1).masked_fill(~allowed, 0.0)
