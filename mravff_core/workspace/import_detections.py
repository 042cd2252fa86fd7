"""Detections of other tools become a run of the workspace that has no detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mravff_core.data.detection_files import DetectionFile, label_indices, read_detections
from mravff_core.errors import AnnotationError, WorkspaceError
from mravff_core.segments import ACTION, action_labels
from mravff_core.workspace.clip import clips_by_name
from mravff_core.workspace.detection_runs import free_run_folder, new_detection_run
from mravff_core.workspace.layout import Workspace


@dataclass(frozen=True)
class ImportedDetections:
    """What an import of detections did.

    Attributes:
        run: name of the run that was made.
        format: of the file.
        label_sets: of its tables of detections, `action` for pairs of verb and noun included.
        detections: how many were taken.
        clips: clips of the workspace that the file speaks of.
        clips_not_in_workspace: clips of the file that were left out.
        clips_without_detections: clips of the workspace that the file does not speak of.
    """

    run: str
    format: str
    label_sets: tuple[str, ...]
    detections: int
    clips: int
    clips_not_in_workspace: int
    clips_without_detections: int


def import_detections(
    workspace: Workspace, path: Path | str, run_name: str, *, label_set: str | None = None, replace: bool = False
) -> ImportedDetections:
    """Take the detections of a file as a run, under the audio condition `on`.

    A file with verbs and nouns, such as the EPIC-Kitchens challenge's, gives actions too.

    Args:
        workspace: whose clips and label sets the file is about.
        path: see `read_detections`.
        run_name: of the run that is made.
        label_set: what a single label is; None for the workspace's first.
        replace: an imported run of that name is made anew; a run with a detector never is.
    Raises: AnnotationError for a file that is malformed or speaks of other clips or classes;
        WorkspaceError for a name that is taken or not usable, or a label set that is not there.
    """
    folder = free_run_folder(workspace, run_name, replace)
    found = read_detections(path, label_set or next(iter(workspace.label_sets), "verb"))
    for name in found.label_sets:
        if name not in workspace.label_sets:
            known = ", ".join(workspace.label_sets)
            raise WorkspaceError(f"{path}: holds detections of {name!r}, which is no label set here; there are {known}")
    clip_of = clips_by_name(found.clip_ids, set(workspace.clip_ids()))
    if not clip_of:
        example = f"such as {found.clip_ids[0]!r}" if found.clip_ids else "it holds none"
        raise AnnotationError(
            f"{path}: none of its {len(found.clip_ids)} clips is in the workspace ({example}); "
            "made for another data set, or its clips are not imported yet?"
        )
    clip_ids = sorted(set(clip_of.values()))
    tables = _tables(workspace, found, clip_of, path)
    classes = {name: len(workspace.label_sets[name]) for name in found.label_sets}
    with new_detection_run(folder, Path(path).name, Path(path).read_bytes(), found.format, classes) as run:
        run.store_all("on", clip_ids, tables)
    return ImportedDetections(
        run=run_name,
        format=found.format,
        label_sets=tuple(tables),
        detections=len(next(iter(tables.values()))),
        clips=len(clip_ids),
        clips_not_in_workspace=len(found.clip_ids) - len(clip_of),
        clips_without_detections=len(workspace.clips) - len(clip_ids),
    )


def _tables(
    workspace: Workspace, found: DetectionFile, clip_of: dict[str, str], path: Path | str
) -> dict[str, pd.DataFrame]:
    """Detections by label set with class indices; actions too where the file pairs verbs and nouns."""
    rows = found.table[found.table["clip_id"].isin(clip_of)]
    bare = pd.DataFrame({"clip_id": rows["clip_id"].map(clip_of), "start_s": rows["start_s"], "end_s": rows["end_s"]})
    tables = {}
    for name in found.label_sets:
        labels = label_indices(rows[name], workspace.label_sets[name], f"{path}: {name}")
        tables[name] = bare.assign(label=labels, score=rows["score"])
    if {"verb", "noun"} <= set(found.label_sets):
        verbs, nouns = tables["verb"]["label"], tables["noun"]["label"]
        actions = action_labels(verbs, nouns, len(workspace.label_sets["noun"]))
        tables[ACTION] = tables["verb"].assign(label=actions)
    return tables
