"""Train on the clips of a workspace: features, true segments and label names become a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from mravff_core.config import LabelSet, Recipe
from mravff_core.errors import ConfigError, FeatureError, WorkspaceError
from mravff_core.training.loop import train
from mravff_core.training.warm_start import WarmStart, adopt, read_start
from mravff_core.training.workspace_clips import DEFAULT_CACHE_MB, WorkspaceClips
from mravff_core.workspace import Workspace
from mravff_core.workspace.feature_record import feature_record
from mravff_core.workspace.runs import IMPORTED_NAME


def train_in_workspace(
    workspace: Workspace,
    recipe: Recipe,
    *,
    devices: int = 1,
    accelerator: str = "auto",
    resume: bool = True,
    cache_mb: float = DEFAULT_CACHE_MB,
    cancel: Callable[[], bool] | None = None,
) -> str:
    """Train by a recipe on one split of a workspace.

    The number of channels follows from the features, and base and test settings from the
    detector that the recipe starts from, if any, whatever else the recipe says.

    Args:
        cache_mb: features kept in memory; those beyond are read again in each epoch.
    Returns: the name of the run.
    Raises: WorkspaceError if the split has no clip with true segments or the run's name is not
        usable, FeatureError for features that are missing or disagree in channels, and for clips of
        the test split that the detector to start from is too short for, ConfigError if that does
        not fit otherwise, CancelledError.
    """
    _check_name(workspace, recipe.name)
    start = _start(workspace, recipe)
    if start is not None:
        recipe = adopt(recipe, start)
    clips = WorkspaceClips(workspace, recipe, cache_mb=cache_mb)
    visual_channels, audio_channels = clips.visual_channels, clips.audio_channels
    if recipe.fusion.kind != "none" and audio_channels is None:
        raise WorkspaceError(
            f"{workspace.folder}: no clip of split {recipe.data.train_split!r} has sound that fusion "
            f"{recipe.fusion.kind} could learn from; import audio features, or train with --fusion none"
        )
    if start is not None and start.detector.config.base.input_channels != visual_channels:
        raise ConfigError(
            f"{start.source}: takes {start.detector.config.base.input_channels} visual channels, the feature set "
            f"{recipe.data.visual_encoder} has {visual_channels}; name the features that it was trained on"
        )
    if start is not None:
        _check_lengths(workspace, recipe, start)
    recipe = dataclasses.replace(
        recipe,
        base=dataclasses.replace(recipe.base, input_channels=visual_channels),
        fusion=dataclasses.replace(recipe.fusion, audio_channels=audio_channels or 1),
    )
    train(
        recipe,
        clips,
        tuple(workspace.class_names(recipe.data.label_set)),
        workspace.runs_folder / recipe.name,
        features=feature_record(workspace, _feature_sets(recipe), clips.example),
        further_label_sets=[LabelSet(name, workspace.label_sets[name]) for name in recipe.data.further_label_sets],
        start=start,
        lengths=clips.lengths,
        devices=devices,
        accelerator=accelerator,
        resume=resume,
        cancel=cancel,
    )
    return recipe.name


def _check_name(workspace: Workspace, name: str) -> None:
    folder = workspace.new_run_folder(name)
    if (folder / IMPORTED_NAME).is_file():
        raise WorkspaceError(f"{folder}: holds imported detections; choose another name for a run to train")


def _start(workspace: Workspace, recipe: Recipe) -> WarmStart | None:
    """The detector that a recipe starts from: a run of the workspace if there is one of that name, else a path."""
    checkpoint = recipe.start.checkpoint
    if checkpoint is None:
        return None
    run = workspace.runs_folder / checkpoint
    return read_start(run if run.is_dir() else Path(checkpoint), recipe.start.config)


def _check_lengths(workspace: Workspace, recipe: Recipe, start: WarmStart) -> None:
    """Refuse a published detector that ends before the clips that the run would be scored on. Raises: FeatureError."""
    split, tests = recipe.data.test_split, workspace.clip_ids(recipe.data.test_split)
    if workspace.truth(recipe.data.label_set, tests).empty:
        return
    refused: dict[str, FeatureError] = {}
    for clip_id in tests:
        steps = workspace.feature_steps(recipe.data.visual_encoder, clip_id)
        try:
            if steps is not None:
                start.detector.base.check_length(steps, start.detector.config.test.max_buffer_factor)
        except FeatureError as error:
            refused[clip_id] = error
    if refused:
        first, reason = next(iter(refused.items()))
        raise FeatureError(
            f"{start.source}: what starts from it could not be scored on {len(refused)} of {len(tests)} clips of split "
            f"{split!r}, {first} the first: {reason}"
        ) from reason


def _feature_sets(recipe: Recipe) -> dict[str, str]:
    """Feature sets that a recipe's detector reads, by modality."""
    sets = {"visual": recipe.data.visual_encoder}
    if recipe.data.audio_encoder is not None and recipe.fusion.kind != "none":
        sets["audio"] = recipe.data.audio_encoder
    return sets
