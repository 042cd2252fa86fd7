"""Scalable-granularity perception (SGP): what TriDet has in place of attention.

Reference: Shi et al., TriDet: Temporal action detection with relative boundary modeling,
CVPR 2023, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.config import BaseConfig
from mravff_core.model.bases.group_norm import StepGroupNorm
from mravff_core.model.bases.padding import sgp_windows
from mravff_core.model.chance import drop_path
from mravff_core.model.layers import ChannelNorm, MaskedMaxPool, StepMask
from mravff_core.model.pieces import in_pieces
from mravff_core.model.products import Pointwise


class Depthwise(nn.Conv1d):
    """Convolution of each channel with its own kernel, of odd width; weights start with a standard deviation."""

    def __init__(self, channels: int, kernel: int, spread: float) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels)
        assert self.bias is not None
        nn.init.normal_(self.weight, std=spread)
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape, [batch, channels, time]."""
        if self.kernel_size[0] > 1:
            return super().forward(features)
        assert self.bias is not None
        # As a convolution this takes five times as long.
        return (features * self.weight[:, 0]).add_(self.bias[:, None])


class SGPBlock(nn.Module):
    """Halves time, then mixes each step with the clip's mean and with two neighbourhoods.

    Args:
        window: steps of the narrow neighbourhood, odd.
        wide: steps of the wide one, odd.
        hidden: width of the feed-forward layer.
        groups: channel groups of the norm before it.
        spread: standard deviation that depthwise weights start with.
        average: halve by a mean and a projection rather than by the maximum.
    """

    def __init__(
        self,
        channels: int,
        *,
        window: int,
        wide: int,
        hidden: int,
        groups: int,
        stride: int = 1,
        path_dropout: float = 0.0,
        spread: float = 0.0,
        average: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.reach = None  # for the mean
        self.pool = AveragePool(channels, stride) if average and stride > 1 else MaskedMaxPool(stride)
        self.norm = ChannelNorm(channels)
        self.instant = Depthwise(channels, 1, spread)
        self.instant_gate = Depthwise(channels, 1, spread)
        self.narrow = Depthwise(channels, window, spread)
        self.wide = Depthwise(channels, wide, spread)
        self.window_gate = Depthwise(channels, window, spread)
        self.mix_path = drop_path(channels, path_dropout)
        self.group_norm = StepGroupNorm(channels, groups)
        self.mlp = nn.Sequential(Pointwise(channels, hidden), nn.GELU(), Pointwise(hidden, channels))
        self.mlp_path = drop_path(channels, path_dropout)

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]; 0 at steps that do not exist."""
        return self.mix(self.halve(features, steps), steps.every(self.stride))

    def halve(self, features: Tensor, steps: StepMask) -> Tensor:
        """Every `stride`-th step; `steps` are those of the input; 0 at steps that do not exist."""
        return steps.every(self.stride).keep_present(self.pool.pool(features, steps))

    def mix(self, features: Tensor, steps: StepMask) -> Tensor:
        """Same shape; 0 at steps that do not exist."""

        def norm(features: Tensor, steps: StepMask) -> Tensor:
            return steps.keep_present(self.norm(features))

        def mix(features: Tensor, normed: Tensor, steps: StepMask) -> Tensor:
            near = functional.conv1d(normed, weight, bias, padding=reach, groups=len(weight))
            mixed = (normed * own).add_(everywhere).add_(near * self.window_gate(normed))
            return steps.keep_valid(features) + self.mix_path(mixed)

        def feed_forward(mixed: Tensor, steps: StepMask) -> Tensor:
            fed = self.mlp(self.group_norm.scaled(mixed, centre, scale))
            return steps.keep_present(mixed + self.mlp_path(fed))

        # The means over all steps stand between what can be done piece by piece.
        normed = in_pieces(norm, [features], steps, reach=0, whole=self.training)
        overall = torch.relu(self.instant_gate(steps.mean(normed)))
        # Step by step, the clip's mean only scales a step and adds to it, and both windows are one convolution.
        own, everywhere = self._instant(overall)
        weight, bias = self._both_windows()
        reach = weight.shape[-1] // 2
        mixed = in_pieces(mix, [features, normed], steps, reach=reach, whole=self.training)
        centre, scale = self.group_norm.centre_and_scale(mixed, steps)
        return in_pieces(feed_forward, [mixed], steps, reach=0, whole=self.training)

    def _instant(self, overall: Tensor) -> tuple[Tensor, Tensor]:
        """What a normed step is multiplied with and what is then added, [batch, channels, 1] each; itself included."""
        assert self.instant.bias is not None
        return 1 + overall * self.instant.weight[:, 0], overall * self.instant.bias[:, None]

    def _both_windows(self) -> tuple[Tensor, Tensor]:
        """Weight [channels, 1, wider window] and bias [channels] of the narrow and the wide convolution together."""
        narrow, wide = self.narrow, self.wide
        assert narrow.bias is not None
        assert wide.bias is not None
        reach = max(narrow.kernel_size[0], wide.kernel_size[0]) // 2
        weights = [functional.pad(conv.weight, (reach - conv.kernel_size[0] // 2,) * 2) for conv in (narrow, wide)]
        return weights[0] + weights[1], narrow.bias + wide.bias


class AveragePool(nn.Module):
    """Mean of every `stride` steps, of those that exist, and a projection."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.project = Pointwise(channels, channels)

    def pool(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]; anything where no step exists."""
        mean = functional.avg_pool1d(steps.keep_present(features), self.stride)
        if steps.present is not None:
            share = functional.avg_pool1d(steps.present.to(features.dtype), self.stride)
            mean = mean / share.clamp(min=1 / self.stride)
        return self.project(mean)


def sgp_block(config: BaseConfig, level: int, stride: int) -> SGPBlock:
    """A block of the stem (stride 1) or the one that makes a level."""
    window, wide = _windows(config, level)
    return SGPBlock(
        config.embed_channels,
        window=window,
        wide=wide,
        hidden=config.sgp_hidden,
        groups=config.sgp_groups,
        stride=stride,
        path_dropout=config.drop_path if level > 0 else 0.0,
        spread=config.sgp_spread,
        average=config.pooling == "average",
    )


def reach(config: BaseConfig, level: int) -> int:
    """Steps to either side that one block of a level sees; level 0 is the stem."""
    return max(_windows(config, level)) // 2


def _windows(config: BaseConfig, level: int) -> tuple[int, int]:
    """Narrow and wide window; the wide one is a step longer where the ratio gives an even number."""
    window = sgp_windows(config)[level] if level > 0 else 1
    return window, round((window + 1) * config.sgp_ratio) // 2 * 2 + 1
