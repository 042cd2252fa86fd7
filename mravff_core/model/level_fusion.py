"""What fusion is made of: audio at every level's resolution, attention, gates, and one level's mix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mravff_core.model.attention import attend, attention_weights, join_heads, split_heads
from mravff_core.model.layers import ChannelNorm, MaskedConv1d, MaskedMaxPool, StepDropout, StepMask

FusionKind = Literal["sum", "concat", "cross_attention", "mrav"]
GateKind = Literal["scalar", "channel", "softmax"]
GateSource = Literal["visual", "audio", "both"]
Mix = Literal["convex", "residual"]


class AudioPyramid(nn.Module):
    """Audio features at every level's resolution.

    Projected to `channels` by a masked convolution and a norm, then max-pooled from level to
    level over a window centred on each kept step, as in the visual pyramid.

    Args:
        strides: of the visual levels in finest steps, finest level first.
    """

    def __init__(self, audio_channels: int, channels: int, strides: Sequence[int], *, kernel: int = 3) -> None:
        super().__init__()
        self.conv = MaskedConv1d(audio_channels, channels, kernel)
        self.norm = ChannelNorm(channels)
        finer = [1, *strides[:-1]]
        self.pools = nn.ModuleList([MaskedMaxPool(here // below) for below, here in zip(finer, strides, strict=True)])
        pooled = itertools.accumulate(below * (here // below // 2) for below, here in zip(finer, strides, strict=True))
        # Input steps to either side of a step of each level that it depends on.
        self.reaches = [kernel // 2 + steps for steps in pooled]

    def forward(self, audio: Tensor, valid: Tensor, count: int) -> tuple[Tensor, ...]:
        """[batch, audio channels, time] and its mask [batch, 1, time] to [batch, channels, time] of `count` levels."""
        whole = bool(valid.all())
        steps = StepMask(valid, None if whole else valid, all_valid=whole)
        audio = audio if whole else audio.masked_fill(~valid, 0.0)
        features = steps.keep_valid(self.norm(self.conv(audio, steps)))
        levels = []
        for pool in self.pools[:count]:
            assert isinstance(pool, MaskedMaxPool)
            features = pool(features, steps)
            steps = steps.every(pool.stride)
            levels.append(features)
        return tuple(levels)


class CrossAttention(nn.Module):
    """Visual steps ask, audio steps answer.

    Args:
        window: audio steps in reach of a visual step, odd and centred on it; -1 for all.
    """

    def __init__(self, channels: int, *, heads: int, window: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.query = nn.Conv1d(channels, channels, 1)
        self.key = nn.Conv1d(channels, channels, 1)
        self.value = nn.Conv1d(channels, channels, 1)
        self.out = nn.Conv1d(channels, channels, 1)
        self.dropout = StepDropout(dropout)

    def forward(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """[batch, channels, time] each, mask [batch, 1, time], to [batch, channels, time]."""
        query, key, value = (
            split_heads(pointwise(project, features), self.heads)
            for project, features in ((self.query, visual), (self.key, audio), (self.value, audio))
        )
        attended = attend(query, key, value, valid[:, 0], window=self.window)
        return self.dropout(pointwise(self.out, join_heads(attended)))

    def weights(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """Attention weights as `AttentionTrace` describes them."""
        query = split_heads(pointwise(self.query, visual), self.heads)
        key = split_heads(pointwise(self.key, audio), self.heads)
        weights = attention_weights(query, key, valid[:, 0], window=self.window)
        return weights * valid[:, :, :, None].to(weights.dtype)


class Gate(nn.Module):
    """Share of sound in each step, from 0 (shut) to 1.

    Args:
        kind: `scalar` for one number per step, `channel` for one per step and channel, `softmax`
            for one per step, as the sound's share in a softmax over a visual and an audio score.
        source: features that decide.
    """

    def __init__(self, channels: int, *, kind: GateKind, source: GateSource) -> None:
        super().__init__()
        self.kind = kind
        self.source = source
        self.width = channels if kind == "channel" else 1
        scores = 2 if kind == "softmax" else self.width
        self.score = nn.Conv1d(channels * (2 if source == "both" else 1), scores, 1)
        assert self.score.bias is not None
        nn.init.zeros_(self.score.bias)

    def forward(self, visual: Tensor, audio: Tensor) -> Tensor:
        """[batch, channels, time] each to [batch, 1 or channels, time]."""
        if self.source == "both":
            features = torch.cat([visual, audio], dim=1)
        else:
            features = visual if self.source == "visual" else audio
        scores = pointwise(self.score, features)
        return scores.softmax(dim=1)[:, 1:] if self.kind == "softmax" else scores.sigmoid()


class LevelFusion(nn.Module):
    """One level's fusion: what the sound says, and how it is mixed in.

    `sum` adds the audio features, `concat` projects both side by side, `cross_attention` adds
    attended audio, `mrav` mixes attended audio in through a gate: convex as
    (1 - gate) * visual + gate * attended, residual as visual + gate * attended.
    """

    def __init__(
        self,
        channels: int,
        *,
        kind: FusionKind,
        heads: int,
        window: int,
        gate: GateKind,
        gate_source: GateSource,
        mix: Mix,
        dropout: float,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.mix = mix
        attends = kind in ("cross_attention", "mrav")
        self.attention = CrossAttention(channels, heads=heads, window=window, dropout=dropout) if attends else None
        # Steps of sound to either side that a step hears; None for all that there are.
        self.reach = (window // 2 if window > 0 else None) if attends else 0
        self.gate = Gate(channels, kind=gate, source=gate_source) if kind == "mrav" else None
        self.merge = nn.Conv1d(2 * channels, channels, 1) if kind == "concat" else None

    def forward(
        self, visual: Tensor, audio: Tensor, valid: Tensor, *, opening: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """Fused features [batch, channels, time] and, for `mrav`, the gate [batch, 1 or channels, time].

        `opening` is the share of the gate that is let through.
        """
        if self.merge is not None:
            return pointwise(self.merge, torch.cat([visual, audio], dim=1)), None
        heard = audio if self.attention is None else self.attention(visual, audio, valid)
        if self.gate is None:
            return visual + heard, None
        gate, heard = (self.gate(visual, audio) * valid).to(visual.dtype), heard.to(visual.dtype)
        if opening != 1:
            gate = gate * opening
        if self.mix == "residual":
            return torch.addcmul(visual, gate, heard), gate
        return torch.lerp(visual, heard, gate), gate


def pointwise(project: nn.Conv1d, features: Tensor) -> Tensor:
    """What a convolution of width 1 gives, [batch, channels, time], as the product of matrices that it is.

    On a CPU that is up to half as fast again as a convolution, which first lays features out anew.
    """
    assert project.bias is not None
    weight, bias = project.weight[:, :, 0], project.bias[:, None]
    if len(features) == 1:
        # A tenth faster than a batch of one.
        return torch.addmm(bias, weight, features[0])[None]
    return torch.baddbmm(bias, weight.expand(len(features), -1, -1), features)
