"""Proposals of a run and class scores of whole videos, as a run of labelled detections like any other.

The run is a copy: when the proposals are predicted anew, it has to be merged anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.data.class_scores import ClassScores, read_class_scores
from mravff_core.errors import AnnotationError, ConfigError, WorkspaceError
from mravff_core.evaluation.proposals import label_proposals
from mravff_core.segments import ACTION
from mravff_core.workspace.detection_runs import free_run_folder, new_detection_run
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.merge_runs import MergedRuns
from mravff_core.workspace.runs import MERGED


def merge_proposals(
    workspace: Workspace,
    proposals: str,
    class_scores: Path | str,
    run_name: str,
    *,
    logits: bool = False,
    label_set: str | None = None,
    classes_per_clip: int = 2,
    proposals_per_clip: int = 200,
    allow_missing: bool = False,
    replace: bool = False,
) -> MergedRuns:
    """Label stored proposals under every audio condition that they have; see `label_proposals`.

    Args:
        proposals: run that tells no classes apart, or whose own classes do not matter, as for published
            numbers on THUMOS14.
        class_scores, logits: see `read_class_scores`.
        run_name: of the run that is made.
        label_set: whose classes the file scores; None for the one with as many.
        classes_per_clip, proposals_per_clip: best ones used of each clip.
        allow_missing: leave out clips that the file has no scores of.
        replace: a run without a detector of that name is made anew.
    Raises: WorkspaceError for a name that is taken or not usable, or a run that is not there, has nothing stored or
        finds several label sets; ConfigError for a label set that does not fit or settings below 1; AnnotationError for
        a file that is malformed or lacks clips.
    """
    folder = free_run_folder(workspace, run_name, replace)
    if run_name == proposals:
        raise WorkspaceError(f"{folder}: is the run of proposals; choose another name for what is made of it")
    run = workspace.run(proposals)
    if len(run.info.label_sets) != 1 or ACTION in run.info.label_sets:
        raise WorkspaceError(
            f"run {proposals!r} finds {' and '.join(run.info.label_sets)}; class scores are for a run of proposals, or "
            "of one label set, whose own classes are not looked at then"
        )
    scores = read_class_scores(class_scores, logits=logits)
    labels = _label_set(workspace, scores, label_set)
    places = scores.places(workspace.label_sets[labels])
    clips: dict[AudioCondition, list[str]] = {}
    tables: dict[AudioCondition, pd.DataFrame] = {}
    for condition in run.conditions():
        found = run.detections(condition)
        if found is None:
            continue
        of_clip = _scores_of(found, scores, places, allow_missing)
        scored = found["clip_id"].isin(of_clip)
        clips[condition] = sorted(run.predicted_clips(condition) - set(found.loc[~scored, "clip_id"]))
        tables[condition] = label_proposals(
            found[scored], of_clip, classes_per_clip=classes_per_clip, proposals_per_clip=proposals_per_clip
        )
    if not any(map(len, tables.values())):
        raise WorkspaceError(
            f"run {proposals!r} has no proposals stored in clips that {scores.path} has scores of; predict first with "
            f"'{workspace.command(f'predict --run {proposals}')}'"
        )
    origin = run.model_hash().encode() + scores.path.read_bytes()
    classes = {labels: len(workspace.label_sets[labels])}
    with new_detection_run(folder, f"{proposals} × {scores.path.name}", origin, MERGED, classes) as merged:
        for condition, table in tables.items():
            merged.store_all(condition, clips[condition], {labels: table})
    return MergedRuns(
        run_name,
        {str(condition): len(ids) for condition, ids in clips.items()},
        {str(condition): len(table) for condition, table in tables.items()},
    )


def _scores_of(
    found: pd.DataFrame, scores: ClassScores, places: NDArray[np.int64], allow_missing: bool
) -> dict[str, NDArray[np.float64]]:
    """Class scores in the label set's order by clip with proposals. Raises: AnnotationError if a clip has none."""
    clip_ids = found["clip_id"].unique().tolist()
    of_clip = {clip_id: values[places] for clip_id, values in scores.of_clips(clip_ids).items()}
    unscored = [clip_id for clip_id in clip_ids if clip_id not in of_clip]
    if unscored and not allow_missing:
        raise AnnotationError(
            f"{scores.path}: has no scores of {len(unscored)} of {len(clip_ids)} clips with proposals, such as "
            f"{unscored[0]!r}; made for another split? --allow-missing leaves them out"
        )
    return of_clip


def _label_set(workspace: Workspace, scores: ClassScores, wanted: str | None) -> str:
    """The label set whose classes a file scores. Raises: WorkspaceError, ConfigError."""
    if wanted is not None and wanted not in workspace.label_sets:
        known = ", ".join(workspace.label_sets)
        raise WorkspaceError(f"{workspace.folder}: has no label set {wanted!r}; it has {known}")
    fitting = [name for name, labels in workspace.label_sets.items() if len(labels) == scores.classes]
    if wanted is None and len(fitting) != 1:
        sizes = ", ".join(f"{name} of {len(labels)}" for name, labels in workspace.label_sets.items())
        raise ConfigError(
            f"{scores.path}: has scores of {scores.classes} classes, the workspace has {sizes}; name its label set, "
            "or was it made for another data set?"
        )
    return wanted or fitting[0]
