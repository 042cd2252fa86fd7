"""Soft and hard suppression of overlapping segments, compiled on first use.

Behaves like `batched_nms` of the published ActionFormer and TriDet code, in the same single
precision, except where that code gives not-a-number: segments without length are left as they
are by voting. Ties, which the published code breaks by memory order, go to the earlier start,
then the earlier end, then the lower label, so the order of the input never matters.

References: Bodla et al., Soft-NMS, ICCV 2017; Gidaris and Komodakis, ICCV 2015 (voting).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

# Added to every length, so that two segments without length do not divide 0 by 0.
_LENGTH_MARGIN = np.float32(1e-6)
_ZERO = np.float32(0)


def suppress(
    segments: ArrayLike,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    method: Literal["soft", "hard"] = "soft",
    sigma: float = 0.5,
    iou_threshold: float = 0.1,
    min_score: float = 0.001,
    max_segments: int = 2000,
    multiclass: bool = True,
    voting_threshold: float = 0.75,
    vote_weight: Literal["score_iou", "score"] = "score_iou",
) -> tuple[Floats, Floats, Integers]:
    """Keep the best of segments that overlap.

    Args:
        segments: [n, 2] start and end, any one unit of time.
        scores: [n].
        labels: [n] class indices.
        method: `soft` lowers the score of a segment by exp(-tIoU² / sigma) for every better one;
            `hard` drops it where their tIoU reaches `iou_threshold`.
        sigma: width of the soft decay, > 0.
        min_score: soft drops segments whose score decays below it, but never the best; hard
            drops those not above it beforehand.
        max_segments: most segments kept, of each class and in all.
        multiclass: each class on its own; otherwise classes suppress each other.
        voting_threshold: where classes suppress each other, every kept segment moves to the
            weighted mean of all segments whose tIoU with it reaches this; 0 for no voting.
        vote_weight: weight of such a vote, score × tIoU (ActionFormer) or score (TriDet).
    Returns: segments [m, 2], scores [m], labels [m]; best first.
    Raises: ValueError for unequal lengths, values that are not finite or settings out of range.
    """
    segments, scores, labels = _checked(segments, scores, labels)
    if method not in ("soft", "hard") or vote_weight not in ("score_iou", "score"):
        raise ValueError(
            f"method {method!r} and vote_weight {vote_weight!r}: expected soft or hard, score_iou or score"
        )
    if not sigma > 0 or max_segments < 1:
        raise ValueError(f"sigma is {sigma} and max_segments is {max_segments}; both must be above 0")
    group = labels if multiclass else np.zeros_like(labels)
    order = np.lexsort((labels, segments[:, 1], segments[:, 0], group))
    segments, scores, labels, group = segments[order], scores[order], labels[order], group[order]
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1, [len(group)]]) if len(group) else np.zeros(1, int)
    arguments = (np.ascontiguousarray(segments[:, 0]), np.ascontiguousarray(segments[:, 1]), scores, bounds)
    if method == "soft":
        kept, kept_scores = _soft(*arguments, np.float32(sigma), np.float32(min_score), max_segments)
    else:
        kept, kept_scores = _hard(*arguments, np.float32(iou_threshold), np.float32(min_score), max_segments)
    kept_segments = segments[kept]
    if not multiclass and voting_threshold > 0:
        kept_segments = _vote(kept_segments, segments, scores, np.float32(voting_threshold), vote_weight == "score_iou")
    kept_labels = labels[kept]
    best = np.lexsort((kept_labels, kept_segments[:, 1], kept_segments[:, 0], -kept_scores))[:max_segments]
    return kept_segments[best], kept_scores[best], kept_labels[best]


def _checked(segments: Any, scores: Any, labels: Any) -> tuple[Floats, Floats, Integers]:
    segments = np.asarray(segments, dtype=np.float32).reshape(-1, 2)
    scores = np.asarray(scores, dtype=np.float32).reshape(-1)
    labels = np.asarray(labels, dtype=np.int64).reshape(-1)
    if not len(segments) == len(scores) == len(labels):
        raise ValueError(f"found {len(segments)} segments, {len(scores)} scores and {len(labels)} labels")
    if not (np.isfinite(segments).all() and np.isfinite(scores).all()):
        raise ValueError("segments and scores must be finite")
    return segments, scores, labels


@numba.njit(cache=True, nogil=True)
def _overlap(start: Any, end: Any, other_start: Any, other_end: Any) -> Any:
    """tIoU of two segments, lengths widened by the margin; float32 in and out."""
    shared = max(_ZERO, min(end, other_end) - max(start, other_start))
    length = end - start + _LENGTH_MARGIN
    other_length = other_end - other_start + _LENGTH_MARGIN
    return shared / (length + other_length - shared)


@numba.njit(cache=True, nogil=True)
def _soft(
    starts: Floats, ends: Floats, scores: Floats, bounds: Integers, sigma: float, min_score: float, limit: int
) -> tuple[Integers, Floats]:
    """Soft suppression within each group `bounds[g]:bounds[g + 1]`: kept indices and decayed scores.

    The best remaining segment is found in the same pass that decays the others; since scores
    only ever fall, stopping at `limit` loses nothing.
    """
    kept = np.empty(len(scores), np.int64)
    kept_scores = np.empty(len(scores), np.float32)
    count = 0
    left = np.empty(len(scores), np.int64)
    decayed = scores.copy()
    for group in range(len(bounds) - 1):
        remaining = bounds[group + 1] - bounds[group]
        best = 0
        for slot in range(remaining):
            left[slot] = bounds[group] + slot
            if decayed[left[slot]] > decayed[left[best]]:
                best = slot
        taken = 0
        while remaining > 0 and taken < limit:
            winner = left[best]
            kept[count] = winner
            kept_scores[count] = decayed[winner]
            count += 1
            taken += 1
            remaining -= 1
            left[best] = left[remaining]
            best = 0
            slot = 0
            while slot < remaining:
                other = left[slot]
                overlap = _overlap(starts[winner], ends[winner], starts[other], ends[other])
                if overlap > 0:
                    decayed[other] *= np.float32(math.exp(-(overlap * overlap) / sigma))
                if decayed[other] < min_score:
                    remaining -= 1
                    left[slot] = left[remaining]
                    continue
                leader = left[best]
                if decayed[other] > decayed[leader] or (decayed[other] == decayed[leader] and other < leader):
                    best = slot
                slot += 1
    return kept[:count], kept_scores[:count]


@numba.njit(cache=True, nogil=True)
def _hard(
    starts: Floats, ends: Floats, scores: Floats, bounds: Integers, threshold: float, min_score: float, limit: int
) -> tuple[Integers, Floats]:
    """Hard suppression within each group: kept indices and their scores."""
    kept = np.empty(len(scores), np.int64)
    count = 0
    for group in range(len(bounds) - 1):
        first = bounds[group]
        order = first + np.argsort(-scores[first : bounds[group + 1]], kind="mergesort")
        group_start = count
        for candidate in order:
            if count - group_start == limit:
                break
            if min_score > 0 and not scores[candidate] > min_score:
                continue
            free = True
            for better in kept[group_start:count]:
                if _overlap(starts[better], ends[better], starts[candidate], ends[candidate]) >= threshold:
                    free = False
                    break
            if free:
                kept[count] = candidate
                count += 1
    return kept[:count], scores[kept[:count]]


@numba.njit(cache=True, nogil=True)
def _vote(kept: Floats, segments: Floats, scores: Floats, threshold: float, by_overlap: bool) -> Floats:
    """Kept segments moved to the weighted mean of all that overlap them enough."""
    voted = kept.copy()
    for row in range(len(kept)):
        start, end = kept[row]
        total = 0.0
        total_start = 0.0
        total_end = 0.0
        for other in range(len(segments)):
            shared = min(end, segments[other, 1]) - max(start, segments[other, 0])
            if shared <= 0:
                continue
            union = (end - start) + (segments[other, 1] - segments[other, 0]) - shared
            overlap = shared / union
            if overlap >= threshold:
                weight = scores[other] * overlap if by_overlap else scores[other]
                total += weight
                total_start += weight * segments[other, 0]
                total_end += weight * segments[other, 1]
        if total > 0:
            voted[row, 0] = total_start / total
            voted[row, 1] = total_end / total
    return voted
