"""The training loop, on Lightning Fabric: one device or several, resumable after a kill.

Everything random in an epoch follows from the seed and the epoch's number, so a run that
goes on from its last epoch ends with the same weights as one that never stopped (on CPU).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import lightning_fabric
import torch
from torch import Tensor, nn
from tqdm import tqdm

from mravff_core.config import LabelSet, Recipe, TrainConfig
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector, DetectorConfig, build_detector
from mravff_core.model.layers import ClipDraws, set_clip_draws
from mravff_core.model.outputs import Batch, DetectorOutput
from mravff_core.training.batches import BatchMaker, Clips, Part, epoch_plan
from mravff_core.training.checks import check_training
from mravff_core.training.ema import AveragedWeights
from mravff_core.training.losses import DetectionLoss, LossSums, combine, loss_sums
from mravff_core.training.memory import give_back_freed_memory, keep_fewer_kernels, needs_sparing
from mravff_core.training.schedule import learning_rate, optimizer_steps, parameter_groups, total_epochs
from mravff_core.training.state import (
    STATE_FILE,
    RunState,
    is_finished,
    load_state,
    save_state,
    settle_recipe,
    training_alone,
    write_metrics,
)
from mravff_core.training.targets import Targets
from mravff_core.training.warm_start import WarmStart, gate_opening, warm_started

_PRECISION: Any = {"float32": "32-true", "bfloat16": "bf16-mixed"}


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
    ) -> tuple[Tensor, Tensor]:
        """Class loss and boundary loss, summed over the clips.

        Args:
            visual, audio, valid_mask, audio_present: as of `Batch`.
            classes, offsets: as of `Targets`, [batch, points, classes] and [batch, points, 2].
        """
        output = self.detector(Batch(visual, audio, valid_mask, audio_present))
        targets = [Targets(*pair) for pair in zip(classes, offsets, strict=True)]
        sums = loss_sums(_in_float32(output), targets, self.config)
        return sums.classes, sums.boundaries


def train(
    recipe: Recipe,
    clips: Clips,
    labels: Sequence[str],
    run_folder: Path | str,
    *,
    features: Mapping[str, Any] | None = None,
    further_label_sets: Sequence[LabelSet] = (),
    start: WarmStart | None = None,
    lengths: Sequence[float] | None = None,
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
        clips: at least one; read by number as they are needed, by several threads.
        labels: class names by index.
        features: record of what the features are, for the detector's configuration.
        further_label_sets: learnt jointly; a clip's labels count on through them.
        start: a trained detector whose weights the new one starts with; None for random ones.
        lengths: of the clips in any unit, for `batches_by` length.
        devices: how many; each batch is shared out among them, and its losses stay the same.
        accelerator: `auto`, `cpu`, `cuda` or `mps`.
        resume: go on from the last epoch; False starts over.
        progress: called with the share done, 0 to 1.
        cancel: asked after each batch; True stops, keeping the last whole epoch.
    Raises: ConfigError for a recipe that cannot be trained or differs from the one the folder was
        begun with; CheckpointError for a damaged state; WorkspaceError if another process trains
        into the folder; CancelledError.
    """
    folder = Path(run_folder)
    check_training(recipe, len(clips), devices, folder.name)
    with training_alone(folder):
        settle_recipe(recipe, folder, resume)
        if resume and is_finished(folder):
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
        run = start_run(recipe, config, start, devices, accelerator)
        if resume:
            load_state(run, folder / "training" / STATE_FILE)
        _remaining_epochs(run, clips, lengths, folder, progress, cancel)
        if run.fabric.is_global_zero:
            _store(run, len(clips), folder)
        run.fabric.barrier()


