"""How often the runs of a sweep name true segments rightly, with and without misleading sound from elsewhere.

A true segment is named rightly if, of all detections that overlap it by a temporal intersection
over union of at least 0.5, the one with the highest score bears its label. Sound misleads where
events that are not on screen cover at least a quarter of the segment.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.analysis.sweep import scores
from mravff_core.errors import WorkspaceError
from mravff_core.segments import temporal_iou
from mravff_core.workspace import Workspace

TIOU = 0.5
MISLEADING_SHARE = 0.25
SEGMENT = ["start_s", "end_s", "label"]


def rightly_named(truth: pd.DataFrame, detections: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each true segment is named rightly.

    Args:
        truth: `clip_id`, `start_s`, `end_s`, `label`.
        detections: the same and `score`; of equal scores the earlier start and lower label count.
    """
    order = ["score", "start_s", "end_s", "label"]
    best_first = detections.sort_values(order, ascending=[False, True, True, True], kind="stable")
    by_clip = {str(clip_id): rows[SEGMENT].to_numpy() for clip_id, rows in best_first.groupby("clip_id", sort=False)}
    right = np.zeros(len(truth), dtype=bool)
    for place, (clip_id, (start_s, end_s, label)) in enumerate(
        zip(truth["clip_id"], truth[SEGMENT].to_numpy(), strict=True)
    ):
        found = by_clip.get(str(clip_id), np.zeros((0, 3)))
        near = np.flatnonzero(temporal_iou(found[:, :2], np.array([start_s, end_s]))[:, 0] >= TIOU)
        right[place] = len(near) > 0 and found[near[0], 2] == label
    return right


def misled(truth: pd.DataFrame, sound_events: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether off-screen events cover a quarter or more of each true segment; overlapping events count once each."""
    elsewhere = sound_events[~sound_events["on_screen"].astype(bool)]
    by_clip = {str(clip_id): rows[SEGMENT[:2]].to_numpy() for clip_id, rows in elsewhere.groupby("clip_id")}
    result = np.zeros(len(truth), dtype=bool)
    bounds_s = truth[SEGMENT[:2]].to_numpy()
    for place, (clip_id, (start_s, end_s)) in enumerate(zip(truth["clip_id"], bounds_s, strict=True)):
        events = by_clip.get(str(clip_id), np.zeros((0, 2)))
        covered_s = np.minimum(events[:, 1], end_s) - np.maximum(events[:, 0], start_s)
        result[place] = covered_s.clip(min=0).sum() >= MISLEADING_SHARE * (end_s - start_s)
    return result


def naming(workspace: Workspace, name: str, *, split: str) -> pd.DataFrame:
    """Every run of a sweep with sound on, against every true segment of a split.

    Returns: `base`, `fusion`, `seed`, `segment_id`, `class`, `misled` (False throughout where sound
        events are not known) and `right`, one row a run and segment.
    Raises: ConfigError if nothing of the sweep is finished; WorkspaceError if a run's predictions are gone.
    """
    members = scores(workspace, name)[["run", "base", "fusion", "seed"]].drop_duplicates()
    tables = []
    for member in members.to_dict("records"):
        run = workspace.run(str(member["run"]))
        label_set = run.info.label_set
        truth = workspace.truth(label_set, workspace.clip_ids(split))
        detections = run.detections("on", sorted(set(truth["clip_id"])))
        if detections is None:
            raise WorkspaceError(f"{run.folder}: its predictions are gone; make them again with 'predict'")
        events = workspace.sound_events
        names = np.array(workspace.class_names(label_set))
        tables.append(
            pd.DataFrame(
                {
                    "base": member["base"],
                    "fusion": member["fusion"],
                    "seed": member["seed"],
                    "segment_id": truth["segment_id"],
                    "class": names[truth["label"].to_numpy()],
                    "misled": False if events is None or "on_screen" not in events else misled(truth, events),
                    "right": rightly_named(truth, detections),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
