"""Bring one modality onto the grid of another by time stamps.

Stretching one array to the other's length would shift sound against vision
whenever the two were cut differently; here only time stamps decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import FeatureError
from mravff_core.time_grid import TimeGrid

Array = NDArray[np.floating]


def to_grid(
    features: Array, grid: TimeGrid, target_grid: TimeGrid, steps: int, *, fill: Array | None = None
) -> NDArray[np.float32]:
    """Resample features onto `target_grid`.

    Where the target is finer, values are interpolated linearly between time stamps;
    where it is coarser, each target step is the mean over the time it stands for.

    Args:
        features: [channels, time] on `grid`.
        grid: time stamps of `features`.
        target_grid: time stamps wanted.
        steps: number of target steps.
        fill: [channels] value before the first and after the last feature, such as
            the features of silence; zeros if None.
    Returns: [channels, steps] float32.
    Raises: FeatureError if `features` is not two-dimensional or has no time step.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] == 0:
        raise FeatureError(f"features to align are {list(features.shape)}, expected [channels, time] with time above 0")
    outside = np.zeros(features.shape[0]) if fill is None else np.asarray(fill, dtype=np.float64)
    time_s = target_grid.to_seconds(np.arange(steps, dtype=np.float64))
    position_grid = grid.from_seconds(time_s)
    hop_ratio = target_grid.hop_s / grid.hop_s
    if hop_ratio <= 1:
        aligned, covered = _interpolate(features, position_grid)
    else:
        aligned, covered = _average(features, position_grid, hop_ratio)
    return np.where(covered, aligned, outside[:, None]).astype(np.float32)


def _interpolate(features: Array, position_grid: Array) -> tuple[Array, NDArray[np.bool_]]:
    last = features.shape[1] - 1
    inside = np.clip(position_grid, 0, last)
    left = np.floor(inside).astype(np.int64)
    right = np.minimum(left + 1, last)
    share = inside - left
    covered = (position_grid >= -0.5 - 1e-6) & (position_grid <= last + 0.5 + 1e-6)
    return features[:, left] * (1 - share) + features[:, right] * share, covered


def _average(features: Array, position_grid: Array, hop_ratio: float) -> tuple[Array, NDArray[np.bool_]]:
    """Mean over a cell of `hop_ratio` source steps, from differences of the running integral."""
    steps = features.shape[1]
    integral = np.zeros((features.shape[0], steps + 1))
    np.cumsum(features, axis=1, dtype=np.float64, out=integral[:, 1:])
    low = np.clip(position_grid + 0.5 - hop_ratio / 2, 0, steps)
    high = np.clip(position_grid + 0.5 + hop_ratio / 2, 0, steps)
    width = high - low
    covered = width > 1e-6
    total = _integral_at(integral, features, high) - _integral_at(integral, features, low)
    return total / np.where(covered, width, 1.0), covered


def _integral_at(integral: Array, features: Array, position: Array) -> Array:
    cell = np.minimum(np.floor(position).astype(np.int64), features.shape[1] - 1)
    return integral[:, cell] + features[:, cell] * (position - cell)
