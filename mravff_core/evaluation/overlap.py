"""How much two segments overlap, as every compiled loop of matching asks it.

Numba keeps what it compiled from one file when another changes: after a change here, the caches of the callers
(`__pycache__`) must go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mravff_core.compiled import compiled


@compiled()
def tiou(segment: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Temporal intersection over union of two [start, end]; 0 where the union has no length."""
    inter = max(0.0, min(segment[1], other[1]) - max(segment[0], other[0]))
    union = (segment[1] - segment[0]) + (other[1] - other[0]) - inter
    return inter / union if union > 0 else 0.0
