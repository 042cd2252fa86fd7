"""One step of training: a batch's shares forward and backward, then the optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import cast

import torch
from torch import Tensor, nn

from mravff_core.config import TrainConfig
from mravff_core.freed_memory import give_back_freed_memory
from mravff_core.model.chance import set_clip_draws
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch, DetectorOutput
from mravff_core.training.batches import Part
from mravff_core.training.losses import DetectionLoss, LossSums, combine, loss_sums
from mravff_core.training.memory import needs_sparing
from mravff_core.training.schedule import learning_rate
from mravff_core.training.shares import OwnDraws
from mravff_core.training.state import RunState
from mravff_core.training.targets import Targets
from mravff_core.training.warm_start import gate_opening


class SummedLosses(nn.Module):
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
        if sums.classes.requires_grad or sums.boundaries.requires_grad:
            return sums.classes, sums.boundaries
        # On a frozen base, clips without sound teach the fusion nothing: each weight takes part with a gradient of 0.
        nothing = torch.cat([weight.flatten()[:0] for weight in self.parameters() if weight.requires_grad]).sum()
        return sums.classes + nothing, sums.boundaries + nothing


def train_batch(run: RunState, parts: Sequence[Part], *, steps_per_epoch: int, last: bool) -> DetectionLoss:
    """Forward and backward of one batch, or of this process's shares of it.

    Args:
        parts: of the batch or the shares, as `BatchMaker.parts` gives them.
        steps_per_epoch: of the optimiser; how far gates are open follows from it.
        last: whether the optimiser's step comes next, so that gradients of all shares are added.
    Returns: the whole batch's losses, over all devices.
    """
    settings, fabric, shares = run.recipe.train, run.fabric, run.shares
    if needs_sparing(run.detector, fabric.device):
        give_back_freed_memory()
    positives = sum(part.positives for part in parts if part.counts)
    if fabric.world_size > 1:
        positives = int(cast(Tensor, fabric.all_reduce(torch.tensor(float(positives)), reduce_op="sum")))
    open_gates(run, steps_per_epoch)
    drawn_from = torch.get_rng_state()
    seed = int(torch.randint(2**31, ()))

    def forward(given: tuple[int, Part]) -> tuple[Tensor, Tensor]:
        place, part = given[0] % len(shares.models), given[1]
        # Every part draws for the whole batch and keeps its own.
        draws = OwnDraws.after(drawn_from, part.rows, part.whole, seed)
        set_clip_draws(shares.detectors[place], draws)
        inputs = [None if value is None else value.to(fabric.device, non_blocking=True) for value in _inputs(part)]
        # Threads have one cache of rounded weights in common, which the first to end would empty for the others.
        uncached = torch.autocast(fabric.device.type, enabled=False, cache_enabled=not shares.at_once)
        with uncached, fabric.autocast():
            class_sum, boundary_sum = shares.models[place](*inputs)
        set_clip_draws(shares.detectors[place], None)
        return (class_sum, boundary_sum) if part.counts else (class_sum * 0, boundary_sum * 0)

    def backward(given: tuple[int, DetectionLoss]) -> None:
        # Gradients are averaged over devices, while each holds only its part of the sum.
        loss = given[1].total * fabric.world_size / settings.accumulate_batches
        if given[0] % len(shares.models) == 0:
            fabric.backward(loss)
        else:
            loss.backward()

    # Balancing the two losses against each other takes all shares of a batch at once.
    turns = _turns(parts, side_by_side=shares.at_once or settings.loss_weight <= 0)
    found: list[list[DetectionLoss]] = [[] for _ in {part.share for part in parts}]
    for number, given in enumerate(turns):
        with fabric.no_backward_sync(shares.models[0], enabled=not last or number + 1 < len(turns)):
            sums = shares.together(forward, given)
            whole = _added(run, *sums) if settings.loss_weight <= 0 else None
            losses = [combine(LossSums(*one, positives), run.normalizer, settings, whole) for one in sums]
            shares.together(backward, [(place, loss) for (place, _), loss in zip(given, losses, strict=True)])
        for (place, _), loss in zip(given, losses, strict=True):
            found[place].append(loss)
    if last:
        shares.add_gradients()
    run.normalizer = found[-1][-1].normalizer
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


def open_gates(run: RunState, steps_per_epoch: int) -> None:
    """Let through as much of each gate as the recipe plans for the step that comes next."""
    for detector in run.shares.detectors:
        if detector.fusion is not None:
            opening = gate_opening(run.recipe, run.step, steps_per_epoch)
            detector.fusion.gate_opening = opening
            detector.config = replace(detector.config, fusion=replace(detector.config.fusion, gate_opening=opening))


def _turns(parts: Sequence[Part], *, side_by_side: bool) -> list[list[tuple[int, Part]]]:
    """Parts in the order in which they are computed, each with its share's place among those of this process.

    Returns: parts of one turn, at most one of each share, pass through the model before those of the next.
    """
    shares = [[part for part in parts if part.share == share] for share in sorted({part.share for part in parts})]
    if side_by_side:
        return [[(place, part) for place, part in enumerate(turn) if part] for turn in zip_longest(*shares)]
    return [[(place, part)] for place, share in enumerate(shares) for part in share]


def _summed(run: RunState, found: Sequence[Sequence[DetectionLoss]]) -> DetectionLoss:
    """Losses of a whole batch from those of the parts of each share, over all devices."""
    values = [
        torch.stack([torch.stack([loss.total, loss.classes, loss.boundaries]).detach() for loss in share]).sum(dim=0)
        for share in found
    ]
    (total,) = _added(run, *[(value,) for value in values])
    return DetectionLoss(total[0], total[1], total[2], run.normalizer)


def _added(run: RunState, *shares: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Sums over the shares of all devices, number by number, without gradients."""
    sums = [torch.stack([one.detach() for one in ones]).sum(dim=0) for ones in zip(*shares, strict=True)]
    if run.fabric.world_size > 1:
        sums = [cast(Tensor, run.fabric.all_reduce(one, reduce_op="sum")) for one in sums]
    return tuple(sums)


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
