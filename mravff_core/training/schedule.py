"""Learning rate over a run, and which weights decay."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from mravff_core.config import TrainConfig

_START = 1e-8


def learning_rate(step: int, steps_per_epoch: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to its end or falls at given epochs.

    Args:
        step: of the optimiser, from 0.
        steps_per_epoch: how many of them see all clips once.
        config: the run has `epochs` after the `warmup_epochs`, from which `schedule_steps` count.
    """
    peak, warmup = config.learning_rate, config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return _START + step * (peak - _START) / max(1, warmup - 1)
    if config.schedule == "multistep":
        falls = sum(step >= warmup + epoch * steps_per_epoch for epoch in config.schedule_steps)
        return peak * config.schedule_gamma**falls
    done = (step - warmup) / max(1, config.epochs * steps_per_epoch)
    end = config.final_learning_rate
    return end + (peak - end) * (1 + math.cos(math.pi * min(1.0, done))) / 2


def total_epochs(config: TrainConfig) -> int:
    """Epochs of a run, warm-up included."""
    return config.warmup_epochs + config.epochs


def optimizer_steps(clips: int, config: TrainConfig) -> int:
    """Optimiser steps in which all clips are seen once."""
    return math.ceil(math.ceil(clips / config.batch_size) / config.accumulate_batches)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of convolutions and projections decay; biases, norms, scales and position tables do not.

    Frozen parameters are in neither group.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            # Those of norms have one axis.
            decays = name == "weight" and parameter.ndim > 1
            (decaying if decays else free).append(parameter)
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
