"""Heads shared by all levels: what happens at a step, and how far away it starts and ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mravff_core.config import BaseConfig
from mravff_core.model.bases.base import Pyramid
from mravff_core.model.bases.blocks import ConvNormRelu
from mravff_core.model.bases.level_rows import level_rows
from mravff_core.model.layers import MaskedConv1d, StepMask
from mravff_core.model.pieces import in_pieces

_EMPTY_CLASS_PROBABILITY = 1e-6


class _Tower(nn.Module):
    """Convolutions of one head, applied to each level alike.

    Args:
        speaks_of_padding: what is said last is not 0 at padding that exists.
    """

    def __init__(self, config: BaseConfig, outputs: int, kernel: int, *, speaks_of_padding: bool = False) -> None:
        super().__init__()
        hidden = config.head_layers - 1
        widths = [config.neck_channels] + [config.head_channels] * hidden
        self.layers = nn.ModuleList(
            [
                ConvNormRelu(
                    widths[i],
                    widths[i + 1],
                    kernel,
                    norm=config.head_norm,
                    margin=config.norm_margin,
                    silent=config.silent_padding,
                )
                for i in range(hidden)
            ]
        )
        self.out = MaskedConv1d(widths[-1], outputs, kernel)
        self.speaks_of_padding = speaks_of_padding
        self.reach = config.head_layers * (kernel // 2)

    def forward(self, pyramid: Pyramid) -> list[Tensor]:
        """[batch, outputs, time] per level."""
        answers: list[Tensor] = []
        for row in level_rows(pyramid, room=self.out.kernel_size[0] // 2):
            if row.gaps is None:
                reach, whole = self.reach, self.training
                answers.append(in_pieces(self._apply_layers, [row.features], row.steps, reach=reach, whole=whole))
            else:
                answers.extend(row.levels(self._apply_layers(row.features, row.steps, row.gaps)))
        return answers

    def _apply_layers(self, features: Tensor, steps: StepMask, gaps: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            features = layer(features, steps)
            if gaps is not None:
                features.index_fill_(-1, gaps, 0.0)
        if self.speaks_of_padding:
            steps = steps.padding_as_valid()
        # What is said last is not rounded, lest many scores come out equal.
        with torch.autocast(features.device.type, enabled=False):
            return self.out(features.to(self.out.weight.dtype), steps)


class ClassHead(nn.Module):
    """Logit of every class at every step.

    The bias starts at `class_prior`, so that a fresh head does not drown the few true steps;
    classes without training segments start far below it.

    Args:
        speaks_of_padding: padding that exists has logits, too.
    """

    def __init__(self, config: BaseConfig, classes: int, kernel: int, *, speaks_of_padding: bool = False) -> None:
        super().__init__()
        self.tower = _Tower(config, classes, kernel, speaks_of_padding=speaks_of_padding)
        bias = self.tower.out.bias
        assert bias is not None
        nn.init.constant_(bias, _logit(config.class_prior))
        with torch.no_grad():
            bias[list(config.empty_classes)] = _logit(_EMPTY_CLASS_PROBABILITY)

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Class logits [batch, time, classes] per level."""
        return tuple(level.transpose(1, 2) for level in self.tower(pyramid))


class DistanceHead(nn.Module):
    """Scores >= 0 at every step, with one learnt scale per level.

    The bias starts at 1: a score that falls below 0 at every step gets no gradient ever again, and around a
    start of 0 that befalls a start or an end now and then.
    """

    def __init__(self, config: BaseConfig, outputs: int, levels: int) -> None:
        super().__init__()
        self.tower = _Tower(config, outputs, config.head_kernel)
        assert self.tower.out.bias is not None
        nn.init.ones_(self.tower.out.bias)
        self.scales = nn.ParameterList([nn.Parameter(torch.tensor(1.0)) for _ in range(levels)])

    @property
    def reach(self) -> int:
        """Steps to either side that distances at a step depend on."""
        return self.tower.reach

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """[batch, time, outputs] per level."""
        scales = list(self.scales)[pyramid.first :]
        return tuple(
            torch.relu(level * scale).transpose(1, 2) for level, scale in zip(self.tower(pyramid), scales, strict=False)
        )


class BoundaryHead(DistanceHead):
    """Distances to start and end at every step."""

    def __init__(self, config: BaseConfig, levels: int) -> None:
        super().__init__(config, 2, levels)

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Offsets [batch, time, 1, 2] per level, >= 0, in strides of the own level."""
        return tuple(level[:, :, None] for level in super().forward(pyramid))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
