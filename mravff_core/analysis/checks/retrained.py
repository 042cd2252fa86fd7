"""Detectors trained anew: on swapped labels, as a check of explanations, and on the true ones, as its yardstick.

What a detector learns of swapped labels has nothing to do with what its classes look and sound
like. If its explanations are still those of the trained detector, they do not hang on what was
learnt. That holds only of a detector that did learn them: one stopped too early has learnt where
anything happens, which swapping leaves true, and is explained alike for that. Swapped labels follow
no rule and must be learnt by heart, so these trainings leave out what hinders that, take longer than
the run's, and are held to how much they learnt. Another training on the true labels, in the same
way and as long, tells how alike explanations are when they should be.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (data randomisation:
networks are trained on permuted labels until they fit more than 95 % of them).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.config import LabelSet, Recipe, StartConfig, TrainConfig, from_mapping, read_yaml
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.inference.demo import add_split, is_demo
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.training.batches import Clips, training_batch
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train
from mravff_core.training.schedule import total_epochs
from mravff_core.training.workspace_clips import WorkspaceClips
from mravff_core.workspace import Run, Workspace

_RECIPE = "recipe.yaml"
# Raise it when equal questions get other answers.
_VERSION = 2
# Least fit of labels that count as learnt, as in the reference.
LEARNT = 0.95
# Epochs of a training, in those of the run's recipe: the next where one does not learn its labels.
LONGER = (1.5, 3.0)
# So rare that it never happens; none at all would leave out the layers' scales, which are learnt as well.
_NEVER = 1e-6


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


@dataclass(frozen=True)
class Retrained:
    """A detector trained anew.

    Attributes:
        detector: ready to be asked.
        fit: how much it learnt of the labels that it was trained on, see `learnt_share`.
        longer: its epochs in those of the run's recipe.
        epochs: that it was trained for, warm-up included.
    """

    detector: Detector
    fit: float
    longer: float
    epochs: int


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


def learnt_share(
    detector: Detector, clips: Clips, config: TrainConfig, *, cancel: Callable[[], bool] | None = None
) -> float:
    """Share of a training's points of which a true class scores highest among its label set.

    Args:
        detector: in evaluation mode.
        clips: with the labels that it was trained on.
        config: which points they were to be learnt at.
    Raises: CancelledError.
    """
    device = next(detector.parameters()).device
    right = points = 0.0
    for row in range(len(clips)):
        if cancel is not None and cancel():
            raise CancelledError("the checks were stopped; nothing of them was stored")
        batch, (targets,) = training_batch(detector, [clips[row]], config)
        with torch.inference_mode():
            output = detector(batch.to(device))
        logits = torch.cat(output.class_logits, dim=1)[0].cpu()
        for labels in detector.config.label_slices.values():
            wanted = targets.classes[:, labels]
            asked = wanted.any(dim=-1)
            best = logits[asked, labels].argmax(dim=-1, keepdim=True)
            right += float(wanted[asked].gather(1, best).sum())
            points += int(asked.sum())
    return right / points if points else 0.0


def until_learnt(
    workspace: Workspace,
    run: Run,
    detector: Detector,
    *,
    seed: int = 1,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Retrained:
    """A run's detector trained on swapped labels until it has learnt them, or as long as `LONGER` goes.

    Args and errors are those of `retrained`.
    """
    found: Retrained | None = None
    done = 0.0
    for longer in LONGER:

        def report(share: float, done: float = done, longer: float = longer) -> None:
            if progress is not None:
                progress((done + longer * share) / sum(LONGER))

        found = retrained(
            workspace, run, detector, swap=True, longer=longer, seed=seed, device=device, progress=report, cancel=cancel
        )
        if found.fit >= LEARNT:
            break
        done += longer
    assert found is not None
    return found


def retrained(
    workspace: Workspace,
    run: Run,
    detector: Detector,
    *,
    swap: bool,
    longer: float = LONGER[0],
    seed: int = 1,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Retrained:
    """A run's detector trained once more with another seed; kept in the cache, so that it is trained once.

    Nothing that keeps a detector from learning by heart is left on: no crops, no noise, and no
    part or sound of a clip left out at random.

    Args:
        workspace: with the training clips; those of a demo kitchen are rendered.
        run: of any workspace.
        detector: the run's.
        swap: whether on swapped labels.
        longer: epochs in those of the recipe.
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
        base=replace(recipe.base, dropout=0.0, drop_path=min(recipe.base.drop_path, _NEVER)),
        fusion=replace(recipe.fusion, gate_opening=1.0, audio_dropout=0.0, dropout=0.0),
        train=replace(
            recipe.train,
            seed=recipe.train.seed + seed,
            epochs=math.ceil(longer * recipe.train.epochs),
            schedule_steps=tuple(round(longer * step) for step in recipe.train.schedule_steps),
            crop_ratio=None,
            input_noise=0.0,
            freeze_base=False,
        ),
    )
    clips: Clips = WorkspaceClips(workspace, recipe)
    if swap:
        clips = swapped(clips, detector.config, seed=seed)
    clip_ids = [clips[row].clip_id for row in range(len(clips))]
    asked = json.dumps([_VERSION, run.model_hash(), swap, longer, seed, clip_ids])
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
    trained = load_detector(folder, device=device)
    fit = learnt_share(trained, clips, recipe.train, cancel=cancel)
    return Retrained(trained, fit, longer, total_epochs(recipe.train))


def _recipe(run: Run) -> Recipe:
    path = run.folder / _RECIPE
    if not path.is_file():
        raise WorkspaceError(f"{path}: is missing, so detector {run.name!r} cannot be trained again; was it imported?")
    return from_mapping(Recipe, read_yaml(path), str(path))
