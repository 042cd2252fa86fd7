"""Means of grouped values with intervals from drawing whole clips anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import ConfigError
from mravff_core.evaluation.few_clips import expanded_tail
from mravff_core.evaluation.spread import draw_clips, quantiles

Floats = NDArray[np.float64]
_SEED = 0
_TAIL = 0.025


@dataclass(frozen=True)
class GroupMeans:
    """Means with 95 % intervals, all of one shape; not a number where there is nothing to average."""

    mean: Floats
    low: Floats
    high: Floats


def mean_by_group(
    values: Floats, groups: NDArray[np.int64], clips: NDArray[np.int64], *, size: int, resamples: int
) -> GroupMeans:
    """Mean of each group's rows, every row counting alike, with its interval over clips.

    A resample without any row of a group says nothing about that group and is left out for it; a
    group whose rows all lie in one clip has no interval, since one clip says nothing about others.

    Args:
        values: [rows, columns]; not a number counts for nothing.
        groups: [rows] 0 to size - 1.
        clips: [rows] number of each row's clip.
        size: of groups.
        resamples: 0 for no intervals.
    Returns: [size, columns].
    Raises: ConfigError for a negative number of resamples.
    """
    if resamples < 0:
        raise ConfigError(f"resamples is {resamples}, expected 0 or more")
    columns = values.shape[1]
    count = int(clips.max()) + 1 if len(clips) else 0
    known = np.isfinite(values)
    cell = clips * size + groups
    sums = _summed(np.where(known, values, 0.0), cell, count * size).reshape(count, size * columns)
    counts = _summed(known.astype(np.float64), cell, count * size).reshape(count, size * columns)
    mean = _divide(sums.sum(axis=0), counts.sum(axis=0)).reshape(size, columns)
    if not resamples or not count:
        return GroupMeans(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    draws = draw_clips(count, resamples, _SEED).astype(np.float64)
    telling = (counts > 0).sum(axis=0)
    low, high = interval_ends(_divide(draws @ sums, draws @ counts), np.maximum(telling, 2))
    low[telling < 2] = high[telling < 2] = np.nan
    return GroupMeans(mean, low.reshape(size, columns), high.reshape(size, columns))


def interval_ends(resampled: Floats, clips: NDArray[np.int64] | int) -> tuple[Floats, Floats]:
    """Ends of the 95 % interval of each column of [resamples, columns], without what is not a number.

    Args:
        clips: [columns] that each column tells of, 2 or more, or one number for all; see `few_clips`.
    """
    tail = expanded_tail(_TAIL, np.broadcast_to(clips, resampled.shape[1]))
    ordered = np.sort(resampled, axis=0)
    return quantiles(ordered, tail), quantiles(ordered, 1 - tail)


def _summed(values: Floats, cell: NDArray[np.int64], cells: int) -> Floats:
    """Sums of rows by cell, [cells, columns]."""
    return np.stack([np.bincount(cell, weights=column, minlength=cells) for column in values.T], axis=1)


def _divide(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
