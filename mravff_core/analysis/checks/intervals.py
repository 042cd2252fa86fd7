"""Numbers with intervals: means and areas under the ROC curve, by bootstrap over clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value, low, high: None where it is undefined, as with one kind of segment only.
        count: how many segments it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def area_under_curve(scores: NDArray[np.float64], positive: NDArray) -> float:
    """Chance that a positive scores above a negative, ties counting half; not-a-number without both kinds."""
    positive = positive.astype(bool)
    many = int(positive.sum())
    if many in (0, len(positive)):
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * (len(positive) - many)))


def estimate(
    values: Sequence[float], clips: Sequence[str], statistic: Callable[..., float], *more: Sequence[float]
) -> Estimate:
    """A statistic with an interval from drawing clips anew, the same each time.

    Args:
        values: one a segment.
        clips: whose they are.
        statistic: of the values and of each of `more`, all alike resampled.
    """
    columns = [np.asarray(column) for column in (values, *more)]
    groups = [np.flatnonzero(np.asarray(clips) == clip) for clip in sorted(set(clips))]
    whole = statistic(*columns) if len(columns[0]) else float("nan")
    if not np.isfinite(whole):
        return Estimate(None, None, None, len(columns[0]))
    generator = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([groups[place] for place in generator.integers(len(groups), size=len(groups))])
        found.append(statistic(*(column[rows] for column in columns)))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Estimate(float(whole), float(low), float(high), len(columns[0]))


def mean_of(values: Sequence[float], clips: Sequence[str]) -> Estimate:
    """A mean with its interval."""
    return estimate(values, clips, lambda column: float(np.mean(column)))
