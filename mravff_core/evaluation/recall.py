"""Recall among the best detections of each clip and label.

Recall at k is the share of true segments that some detection overlaps by the threshold, among the
k × n best of its clip and label, where n is the number of true segments there. Several true
segments may share a detection. Equal scores are ordered as for average precision.

Reference: Zhang et al., ActionFormer, ECCV 2022 (its code reports recall at 1 and 5 so).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.errors import ConfigError
from mravff_core.evaluation.overlap import tiou
from mravff_core.evaluation.tables import checked_thresholds, scene

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Recall:
    """Shares of true segments in [0, 1].

    Attributes:
        per_threshold: mean over labels; one row a threshold, one column a k.
        per_class: one row a label with true segments, columns by k and threshold.
    """

    per_threshold: pd.DataFrame
    per_class: pd.DataFrame


def recall_at_k(
    ground_truth: pd.DataFrame,
    detections: pd.DataFrame,
    tiou_thresholds: Sequence[float],
    *,
    ks: Sequence[int] = (1, 5),
    protocol: str = "epic",
) -> Recall:
    """Which share of the true segments is among the best detections.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`.
        detections: the same and `score`.
        tiou_thresholds: in (0, 1].
        ks: how many detections to look at for each true segment of the same clip and label.
        protocol: as for `mean_average_precision`.
    Raises: as `mean_average_precision`; ConfigError if a k is no whole number from 1.
    """
    if not ks or min(ks) < 1 or any(k != int(k) for k in ks):
        raise ConfigError(f"k is {list(ks)}, expected whole numbers from 1")
    thresholds = checked_thresholds(tiou_thresholds)
    scored = scene(ground_truth, detections, protocol)
    reached = _first_to_reach(scored.found_s, scored.first_truth, scored.last_truth, scored.truth_s, thresholds)
    place = scored.truth_class * len(scored.clips) + scored.truth_clip
    _, inverse, counts = np.unique(place, return_inverse=True, return_counts=True)
    share = np.zeros((len(ks), len(scored.labels), len(thresholds)))
    for number, k in enumerate(ks):
        within = reached <= k * counts[inverse]
        for level in range(len(thresholds)):
            share[number, :, level] = np.bincount(
                scored.truth_class, weights=within[level], minlength=len(scored.labels)
            )
    share /= scored.truth_count[None, :, None]
    columns = pd.MultiIndex.from_product([ks, thresholds], names=["k", "tiou"])
    rows = pd.Index(scored.labels, name="label")
    return Recall(
        per_threshold=pd.DataFrame(
            share.mean(axis=1).T, index=pd.Index(thresholds, name="tiou"), columns=pd.Index(ks, name="k")
        ),
        per_class=pd.DataFrame(np.transpose(share, (1, 0, 2)).reshape(len(rows), -1), index=rows, columns=columns),
    )


@compiled()
def _first_to_reach(
    found_s: Floats, first_truth: Integers, last_truth: Integers, truth_s: Floats, thresholds: Floats
) -> Integers:
    """[thresholds, segments] which detection of its clip and label, from 1, is the first to overlap each enough."""
    never = np.iinfo(np.int64).max
    reached = np.full((len(thresholds), len(truth_s)), never)
    # Detections so far of a clip and label, kept at its first true segment.
    seen = np.zeros(len(truth_s), dtype=np.int64)
    for row in range(len(found_s)):
        first, last = first_truth[row], last_truth[row]
        if first == last:
            continue
        seen[first] += 1
        for true in range(first, last):
            overlap = tiou(found_s[row], truth_s[true])
            for level in range(len(thresholds)):
                if overlap >= thresholds[level] and reached[level, true] == never:
                    reached[level, true] = seen[first]
    return reached
