"""A workspace of EPIC-Kitchens-100's true size, to try the data-set pages on without its videos.

Clips, their lengths, true segments and classes are the data set's own, from the annotation files
of https://github.com/epic-kitchens/epic-kitchens-100-annotations (CC BY-NC 4.0, to be got by
whoever runs this); features, detections and gates are made up with a seed, and the two
detectors are untrained. Nothing here says anything about a real model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.data.annotations import to_workspace_table
from mravff_core.data.dataset_files import DataSetFiles, read_dataset
from mravff_core.data.features import Features
from mravff_core.errors import AnnotationError, CancelledError, WorkspaceError
from mravff_core.files import write_text
from mravff_core.inference.made_up import ClassTraits, made_up_detections, made_up_features, made_up_gates
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import Clip, LevelGates, Run, Workspace
from mravff_core.workspace.tables import write_table

SEGMENTS_FILE = "EPIC_100_validation.csv"
MARK_FILE = "epic_size.json"
CONDITIONS = ("on", "off")
DETECTIONS = 2000
# Counts changes of what is made, so that an older workspace is made anew.
_FORMAT = 1
_GRID = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
_CHANNELS = {"visual": 32, "audio": 16}

Progress = Callable[[float], None]


def make_epic_size(
    annotations: Path | str,
    folder: Path | str,
    *,
    seed: int = 0,
    detections: int = DETECTIONS,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Make the workspace, or leave it as it is if it was made from the same seed; one cut short is made anew.

    So is one that an older version made.

    Args:
        annotations: folder with `EPIC_100_validation.csv`, `EPIC_100_video_info.csv`,
            `EPIC_100_verb_classes.csv` and `EPIC_100_noun_classes.csv`.
        folder: of the workspace.
        seed: another seed makes other features, detections and gates.
        detections: a clip.
    Returns: `workspace`, `clips`, `segments`, `runs`, `detections`.
    Raises: AnnotationError if a file is missing or malformed; WorkspaceError if the folder holds
        something else; CancelledError.
    """
    source, folder = Path(annotations), Path(folder)
    report = progress or (lambda _share: None)
    files = _files(source)
    wanted = {"seed": seed, "detections": detections, "format": _FORMAT}
    mark = folder / MARK_FILE
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file() and (folder / "clips.parquet").is_file():
        raise WorkspaceError(f"{folder}: holds another workspace; choose an empty or new folder")
    workspace = Workspace.create(folder, name="EPIC-Kitchens-100 validation, made up", label_sets=files.label_sets)
    if not mark.is_file() or json.loads(mark.read_text(encoding="utf-8")) != wanted:
        write_text(mark, "{}\n")  # whose workspace this is, should the rest be cut short
        _fill(workspace, files, seed, detections, report, cancel or (lambda: False))
        write_text(mark, json.dumps(wanted) + "\n")
    report(1.0)
    return {
        "workspace": str(workspace.folder),
        "clips": len(workspace.clips),
        "segments": len(workspace.annotations),
        "runs": [info.run for info in workspace.runs()],
        "detections": detections * len(workspace.clips),
    }


def _fill(
    workspace: Workspace, files: DataSetFiles, seed: int, detections: int, report: Progress, cancel: Callable[[], bool]
) -> None:
    segments = to_workspace_table(files.segments, workspace.label_sets, SEGMENTS_FILE)
    clips = [
        Clip(name, name, "", video.duration_s, video.frames_per_second, split=video.split)
        for name, video in sorted(files.videos.items())
    ]
    workspace.add_clips(clips)
    workspace.set_annotations(segments[["clip_id", "segment_id", "start_s", "end_s", *workspace.label_sets]])
    _make_features(workspace, clips, seed)
    report(0.15)
    for number, label_set in enumerate(workspace.label_sets):
        run = _make_run(workspace, label_set, seed + number)
        share = 0.85 / len(workspace.label_sets)
        part = _part(report, 0.15 + share * number, share)
        _make_predictions(workspace, run, clips, detections, seed + 100 * number, part, cancel)


def _part(report: Progress, begun: float, share: float) -> Progress:
    return lambda done: report(begun + share * done)


