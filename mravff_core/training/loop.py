"""The training loop, on Lightning Fabric: one device or several, resumable after a kill.

Everything random in an epoch follows from the seed and the epoch's number, so a run that
goes on from its last epoch ends with the same weights as one that never stopped (on CPU).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning_fabric
import torch
from tqdm import tqdm

from mravff_core.config import LabelSet, Recipe, TrainConfig
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.training.batches import BatchMaker, Clips, epoch_plan
from mravff_core.training.checks import check_training
from mravff_core.training.ema import AveragedWeights
from mravff_core.training.memory import keep_fewer_kernels, needs_sparing
from mravff_core.training.schedule import optimizer_steps, parameter_groups, total_epochs
from mravff_core.training.shares import Shares, how_many_shares, with_shared_weights
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
from mravff_core.training.step import SummedLosses, open_gates, train_batch, update
from mravff_core.training.together import interrupts_kept, strategy_for
from mravff_core.training.warm_start import WarmStart, warm_started

_PRECISION: Any = {"float32": "32-true", "bfloat16": "bf16-mixed"}


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
        with strategy_for(devices) as strategy:
            run = start_run(recipe, config, start, devices, accelerator, strategy)
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
    with (
        interrupts_kept() as check_interrupt,
        tqdm(total=total, initial=run.epoch, desc=name, unit="epoch", file=sys.stderr, disable=not main) as bar,
    ):
        while run.epoch < total:
            check_interrupt()
            with run.shares.at_work():
                losses = _epoch(run, clips, lengths, cancel)
            bar.set_postfix(loss=f"{losses['loss']:.3f}", refresh=False)
            bar.update()
            if main:
                save_state(run, folder / "training")
            if progress is not None:
                progress(run.epoch / total)


def _store(run: RunState, clips: int, folder: Path) -> None:
    """Write the finished detector; the state goes last, since a run without one counts as finished."""
    open_gates(run, optimizer_steps(clips, run.recipe.train))
    run.detector.load_state_dict(run.averaged.weights)
    save_detector(run.detector, folder, half=run.recipe.train.store_half)
    write_metrics(run, folder / "training")
    (folder / "training" / STATE_FILE).unlink(missing_ok=True)


def start_run(
    recipe: Recipe,
    config: DetectorConfig,
    start: WarmStart | None,
    devices: int,
    accelerator: str,
    strategy: Any = "auto",
) -> RunState:
    """Set up devices, detector and optimiser for a run that has done nothing yet.

    Args:
        strategy: of `strategy_for` so many devices.
    Raises: ConfigError for devices that are not there, or a `start` that does not fit.
    """
    threads = torch.get_num_threads()  # before there are several processes, each with some of them
    precision = _PRECISION[recipe.train.precision]
    try:
        fabric = lightning_fabric.Fabric(
            accelerator=accelerator, devices=devices, strategy=strategy, precision=precision
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ConfigError(f"cannot train on {devices} x {accelerator} here ({reason}); try --device cpu") from error
    fabric.launch()
    torch.manual_seed(recipe.train.seed)
    detector = Detector(config)
    if start is not None:
        warm_started(detector, start)
    if recipe.train.freeze_base:
        detector.base.requires_grad_(False)
    if needs_sparing(detector, fabric.device):
        keep_fewer_kernels()
    groups = parameter_groups(detector, recipe.train.weight_decay)
    # Elsewhere torch itself knows which way is quickest.
    fused = True if fabric.device.type == "cpu" else None
    optimizer = torch.optim.AdamW(groups, lr=recipe.train.learning_rate, fused=fused)
    model, fabric_optimizer = fabric.setup(SummedLosses(detector, recipe.train), optimizer)
    shares = _set_up_shares(fabric, recipe.train, detector, model, threads)
    averaged = AveragedWeights(detector, recipe.train.ema_decay)
    return RunState(fabric, recipe, detector, shares, fabric_optimizer, averaged, recipe.train.initial_loss_norm)


def _set_up_shares(
    fabric: lightning_fabric.Fabric, settings: TrainConfig, detector: Detector, model: Any, threads: int
) -> Shares:
    """Shares of one process alone, or of one among several; `threads` are those of one alone."""
    on_cpu = fabric.device.type == "cpu"
    at_once = on_cpu and not needs_sparing(detector, fabric.device)
    count = how_many_shares(on_cpu, settings.batch_size, fabric.world_size)
    if not on_cpu:
        threads = torch.get_num_threads()
    elif at_once:
        threads = max(1, threads // count)
    shares = Shares(count, threads, [detector], [model], at_once)
    # Two gradients that are added once need no detector each: their order does not matter.
    if at_once or settings.batch_size > count or settings.accumulate_batches > 1:
        for _ in range(1, count // fabric.world_size):
            twin = with_shared_weights(detector)
            shares.detectors.append(twin)
            # Not set up, since of Fabric's modules one at a time may go backward in a process.
            shares.models.append(SummedLosses(twin, settings))
    return shares


def _epoch(
    run: RunState, clips: Clips, lengths: Sequence[float] | None, cancel: Callable[[], bool] | None
) -> dict[str, float]:
    """One pass over all clips; returns mean losses."""
    settings, fabric = run.recipe.train, run.fabric
    plan = epoch_plan(len(clips), run.epoch, settings, lengths)
    torch.manual_seed(settings.seed * 1_000_003 + run.epoch * 1009)
    for model, detector in zip(run.shares.models, run.shares.detectors, strict=True):
        model.train()
        if settings.freeze_base:
            detector.base.eval()
    maker = BatchMaker(
        clips,
        run.detector,
        settings,
        fabric.global_rank,
        fabric.world_size,
        run.shares.count,
        pin=fabric.device.type == "cuda",
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
