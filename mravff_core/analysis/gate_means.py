"""The mean gate of a run under one audio condition, and how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mravff_core.analysis.resampling import interval_ends
from mravff_core.evaluation.spread import draw_clips

_SEED = 0


def gate_interval(means: pd.DataFrame, *, resamples: int = 1000) -> tuple[float, float, float]:
    """Mean gate over all steps of each level and then over levels, with a 95 % interval.

    Args:
        means: of `Run.mean_gates`.
        resamples: clips are drawn anew this often; 0 for no interval.
    Returns: mean, low, high in [0, 1]; not numbers where there is nothing to tell, as of one clip about others.
    """
    if means.empty:
        return np.nan, np.nan, np.nan
    steps = means.pivot_table(index="clip_id", columns="level", values="steps", fill_value=0).to_numpy(np.float64)
    gates = means.pivot_table(index="clip_id", columns="level", values="gate", fill_value=0.0).to_numpy(np.float64)
    mean = float(((steps * gates).sum(axis=0) / steps.sum(axis=0)).mean())
    clips = len(steps)
    if not resamples or clips < 2:
        return mean, np.nan, np.nan
    draws = draw_clips(clips, resamples, _SEED)
    resampled = ((draws @ (steps * gates)) / (draws @ steps)).mean(axis=1)
    (low,), (high,) = interval_ends(resampled[:, None], clips)
    return mean, float(low), float(high)
