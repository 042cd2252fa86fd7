"""Segments on a time line: temporal intersection over union and detection tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

DETECTION_COLUMNS = ("start_s", "end_s", "label", "score")
"""Of a table of one clip's detections; those of several have `clip_id` before them."""

TIOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Temporal overlaps over which average precision is averaged, unless a data set has its own; EPIC-Kitchens'."""

ACTION = "action"
"""Name of the detections of verb and noun together."""

PROPOSAL = "proposal"
"""Name of the detections of a detector that tells no classes apart: its one class, and that of every true segment."""

Floats = NDArray[np.floating]


def temporal_iou(segments: Floats, others: Floats) -> NDArray[np.float64]:
    """Temporal intersection over union of every pair.

    Args:
        segments: [n, 2] start and end, any one unit of time.
        others: [m, 2] in the same unit.
    Returns: [n, m] in [0, 1]; 0 where the union has no length.
    """
    first = np.asarray(segments, dtype=np.float64).reshape(-1, 2)
    second = np.asarray(others, dtype=np.float64).reshape(-1, 2)
    start = np.maximum(first[:, None, 0], second[None, :, 0])
    end = np.minimum(first[:, None, 1], second[None, :, 1])
    intersection = np.clip(end - start, 0.0, None)
    lengths = np.diff(first, axis=1) + np.diff(second, axis=1).T
    union = lengths - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def action_labels(verbs: Any, nouns: Any, noun_classes: int) -> Any:
    """EPIC-Kitchens' number of each pair of verb and noun: verb * number of nouns + noun; of any kind of array."""
    return verbs * noun_classes + nouns


def with_actions(label_sets: Iterable[str]) -> tuple[str, ...]:
    """Label sets that people can look at: the given ones, and `action` last where there are verbs and nouns."""
    names = tuple(label_sets)
    return (*names, ACTION) if {"verb", "noun"} <= set(names) and ACTION not in names else names


def check_order(labels: Sequence[str], label_set: str, known: Sequence[str], where: Path | str) -> None:
    """Refuse a detector's classes if a label set numbers one of them otherwise.

    Args:
        labels: of the detector; names that the label set has not may be other words for the same.
        label_set, known: its name and its classes, as many.
        where: the detector, for messages.
    Raises: ConfigError.
    """
    for number, (label, there) in enumerate(zip(labels, known, strict=True)):
        if label != there and label in known:
            raise ConfigError(
                f"{where}: its class {number} is {label!r}, which is class {list(known).index(label)} of {label_set}; "
                "give the label set the detector's order"
            )


def detection_table(segments_s: Floats, labels: NDArray[np.integer], scores: Floats) -> pd.DataFrame:
    """Detections of one clip as a table, best first.

    Equal scores are ordered by start, end and label, so row order of the input
    never matters.

    Args:
        segments_s: [n, 2] start and end in seconds.
        labels: [n] class indices.
        scores: [n] in [0, 1].
    Returns: columns `start_s`, `end_s`, `label` (int64), `score`.
    """
    import pandas as pd  # Takes 70 MB, which a forward pass can do without.

    segments_s = np.asarray(segments_s, dtype=np.float64).reshape(-1, 2)
    table = pd.DataFrame(
        {
            "start_s": segments_s[:, 0],
            "end_s": segments_s[:, 1],
            "label": np.asarray(labels, dtype=np.int64),
            "score": np.asarray(scores, dtype=np.float64),
        }
    )
    order = ["score", "start_s", "end_s", "label"]
    return table.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def lanes(starts: Iterable[float], ends: Iterable[float]) -> list[int]:
    """Lane of each segment, 0 on top, so that none covers another; segments come in order of their starts."""
    taken_until: list[float] = []
    found = []
    for start, end in zip(starts, ends, strict=True):
        lane = next((number for number, until in enumerate(taken_until) if until <= start), len(taken_until))
        taken_until[lane : lane + 1] = [end]
        found.append(lane)
    return found