def _files(source: Path) -> DataSetFiles:
    """What the annotation files say of the validation videos. Raises: AnnotationError."""
    path = source / SEGMENTS_FILE
    if not path.is_file():
        raise AnnotationError(
            f"{path}: no such file; expected the annotation files of EPIC-Kitchens-100, "
            "see github.com/epic-kitchens/epic-kitchens-100-annotations"
        )
    files = read_dataset([path], label_set="verb")
    unknown = [name for name, video in files.videos.items() if not video.duration_s]
    if unknown:
        raise AnnotationError(f"{path}: nothing beside it gives the length of video {unknown[0]}; another release?")
    return files


def _make_features(workspace: Workspace, clips: list[Clip], seed: int) -> None:
    generator = np.random.default_rng([seed, 1])
    classes = len(workspace.label_sets["verb"])
    directions = {name: generator.normal(0, 1, (classes, channels)) for name, channels in _CHANNELS.items()}
    truth = dict(list(workspace.truth("verb").groupby("clip_id")))
    for clip in clips:
        steps = _GRID.steps_in(clip.duration_s)
        for name in _CHANNELS:
            array = made_up_features(truth[clip.clip_id], _GRID, steps, directions[name], generator)
            workspace.set_features(name, clip.clip_id, Features(array, _GRID))


def _make_run(workspace: Workspace, label_set: str, seed: int) -> Run:
    """An untrained detector with gates, small and of the right classes."""
    import torch

    from mravff_core.model.checkpoints import save_detector
    from mravff_core.model.detector import Detector, DetectorConfig

    torch.manual_seed(seed)
    config = DetectorConfig(
        label_set=label_set,
        labels=workspace.label_sets[label_set],
        base=BaseConfig(
            input_channels=_CHANNELS["visual"], embed_channels=32, neck_channels=32, head_channels=32, max_steps=2304
        ),
        fusion=FusionConfig(kind="mrav", audio_channels=_CHANNELS["audio"]),
        features={
            name: {"set": name, "encoder": "made_up", "channels": channels, "hop_s": _GRID.hop_s}
            for name, channels in _CHANNELS.items()
        },
    )
    folder = workspace.runs_folder / f"{label_set}_mrav"
    save_detector(Detector(config).eval(), folder)
    return Run(folder)


def _make_predictions(
    workspace: Workspace,
    run: Run,
    clips: list[Clip],
    detections: int,
    seed: int,
    report: Progress,
    cancel: Callable[[], bool],
) -> None:
    from mravff_core.inference.run_predict import count_as_predicted

    label_set = run.info.label_set
    generator = np.random.default_rng([seed, 2])
    traits = ClassTraits.draw(len(workspace.label_sets[label_set]), generator)
    truth = dict(list(workspace.truth(label_set).groupby("clip_id")))
    found: dict[str, list[pd.DataFrame]] = {condition: [] for condition in CONDITIONS}
    gates: list[pd.DataFrame] = []
    for number, clip in enumerate(clips):
        if cancel():
            raise CancelledError(f"stopped after {number} of {len(clips)} clips")
        own = truth[clip.clip_id]
        for condition in CONDITIONS:
            table = made_up_detections(
                own, clip.duration_s, traits, most=detections, with_sound=condition == "on", seed=seed + number
            )
            table.insert(0, "clip_id", clip.clip_id)
            found[condition].append(table)
        levels = made_up_gates(own, _GRID, _GRID.steps_in(clip.duration_s), traits, generator)
        gates += [_gate_rows(clip.clip_id, level, values) for level, values in enumerate(levels)]
        report((number + 1) / len(clips))
    ids = [clip.clip_id for clip in clips]
    for condition in CONDITIONS:
        run.store_all(condition, ids, {label_set: pd.concat(found[condition], ignore_index=True)})
        folder = run.predictions_folder(condition)
        table = pd.concat(gates, ignore_index=True)
        write_table(folder / "gates.parquet", table if condition == "on" else table.assign(gate=np.float32(0)))
        # Else the first detection in a clip would put the detector's own in their place.
        count_as_predicted(workspace, run, condition, tuple(_CHANNELS))


def _gate_rows(clip_id: str, level: int, values: LevelGates) -> pd.DataFrame:
    steps = np.arange(len(values.gates), dtype=np.int32)
    columns = {"level": np.int16(level), "step": steps, "time_s": values.times_s, "gate": values.gates}
    table = pd.DataFrame(columns)
    table.insert(0, "clip_id", pd.Series([clip_id] * len(table), dtype="str"))
    return table
