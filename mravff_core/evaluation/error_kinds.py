"""What kind of error each detection is, and average precision without some of them.

    true positive      found a true segment of its label
    double detection   overlaps a true segment of its label by the threshold, which a better one found
    wrong label        overlaps a true segment of another label by the threshold
    localization       overlaps a true segment of its label, but by less than the threshold
    confusion          overlaps a true segment of another label by less than the threshold
    background         overlaps no true segment by `min_tiou`

The true segment is the one of the clip that the detection overlaps most, whatever its label; of
equal overlaps the one with the lower label, then the earlier one.

Normalized precision sets each label's true segments to the mean number of all labels, so that
frequent and rare labels, and parts of them, can be compared.

Reference: Alwassel et al., Diagnosing error in temporal action detectors, ECCV 2018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.evaluation.overlap import tiou
from mravff_core.evaluation.tables import Scene

KINDS = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
ERRORS = KINDS[1:]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


def best_overlaps(scene: Scene) -> tuple[Integers, Floats]:
    """True segment of any label that each detection overlaps most, -1 where none, and by how much."""
    order = np.lexsort((scene.truth_class, scene.truth_s[:, 1], scene.truth_s[:, 0], scene.truth_clip))
    start = np.searchsorted(scene.truth_clip[order], np.arange(len(scene.clips) + 1))
    place, overlap = _best_overlaps(scene.found_s, scene.clip, start, scene.truth_s[order], scene.truth_class[order])
    return np.where(place >= 0, order[np.maximum(place, 0)], -1), overlap


def error_kinds(
    scene: Scene, matched: NDArray[np.int32], best: Integers, overlap: Floats, thresholds: Floats, min_tiou: float
) -> NDArray[np.int8]:
    """[thresholds, detections] places in `KINDS`.

    Args:
        matched: of `match` at the same thresholds.
        best, overlap: of `best_overlaps`.
    """
    own = (best >= 0) & (scene.truth_class[np.maximum(best, 0)] == scene.found_class)
    near, close = overlap >= min_tiou, overlap >= thresholds[:, None]
    kinds = np.where(close, np.where(own, 1, 2), np.where(near, np.where(own, 3, 4), 5))
    return np.where(matched >= 0, 0, kinds).astype(np.int8)


def normalized_precisions(scene: Scene, right: Bools, kept: Bools, positives: Integers | None = None) -> Floats:
    """Normalized average precision of every label and threshold.

    Args:
        right: [thresholds, detections] whether a detection found a true segment.
        kept: the same; detections to count.
        positives: [classes] true segments to find; None for all.
    Returns: [classes, thresholds] in [0, 1]; NaN where there is none to find.
    """
    counts = scene.truth_count if positives is None else positives
    return _normalized_precisions(right, kept, scene.class_start, counts, usual_count(scene))


def precise_hits(scene: Scene, right: Bools, min_precision: float) -> Bools:
    """Hits at ranks where the normalized precision lies above `min_precision`; later ones came too late.

    Args:
        right: [thresholds, detections] whether a detection found a true segment.
        min_precision: in [0, 1).
    Returns: [thresholds, detections].
    """
    return _precise_hits(right, scene.class_start, scene.truth_count, usual_count(scene), min_precision)


def usual_count(scene: Scene) -> float:
    """Mean number of true segments of a label."""
    return len(scene.truth_row) / len(scene.labels)


@compiled()
def _best_overlaps(
    found_s: Floats, clip: Integers, start: Integers, truth_s: Floats, truth_class: Integers
) -> tuple[Integers, Floats]:
    best, most = np.full(len(found_s), -1), np.zeros(len(found_s))
    for row in range(len(found_s)):
        for true in range(start[clip[row]], start[clip[row] + 1]):
            if truth_s[true, 0] >= found_s[row, 1]:
                break
            overlap = tiou(found_s[row], truth_s[true])
            lower = overlap == most[row] and best[row] >= 0 and truth_class[true] < truth_class[best[row]]
            if overlap > most[row] or lower:
                most[row], best[row] = overlap, true
    return best, most


@compiled()
def _normalized_precisions(
    right: Bools, kept: Bools, class_start: Integers, positives: Integers, usual: float
) -> Floats:
    levels, classes = len(right), len(positives)
    result = np.full((classes, levels), np.nan)
    for label in range(classes):
        if positives[label] == 0:
            continue
        first, last = class_start[label], class_start[label + 1]
        precision = np.empty(last - first)
        for level in range(levels):
            hits, wrong = 0, 0
            for row in range(first, last):
                if kept[level, row]:
                    if right[level, row]:
                        precision[hits] = (hits + 1) / positives[label] * usual
                        precision[hits] /= precision[hits] + wrong
                        hits += 1
                    else:
                        wrong += 1
            area, best = 0.0, 0.0
            for hit in range(hits - 1, -1, -1):
                best = max(best, precision[hit])
                area += best
            result[label, level] = area / positives[label]
    return result


@compiled()
def _precise_hits(
    right: Bools, class_start: Integers, positives: Integers, usual: float, min_precision: float
) -> Bools:
    precise = np.zeros_like(right)
    for label in range(len(positives)):
        for level in range(len(right)):
            hits = 0
            first = class_start[label]
            for row in range(first, class_start[label + 1]):
                if right[level, row]:
                    hits += 1
                    weight = hits / positives[label] * usual
                    wrong = row - first + 1 - hits
                    precise[level, row] = weight / (weight + wrong) > min_precision
    return precise
