"""The training loop, on Lightning Fabric: one device or several, resumable after a kill.

Everything random in an epoch follows from the seed and the epoch's number, so a run that
goes on from its last epoch ends with the same weights as one that never stopped (on CPU).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from mravff_core.config import LabelSet, Recipe, TrainConfig, from_mapping, read_yaml, to_mapping
from mravff_core.errors import CancelledError, CheckpointError, ConfigError
from mravff_core.files import write_text, written_aside
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector, DetectorConfig, build_detector
from mravff_core.model.outputs import Batch
from mravff_core.training.clip import TrainingClip, collate, random_crop
from mravff_core.training.ema import AveragedWeights
from mravff_core.training.losses import DetectionLoss, LossSums, combine, loss_sums
from mravff_core.training.schedule import learning_rate, parameter_groups, total_epochs
from mravff_core.training.targets import Points, Targets, point_targets

STATE_FILE = "state.pt"
METRICS_FILE = "metrics.jsonl"


class _SummedLosses(nn.Module):
    """Detector and losses as one module of plain tensors in and out, as wrappers for several devices want it."""

    def __init__(self, detector: Detector, config: TrainConfig) -> None:
        super().__init__()
        self.detector = detector
        self.config = config

    def forward(
        self,
        visual: Tensor,
        audio: Tensor | None,
        valid_mask: Tensor,
        audio_present: Tensor | None,
        classes: Tensor,
        offsets: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Class loss, boundary loss and number of positive points, summed over the batch."""
        output = self.detector(Batch(visual, audio, valid_mask, audio_present))
        targets = [Targets(*pair) for pair in zip(classes, offsets, strict=True)]
        sums = loss_sums(output, targets, self.config)
        return sums.classes, sums.boundaries, torch.tensor(float(sums.positives))


@dataclass
class _Run:
    """Everything that changes while training."""

    fabric: lightning_fabric.Fabric
    recipe: Recipe
    detector: Detector
    model: Any
    optimizer: torch.optim.Optimizer
    averaged: AveragedWeights
    normalizer: float
    step: int = 0
    epoch: int = 0
    history: list[dict[str, float]] | None = None


