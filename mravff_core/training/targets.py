"""What each point of the pyramid should have said.

Reference: Zhang et al., ActionFormer, ECCV 2022, section 3.4: a point is positive for a
segment if it lies near the segment's centre and the level's range fits the distances to its
ends; of several the shortest wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mravff_core.config import TrainConfig
from mravff_core.errors import ConfigError

# Segments this close in length, in finest steps, count as equally short.
_SAME_LENGTH_GRID = 1e-3


@dataclass(frozen=True)
class Points:
    """All points of all levels, finest level first.

    Attributes:
        position_grid: [points] in finest steps.
        stride: [points] of the point's level.
        range_low, range_high: [points] of the level's regression range, in finest steps.
    """

    position_grid: Tensor
    stride: Tensor
    range_low: Tensor
    range_high: Tensor

    @classmethod
    def of_levels(cls, lengths: Sequence[int], strides: Sequence[int], ranges: Sequence[tuple[float, float]]) -> Points:
        """Points of levels with `lengths` steps. Raises: ConfigError unless there is a range for each level."""
        if not len(lengths) == len(strides) == len(ranges):
            raise ConfigError(f"train.regression_range has {len(ranges)} levels, expected {len(strides)}")
        position = torch.cat([torch.arange(n) * stride for n, stride in zip(lengths, strides, strict=True)])

        def spread(values: Sequence[float]) -> Tensor:
            return torch.cat([torch.full((n,), float(value)) for n, value in zip(lengths, values, strict=True)])

        return cls(position.float(), spread(strides), spread([r[0] for r in ranges]), spread([r[1] for r in ranges]))


@dataclass(frozen=True)
class Targets:
    """Targets of every point of one clip.

    Attributes:
        classes: [points, classes] 0 or 1; a row of zeros is background.
        offsets: [points, 2] distances to start and end in strides; only rows of positive points mean anything.
    """

    classes: Tensor
    offsets: Tensor


def point_targets(points: Points, segments_grid: Tensor, labels: Tensor, classes: int, config: TrainConfig) -> Targets:
    """Targets of one clip.

    Args:
        points: of the pyramid.
        segments_grid: [n, 2] start and end in finest steps.
        labels: [n] class indices.
        classes: how many there are.
        config: centre sampling.
    """
    count = len(points.position_grid)
    if len(segments_grid) == 0:
        return Targets(torch.zeros(count, classes), torch.zeros(count, 2))
    position, stride = points.position_grid[:, None], points.stride[:, None]
    start, end = segments_grid[None, :, 0], segments_grid[None, :, 1]
    distances = torch.stack([position - start, end - position], dim=-1)
    inside = _inside(position, stride, start, end, distances, config)
    farthest = distances.amax(dim=-1)
    fits = (farthest >= points.range_low[:, None]) & (farthest <= points.range_high[:, None])
    length = (end - start).expand(count, -1).masked_fill(~(inside & fits), torch.inf)
    shortest, chosen = length.min(dim=1)
    wanted = (length <= shortest[:, None] + _SAME_LENGTH_GRID) & length.isfinite()
    one_hot = torch.nn.functional.one_hot(labels, classes).to(distances.dtype)
    offsets = distances[torch.arange(count), chosen] / stride
    return Targets((wanted.to(distances.dtype) @ one_hot).clamp(max=1.0), offsets)


def _inside(
    position: Tensor, stride: Tensor, start: Tensor, end: Tensor, distances: Tensor, config: TrainConfig
) -> Tensor:
    """[points, segments] whether a point may stand for a segment."""
    if config.centre_sampling == "none":
        return distances.amin(dim=-1) > 0
    centre, radius = (start + end) / 2, stride * config.centre_radius
    left = position - torch.maximum(centre - radius, start)
    right = torch.minimum(centre + radius, end) - position
    return torch.minimum(left, right) > 0
