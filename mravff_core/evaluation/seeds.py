"""What repeated trainings say together: means over seeds, their intervals, and paired differences.

Intervals are Student's: with n values they hold the true mean in `confidence` of all cases if
the values are drawn from a normal distribution. One value has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean and where the true one lies.

    Attributes:
        mean: of the values.
        low, high: ends of the confidence interval; None for a single value.
        count: how many values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Mean of at least one value with its interval. Raises: ValueError without values."""
    array = np.asarray(values, np.float64)
    if array.size == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, None, None, 1)
    from scipy import stats

    reach = float(stats.t.ppf((1 + confidence) / 2, array.size - 1)) * float(array.std(ddof=1)) / math.sqrt(array.size)
    return Interval(mean, mean - reach, mean + reach, array.size)


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float], *, confidence: float = 0.95
) -> Interval | None:
    """Mean of `values - reference` over the seeds that both have; None where they share none."""
    shared = sorted(values.keys() & reference.keys())
    if not shared:
        return None
    return mean_interval([values[seed] - reference[seed] for seed in shared], confidence=confidence)
