"""What fusion is made of: audio at every level's resolution, attention, gates, and one level's mix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.model.attention import attend, attention_weights, join_heads, rooms, split_heads
from mravff_core.model.layers import ChannelNorm, MaskedConv1d, StepDropout, apply_pointwise, products, products_in_row

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
        self.pool_strides = [here // below for below, here in zip(finer, strides, strict=True)]
        pooled = itertools.accumulate(below * (here // below // 2) for below, here in zip(finer, strides, strict=True))
        # Input steps to either side of a step of each level that it depends on.
        self.reaches = [kernel // 2 + steps for steps in pooled]

    def forward(self, audio: Tensor, valid: Tensor, count: int) -> tuple[Tensor, ...]:
        """[batch, audio channels, time] and its mask [batch, 1, time] to [batch, channels, time] of `count` levels.

        They lie steps first in memory, as norms, maxima and attention are quickest with.
        """
        whole = bool(valid.all())
        audio = audio if whole else audio.masked_fill(~valid, 0.0)
        time, reach = audio.shape[-1], self.conv.kernel_size[0] // 2
        assert self.conv.bias is not None
        audio = functional.pad(audio, (reach, reach))
        taps, weights = [audio[..., tap : tap + time] for tap in range(2 * reach + 1)], self.conv.weight.unbind(-1)
        if self.conv.weight[0].numel() <= len(self.conv.weight):
            # Where copies of the input are no larger than the output, one product is quicker than one for each.
            taps, weights = [torch.stack(taps, dim=2).flatten(1, 2)], (self.conv.weight.flatten(1),)
        features = self.norm.steps_first(products(weights, taps, self.conv.bias, steps_first=True))
        valid = valid.transpose(1, 2)
        # Finite, so that a maximum over nothing real can still be set to 0.
        lowest = torch.finfo(features.dtype).min
        levels = []
        for stride in self.pool_strides[:count]:
            if stride > 1:
                features = _pooled(features if whole else features.masked_fill(~valid, lowest), stride)
                valid = valid[:, ::stride]
            if not whole:
                features = features * valid.to(features.dtype)
            levels.append(features.transpose(1, 2))
        return tuple(levels)


def _pooled(features: Tensor, stride: int) -> Tensor:
    """Centred maximum of [batch, time, channels] as `MaskedMaxPool` takes it."""
    half, kept = stride // 2, -(-features.shape[1] // stride)
    found = features[:, ::stride]
    for offset in range(1, half + 1):
        # Beyond the ends the outermost steps stand again, which no maximum notices.
        before = torch.cat([features[:, :1], features[:, stride - offset :: stride][:, : kept - 1]], dim=1)
        after = features[:, offset::stride]
        if after.shape[1] < kept:
            after = torch.cat([after, features[:, -1:]], dim=1)
        found = torch.maximum(found, torch.maximum(before, after))
    return found


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
        return attend_levels([self], [visual], [audio], [valid])[0]

    def answer(self, attended: Tensor) -> Tensor:
        """Attended values without their bias, [batch, channels, time], to the output of the same shape."""
        assert self.value.bias is not None and self.out.bias is not None
        weight = self.out.weight[:, :, 0]
        # Weights add up to 1, so that a bias of values is the same before and after.
        bias = torch.addmv(self.out.bias, weight, self.value.bias)
        return self.dropout(products([weight], [attended], bias))

    def weights(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """Attention weights as `AttentionTrace` describes them."""
        query = split_heads(apply_pointwise(self.query, visual, steps_first=True), self.heads)
        key = split_heads(apply_pointwise(self.key, audio, steps_first=True), self.heads)
        weights = attention_weights(query, key, valid[:, 0], window=self.window)
        return weights * valid[:, :, :, None].to(weights.dtype)


def attend_levels(
    attentions: Sequence[CrossAttention], visual: Sequence[Tensor], audio: Sequence[Tensor], valid: Sequence[Tensor]
) -> list[Tensor]:
    """What several levels hear, in one go: all that a level has of its own are products.

    Args:
        attentions: of each level, with heads and window in common.
        visual, audio: [batch, channels, time of the level] each.
        valid: [batch, 1, time of the level] bool each.
    Returns: [batch, channels, time of the level] each.
    """
    lengths, window = [level.shape[-1] for level in visual], attentions[0].window
    of_queries, of_keys = rooms(sum(lengths), window)

    def projected(name: str, features: Sequence[Tensor], room: tuple[int, int], *, biased: bool) -> Tensor:
        convs = [attention.get_submodule(name) for attention in attentions]
        weights = [conv.weight[:, :, 0] for conv in convs]
        row = products_in_row(weights, features, [conv.bias if biased else None for conv in convs], room=room)
        return split_heads(row, attentions[0].heads)

    attended = attend(
        projected("query", visual, of_queries, biased=True),
        # A bias of keys moves all scores of a query alike, which no softmax notices; only training counts it in.
        projected("key", audio, of_keys, biased=torch.is_grad_enabled()),
        projected("value", audio, of_keys, biased=False),
        torch.cat(list(valid), dim=-1)[:, 0],
        window=window,
        lengths=lengths,
    )
    parts = join_heads(attended).split(lengths, dim=-1)
    return [attention.answer(part) for attention, part in zip(attentions, parts, strict=True)]


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
        features = {"visual": [visual], "audio": [audio], "both": [visual, audio]}[self.source]
        scores = apply_pointwise(self.score, *features)
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
        self, visual: Tensor, audio: Tensor, valid: Tensor, *, opening: float = 1.0, attended: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Fused features [batch, channels, time] and, for `mrav`, the gate [batch, 1 or channels, time].

        `opening` is the share of the gate that is let through; `attended` what `attention` hears, where
        that is known.
        """
        if self.merge is not None:
            return apply_pointwise(self.merge, visual, audio), None
        heard = audio
        if self.attention is not None:
            heard = self.attention(visual, audio, valid) if attended is None else attended
        if self.gate is None:
            return visual + heard, None
        gate, heard = (self.gate(visual, audio) * valid).to(visual.dtype), heard.to(visual.dtype)
        if opening != 1:
            gate = gate * opening
        if self.mix == "residual":
            return torch.addcmul(visual, gate, heard), gate
        return torch.lerp(visual, heard, gate), gate
