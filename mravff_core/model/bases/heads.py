"""Heads shared by all levels: what happens at a step, and how far away it starts and ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mravff_core.config import BaseConfig
from mravff_core.model.bases.base import Pyramid
from mravff_core.model.bases.blocks import ConvNormRelu
from mravff_core.model.layers import MaskedConv1d, StepMask, at_least_single
from mravff_core.model.pieces import in_pieces

_EMPTY_CLASS_PROBABILITY = 1e-6


class _Tower(nn.Module):
    """Convolutions of one head, applied to each level alike."""

    def __init__(self, config: BaseConfig, outputs: int, kernel: int) -> None:
        super().__init__()
        hidden = config.head_layers - 1
        widths = [config.neck_channels] + [config.head_channels] * hidden
        self.layers = nn.ModuleList(
            [ConvNormRelu(widths[i], widths[i + 1], kernel, norm=config.head_norm) for i in range(hidden)]
        )
        self.out = MaskedConv1d(widths[-1], outputs, kernel)
        self.reach = config.head_layers * (kernel // 2)

    def forward(self, level: Tensor, steps: StepMask) -> Tensor:
        return in_pieces(self._apply_layers, [level], steps, reach=self.reach, whole=self.training)

    def _apply_layers(self, level: Tensor, steps: StepMask) -> Tensor:
        for layer in self.layers:
            level = layer(level, steps)
        # What is said last is not rounded, lest many scores come out equal.
        with torch.autocast(level.device.type, enabled=False):
            return self.out(at_least_single(level), steps)


class ClassHead(nn.Module):
    """Logit of every class at every step.

    The bias starts at `class_prior`, so that a fresh head does not drown the few true steps;
    classes without training segments start far below it.
    """

    def __init__(self, config: BaseConfig, classes: int, kernel: int) -> None:
        super().__init__()
        self.tower = _Tower(config, classes, kernel)
        bias = self.tower.out.bias
        assert bias is not None
        nn.init.constant_(bias, _logit(config.class_prior))
        with torch.no_grad():
            bias[list(config.empty_classes)] = _logit(_EMPTY_CLASS_PROBABILITY)

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Class logits [batch, time, classes] per level."""
        return tuple(self.tower(level, steps).transpose(1, 2) for level, steps in level_pairs(pyramid))


class DistanceTower(nn.Module):
    """Scores >= 0 at every step, with one learnt scale per level."""

    def __init__(self, config: BaseConfig, outputs: int, levels: int) -> None:
        super().__init__()
        self.tower = _Tower(config, outputs, config.head_kernel)
        self.scales = nn.ParameterList([nn.Parameter(torch.tensor(1.0)) for _ in range(levels)])

    @property
    def reach(self) -> int:
        """Steps to either side that distances at a step depend on."""
        return self.tower.reach

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """[batch, time, outputs] per level."""
        scales = list(self.scales)[pyramid.first :]
        return tuple(
            torch.relu(self.tower(level, steps) * scale).transpose(1, 2)
            for (level, steps), scale in zip(level_pairs(pyramid), scales, strict=False)
        )


class BoundaryHead(DistanceTower):
    """Distances to start and end at every step."""

    def __init__(self, config: BaseConfig, levels: int) -> None:
        super().__init__(config, 2, levels)

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Offsets [batch, time, 1, 2] per level, >= 0, in strides of the own level."""
        return tuple(level[:, :, None] for level in super().forward(pyramid))


def level_pairs(pyramid: Pyramid) -> Sequence[tuple[Tensor, StepMask]]:
    """Levels with their masks."""
    return list(zip(pyramid.levels, pyramid.steps, strict=True))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
