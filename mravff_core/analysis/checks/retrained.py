"""Detectors trained anew: on swapped labels, as a check of explanations, and on the true ones, as its yardstick.

What a detector learns of swapped labels has nothing to do with what its classes look and sound
like. If its explanations are still those of the trained detector, they do not hang on what was
learnt. Another training on the true labels tells how alike explanations are when they should be.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (data randomisation).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mravff_core.config import LabelSet, Recipe, StartConfig, from_mapping, read_yaml
from mravff_core.errors import WorkspaceError
from mravff_core.inference.demo import add_split, is_demo
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.training.batches import Clips
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train
from mravff_core.training.workspace_clips import WorkspaceClips
from mravff_core.workspace import Run, Workspace

_RECIPE = "recipe.yaml"
# Raise it when equal questions get other answers.
_VERSION = 1


@dataclass(frozen=True)
class Relabelled:
    """Clips with other labels.

    Attributes:
        clips: all of them.
        labels: of each clip's segments.
    """

    clips: Clips
    labels: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int, /) -> TrainingClip:
        return replace(self.clips[row], labels=self.labels[row])


def swapped(clips: Clips, config: DetectorConfig, *, seed: int) -> Relabelled:
    """The same clips after all segments have exchanged their labels at random, within each label set."""
    own = [clips[row].labels for row in range(len(clips))]
    labels = np.concatenate(own)
    generator = np.random.default_rng(seed)
    for part in config.label_slices.values():
        inside = np.flatnonzero((labels >= part.start) & (labels < part.stop))
        labels[inside] = generator.permutation(labels[inside])
    ends = np.cumsum([len(one) for one in own])[:-1]
    return Relabelled(clips, tuple(np.split(labels, ends)))


def can_retrain(workspace: Workspace, run: Run) -> bool:
    """Whether a run's recipe and the clips that it was trained on are at hand."""
    if not (run.folder / _RECIPE).is_file():
        return False
    recipe = _recipe(run)
    sets = {recipe.data.visual_encoder, recipe.data.audio_encoder} - {None}
    clip_ids = workspace.clip_ids(recipe.data.train_split)
    return bool(clip_ids) and all(workspace.has_features(str(name), clip_ids[0]) for name in sets)


def may_retrain(workspace: Workspace, run: Run) -> bool:
    """The same where clips of a demo kitchen may still have to be rendered."""
    return can_retrain(workspace, run) or (is_demo(workspace) and (run.folder / _RECIPE).is_file())


def add_training_clips(
    workspace: Workspace,
    run: Run,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> None:
    """Render what a demo kitchen lacks of the clips that a run was trained on.

    Raises: WorkspaceError where nobody knows how the run was trained; ConfigError, CancelledError.
    """
    split = _recipe(run).data.train_split
    if is_demo(workspace):
        add_split(workspace, split, progress=progress, cancel=cancel)


def retrained(
    workspace: Workspace,
    run: Run,
    detector: Detector,
    *,
    swap: bool,
    seed: int = 1,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Detector:
    """A run's detector trained once more with another seed; kept in the cache, so that it is trained once.

    Args:
        workspace: with the training clips; those of a demo kitchen are rendered.
        run: of any workspace.
        detector: the run's.
        swap: whether on swapped labels.
        seed: added to the recipe's; also says how labels are swapped.
    Raises: WorkspaceError where nobody knows how the run was trained, or without training clips;
        ConfigError, FeatureError, CancelledError.
    """
    add_training_clips(workspace, run, cancel=cancel)
    recipe = _recipe(run)
    # From scratch, whatever the run began with: nothing of the true labels may be left in the weights.
    recipe = replace(
        recipe,
        start=StartConfig(),
        fusion=replace(recipe.fusion, gate_opening=1.0),
        train=replace(recipe.train, seed=recipe.train.seed + seed, freeze_base=False),
    )
    clips: Clips = WorkspaceClips(workspace, recipe)
    if swap:
        clips = swapped(clips, detector.config, seed=seed)
    asked = json.dumps([_VERSION, run.model_hash(), swap, seed, [clips[row].clip_id for row in range(len(clips))]])
    name = f"{run.name}.{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
    folder = workspace.cache_folder / "retrained" / name
    config = detector.config
    train(
        replace(recipe, name=name),
        clips,
        config.labels,
        folder,
        features=config.features,
        further_label_sets=[LabelSet(one.name, one.labels) for one in config.further_label_sets],
        accelerator=device,
        progress=progress,
        cancel=cancel,
    )
    return load_detector(folder, device=device)


def _recipe(run: Run) -> Recipe:
    path = run.folder / _RECIPE
    if not path.is_file():
        raise WorkspaceError(f"{path}: is missing, so detector {run.name!r} cannot be trained again; was it imported?")
    return from_mapping(Recipe, read_yaml(path), str(path))
