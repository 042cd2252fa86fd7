"""Chunked local attention equals a dense matrix with a band mask."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mravff_core.model.attention import attend, attention_weights


def dense_weights(query: Tensor, key: Tensor, key_mask: Tensor, window: int, bias: Tensor | None) -> Tensor:
    """[batch, heads, time, time]; rows without any key are 0."""
    steps = torch.arange(query.shape[2])
    distance = steps[None] - steps[:, None] + window // 2
    scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    allowed = key_mask[:, None, None].expand_as(scores)
    if window > 0:
        allowed = allowed & (distance >= 0) & (distance < window)
        if bias is not None:
            scores = scores + bias[:, distance.clamp(0, window - 1)]
    return torch.nan_to_num(scores.masked_fill(~allowed, -torch.inf).softmax(-1))


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    heads=st.integers(1, 3),
    time=st.integers(1, 90),
    window=st.sampled_from([-1, 1, 3, 9, 19, 51]),
    biased=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_chunks_equal_the_whole(batch: int, heads: int, time: int, window: int, biased: bool, seed: int) -> None:
    torch.manual_seed(seed)
    query, key, value = torch.randn(3, batch, heads, time, 4).unbind()
    key_mask = torch.rand(batch, time) < 0.7
    bias = torch.randn(heads, window) if biased and window > 0 else None
    weights = dense_weights(query, key, key_mask, window, bias)
    attended = attend(query, key, value, key_mask, window=window, bias=bias)
    torch.testing.assert_close(attended, weights @ value, atol=1e-5, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    window=st.sampled_from([-1, 1, 9, 51]),
    seed=st.integers(0, 1000),
)
def test_sequences_side_by_side_do_not_see_each_other(batch: int, lengths: list[int], window: int, seed: int) -> None:
    torch.manual_seed(seed)
    query, key, value = torch.randn(3, batch, 2, sum(lengths), 4).unbind()
    key_mask = torch.rand(batch, sum(lengths)) < 0.7
    found = attend(query, key, value, key_mask, window=window, lengths=lengths)
    parts = zip(
        *(part.split(lengths, dim=2) for part in (query, key, value)), key_mask.split(lengths, dim=1), strict=True
    )
    alone = [attend(*part, window=window) for part in parts]
    torch.testing.assert_close(found, torch.cat(alone, dim=2), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("window", [-1, 1, 5, 41])
def test_recomputed_weights_are_those_that_were_used(window: int) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 2, 37, 4).unbind()
    key_mask = torch.arange(37)[None] < torch.tensor([[37], [20]])
    weights = attention_weights(query, key, key_mask, window=window)
    dense = weights if window < 0 else torch.zeros(2, 2, 37, 37)
    if window > 0:
        for offset in range(window):
            for step in range(37):
                source = step + offset - window // 2
                if 0 <= source < 37:
                    dense[:, :, step, source] = weights[:, :, step, offset]
                else:
                    assert float(weights[:, :, step, offset].abs().max()) == 0
    torch.testing.assert_close(dense @ value, attend(query, key, value, key_mask, window=window), atol=1e-5, rtol=1e-4)


def test_local_attention_s_memory_is_linear_in_time() -> None:
    """Twice the time may take twice the memory, not four times."""

    def largest(time: int) -> int:
        query = torch.randn(1, 1, time, 8, requires_grad=True)
        sizes: list[int] = []
        mask = torch.ones(1, time, dtype=torch.bool)
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            attend(query, query, query, mask, window=9)
        return max(sizes)

    assert largest(8192) <= 2.1 * largest(4096)
