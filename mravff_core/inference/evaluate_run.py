"""Score a run's detections against the true segments of its label set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import WorkspaceError
from mravff_core.evaluation import (
    Intervals,
    PairedDifferences,
    bootstrap,
    mean_average_precision,
    paired_bootstrap,
)
from mravff_core.evaluation.actions import merge_actions
from mravff_core.evaluation.recall import recall_at_k
from mravff_core.inference.run_predict import predict
from mravff_core.segments import ACTION, DETECTION_COLUMNS
from mravff_core.workspace import Workspace
from mravff_core.workspace.scored_clips import scored_clips


@dataclass(frozen=True)
class Scored:
    """What is scored: one run, or a verb and a noun run whose detections are merged into actions.

    Attributes:
        run: its name; the verb run where `noun_run` is given.
        audio: what it hears.
        label_set: of the run; its first if empty.
        noun_run: whose nouns make actions with the run's verbs.
    """

    run: str
    audio: AudioCondition = field(default_factory=AudioCondition)
    label_set: str = ""
    noun_run: str = ""

    def __str__(self) -> str:
        return f"{self.run} + {self.noun_run}" if self.noun_run else self.run

    def labels(self, workspace: Workspace) -> str:
        """Name of the label set. Raises: WorkspaceError if the run has no such labels."""
        if self.noun_run:
            return ACTION
        return workspace.run(self.run).label_set(self.label_set)

    def detections(self, workspace: Workspace, clip_ids: Sequence[str]) -> pd.DataFrame:
        """Stored detections of some clips, actions where that is asked."""
        if not self.noun_run:
            return _stored(workspace, self.run, self.audio, clip_ids, self.labels(workspace))
        verbs = _stored(workspace, self.run, self.audio, clip_ids, "verb")
        nouns = _stored(workspace, self.noun_run, self.audio, clip_ids, "noun")
        return merge_actions(verbs, nouns, len(workspace.label_sets["noun"]))


def evaluate_run(
    workspace: Workspace,
    scored: Scored | str,
    *,
    clip_ids: Sequence[str] | None = None,
    tiou_thresholds: Sequence[float] | None = None,
    protocol: str = "epic",
    resamples: int = 0,
    against: Scored | None = None,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Mean average precision and recall of one run, predicting first where predictions are missing.

    Args:
        scored: what; a run's name for its first label set and sound as recorded.
        clip_ids: as of `scored_clips`.
        tiou_thresholds: in (0, 1]; None for the workspace's own.
        resamples: draws of clips for 95 % intervals; 0 for none.
        against: what this run is compared with, on the same clips; of the same label set.
    Returns: `run`, `audio`, `label_set`, `protocol`, `clips`, `clips_without_segments`, `segments`,
        `average`, `per_threshold`, `per_class` (average over thresholds by class name),
        `per_class_threshold` and `recall` (at 1 and 5 times the true segments, by threshold), all in
        [0, 1]; with resamples `intervals` of each but recall; with `against` the paired `difference`, its
        average, by threshold and by class.
    Raises: WorkspaceError if no chosen clip has true segments or both sides differ in label set, and
        what `predict` raises.
    """
    if tiou_thresholds is None:
        tiou_thresholds = workspace.settings.tiou_thresholds
    scored = Scored(scored) if isinstance(scored, str) else scored
    labels = scored.labels(workspace)
    if against is not None and against.labels(workspace) != labels:
        raise WorkspaceError(
            f"{scored} finds {labels}, {against} finds {against.labels(workspace)}: nothing to compare"
        )
    truth = workspace.truth(labels, clip_ids)
    clips = scored_clips(workspace, labels, clip_ids)
    for side in filter(None, (scored, against)):
        for name in filter(None, (side.run, side.noun_run)):
            predict(workspace, name, condition=side.audio, clip_ids=clips, device=device, progress=progress)
    found = scored.detections(workspace, clips)
    result = mean_average_precision(truth, found, tiou_thresholds, protocol=protocol)
    recall = recall_at_k(truth, found, tiou_thresholds, protocol=protocol).per_threshold
    names = workspace.class_names(labels, result.per_class.index.tolist())
    thresholds = [f"{tiou:g}" for tiou in tiou_thresholds]
    document: dict[str, Any] = {
        "run": str(scored),
        "audio": str(scored.audio),
        "label_set": labels,
        "protocol": protocol,
        "clips": len(clips),
        "clips_without_segments": len(clips) - truth["clip_id"].nunique(),
        "segments": len(truth),
        "average": result.average,
        "per_threshold": dict(zip(thresholds, result.per_threshold.tolist(), strict=True)),
        "per_class": dict(zip(names, result.per_class.mean(axis=1).tolist(), strict=True)),
        "per_class_threshold": _by_both(result.per_class.to_numpy().ravel().tolist(), names, thresholds),
        "recall": {f"{k}": dict(zip(thresholds, recall[k].tolist(), strict=True)) for k in recall.columns},
    }
    if resamples:
        drawn = bootstrap(truth, found, tiou_thresholds, protocol=protocol, resamples=resamples)
        document["intervals"] = {"resamples": resamples, **_intervals(drawn, thresholds, names)}
    if against is not None:
        other = against.detections(workspace, clips)
        paired = paired_bootstrap(truth, found, other, tiou_thresholds, protocol=protocol, resamples=resamples or 1000)
        document["difference"] = {
            "against": str(against),
            "audio": str(against.audio),
            **_difference(paired, thresholds, names),
        }
    return document


