"""What repeated trainings say together: means over seeds, their intervals, and paired differences.

Intervals are Student's: they hold the true mean in 95 % of all cases if the values are drawn from a
normal distribution. One value has no interval.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_LEVEL = 0.95


@dataclass(frozen=True)
class SeedMean:
    """A mean and where the true one lies.

    Attributes:
        mean: of the values.
        low, high: ends of the interval; None for a single value.
        count: how many values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_interval(values: Sequence[float]) -> SeedMean:
    """Mean of at least one value with its interval. Raises: ValueError without values."""
    array = np.asarray(values, np.float64)
    if array.size == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(array.mean())
    if array.size == 1:
        return SeedMean(mean, None, None, 1)
    from scipy import stats

    reach = float(stats.t.ppf((1 + _LEVEL) / 2, array.size - 1)) * float(array.std(ddof=1)) / math.sqrt(array.size)
    return SeedMean(mean, mean - reach, mean + reach, array.size)


def paired_difference(values: Mapping[int, float], reference: Mapping[int, float]) -> SeedMean | None:
    """Mean of `values - reference` over the seeds that both have; None where they share none."""
    shared = sorted(values.keys() & reference.keys())
    if not shared:
        return None
    return mean_interval([values[seed] - reference[seed] for seed in shared])


def plain(mean: SeedMean | None) -> dict[str, Any] | None:
    """Plain values that JSON can hold."""
    return None if mean is None else dataclasses.asdict(mean)
