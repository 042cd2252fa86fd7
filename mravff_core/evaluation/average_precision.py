"""Mean average precision of detections by the field's protocols.

A detection is right at a threshold if its best true segment that is still free, of its own
label and clip, overlaps it by at least that temporal intersection over union. Detections
are taken best score first; equal scores by clip id, start and end, so that the order of
rows never matters. Precision is made to fall with recall before it is averaged.

Protocols:
    epic          EPIC-Kitchens-100 detection challenge: labels with true segments count
    activitynet   the same over any data set: labels without true segments are left out
    actionformer  as the published ActionFormer code computes it: near-duplicate true
                  segments and those under a millisecond are dropped, and a detection whose label has
                  no true segment is counted against the label at whose place in the list
                  of labels its number falls

Reference: Damen et al., Rescaling Egocentric Vision, IJCV 2022; Caba Heilbron et al.,
ActivityNet, CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.evaluation.matching import match, precisions
from mravff_core.evaluation.tables import Scene, checked_thresholds, scene


@dataclass(frozen=True)
class AveragePrecision:
    """Average precisions in [0, 1].

    Attributes:
        average: mean over labels and thresholds.
        per_threshold: mean over labels, by threshold.
        per_class: one row a label with true segments, one column a threshold.
    """

    average: float
    per_threshold: pd.Series
    per_class: pd.DataFrame

    @classmethod
    def of(cls, scored: Scene, table: NDArray[np.float64], thresholds: NDArray[np.float64]) -> AveragePrecision:
        """Average precisions [classes, thresholds], as `precisions` gives them for each draw, with their means."""
        columns = pd.Index(thresholds, name="tiou")
        per_class = pd.DataFrame(table, index=pd.Index(scored.labels, name="label"), columns=columns)
        return cls(float(table.mean()), per_class.mean(axis=0), per_class)


def mean_average_precision(
    ground_truth: pd.DataFrame,
    detections: pd.DataFrame,
    tiou_thresholds: Sequence[float],
    *,
    protocol: str = "epic",
) -> AveragePrecision:
    """Score detections against true segments.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`.
        detections: the same and `score`; those in clips without true segments are wrong.
        tiou_thresholds: in (0, 1].
        protocol: see the module.
    Raises: AnnotationError if a column is missing, a number is not finite or there is no true
        segment; ConfigError for an unknown protocol or impossible thresholds.
    """
    thresholds = checked_thresholds(tiou_thresholds)
    scored = scene(ground_truth, detections, protocol)
    return AveragePrecision.of(scored, precisions(scored, match(scored, thresholds))[0], thresholds)
