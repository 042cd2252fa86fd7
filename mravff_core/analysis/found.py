"""Detections of one side of a comparison as arrays, with the true segment that each rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.evaluation.overlap import tiou

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """Detections of a fixed list of clips, clip by clip, best first.

    A detection is correct as in average precision at one threshold: in order of score it takes the
    free true segment of its clip and label that it overlaps most, if that is enough.

    Attributes:
        clip_ids: the clips, in order of id.
        clip, label: [n] clip as number in `clip_ids`, class.
        place: [n] place in the clip's order, from 0.
        segments_s: [n, 2] start and end.
        score: [n].
        truth_id: [n] id of the best true segment, None where none overlaps: the one that it took,
            else of its label, else of any.
        truth_tiou: [n] how much they overlap.
        correct: [n] bool.
    """

    clip_ids: tuple[str, ...]
    clip: Ints
    place: Ints
    label: Ints
    segments_s: Floats
    score: Floats
    truth_id: NDArray[np.object_]
    truth_tiou: Floats
    correct: NDArray[np.bool_]

    @classmethod
    def of(
        cls, detections: pd.DataFrame, truth: pd.DataFrame, clip_ids: Sequence[str], *, correct_tiou: float
    ) -> Found:
        """Look up each detection's best true segment.

        Args:
            detections: `clip_id`, `start_s`, `end_s`, `label`, `score`, any order; equal scores are
                ordered by start, end and label, as they are stored.
            truth: `clip_id`, `segment_id`, `start_s`, `end_s`, `label`, any order.
            clip_ids: all else is left out.
            correct_tiou: least overlap of a correct detection, in (0, 1].
        """
        index = pd.Index(sorted(clip_ids))
        found, clip = _of_clips(detections, index)
        true, truth_clip = _of_clips(truth, index)
        begins = np.searchsorted(clip, np.arange(len(index) + 1))
        truth_begins = np.searchsorted(truth_clip, np.arange(len(index) + 1))
        segments_s, label = _bounds(found), found["label"].to_numpy(np.int64)
        best, overlap, correct = _find(
            begins, truth_begins, segments_s, label, _bounds(true), true["label"].to_numpy(np.int64), correct_tiou
        )
        names = np.array([*true["segment_id"], None], object)
        place = np.arange(len(clip)) - begins[clip]
        score = found["score"].to_numpy(np.float64)
        return cls(tuple(index), clip, place, label, segments_s, score, names[best], overlap, correct)


def _of_clips(table: pd.DataFrame, clips: pd.Index) -> tuple[pd.DataFrame, Ints]:
    """Rows of some clips, best first where there are scores, and their clips as numbers."""
    clip = clips.get_indexer(pd.Index(table["clip_id"]))
    keys = [table[name].to_numpy() for name in ("label", "end_s", "start_s")]
    if "score" in table:
        keys.append(-table["score"].to_numpy(np.float64))
    order = np.lexsort([*keys, clip])
    order = order[clip[order] >= 0]
    return table.iloc[order], clip[order].astype(np.int64)


def _bounds(table: pd.DataFrame) -> Floats:
    return np.ascontiguousarray(table[["start_s", "end_s"]].to_numpy(np.float64))


@compiled(nogil=True)
def _find(
    begins: Ints,
    truth_begins: Ints,
    found_s: Floats,
    found_label: Ints,
    truth_s: Floats,
    truth_label: Ints,
    min_tiou: float,
) -> tuple[Ints, Floats, NDArray[np.bool_]]:
    """Best true segment of every detection, -1 for none, the overlap, and whether it is correct."""
    best = np.full(len(found_s), -1)
    overlap = np.zeros(len(found_s))
    correct = np.zeros(len(found_s), dtype=np.bool_)
    taken = np.zeros(len(truth_s), dtype=np.bool_)
    for clip in range(len(begins) - 1):
        for row in range(begins[clip], begins[clip + 1]):
            free, free_tiou, own_tiou = -1, 0.0, 0.0
            for true in range(truth_begins[clip], truth_begins[clip + 1]):
                value = tiou(found_s[row], truth_s[true])
                own = truth_label[true] == found_label[row]
                if own and value >= min_tiou and value > free_tiou and not taken[true]:
                    free, free_tiou = true, value
                if value > 0 and ((own and value > own_tiou) or (own_tiou == 0 and not own and value > overlap[row])):
                    best[row], overlap[row] = true, value
                    own_tiou = value if own else 0.0
            if free >= 0:
                best[row], overlap[row], correct[row], taken[free] = free, free_tiou, True, True
    return best, overlap, correct
