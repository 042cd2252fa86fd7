"""How far out intervals of few clips have to reach.

Clips drawn again vary by the variance of the clips at hand, which is too small by (n - 1) / n, and few
clips do not know that variance well. Expanded percentiles leave as small a share of the draws beyond an
interval's ends as makes up for both, exactly so for means of normal values.

Reference: Hesterberg, What teachers should know about the bootstrap, The American Statistician 2015,
on expanded percentile intervals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def expanded_tail(tail: float, clips: Integers) -> Floats:
    """Share of the draws of so many clips, 2 or more, beyond which a share `tail` of all truths is expected."""
    return special.ndtr(_widening(clips) * special.stdtrit(clips - 1, tail))


def plain_tail(beyond: Floats, clips: Integers) -> Floats:
    """The inverse of `expanded_tail`, for shares of the draws up to a half."""
    return special.stdtr(clips - 1, special.ndtri(beyond) / _widening(clips))


def _widening(clips: Integers) -> Floats:
    return np.sqrt(clips / (clips - 1))
