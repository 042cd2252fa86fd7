"""True segments of a file for clips that the workspace has already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mravff_core.data.annotations import read_annotations, to_workspace_table
from mravff_core.errors import AnnotationError
from mravff_core.workspace.clip import clips_by_name
from mravff_core.workspace.dataset_check import Findings, segments_that_last
from mravff_core.workspace.layout import Workspace


@dataclass(frozen=True)
class PlannedAnnotations:
    """What would enter the workspace.

    Attributes:
        clip_ids: clips of the workspace that the file has segments of.
        segments: labels as indices.
        findings: what is left out, or lies outside its clip.
        clips_not_in_workspace: clips of the file that are left out.
    """

    clip_ids: tuple[str, ...]
    segments: pd.DataFrame
    findings: Findings
    clips_not_in_workspace: int


def plan_annotations(workspace: Workspace, path: Path | str, label_set: str) -> PlannedAnnotations:
    """Read and check a file of true segments, and change nothing.

    Args:
        workspace: whose clips and label sets the file is about; it may call clips with or without `v_`.
        path: see `read_annotations`.
        label_set: what a single label is.
    Raises: AnnotationError for a file that is malformed or speaks of other clips or classes.
    """
    table = to_workspace_table(read_annotations(path, label_set, backwards_too=True), workspace.label_sets, path)
    names = table["clip_id"].unique()
    clip_of = clips_by_name(names, set(workspace.clip_ids()))
    if not clip_of:
        raise AnnotationError(
            f"{path}: none of its {len(names)} clips is in the workspace; "
            "clip ids differ, or the videos are not added yet"
        )
    findings = Findings()
    clips = {name: workspace.clip(clip_id) for name, clip_id in clip_of.items()}
    segments = segments_that_last(table[table["clip_id"].isin(clip_of)], clips, findings)
    clip_ids = tuple(sorted(set(clip_of.values())))
    return PlannedAnnotations(clip_ids, segments.reset_index(drop=True), findings, len(names) - len(clip_of))
