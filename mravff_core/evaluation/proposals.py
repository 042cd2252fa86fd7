"""Proposals, which have no class, and class scores of whole videos make detections."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation.tables import FOUND_COLUMNS, checked_detections


def label_proposals(
    proposals: pd.DataFrame,
    class_scores: Mapping[str, NDArray[np.float64]],
    *,
    classes_per_clip: int = 2,
    proposals_per_clip: int = 200,
) -> pd.DataFrame:
    """Give each clip's best proposals each of the clip's best classes, as published for ActivityNet.

    A detection's score is the square root of its proposal's times its class's. Of equal proposals the earlier one is
    better, then the shorter; of equal classes the one with the lower number.

    Args:
        proposals: `clip_id`, `start_s`, `end_s`, `label`, which is not looked at, and `score` of 0 or more.
        class_scores: by clip, [classes] scores of 0 or more, as many for each clip.
        classes_per_clip: best classes that each proposal of a clip gets.
        proposals_per_clip: best proposals kept of each clip.
    Returns: `clip_id`, `start_s`, `end_s`, `label`, `score`; clip by clip, best first, equal scores by start, end and
        label.
    Raises: AnnotationError for a malformed table, a clip without class scores or unfit ones; ConfigError for impossible
        settings.
    """
    if classes_per_clip < 1 or proposals_per_clip < 1:
        raise ConfigError(
            f"classes_per_clip is {classes_per_clip} and proposals_per_clip {proposals_per_clip}; expected 1 or more"
        )
    table = checked_detections(proposals)
    if (table["score"] < 0).any():
        raise AnnotationError(f"detections: found the score {table['score'].min():g}, expected proposals' of 0 or more")
    best = table.sort_values(["clip_id", "score", "start_s", "end_s"], ascending=[True, False, True, True])
    best = best.groupby("clip_id", sort=False).head(proposals_per_clip)
    clip, clip_ids = pd.factorize(best["clip_id"])
    missing = [clip_id for clip_id in clip_ids if clip_id not in class_scores]
    if missing:
        raise AnnotationError(f"{len(missing)} of {len(clip_ids)} clips have no class scores, such as {missing[0]!r}")
    if best.empty:
        return table[list(FOUND_COLUMNS)]
    scores = _stacked({clip_id: np.asarray(class_scores[clip_id], dtype=np.float64) for clip_id in clip_ids})
    labels = np.argsort(-scores, axis=1, kind="stable")[:, :classes_per_clip]
    scores = np.take_along_axis(scores, labels, axis=1)
    found = best.loc[best.index.repeat(labels.shape[1]), ["clip_id", "start_s", "end_s"]]
    found["label"] = labels[clip].ravel()
    found["score"] = np.sqrt(scores[clip] * best["score"].to_numpy()[:, None]).ravel()
    order = ["clip_id", "score", "start_s", "end_s", "label"]
    return found.sort_values(order, ascending=[True, False, True, True, True], ignore_index=True)


def _stacked(scores: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """[clips, classes] class scores. Raises: AnnotationError."""
    classes = len(next(iter(scores.values())).ravel())
    for clip_id, own in scores.items():
        if own.shape != (classes,) or not classes:
            raise AnnotationError(f"clip {clip_id!r} has class scores of shape {own.shape}, expected as many for each")
        if not (np.isfinite(own) & (own >= 0)).all():
            raise AnnotationError(f"clip {clip_id!r} has a class score of {own.min():g}, expected 0 or more")
    return np.stack(list(scores.values()))