def train(
    recipe: Recipe,
    clips: Sequence[TrainingClip],
    labels: Sequence[str],
    run_folder: Path | str,
    *,
    features: Mapping[str, Any] | None = None,
    further_label_sets: Sequence[LabelSet] = (),
    devices: int = 1,
    accelerator: str = "auto",
    resume: bool = True,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> None:
    """Train a detector and write it to `run_folder`.

    The folder gets `config.yaml` and `model.safetensors` (averaged weights), `recipe.yaml` and
    `training/metrics.jsonl`; while training, `training/state.pt` holds the last whole epoch.

    Args:
        recipe: with the channels of the features filled in.
        clips: at least one.
        labels: class names by index.
        features: record of what the features are, for the detector's configuration.
        further_label_sets: learnt jointly; a clip's labels count on through them.
        devices: how many; the batch is shared out among them.
        accelerator: `auto`, `cpu`, `cuda` or `mps`.
        resume: go on from the last epoch; False starts over.
        progress: called with the share done, 0 to 1.
        cancel: asked after each batch; True stops, keeping the last whole epoch.
    Raises: ConfigError for a recipe that cannot be trained or differs from the one the folder was
        begun with; CheckpointError for a damaged state; CancelledError.
    """
    folder = Path(run_folder)
    if not clips:
        raise ConfigError(f"{folder.name}: there are no clips to train on")
    if recipe.train.batch_size % devices or len(clips) < devices:
        raise ConfigError(
            f"{folder.name}: batches of {recipe.train.batch_size} from {len(clips)} clips "
            f"cannot be shared out evenly among {devices} devices"
        )
    if len(recipe.train.regression_range) != recipe.base.levels - recipe.base.neck_first_level:
        raise ConfigError(
            f"{folder.name}: train.regression_range has {len(recipe.train.regression_range)} levels, "
            f"the detector has {recipe.base.levels - recipe.base.neck_first_level}"
        )
    _settle_recipe(recipe, folder, resume)
    if resume and (folder / "model.safetensors").is_file():
        return
    config = DetectorConfig(
        label_set=recipe.data.label_set,
        labels=tuple(labels),
        base=recipe.base,
        fusion=recipe.fusion,
        test=recipe.test,
        features=dict(features or {}),
        further_label_sets=tuple(further_label_sets),
    )
    run = _started(recipe, config, devices, accelerator)
    if resume:
        _load_state(run, folder / "training" / STATE_FILE)
    total = total_epochs(recipe.train)
    batches = math.ceil(len(clips) / recipe.train.batch_size)
    bar = tqdm(
        total=total,
        initial=run.epoch,
        desc=f"Training {folder.name}",
        unit="epoch",
        file=sys.stderr,
        disable=not run.fabric.is_global_zero,
    )
    with bar:
        while run.epoch < total:
            losses = _epoch(run, clips, batches, cancel)
            bar.set_postfix(loss=f"{losses['loss']:.3f}", refresh=False)
            bar.update()
            if run.fabric.is_global_zero:
                _save_state(run, folder / "training")
            if progress is not None:
                progress(run.epoch / total)
    if run.fabric.is_global_zero:
        run.detector.load_state_dict(run.averaged.weights)
        save_detector(run.detector, folder, half=recipe.train.store_half)
        (folder / "training" / STATE_FILE).unlink(missing_ok=True)
    run.fabric.barrier()


def _started(recipe: Recipe, config: DetectorConfig, devices: int, accelerator: str) -> _Run:
    strategy: Any = "auto"
    if devices > 1:
        # A batch whose clips all go without sound leaves the fusion without a gradient.
        strategy = lightning_fabric.strategies.DDPStrategy(find_unused_parameters=True)
    fabric = lightning_fabric.Fabric(accelerator=accelerator, devices=devices, strategy=strategy)
    fabric.launch()
    torch.manual_seed(recipe.train.seed)
    detector = build_detector(config)
    groups = parameter_groups(detector, recipe.train.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.train.learning_rate)
    model, fabric_optimizer = fabric.setup(_SummedLosses(detector, recipe.train), optimizer)
    averaged = AveragedWeights(detector, recipe.train.ema_decay)
    return _Run(fabric, recipe, detector, model, fabric_optimizer, averaged, recipe.train.initial_loss_norm, history=[])


def _epoch(
    run: _Run, clips: Sequence[TrainingClip], batches: int, cancel: Callable[[], bool] | None
) -> dict[str, float]:
    """One pass over all clips; returns mean losses."""
    settings = run.recipe.train
    order = np.random.default_rng([settings.seed, run.epoch]).permutation(len(clips))
    torch.manual_seed(settings.seed * 1_000_003 + run.epoch * 1009 + run.fabric.global_rank)
    run.model.train()
    sums = {"loss": 0.0, "classes": 0.0, "boundaries": 0.0}
    for number, rows in enumerate(np.array_split(order, batches)):
        if cancel is not None and cancel():
            raise CancelledError(f"training was stopped in epoch {run.epoch + 1}; it goes on from the epoch before")
        last = number + 1 == batches or (number + 1) % settings.accumulate_batches == 0
        loss = _batch(run, clips, rows, steps_per_epoch=batches, last=last)
        for name, value in (("loss", loss.total), ("classes", loss.classes), ("boundaries", loss.boundaries)):
            sums[name] += float(value.detach()) / batches
    run.epoch += 1
    rate = run.optimizer.param_groups[0]["lr"]
    assert run.history is not None
    run.history.append({"epoch": run.epoch, **sums, "learning_rate": rate, "normalizer": run.normalizer})
    return sums


def _batch(
    run: _Run, clips: Sequence[TrainingClip], rows: np.ndarray, *, steps_per_epoch: int, last: bool
) -> DetectionLoss:
    """Forward and backward of one batch, or of this device's part of it; an optimiser step if `last`."""
    settings = run.recipe.train
    world, rank = run.fabric.world_size, run.fabric.global_rank
    cut = [
        random_crop(
            clips[row],
            np.random.default_rng([settings.seed, run.epoch, int(row)]),
            max_steps=run.recipe.base.max_steps,
            crop_ratio=settings.crop_ratio,
            truncated_share=settings.truncated_share,
        )
        for row in rows[rank::world]
    ]
    batch, targets = training_batch(run.detector, cut, settings)
    classes, offsets = (torch.stack([getattr(t, name) for t in targets]) for name in ("classes", "offsets"))
    inputs = [batch.visual, batch.audio, batch.valid_mask, batch.audio_present, classes, offsets]
    if settings.input_noise:
        inputs[0] = batch.visual + torch.randn_like(batch.visual) * settings.input_noise
    inputs = [None if value is None else value.to(run.fabric.device) for value in inputs]
    with run.fabric.no_backward_sync(run.model, enabled=not last):
        class_sum, boundary_sum, counted = run.model(*inputs)
        everyone = run.fabric.all_reduce(counted, reduce_op="sum") if world > 1 else counted
        assert isinstance(everyone, Tensor)
        loss = combine(LossSums(class_sum, boundary_sum, int(everyone)), run.normalizer, settings)
        run.normalizer = loss.normalizer
        # Gradients are averaged over devices, while each holds only its part of the sum.
        run.fabric.backward(loss.total * world / settings.accumulate_batches)
    if last:
        if settings.clip_gradient_norm > 0:
            torch.nn.utils.clip_grad_norm_(run.detector.parameters(), settings.clip_gradient_norm)
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.step, math.ceil(steps_per_epoch / settings.accumulate_batches), settings)
        run.optimizer.step()
        run.optimizer.zero_grad(set_to_none=True)
        run.averaged.update(run.detector)
        run.step += 1
    return loss


