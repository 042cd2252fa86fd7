"""Train on the clips of a workspace: features, true segments and label names become a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from mravff_core.config import LabelSet, Recipe
from mravff_core.data.align import to_grid
from mravff_core.errors import WorkspaceError
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train
from mravff_core.workspace import Workspace


def train_in_workspace(
    workspace: Workspace,
    recipe: Recipe,
    *,
    devices: int = 1,
    accelerator: str = "auto",
    resume: bool = True,
    cancel: Callable[[], bool] | None = None,
) -> str:
    """Train by a recipe on one split of a workspace.

    The number of channels follows from the features, whatever the recipe says.

    Returns: the name of the run.
    Raises: WorkspaceError if the split has no clip with true segments, FeatureError for features
        that are missing or disagree in channels, CancelledError.
    """
    clips = training_clips(workspace, recipe)
    visual_channels = clips[0].visual.shape[0]
    audio = next((clip.audio for clip in clips if clip.audio is not None), None)
    recipe = dataclasses.replace(
        recipe,
        base=dataclasses.replace(recipe.base, input_channels=visual_channels),
        fusion=dataclasses.replace(recipe.fusion, audio_channels=1 if audio is None else audio.shape[0]),
    )
    train(
        recipe,
        clips,
        workspace.label_sets[recipe.data.label_set],
        workspace.runs_folder / recipe.name,
        features=feature_record(workspace, recipe, clips[0].clip_id),
        further_label_sets=[LabelSet(name, workspace.label_sets[name]) for name in recipe.data.further_label_sets],
        devices=devices,
        accelerator=accelerator,
        resume=resume,
        cancel=cancel,
    )
    return recipe.name


def training_clips(workspace: Workspace, recipe: Recipe) -> list[TrainingClip]:
    """Clips of the recipe's training split that have true segments, audio brought onto the visual grid."""
    data = recipe.data
    truth = _joint_truth(workspace, recipe)
    if truth.empty:
        splits = ", ".join(sorted(set(workspace.clips["split"]))) or "none"
        raise WorkspaceError(
            f"{workspace.folder}: split {data.train_split!r} has no clip with true {data.label_set} segments; "
            f"splits with clips are: {splits}"
        )
    listens = data.audio_encoder is not None and recipe.fusion.kind != "none"
    clips = []
    for clip_id, segments in truth.groupby("clip_id", sort=True):
        visual = workspace.features(data.visual_encoder, str(clip_id))
        aligned = None
        if listens and data.audio_encoder and workspace.clip(str(clip_id)).has_audio:
            audio = workspace.features(data.audio_encoder, str(clip_id))
            aligned = to_grid(audio.array, audio.grid, visual.grid, visual.array.shape[1])
        bounds_s = segments[["start_s", "end_s"]].to_numpy(np.float64)
        clips.append(
            TrainingClip(
                clip_id=str(clip_id),
                visual=visual.array,
                audio=aligned,
                segments_grid=visual.grid.from_seconds(bounds_s).astype(np.float32),
                labels=segments["label"].to_numpy(np.int64, copy=True),
            )
        )
    return clips


def _joint_truth(workspace: Workspace, recipe: Recipe) -> pd.DataFrame:
    """True segments of the training split, once for each label set that names them.

    Labels count on through the label sets, as the detector's logits do. Equal segments share
    their points, so a point of a joint detector learns all of a segment's labels.
    """
    data, tables, first = recipe.data, [], 0
    for name in (data.label_set, *data.further_label_sets):
        table = workspace.truth(name, workspace.clip_ids(data.train_split))
        tables.append(table.assign(label=table["label"] + first))
        first += len(workspace.label_sets[name])
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]


def feature_record(workspace: Workspace, recipe: Recipe, clip_id: str) -> dict[str, dict]:
    """What a detector remembers of the features it was trained on, by modality."""
    sets = {"visual": recipe.data.visual_encoder}
    if recipe.data.audio_encoder is not None and recipe.fusion.kind != "none":
        sets["audio"] = recipe.data.audio_encoder
    record = {}
    for modality, name in sets.items():
        features = workspace.features(name, clip_id)
        record[modality] = {
            "set": name,
            "encoder": workspace.settings.encoders.get(name, "imported"),
            "channels": int(features.array.shape[0]),
            "hop_s": round(features.grid.hop_s, 9),
        }
    return record
