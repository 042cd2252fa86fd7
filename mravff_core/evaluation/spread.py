"""Clips drawn again, and what values over many such draws say: ends of intervals, p, and p for many at once.

Drawing clips more than once flatters rare labels: where such a label was drawn at all, it was
often drawn twice, beside as many wrong detections as ever. Draws are therefore moved by their own
bias, so that their mean is the value of the clips as they are, and intervals are percentiles of
the moved draws, farther out the fewer the clips (see `few_clips`); p is larger by the same rule. Of
1,000 draws, five clips or fewer never give a p below 0.05. One clip says nothing about others: there
is no interval and no p (NaN).

Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; Benjamini and Hochberg,
Controlling the false discovery rate, 1995.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from mravff_core.evaluation.few_clips import expanded_tail, plain_tail

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Samples = NDArray[np.floating]
_COLUMNS_AT_ONCE = 2048


def draw_clips(clips: int, resamples: int, seed: int) -> Integers:
    """[resamples, clips] how often each clip was drawn; each row sums to `clips`."""
    return np.random.default_rng(seed).multinomial(clips, np.full(clips, 1 / clips), size=resamples)


def spread(
    values: Floats | float, samples: Samples, level: float, clips: Integers | int
) -> tuple[Floats, Floats, Floats]:
    """Interval of each value over its draws and two-sided p; NaN where one clip holds all that it is about.

    Args:
        values: [n] of the clips as they are, or one.
        samples: [draws, n]; NaN draws say nothing.
        level: how often intervals are to hold the truth, in (0, 1).
        clips: [n] that each value tells of, or one number for all.
    Returns: low, high, p, each [n].
    """
    counted = np.asarray(clips)
    enough = np.maximum(counted, 2)
    low, high, beyond = _moved_spread(values, samples, expanded_tail((1 - level) / 2, enough))
    p = 2 * plain_tail(beyond, enough)
    low, high, p = (np.where(counted < 2, np.nan, each) for each in (low, high, p))
    return low, high, p


def difference_spread(
    values: Floats | float, samples: Samples, level: float, clips: Integers | int
) -> tuple[Floats, Floats, Floats]:
    """As `spread`; the interval holds 0 wherever p does not rule it out, however few draws there are."""
    low, high, p = spread(values, samples, level, clips)
    open_sign = p >= 1 - level
    return np.where(open_sign, np.minimum(low, 0), low), np.where(open_sign, np.maximum(high, 0), high), p


def moved(draws: Floats, value: float) -> Floats:
    """Draws moved to have a value as mean; those that say nothing stay NaN."""
    return draws + (value - mean_without_nan(draws, 0))


def quantiles(ordered: Samples, share: Floats | float) -> Floats:
    """Value below which a share of each column lies, between two values where it falls between them.

    Args:
        ordered: [draws, n] ascending; NaN last, which do not count.
        share: [n] in [0, 1], or one for all.
    Returns: [n]; NaN where a column has nothing else.
    """
    last = np.maximum((~np.isnan(ordered)).sum(axis=0) - 1, 0)
    place = share * last
    under = place.astype(np.int64)
    over = np.minimum(under + 1, last)
    first, second = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (under, over))
    return first + (place - under) * (second - first)


def mean_without_nan(samples: Samples, axis: int) -> Floats:
    """Mean without NaN in double precision; NaN where there is nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(samples, axis=axis, dtype=np.float64)


def false_discovery(p: Floats) -> Floats:
    """Benjamini and Hochberg's adjusted values; NaN stays and does not count."""
    order = np.argsort(-p)[: int((~np.isnan(p)).sum())]
    share = p[order] * len(order) / np.arange(len(order), 0, -1)
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum.accumulate(np.minimum(share, 1.0))
    return adjusted


def _moved_spread(values: Floats | float, samples: Samples, tail: Floats) -> tuple[Floats, Floats, Floats]:
    """Ends that leave a share of the draws, moved to have the value as mean, to either side; how many lie beyond 0.

    Args:
        values, samples: as of `spread`.
        tail: [n], or one for all.
    Returns: low, high and the share of draws on the far side of 0, at most a half, each [n].
    """
    if samples.ndim == 2 and samples.shape[1] > _COLUMNS_AT_ONCE:
        parts = [slice(first, first + _COLUMNS_AT_ONCE) for first in range(0, samples.shape[1], _COLUMNS_AT_ONCE)]
        tails = np.broadcast_to(tail, samples.shape[1])
        spreads = [_moved_spread(np.asarray(values)[part], samples[:, part], tails[part]) for part in parts]
        low, high, beyond = (np.concatenate(pieces) for pieces in zip(*spreads, strict=True))
        return low, high, beyond
    ordered = np.sort(samples, axis=0)
    drawn = (~np.isnan(ordered)).sum(axis=0)
    move = values - mean_without_nan(samples, 0)
    low, high = (quantiles(ordered, share) + move for share in (tail, 1 - tail))
    below, above = (ordered + move <= 0).sum(axis=0), (ordered + move >= 0).sum(axis=0)
    return low, high, np.minimum(0.5, (np.minimum(below, above) + 1) / (drawn + 1))
