"""Actions of a verb run and a noun run, as a run of their own that is listed and analysed like any other.

The run is a copy: when either of the two is predicted anew, it has to be merged anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.evaluation.actions import merge_actions
from mravff_core.segments import ACTION
from mravff_core.workspace.detection_runs import free_run_folder, new_detection_run
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.runs import MERGED, Run


@dataclass(frozen=True)
class MergedRuns:
    """What a merge made.

    Attributes:
        run: name of the run.
        clips: how many clips it covers, by audio condition.
        detections: how many it has, by audio condition.
    """

    run: str
    clips: dict[str, int]
    detections: dict[str, int]


def merge_runs(
    workspace: Workspace,
    verb_run: str,
    noun_run: str,
    run_name: str,
    *,
    replace: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> MergedRuns:
    """Pair stored detections of verbs and nouns under every audio condition that both runs have; see `merge_actions`.

    A run that never listens finds the same under all conditions.

    Args:
        run_name: of the run that is made.
        replace: a run without a detector of that name is made anew.
        progress: called with the share done, 0 to 1.
        cancel: asked between clips; True stops and leaves nothing behind.
    Raises: WorkspaceError for a name that is taken or not usable, runs that are not there or do not find verbs and
        nouns, or no condition under which both were predicted; CancelledError.
    """
    folder = free_run_folder(workspace, run_name, replace)
    if run_name in (verb_run, noun_run):
        raise WorkspaceError(f"{folder}: is one of the two runs to merge; choose another name for what they make")
    sources = [workspace.run(name) for name in (verb_run, noun_run)]
    for run, label_set in zip(sources, ("verb", "noun"), strict=True):
        run.label_set(label_set)
    clips = {condition: _clips(sources, condition) for condition in _conditions(sources)}
    total = sum(map(len, clips.values()))
    if not total:
        raise WorkspaceError(
            f"runs {verb_run!r} and {noun_run!r} have no clip in common that both were predicted for under one sound; "
            f"predict both first with '{workspace.command('predict --run NAME')}'"
        )
    noun_classes = len(workspace.label_sets["noun"])
    origin = "".join(run.model_hash() for run in sources).encode()
    classes = {ACTION: len(workspace.label_sets["verb"]) * noun_classes}
    done, found = 0, {}
    with new_detection_run(folder, f"{verb_run} + {noun_run}", origin, MERGED, classes) as merged:
        for condition, ids in clips.items():
            verbs, nouns = (
                _found(run, condition, ids, label_set) for run, label_set in zip(sources, ("verb", "noun"), strict=True)
            )
            tables = []
            for clip_id in ids:
                if cancel is not None and cancel():
                    raise CancelledError("the merge was stopped")
                tables.append(merge_actions(verbs[clip_id], nouns[clip_id], noun_classes))
                done += 1
                if progress is not None:
                    progress(done / total)
            actions = pd.concat(tables, ignore_index=True)
            merged.store_all(condition, ids, {ACTION: actions})
            found[str(condition)] = len(actions)
    return MergedRuns(run_name, {str(condition): len(ids) for condition, ids in clips.items()}, found)


def _conditions(sources: list[Run]) -> list[AudioCondition]:
    """Under which either run was predicted and there are clips of both."""
    known = dict.fromkeys(condition for run in sources for condition in run.conditions())
    return [condition for condition in known if _clips(sources, condition)]


def _clips(sources: list[Run], condition: AudioCondition) -> list[str]:
    """Clips that both runs have looked at."""
    first, second = (run.predicted_clips(run.heard(condition)) for run in sources)
    return sorted(first & second)


def _found(run: Run, condition: AudioCondition, clip_ids: list[str], label_set: str) -> dict[str, pd.DataFrame]:
    """A run's detections by clip, also of clips where it found nothing."""
    found = run.detections(run.heard(condition), clip_ids, label_set=label_set)
    if found is None:
        raise WorkspaceError(
            f"{run.folder}: has no {label_set} detections stored for audio {condition}; predict with that sound first"
        )
    return dict.fromkeys(clip_ids, found[:0]) | {str(clip): rows for clip, rows in found.groupby("clip_id")}
