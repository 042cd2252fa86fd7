"""Score a run's stored detections against the true segments of its label set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import WorkspaceError
from mravff_core.evaluation import mean_average_precision
from mravff_core.files import write_json
from mravff_core.inference.run_predict import predict
from mravff_core.workspace import Workspace


def evaluate_run(
    workspace: Workspace,
    run_name: str,
    *,
    condition: AudioCondition | str = "on",
    clip_ids: Sequence[str] | None = None,
    tiou_thresholds: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    protocol: str = "epic",
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Mean average precision of one run, predicting first where predictions are missing.

    Only clips with true segments count. The result is also written to `metrics.json` beside
    the predictions when all of them were scored.

    Returns: `run`, `audio`, `label_set`, `clips`, `segments`, `average`, `per_threshold` and
        `per_class` (average over thresholds by class name), all average precisions in [0, 1].
    Raises: WorkspaceError if no chosen clip has true segments, and what `predict` raises.
    """
    condition = AudioCondition.parse(condition)
    run = workspace.run(run_name)
    label_set = run.info.label_set
    truth = workspace.truth(label_set, clip_ids)
    scored_clips = sorted(set(truth["clip_id"]))
    if not scored_clips:
        raise WorkspaceError(
            f"{workspace.folder}: none of the chosen clips has true {label_set} segments to score against"
        )
    predict(workspace, run_name, condition=condition, clip_ids=scored_clips, device=device, progress=progress)
    detections = run.detections(condition, scored_clips)
    if detections is None:
        detections = pd.DataFrame(columns=["clip_id", "start_s", "end_s", "label", "score"])
    result = mean_average_precision(truth, detections, tiou_thresholds, protocol=protocol)
    names = workspace.label_sets[label_set]
    per_class = zip(result.per_class.index.tolist(), result.per_class.mean(axis=1).tolist(), strict=True)
    document = {
        "run": run.name,
        "audio": str(condition),
        "label_set": label_set,
        "protocol": protocol,
        "clips": len(scored_clips),
        "segments": len(truth),
        "average": float(result.average),
        "per_threshold": {
            f"{tiou:g}": float(value) for tiou, value in zip(tiou_thresholds, result.per_threshold, strict=True)
        },
        "per_class": {names[label]: value for label, value in per_class},
    }
    if clip_ids is None:
        write_json(run.predictions_folder(condition) / "metrics.json", document)
    return document
