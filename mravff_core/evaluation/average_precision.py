"""Mean average precision of detections by the field's protocols.

A detection is right at a threshold if its best true segment that is still free, of its own
label and clip, overlaps it by at least that temporal intersection over union. Detections
are taken best score first; equal scores by clip id, start and end, so that the order of
rows never matters. Precision is made to fall with recall before it is averaged.

Protocols:
    epic          EPIC-Kitchens-100 detection challenge: labels with true segments count
    activitynet   the same over any data set: labels without true segments are left out
    actionformer  as the published ActionFormer code computes it: near-duplicate true
                  segments and momentary ones are dropped, and a detection whose label has no true segment is counted
                  against the label at whose place in the list of labels its number falls

Reference: Damen et al., Rescaling Egocentric Vision, IJCV 2022; Caba Heilbron et al.,
ActivityNet, CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import AnnotationError, ConfigError

Protocol = Literal["epic", "activitynet", "actionformer"]
TRUTH_COLUMNS = ("clip_id", "start_s", "end_s", "label")
_DUPLICATE_S = 1e-3


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
    if protocol not in get_args(Protocol):
        raise ConfigError(f"protocol {protocol!r} is not known; expected one of {', '.join(get_args(Protocol))}")
    thresholds = np.asarray(list(tiou_thresholds), dtype=np.float64)
    if not thresholds.size or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ConfigError(f"thresholds {list(tiou_thresholds)} must lie in 0 to 1, 0 excluded")
    truth = _checked("true segments", ground_truth, TRUTH_COLUMNS)
    found = _checked("detections", detections, (*TRUTH_COLUMNS, "score"))
    if truth.empty:
        raise AnnotationError("there are no true segments to score against")
    if protocol == "actionformer":
        truth = _without_near_duplicates(truth[truth["end_s"] - truth["start_s"] > _DUPLICATE_S])
    labels = np.unique(truth["label"].to_numpy())
    truth_class = np.searchsorted(labels, truth["label"].to_numpy())
    found_class = _class_of(found["label"].to_numpy(), labels, collide=protocol == "actionformer")
    found, found_class = found[found_class >= 0], found_class[found_class >= 0]
    table = _score(truth, truth_class, found, found_class, thresholds, len(labels))
    columns = pd.Index(thresholds, name="tiou")
    per_class = pd.DataFrame(table, index=pd.Index(labels, name="label"), columns=columns)
    return AveragePrecision(float(table.mean()), per_class.mean(axis=0), per_class)


def _score(
    truth: pd.DataFrame,
    truth_class: NDArray[np.int64],
    found: pd.DataFrame,
    found_class: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    classes: int,
) -> NDArray[np.float64]:
    """Average precision [classes, thresholds]."""
    clips = pd.Index(sorted({*truth["clip_id"], *found["clip_id"]}))
    truth_key = truth_class * len(clips) + clips.get_indexer(truth["clip_id"])
    truth_s = truth[["start_s", "end_s"]].to_numpy(np.float64)
    order = np.lexsort((truth_s[:, 1], truth_s[:, 0], truth_key))
    truth_key, truth_s = truth_key[order], truth_s[order]

    clip = clips.get_indexer(found["clip_id"])
    found_s = found[["start_s", "end_s"]].to_numpy(np.float64)
    order = np.lexsort((found_s[:, 1], found_s[:, 0], clip, -found["score"].to_numpy(np.float64), found_class))
    found_s, found_class, key = found_s[order], found_class[order], (found_class * len(clips) + clip)[order]
    return _class_precisions(
        found_s,
        np.searchsorted(found_class, np.arange(classes + 1)),
        np.searchsorted(truth_key, key, side="left"),
        np.searchsorted(truth_key, key, side="right"),
        truth_s,
        np.bincount(truth_class, minlength=classes),
        thresholds,
    )


@numba.njit(cache=True, parallel=True)
def _class_precisions(
    found_s: NDArray[np.float64],
    class_start: NDArray[np.int64],
    first_truth: NDArray[np.int64],
    last_truth: NDArray[np.int64],
    truth_s: NDArray[np.float64],
    truth_count: NDArray[np.int64],
    thresholds: NDArray[np.float64],
) -> NDArray[np.float64]:
    classes, levels = len(class_start) - 1, len(thresholds)
    result = np.zeros((classes, levels))
    taken = np.zeros((levels, len(truth_s)), dtype=np.bool_)
    for label in numba.prange(classes):
        begin, end = class_start[label], class_start[label + 1]
        right = np.zeros((levels, end - begin), dtype=np.bool_)
        for row in range(begin, end):
            _match(found_s[row], first_truth[row], last_truth[row], truth_s, thresholds, taken, right[:, row - begin])
        for level in range(levels):
            result[label, level] = _area(right[level], truth_count[label])
    return result


@numba.njit(cache=True)
def _match(
    segment: NDArray[np.float64],
    first: int,
    last: int,
    truth_s: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    taken: NDArray[np.bool_],
    right: NDArray[np.bool_],
) -> None:
    """Give one detection, at each threshold, the free true segment that it overlaps most."""
    best = np.zeros(len(thresholds))
    chosen = np.full(len(thresholds), -1)
    for true in range(first, last):
        inter = max(0.0, min(segment[1], truth_s[true, 1]) - max(segment[0], truth_s[true, 0]))
        union = (truth_s[true, 1] - truth_s[true, 0]) + (segment[1] - segment[0]) - inter
        overlap = inter / union if union > 0 else 0.0
        for level in range(len(thresholds)):
            if overlap >= thresholds[level] and overlap > best[level] and not taken[level, true]:
                best[level], chosen[level] = overlap, true
    for level in range(len(thresholds)):
        if chosen[level] >= 0:
            taken[level, chosen[level]] = True
            right[level] = True


@numba.njit(cache=True)
def _area(right: NDArray[np.bool_], positives: int) -> float:
    """Area under precision, made to fall, over recall."""
    hits = right.sum()
    area, best, count = 0.0, 0.0, hits
    for rank in range(len(right) - 1, -1, -1):
        if right[rank]:
            best = max(best, count / (rank + 1))
            area += best
            count -= 1
    return area / positives if positives else 0.0


def _checked(what: str, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{what}: lack column {', '.join(missing)}; they have {', '.join(map(str, table.columns))}"
        )
    table = table.loc[:, list(columns)].reset_index(drop=True)
    for name in columns[1:]:
        numbers = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise AnnotationError(f"{what}: {name} of row {row} is {table[name].iloc[row]}, expected a number")
        table[name] = numbers
    return table.astype({"label": np.int64})


def _class_of(found: NDArray[np.int64], labels: NDArray[np.int64], *, collide: bool) -> NDArray[np.int64]:
    """Row of each detection's label in `labels`, -1 where it does not count."""
    place = np.minimum(np.searchsorted(labels, found), len(labels) - 1)
    other = np.where((found >= 0) & (found < len(labels)), found, -1) if collide else -1
    return np.where(labels[place] == found, place, other)


def _without_near_duplicates(truth: pd.DataFrame) -> pd.DataFrame:
    """Drop true segments that lie within a millisecond of an earlier row of clip and label."""
    truth = truth.reset_index(drop=True)
    keep = np.ones(len(truth), dtype=bool)
    times = truth[["start_s", "end_s"]].to_numpy()
    for rows in truth.groupby(["clip_id", "label"], sort=False).indices.values():
        kept: list[int] = []
        for row in np.sort(rows):
            near = len(kept) > 0 and (np.abs(times[kept] - times[row]) <= _DUPLICATE_S).all(axis=1).any()
            keep[row] = not near
            if not near:
                kept.append(int(row))
    return truth[keep]