def scores_file(workspace: Workspace, scored: Scored) -> Path:
    """Where scores belong: `metrics.json` beside the run's predictions, for its first label set.

    For another `metrics.<label set>.json`, and for the actions of two runs `metrics.action.<noun run>.json`.
    """
    run, labels = workspace.run(scored.run), scored.labels(workspace)
    parts = ["metrics", *([] if labels == run.label_sets[0] else [labels]), *filter(None, [scored.noun_run]), "json"]
    return run.predictions_folder(scored.audio) / ".".join(parts)


def _intervals(drawn: Intervals, thresholds: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    return {
        "average": _plain([drawn.average.low, drawn.average.high]),
        "per_threshold": _ends(drawn.per_threshold, thresholds),
        "per_class": _ends(drawn.per_class, names),
        "per_class_threshold": _by_both(_pairs(drawn.per_class_threshold), names, thresholds),
    }


def _by_both(values: Sequence[Any], names: Sequence[str], thresholds: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Values of all classes at all thresholds, class by class, as mappings."""
    width = len(thresholds)
    return {
        name: dict(zip(thresholds, values[number * width : (number + 1) * width], strict=True))
        for number, name in enumerate(names)
    }


def _difference(paired: PairedDifferences, thresholds: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    numbers = dataclasses.asdict(paired.average)
    return {
        **dict(zip(numbers, _plain(numbers.values()), strict=True)),
        "per_threshold": _records(paired.per_threshold, thresholds),
        "per_class": _records(paired.per_class, names),
    }


def _stored(
    workspace: Workspace, run: str, audio: AudioCondition, clip_ids: Sequence[str], label_set: str
) -> pd.DataFrame:
    found = workspace.run(run).detections(audio, clip_ids, label_set=label_set)
    return pd.DataFrame(columns=["clip_id", *DETECTION_COLUMNS]) if found is None else found


def _ends(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[float | None]]:
    """Ends of intervals by name."""
    return dict(zip(names, _pairs(table), strict=True))


def _pairs(table: pd.DataFrame) -> list[list[float | None]]:
    """Ends of intervals, row by row, as JSON holds them: none where there is no interval."""
    return [_plain(ends) for ends in table[["low", "high"]].to_numpy().tolist()]


def _plain(numbers: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(number) else number for number in numbers]


def _records(table: pd.DataFrame, names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Rows by name; what is not a number becomes None."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return {name: {str(key): value for key, value in row.items()} for name, row in zip(names, rows, strict=True)}
