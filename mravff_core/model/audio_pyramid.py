"""Audio features at the resolution of every level of a visual pyramid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.model.derived import Derived
from mravff_core.model.layers import ChannelNorm, MaskedConv1d
from mravff_core.model.products import products


@dataclass(frozen=True)
class Factored:
    """Audio features of a level as a product: `weight.T @ columns + shift` at every real step.

    Cheaper to multiply with, since there are fewer columns than features have channels.

    Attributes:
        columns: [batch, fewer, time].
        weight: [fewer, channels].
        shift: [channels].
    """

    columns: Tensor
    weight: Tensor
    shift: Tensor

    def features(self) -> Tensor:
        """[batch, channels, time]; at steps that are not real, anything finite."""
        return self.weight.mT @ self.columns + self.shift[:, None]


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
        self._matrices = Derived(_matrices)

    def forward(
        self, audio: Tensor, valid: Tensor, count: int, *, factored: bool = False
    ) -> tuple[Tensor | Factored, ...]:
        """[batch, audio channels, time] and its mask [batch, 1, time] to [batch, channels, time] of `count` levels.

        They lie steps first in memory, as norms, maxima and attention are quickest with. With `factored`,
        a finest level of stride 1 may come in factors.
        """
        whole = bool(valid.all())
        features, factors = self._enter(audio if whole else audio.masked_fill(~valid, 0.0))
        valid = valid.transpose(1, 2)
        # Finite, so that a maximum over nothing real can still be set to 0.
        lowest = torch.finfo(features.dtype).min
        levels: list[Tensor | Factored] = []
        for stride in self.pool_strides[:count]:
            if stride > 1:
                features = _pooled(features if whole else features.masked_fill(~valid, lowest), stride)
                valid = valid[:, ::stride]
            if factored and factors is not None and stride == 1 and not levels:
                levels.append(factors)
                continue
            if not whole:
                features = features * valid.to(features.dtype)
            levels.append(features.transpose(1, 2))
        return tuple(levels)

    def _enter(self, audio: Tensor) -> tuple[Tensor, Factored | None]:
        """Convolution and norm of [batch, audio channels, time], [batch, time, channels]."""
        time, reach, norm = audio.shape[-1], self.conv.kernel_size[0] // 2, self.norm
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        # Products are quickest with steps first.
        steps = functional.pad(audio.transpose(1, 2), (0, 0, reach, reach))
        taps = [steps[:, tap : tap + time] for tap in range(2 * reach + 1)]
        if weight[0].numel() >= len(weight):
            taps = [tap.transpose(1, 2) for tap in taps]
            return norm.steps_first(products(weight.unbind(-1), taps, bias, steps_first=True)), None
        # Copies of an input that narrow are smaller than the output, and one product is quicker than several.
        columns = torch.cat([*taps, steps.new_ones(len(steps), time, 1)], dim=2).transpose(1, 2)
        matrix, centred = self._matrices(weight, bias, norm.weight)
        features = products([matrix.mT], [columns], None, steps_first=True)
        if torch.is_grad_enabled() or not features.dtype == norm.weight.dtype == torch.float32:
            return norm.steps_first(features), None
        features, _, spread = torch.native_layer_norm(features, norm.weight.shape, norm.weight, norm.bias, norm.eps)
        return features, Factored(columns.mul_(spread.transpose(1, 2)), centred, norm.bias)


def _matrices(weight: Tensor, bias: Tensor, norm_weight: Tensor) -> tuple[Tensor, Tensor]:
    """The convolution as a matrix for its input tap by tap and then 1, for its bias.

    Once alone and once with the norm that follows, but for the norm's spread and shift.
    """
    matrix = torch.cat([weight.transpose(1, 2).flatten(1), bias[:, None]], dim=1)
    centred = (matrix - matrix.mean(dim=0)) * norm_weight[:, None]
    return matrix.mT.contiguous(), centred.mT.contiguous()


def _pooled(features: Tensor, stride: int) -> Tensor:
    """Centred maximum of [batch, time, channels] as `MaskedMaxPool` takes it."""
    kept = -(-features.shape[1] // stride)
    found = features[:, ::stride]
    # Beyond the ends there is nothing that could raise the outermost steps.
    for offset in range(1, stride // 2 + 1):
        found = _raised(found, features[:, offset::stride], 0, own=offset > 1)
        found = _raised(found, features[:, stride - offset :: stride][:, : kept - 1], 1, own=True)
    return found


def _raised(features: Tensor, others: Tensor, first: int, *, own: bool) -> Tensor:
    """Maximum of [batch, time, channels], from a step on, with as many others; written in place where they may be."""
    last = first + others.shape[1]
    if last - first == features.shape[1]:
        return torch.maximum(features, others)
    if own and not torch.is_grad_enabled():
        torch.maximum(features[:, first:last], others, out=features[:, first:last])
        return features
    return torch.cat([features[:, :first], torch.maximum(features[:, first:last], others), features[:, last:]], dim=1)