def training_batch(
    detector: Detector, clips: Sequence[TrainingClip], config: TrainConfig
) -> tuple[Batch, list[Targets]]:
    """A padded batch and the targets of every point that the detector will predict at."""
    audio_channels = None if detector.fusion is None else detector.config.fusion.audio_channels
    batch = collate(clips, audio_channels=audio_channels)
    lengths = [-(-batch.visual.shape[-1] // stride) for stride in detector.strides]
    points = Points.of_levels(lengths, detector.strides, config.regression_range)
    classes = len(detector.labels)
    targets = [
        point_targets(points, torch.from_numpy(clip.segments_grid), torch.from_numpy(clip.labels), classes, config)
        for clip in clips
    ]
    return batch, targets


def _settle_recipe(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Keep the recipe beside the run; refuse to go on with another one."""
    import yaml

    path = folder / "recipe.yaml"
    if resume and path.is_file() and from_mapping(Recipe, read_yaml(path), str(path)) != recipe:
        raise ConfigError(f"{path}: the run was begun with another recipe; choose another run name or start over")
    if not resume:
        for name in ("model.safetensors", "config.yaml", f"training/{STATE_FILE}", f"training/{METRICS_FILE}"):
            (folder / name).unlink(missing_ok=True)
    write_text(path, yaml.safe_dump(to_mapping(recipe), sort_keys=False, allow_unicode=True))


def _save_state(run: _Run, folder: Path) -> None:
    state = {
        "model": run.detector.state_dict(),
        "averaged": run.averaged.weights,
        "optimizer": run.optimizer.state_dict(),
        "normalizer": run.normalizer,
        "step": run.step,
        "epoch": run.epoch,
        "history": run.history,
    }
    with written_aside(folder / STATE_FILE) as aside:
        torch.save(state, aside)
    lines = "".join(json.dumps(entry) + "\n" for entry in run.history or [])
    write_text(folder / METRICS_FILE, lines)


def _load_state(run: _Run, path: Path) -> None:
    if not path.is_file():
        return
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        weights: dict[str, Tensor] = state["model"]
        run.detector.load_state_dict(weights)
        run.averaged.load(state["averaged"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.normalizer, run.step, run.epoch = state["normalizer"], state["step"], state["epoch"]
        run.history = state["history"]
    except Exception as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise CheckpointError(f"{path}: training cannot go on from here ({first_line}); start over") from error
