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

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mravff_core.compiled import compiled

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
    Raises: ValueError for other shapes, unequal lengths, values that are not finite or settings out of range.
    """
    segments, scores, labels = _checked(segments, scores, labels)
    if method not in ("soft", "hard") or vote_weight not in ("score_iou", "score"):
        raise ValueError(
            f"method {method!r} and vote_weight {vote_weight!r}: expected soft or hard, score_iou or score"
        )
    if not sigma > 0 or max_segments < 1:
        raise ValueError(f"sigma is {sigma} and max_segments is {max_segments}; both must be above 0")
    order = np.lexsort((labels, segments[:, 1], segments[:, 0]))
    segments, scores, labels = segments[order], scores[order], labels[order]
    groups = np.unique(labels, return_inverse=True)[1] if multiclass else np.zeros_like(labels)
    if method == "soft":
        slots = np.argsort(groups, kind="stable")
        stop = np.cumsum(np.bincount(groups))
        blocks = (segments[slots, 0], segments[slots, 1], scores[slots], slots, stop)
        kept, kept_scores = _soft(*blocks, np.float32(sigma), np.float32(min_score), max_segments)
    else:
        eligible = np.flatnonzero(scores > min_score) if min_score > 0 else np.arange(len(scores))
        queue = eligible[np.argsort(-scores[eligible], kind="stable")]
        kept = queue[_hard(segments[queue], groups[queue], np.float32(iou_threshold), max_segments)]
        kept_scores = scores[kept]
    kept_segments = segments[kept]
    if not multiclass and voting_threshold > 0:
        by_overlap = vote_weight == "score_iou"
        kept_segments = _vote(kept_segments, segments, scores, np.float32(voting_threshold), by_overlap)
    kept_labels = labels[kept]
    best = np.lexsort((kept_labels, kept_segments[:, 1], kept_segments[:, 0], -kept_scores))
    return kept_segments[best], kept_scores[best], kept_labels[best]


def _checked(segments: Any, scores: Any, labels: Any) -> tuple[Floats, Floats, Integers]:
    segments = np.asarray(segments, dtype=np.float32)
    # Turned the other way they would hold as many numbers, and give other segments.
    if segments.size and (segments.ndim != 2 or segments.shape[1] != 2):
        raise ValueError(f"segments are {list(segments.shape)}, expected [n, 2]")
    segments = segments.reshape(-1, 2)
    scores = np.asarray(scores, dtype=np.float32).reshape(-1)
    labels = np.asarray(labels, dtype=np.int64).reshape(-1)
    if not len(segments) == len(scores) == len(labels):
        raise ValueError(f"found {len(segments)} segments, {len(scores)} scores and {len(labels)} labels")
    if not (np.isfinite(segments).all() and np.isfinite(scores).all()):
        raise ValueError("segments and scores must be finite")
    return segments, scores, labels


@compiled(nogil=True)
def _overlap(start: Any, end: Any, other_start: Any, other_end: Any) -> Any:
    """tIoU of two segments, lengths widened by the margin; float32 in and out."""
    shared = max(_ZERO, min(end, other_end) - max(start, other_start))
    length = end - start + _LENGTH_MARGIN
    other_length = other_end - other_start + _LENGTH_MARGIN
    return shared / (length + other_length - shared)


@compiled(nogil=True)
def _soft(
    starts: Floats,
    ends: Floats,
    scores: Floats,
    ranks: Integers,
    stop: Integers,
    sigma: float,
    min_score: float,
    limit: int,
) -> tuple[Integers, Floats]:
    """Soft suppression within groups: ranks and decayed scores of those kept, best first.

    Each group is a block of slots that ends at its `stop`; slots are reordered and scores
    lowered in place, those still in play come first. Always takes the best candidate of all
    groups next. Scores only ever fall, so stopping at `limit` gives what suppressing every
    group to its end and cutting then would give, in a fraction of the time.
    """
    first, best = np.zeros_like(stop), np.zeros_like(stop)
    for group in range(len(stop)):
        first[group] = stop[group - 1] if group > 0 else 0
    for group in range(len(stop)):
        best[group] = _leader(scores, ranks, first[group], stop[group])
    kept = np.empty(min(limit, len(scores)), np.int64)
    kept_scores = np.empty(len(kept), np.float32)
    for count in range(len(kept)):
        chosen = -1
        for group in range(len(stop)):
            if first[group] < stop[group] and (chosen < 0 or _precedes(scores, ranks, best[group], best[chosen])):
                chosen = group
        if chosen < 0:
            return kept[:count], kept_scores[:count]
        winner = best[chosen]
        start, end = starts[winner], ends[winner]
        kept[count], kept_scores[count] = ranks[winner], scores[winner]
        last = stop[chosen] - 1
        _move(starts, ends, scores, ranks, last, winner)
        slot = first[chosen]
        while slot < last:
            overlap = _overlap(start, end, starts[slot], ends[slot])
            if overlap > 0:
                scores[slot] *= np.float32(math.exp(-(overlap * overlap) / sigma))
            if scores[slot] < min_score:
                last -= 1
                _move(starts, ends, scores, ranks, last, slot)
            else:
                slot += 1
        stop[chosen] = last
        best[chosen] = _leader(scores, ranks, first[chosen], last)
    return kept, kept_scores


@compiled(nogil=True, inline="always")
def _precedes(scores: Floats, ranks: Integers, slot: int, other: int) -> bool:
    """Whether the candidate in one slot comes before that in another: by score, then by rank."""
    return scores[slot] > scores[other] or (scores[slot] == scores[other] and ranks[slot] < ranks[other])


@compiled(nogil=True)
def _leader(scores: Floats, ranks: Integers, first: int, stop: int) -> int:
    """Slot of the best candidate in `first:stop`; `first` where there is none."""
    highest = scores[first] if first < stop else _ZERO
    for slot in range(first + 1, stop):
        highest = max(highest, scores[slot])
    # Ties are rare: a second pass over scores alone is faster than ranks in the first.
    leader = first
    for slot in range(first, stop):
        if scores[slot] == highest and (scores[leader] != highest or ranks[slot] < ranks[leader]):
            leader = slot
    return leader


@compiled(nogil=True, inline="always")
def _move(starts: Floats, ends: Floats, scores: Floats, ranks: Integers, source: int, target: int) -> None:
    """Overwrite one slot with another."""
    starts[target] = starts[source]
    ends[target] = ends[source]
    scores[target] = scores[source]
    ranks[target] = ranks[source]


@compiled(nogil=True)
def _hard(segments: Floats, groups: Integers, threshold: float, limit: int) -> Integers:
    """Hard suppression within groups of segments that come best first: indices of those kept.

    Kept segments of one group are chained from the latest to the first.
    """
    latest = np.full(groups.max() + 1 if len(groups) else 0, -1)
    earlier = np.empty(len(groups), np.int64)
    kept = np.empty(min(limit, len(groups)), np.int64)
    count = 0
    for candidate in range(len(groups)):
        if count == limit:
            break
        start, end = segments[candidate]
        group = groups[candidate]
        better = latest[group]
        while better >= 0 and _overlap(segments[better, 0], segments[better, 1], start, end) < threshold:
            better = earlier[better]
        if better < 0:
            earlier[candidate] = latest[group]
            latest[group] = candidate
            kept[count] = candidate
            count += 1
    return kept[:count]


@compiled(nogil=True)
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
