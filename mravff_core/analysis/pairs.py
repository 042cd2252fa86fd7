"""Which detections of two sides are the same event: a one-to-one assignment, best overlap first.

Within a clip, candidate pairs are taken in order of temporal intersection over union, largest
first; equal overlaps by the sum of the two scores, then by the sum of the two places in their
clips' order. Nothing in this order tells one side from the other, so swapping the sides mirrors
the result. It is asked in three rounds, each over what the earlier ones left free:

1. detections that reach the score threshold on both sides, of one label;
2. the same, of any two labels: these are renamed;
3. those that reach it on one side only, with weaker detections of their label on the other: the
   event is still gained or lost at this threshold, but how far it fell short is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.evaluation.overlap import tiou

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Detections(Protocol):
    """What is asked of a side: [n] clips as numbers, labels and scores, [n, 2] segments in seconds."""

    @property
    def clip(self) -> Ints: ...
    @property
    def label(self) -> Ints: ...
    @property
    def segments_s(self) -> Floats: ...
    @property
    def score(self) -> Floats: ...


@dataclass(frozen=True)
class Assignment:
    """Partners as row numbers of the other side, -1 for none.

    Attributes:
        partner_of_a: [rows of a]; `partner_of_b` is its inverse.
        partner_of_b: [rows of b].
        shown_a, shown_b: [rows] whether a detection reaches the threshold.
    """

    partner_of_a: Ints
    partner_of_b: Ints
    shown_a: Bools
    shown_b: Bools


def assign(a: Detections, b: Detections, *, min_score: float, min_tiou: float) -> Assignment:
    """Pair the detections of two sides.

    Args:
        a, b: detections of the same clips, each clip's rows together and best first.
        min_score: detections that reach it count as there.
        min_tiou: pairs overlap by at least this; above 0.
    """
    partners = (np.full(len(a.score), -1, np.int64), np.full(len(b.score), -1, np.int64))
    shown_a, shown_b = a.score >= min_score, b.score >= min_score
    _round((a, b), partners, (shown_a, shown_b), min_tiou, same_label=True)
    _round((a, b), partners, (shown_a, shown_b), min_tiou, same_label=False)
    left_a, left_b = shown_a & (partners[0] < 0), shown_b & (partners[1] < 0)
    _round((a, b), partners, (left_a, ~shown_b), min_tiou, same_label=True)
    _round((a, b), partners, (~shown_a, left_b), min_tiou, same_label=True)
    return Assignment(*partners, shown_a, shown_b)


def _round(
    sides: tuple[Detections, Detections],
    partners: tuple[Ints, Ints],
    asked: tuple[Bools, Bools],
    min_tiou: float,
    *,
    same_label: bool,
) -> None:
    """Give partners to those of the asked rows that are still free."""
    a, b = sides
    labels = 1 + max((int(side.label.max()) for side in sides if len(side.label)), default=0)
    keys, rows = [], []
    for side, partner, wanted in zip(sides, partners, asked, strict=True):
        free = np.flatnonzero(wanted & (partner < 0))
        key = side.clip[free] * labels + side.label[free] if same_label else side.clip[free]
        order = np.argsort(key, kind="stable")
        keys.append(key[order])
        rows.append(free[order])
    cells = np.intersect1d(keys[0], keys[1])
    begins_a, ends_a = np.searchsorted(keys[0], cells), np.searchsorted(keys[0], cells, side="right")
    begins_b, ends_b = np.searchsorted(keys[1], cells), np.searchsorted(keys[1], cells, side="right")
    bounds = np.stack([begins_a, ends_a, begins_b, ends_b], axis=1).astype(np.int64)
    _assign_cells(bounds, *rows, a.segments_s, b.segments_s, a.score, b.score, min_tiou, *partners)


@compiled(nogil=True)
def _assign_cells(
    bounds: Ints,
    rows_a: Ints,
    rows_b: Ints,
    segments_a: Floats,
    segments_b: Floats,
    score_a: Floats,
    score_b: Floats,
    min_tiou: float,
    partner_a: Ints,
    partner_b: Ints,
) -> None:
    for cell in range(len(bounds)):
        own_a = rows_a[bounds[cell, 0] : bounds[cell, 1]]
        own_b = rows_b[bounds[cell, 2] : bounds[cell, 3]]
        first, second, overlap = _candidates(own_a, own_b, segments_a, segments_b, min_tiou)
        order = np.argsort(-overlap, kind="mergesort")
        _settle_ties(order, first, second, overlap, score_a, score_b)
        for place in order:
            row_a, row_b = first[place], second[place]
            if partner_a[row_a] < 0 and partner_b[row_b] < 0:
                partner_a[row_a], partner_b[row_b] = row_b, row_a


@compiled()
def _candidates(
    rows_a: Ints, rows_b: Ints, segments_a: Floats, segments_b: Floats, min_tiou: float
) -> tuple[Ints, Ints, Floats]:
    """Pairs that overlap enough: rows of a, rows of b, overlaps."""
    size = 16
    first, second, overlap = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    count = 0
    for row_a in rows_a:
        for row_b in rows_b:
            value = tiou(segments_a[row_a], segments_b[row_b])
            if value < min_tiou:
                continue
            if count == size:
                size *= 2
                first, second, overlap = _grown(first, size), _grown(second, size), _grown(overlap, size)
            first[count], second[count], overlap[count] = row_a, row_b, value
            count += 1
    return first[:count], second[:count], overlap[:count]


@compiled()
def _grown(array: NDArray, size: int) -> NDArray:
    longer = np.empty(size, array.dtype)
    longer[: len(array)] = array
    return longer


@compiled()
def _settle_ties(order: Ints, first: Ints, second: Ints, overlap: Floats, score_a: Floats, score_b: Floats) -> None:
    """Order equal overlaps by the sum of scores, then by the sum of places; by insertion, ties being few."""
    for here in range(1, len(order)):
        moving, place = order[here], here
        while place > 0 and overlap[order[place - 1]] == overlap[moving]:
            before = order[place - 1]
            sum_moving = score_a[first[moving]] + score_b[second[moving]]
            sum_before = score_a[first[before]] + score_b[second[before]]
            places_moving, places_before = first[moving] + second[moving], first[before] + second[before]
            if sum_moving < sum_before or (sum_moving == sum_before and places_moving >= places_before):
                break
            order[place] = before
            place -= 1
        order[place] = moving
