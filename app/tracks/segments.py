"""True segments and detections of one clip, as the player shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.segments import ACTION, temporal_iou
from mravff_core.workspace import Workspace

# The best that are sent; below them lie hundreds of near-zero scores that nobody looks at.
MOST_DETECTIONS = 1000
_FOR_S, _MOST_OF_LONG = 600.0, 5000  # longer clips have more to find


def most_detections(duration_s: float) -> int:
    """How many detections of a clip are sent."""
    return min(_MOST_OF_LONG, round(MOST_DETECTIONS * max(1.0, duration_s / _FOR_S)))


def segments(
    workspace: Workspace, clip_id: str, *, label_set: str, run: str | None, condition: AudioCondition
) -> dict[str, Any]:
    """True segments and detections with what matches them best.

    Returns: `labels`, names of the classes in order, of actions by label and only those that are there;
        `truth`, a list of `id, start_s, end_s, label, audibility`; `detections`, a list of `id, start_s,
        end_s, label, score, best_tiou, best_truth`, best first; `total`, how many detections are
        stored; `looked`, whether the run has looked at the clip, so that what it did not find is
        missed. The best match is the true segment of the same class with the largest overlap or,
        where none of the class overlaps, of any class.
    Raises: WorkspaceError for an unknown clip, run or label set.
    """
    clip = workspace.clip(clip_id)
    truth = workspace.truth(label_set, [clip_id])
    found = workspace.run(run).detections(condition, [clip_id], label_set=label_set) if run else None
    detections = pd.DataFrame(columns=["start_s", "end_s", "label", "score"]) if found is None else found
    shown = detections.head(most_detections(clip.duration_s)).reset_index(drop=True)
    best, tiou = _best_matches(shown, truth)
    true_rows, found_rows = _rows("t", truth), _rows("d", shown)
    audibility = truth["audibility"] if "audibility" in truth else [None] * len(truth)
    for row, value in zip(true_rows, audibility, strict=True):
        row["audibility"] = None if value is None or pd.isna(value) else float(value)
    for number, (row, score) in enumerate(zip(found_rows, shown["score"], strict=True)):
        row["score"] = float(score)
        row["best_tiou"] = round(float(tiou[number]), 4)
        row["best_truth"] = true_rows[best[number]]["id"] if tiou[number] > 0 else None
    return {
        "labels": _names(workspace, label_set, {*truth["label"], *shown["label"]}),
        "truth": true_rows,
        "detections": found_rows,
        "total": len(detections),
        "looked": run is not None and workspace.run(run).has(condition, clip_id),
    }


def _names(workspace: Workspace, label_set: str, there: set[int]) -> list[str] | dict[int, str]:
    """Names by label; of the many actions only those that are there."""
    if label_set != ACTION:
        return workspace.class_names(label_set)
    labels = sorted(map(int, there))
    return dict(zip(labels, workspace.class_names(label_set, labels), strict=True))


def _best_matches(detections: pd.DataFrame, truth: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row of `truth` that matches each detection best, and their overlap."""
    if detections.empty or truth.empty:
        return np.zeros(len(detections), np.int64), np.zeros(len(detections))
    overlap = temporal_iou(_bounds(detections), _bounds(truth))
    same = detections["label"].to_numpy()[:, None] == truth["label"].to_numpy()[None, :]
    # An overlap lies in [0, 1], so 2 puts every overlapping segment of the class before all others.
    best = np.argmax(overlap + 2.0 * (same & (overlap > 0)), axis=1)
    return best, overlap[np.arange(len(best)), best]


def _bounds(table: pd.DataFrame) -> NDArray[np.float64]:
    return table[["start_s", "end_s"]].to_numpy(np.float64)


def _rows(letter: str, table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = zip(table["start_s"], table["end_s"], table["label"], strict=True)
    return [
        {"id": f"{letter}{number}", "start_s": float(start_s), "end_s": float(end_s), "label": int(label)}
        for number, (start_s, end_s, label) in enumerate(columns)
    ]