def _remaining_epochs(
    run: RunState,
    clips: Clips,
    lengths: Sequence[float] | None,
    folder: Path,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> None:
    """Train on to the last epoch, keeping the state after each."""
    main, total = run.fabric.is_global_zero, total_epochs(run.recipe.train)
    name = f"Training {folder.name}"
    with tqdm(total=total, initial=run.epoch, desc=name, unit="epoch", file=sys.stderr, disable=not main) as bar:
        while run.epoch < total:
            losses = _epoch(run, clips, lengths, cancel)
            bar.set_postfix(loss=f"{losses['loss']:.3f}", refresh=False)
            bar.update()
            if main:
                save_state(run, folder / "training")
            if progress is not None:
                progress(run.epoch / total)


def _store(run: RunState, clips: int, folder: Path) -> None:
    """Write the finished detector; the state goes last, since a run without one counts as finished."""
    _open_gates(run, optimizer_steps(clips, run.recipe.train))
    run.detector.load_state_dict(run.averaged.weights)
    save_detector(run.detector, folder, half=run.recipe.train.store_half)
    write_metrics(run, folder / "training")
    (folder / "training" / STATE_FILE).unlink(missing_ok=True)


def start_run(
    recipe: Recipe, config: DetectorConfig, start: WarmStart | None, devices: int, accelerator: str
) -> RunState:
    """Set up devices, detector and optimiser for a run that has done nothing yet.

    Raises: ConfigError for devices that are not there, or a `start` that does not fit.
    """
    strategy: Any = "auto"
    if devices > 1:
        # A batch whose clips all go without sound leaves the fusion without a gradient.
        strategy = lightning_fabric.strategies.DDPStrategy(find_unused_parameters=True)
    precision = _PRECISION[recipe.train.precision]
    try:
        fabric = lightning_fabric.Fabric(
            accelerator=accelerator, devices=devices, strategy=strategy, precision=precision
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ConfigError(f"cannot train on {devices} x {accelerator} here ({reason}); try --device cpu") from error
    fabric.launch()
    threads = torch.get_num_threads()
    torch.manual_seed(recipe.train.seed)
    detector = build_detector(config)
    if start is not None:
        warm_started(detector, start)
    if recipe.train.freeze_base:
        detector.base.requires_grad_(False)
    if needs_sparing(detector, fabric.device):
        keep_fewer_kernels()
    groups = parameter_groups(detector, recipe.train.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.train.learning_rate)
    model, fabric_optimizer = fabric.setup(_SummedLosses(detector, recipe.train), optimizer)
    averaged = AveragedWeights(detector, recipe.train.ema_decay)
    return RunState(
        fabric, recipe, detector, model, fabric_optimizer, averaged, recipe.train.initial_loss_norm, threads
    )


def _epoch(
    run: RunState, clips: Clips, lengths: Sequence[float] | None, cancel: Callable[[], bool] | None
) -> dict[str, float]:
    """One pass over all clips; returns mean losses."""
    settings, fabric = run.recipe.train, run.fabric
    plan = epoch_plan(len(clips), run.epoch, settings, lengths)
    # Sums round by how many threads share them, and other code of the process may have changed that.
    torch.set_num_threads(run.threads)
    torch.manual_seed(settings.seed * 1_000_003 + run.epoch * 1009)
    run.model.train()
    if settings.freeze_base:
        run.detector.base.eval()
    maker = BatchMaker(
        clips, run.detector, settings, fabric.global_rank, fabric.world_size, pin=fabric.device.type == "cuda"
    )
    steps = optimizer_steps(len(clips), settings)
    sums = {"loss": 0.0, "classes": 0.0, "boundaries": 0.0}
    for number, parts in enumerate(maker.epoch(plan, run.epoch)):
        if cancel is not None and cancel():
            raise CancelledError(f"training was stopped in epoch {run.epoch + 1}; it goes on from the epoch before")
        last = number + 1 == len(plan) or (number + 1) % settings.accumulate_batches == 0
        loss = train_batch(run, parts, steps_per_epoch=steps, last=last)
        if last:
            update(run, steps)
        for name, value in (("loss", loss.total), ("classes", loss.classes), ("boundaries", loss.boundaries)):
            sums[name] += float(value) / len(plan)
    if not math.isfinite(sums["loss"]):
        raise ConfigError(
            f"the loss is not a number in epoch {run.epoch + 1}; train with a lower train.learning_rate, or check that "
            "features are of a usual size"
        )
    run.epoch += 1
    rate = run.optimizer.param_groups[0]["lr"]
    run.history.append({"epoch": run.epoch, **sums, "learning_rate": rate, "normalizer": run.normalizer})
    return sums


def train_batch(run: RunState, parts: Sequence[Part], *, steps_per_epoch: int, last: bool) -> DetectionLoss:
    """Forward and backward of one batch, or of this device's share of it.

    Args:
        parts: of the batch or the share, as `BatchMaker.parts` gives them.
        steps_per_epoch: of the optimiser; how far gates are open follows from it.
        last: whether the optimiser's step comes next, so that devices exchange gradients.
    Returns: the whole batch's losses, over all devices.
    """
    settings, fabric = run.recipe.train, run.fabric
    if needs_sparing(run.detector, fabric.device):
        give_back_freed_memory()
    positives = sum(part.positives for part in parts if part.counts)
    if fabric.world_size > 1:
        positives = int(cast(Tensor, fabric.all_reduce(torch.tensor(float(positives)), reduce_op="sum")))
    _open_gates(run, steps_per_epoch)
    drawn_from = torch.get_rng_state()
    seed = int(torch.randint(2**31, ()))
    found: list[DetectionLoss] = []
    for number, part in enumerate(parts):
        torch.set_rng_state(drawn_from)  # every part draws for the whole batch and keeps its own
        set_clip_draws(run.detector, ClipDraws(part.rows, part.whole, seed))
        inputs = [None if value is None else value.to(fabric.device, non_blocking=True) for value in _inputs(part)]
        waits = not last or number + 1 < len(parts)
        with fabric.no_backward_sync(run.model, enabled=waits):
            class_sum, boundary_sum = run.model(*inputs)
            if not part.counts:
                class_sum, boundary_sum = class_sum * 0, boundary_sum * 0
            if fabric.world_size > 1 and settings.loss_weight <= 0:  # the two are weighed by all devices' sums
                class_sum, boundary_sum = _over_devices(run, class_sum), _over_devices(run, boundary_sum)
            loss = combine(LossSums(class_sum, boundary_sum, positives), run.normalizer, settings)
            # Gradients are averaged over devices, while each holds only its part of the sum.
            fabric.backward(loss.total * fabric.world_size / settings.accumulate_batches)
        found.append(loss)
    set_clip_draws(run.detector, None)
    run.normalizer = found[-1].normalizer
    return _summed(run, found)


def update(run: RunState, steps_per_epoch: int) -> None:
    """One step of the optimiser with the gradients gathered."""
    settings = run.recipe.train
    if settings.clip_gradient_norm > 0:
        torch.nn.utils.clip_grad_norm_(run.detector.parameters(), settings.clip_gradient_norm)
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(run.step, steps_per_epoch, settings)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    run.averaged.update(run.detector)
    run.step += 1


def _summed(run: RunState, found: Sequence[DetectionLoss]) -> DetectionLoss:
    """Losses of a whole batch from those of its parts, over all devices."""
    values = torch.stack([torch.stack([loss.total, loss.classes, loss.boundaries]).detach() for loss in found])
    total = values.sum(dim=0)
    if run.fabric.world_size > 1 and run.recipe.train.loss_weight > 0:
        total = cast(Tensor, run.fabric.all_reduce(total, reduce_op="sum"))
    return DetectionLoss(total[0], total[1], total[2], run.normalizer)


def _over_devices(run: RunState, value: Tensor) -> Tensor:
    """The sum over all devices, with the gradient of this one's part."""
    mine = value.detach()
    everyone = cast(Tensor, run.fabric.all_reduce(mine.clone(), reduce_op="sum"))
    return value + (everyone - mine)


def _open_gates(run: RunState, steps_per_epoch: int) -> None:
    if run.detector.fusion is not None:
        opening = gate_opening(run.recipe, run.step, steps_per_epoch)
        run.detector.fusion.gate_opening = opening
        config = run.detector.config
        run.detector.config = replace(config, fusion=replace(config.fusion, gate_opening=opening))


def _inputs(part: Part) -> list[Tensor | None]:
    batch = part.batch
    classes, offsets = (
        torch.stack([getattr(target, name) for target in part.targets]) for name in ("classes", "offsets")
    )
    return [batch.visual, batch.audio, batch.valid_mask, batch.audio_present, classes, offsets]


def _in_float32(output: DetectorOutput) -> DetectorOutput:
    return replace(
        output,
        class_logits=tuple(level.float() for level in output.class_logits),
        boundary_offsets=tuple(level.float() for level in output.boundary_offsets),
    )
