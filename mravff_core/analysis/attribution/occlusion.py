"""Where in time, asked differently: replace a window by the baseline and see how the score falls.

Needs nothing but scores, so it is a second opinion on gradients. Windows do not overlap: fine
ones around the explained segment, coarse ones for the rest of the clip, some dozens in all.

Reference: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import FeatureAblation
from numpy.typing import NDArray
from scipy.stats import rankdata

from mravff_core.analysis.attribution.scorer import Inputs, Scorer, without_rounding

NEAR, FAR = 24, 8
# How far the fine windows reach beyond the segment, in its own lengths.
_MARGIN = 1.0


@dataclass(frozen=True)
class Occlusion:
    """Fall of the score for every window.

    Attributes:
        edges: [windows + 1] first feature step of each window and the end of the last.
        audio, vision: [windows] score minus score without the window; audio is 0 without sound.
    """

    edges: NDArray[np.int64]
    audio: NDArray[np.float64]
    vision: NDArray[np.float64]


def windows(steps: int, start: float, end: float, *, near: int = NEAR, far: int = FAR) -> NDArray[np.int64]:
    """Edges of at most `near + far + 1` windows over `steps` steps, finer around `start` to `end`.

    Args:
        steps: feature steps of the clip.
        start, end: of the explained segment in feature steps.
        near: windows around the segment, where it is long enough for as many.
        far: windows over the rest.
    """
    length = max(1.0, end - start)
    low = int(np.clip(np.floor(start - _MARGIN * length), 0, steps - 1))
    high = int(np.clip(np.ceil(end + _MARGIN * length) + 1, low + 1, steps))
    fine = _split(low, high, near)
    rest = low + steps - high
    if not rest:
        return fine
    before = _split(0, low, max(1, round(far * low / rest))) if low else np.zeros(1, np.int64)
    after = _split(high, steps, max(1, round(far * (steps - high) / rest))) if high < steps else fine[-1:]
    return np.unique(np.concatenate([before, fine, after]))


def occlusion(scorer: Scorer, inputs: Inputs, baseline: Inputs, edges: NDArray[np.int64], *, score: float) -> Occlusion:
    """Occlude every window of either modality, one at a time.

    Args:
        inputs, baseline: [1, channels, time] each.
        edges: as `windows` gives them.
        score: of the inputs.
    """
    given = tuple(part for part in inputs if part is not None)
    against = tuple(part for part in baseline if part is not None)
    count = len(edges) - 1
    number = np.repeat(np.arange(count), np.diff(edges))
    mask = torch.from_numpy(number).to(given[0].device)[None, None]
    masks = tuple(mask + modality * count for modality in range(len(given)))
    with torch.no_grad():
        found = FeatureAblation(scorer).attribute(
            given, baselines=against, feature_mask=masks, perturbations_per_eval=min(scorer.chunk, count)
        )
    falls = [
        np.array([without_rounding(fall, score) for fall in part[0, 0, edges[:-1].tolist()].tolist()]) for part in found
    ]
    return Occlusion(edges, falls[1] if len(falls) > 1 else np.zeros(count), falls[0])


def sums_within(values: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of [time] values inside each window."""
    return np.add.reduceat(values, edges[:-1])


def agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Rank correlation (Spearman) from -1 to 1; None where either says the same of all windows."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def _split(low: int, high: int, most: int) -> NDArray[np.int64]:
    """Edges that cut `low` to `high` into at most `most` windows of nearly equal length."""
    count = min(most, high - low)
    return np.unique(np.round(np.linspace(low, high, count + 1)).astype(np.int64))
