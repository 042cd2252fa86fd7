"""Which true segment each detection finds, and average precision for any weights of the clips.

A detection, best score first, takes the free true segment of its own label and clip that it
overlaps most, if by the threshold or more; equal overlaps go to the earlier segment. Since
clips never share true segments, this is done once: when clips are drawn again and again, only
their weights change.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.evaluation.overlap import tiou
from mravff_core.evaluation.tables import Scene

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_one_at_a_time = threading.Lock()


def match(scene: Scene, thresholds: Floats) -> NDArray[np.int32]:
    """True segment that each detection finds at each threshold.

    Returns: [thresholds, detections] places in the scene's true segments, -1 where none.
    """
    with _alone():
        return _match_all(
            scene.found_s, scene.class_start, scene.first_truth, scene.last_truth, scene.truth_s, thresholds
        )


def precisions(scene: Scene, matched: NDArray[np.int32], weights: NDArray[np.integer] | None = None) -> Floats:
    """Average precision of every label and threshold where clip `c` is there `weights[:, c]` times.

    Args:
        scene: what is scored.
        matched: of `match`.
        weights: [draws, clips] whole numbers, 0 or more; None for each clip once.
    Returns: [draws, classes, thresholds] in [0, 1]; NaN where no true segment of a label was drawn.
    """
    if weights is None:
        weights = np.ones((1, len(scene.clips)), dtype=np.int64)
    hits, level_start = _hits(scene, matched)
    with _alone():
        return _weighted_precisions(
            np.ascontiguousarray(weights, dtype=np.int32),
            scene.clip.astype(np.int32),
            scene.class_start,
            hits,
            level_start,
            scene.truth_class,
            scene.truth_clip,
        )


@contextmanager
def _alone() -> Iterator[None]:
    """One parallel loop at a time, since some of Numba's threading layers end the process otherwise.

    PyTorch computes with as many threads after as before; Numba sets that number for both.
    """
    with _one_at_a_time:
        torch: Any = sys.modules.get("torch")
        threads = torch.get_num_threads() if torch else 0
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)


def _hits(scene: Scene, matched: NDArray[np.int32]) -> tuple[Integers, Integers]:
    """Places of right detections, and [classes, thresholds + 1] where each list begins and the last ends."""
    right = matched >= 0
    classes = len(scene.labels)
    places, starts = [], np.zeros((classes, len(matched) + 1), dtype=np.int64)
    total = 0
    for label in range(classes):
        span = slice(scene.class_start[label], scene.class_start[label + 1])
        level, place = np.nonzero(right[:, span])
        starts[label] = total + np.searchsorted(level, np.arange(len(matched) + 1))
        places.append(place + span.start)
        total += len(place)
    return np.concatenate(places) if places else np.zeros(0, np.int64), starts


@compiled(parallel=True)
def _match_all(
    found_s: Floats,
    class_start: Integers,
    first_truth: Integers,
    last_truth: Integers,
    truth_s: Floats,
    thresholds: Floats,
) -> NDArray[np.int32]:
    classes, levels = len(class_start) - 1, len(thresholds)
    matched = np.full((levels, len(found_s)), -1, dtype=np.int32)
    taken = np.zeros((levels, len(truth_s)), dtype=np.bool_)
    for label in numba.prange(classes):
        for row in range(class_start[label], class_start[label + 1]):
            _match_one(row, found_s, first_truth[row], last_truth[row], truth_s, thresholds, taken, matched)
    return matched


@compiled()
def _match_one(
    row: int,
    found_s: Floats,
    first: int,
    last: int,
    truth_s: Floats,
    thresholds: Floats,
    taken: NDArray[np.bool_],
    matched: NDArray[np.int32],
) -> None:
    """Give one detection, at each threshold, the free true segment that it overlaps most."""
    if first == last:
        return
    best = np.zeros(len(thresholds))
    for true in range(first, last):
        overlap = tiou(found_s[row], truth_s[true])
        for level in range(len(thresholds)):
            if overlap >= thresholds[level] and overlap > best[level] and not taken[level, true]:
                best[level], matched[level, row] = overlap, true
    for level in range(len(thresholds)):
        if matched[level, row] >= 0:
            taken[level, matched[level, row]] = True


@compiled(parallel=True)
def _weighted_precisions(
    weights: NDArray[np.int32],
    clip: NDArray[np.int32],
    class_start: Integers,
    hits: Integers,
    hit_start: Integers,
    truth_class: Integers,
    truth_clip: Integers,
) -> Floats:
    """Area under precision, made to fall, over recall."""
    draws, classes, levels = len(weights), len(class_start) - 1, hit_start.shape[1] - 1
    result = np.full((draws, classes, levels), np.nan)
    for draw in numba.prange(draws):
        weight = weights[draw]
        positives = np.zeros(classes, dtype=np.int64)
        for true in range(len(truth_class)):
            positives[truth_class[true]] += weight[truth_clip[true]]
        # How many detections of the label stand at each place or before it.
        rank = np.empty(len(clip), dtype=np.int32)
        for label in range(classes):
            if positives[label] == 0:
                continue
            count = 0
            for place in range(class_start[label], class_start[label + 1]):
                count += weight[clip[place]]
                rank[place] = count
            for level in range(levels):
                first, last = hit_start[label, level], hit_start[label, level + 1]
                right = 0
                for hit in range(first, last):
                    right += weight[clip[hits[hit]]]
                area, best = 0.0, 0.0
                for hit in range(last - 1, first - 1, -1):
                    own = weight[clip[hits[hit]]]
                    if own > 0:
                        best = max(best, right / rank[hits[hit]])
                        area += own * best
                        right -= own
                result[draw, label, level] = area / positives[label]
    return result
