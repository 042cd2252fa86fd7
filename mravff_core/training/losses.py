"""Focal loss for classes, distance-aware overlap loss for boundaries, and their running scale.

References: Lin et al., Focal loss, ICCV 2017; Zheng et al., Distance-IoU loss, AAAI 2020;
combined as in Zhang et al., ActionFormer, ECCV 2022; weighting the class loss by overlap as in
Shi et al., TriDet, CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mravff_core.config import TrainConfig
from mravff_core.model.outputs import DetectorOutput
from mravff_core.training.targets import Targets

_MOMENTUM = 0.9
_SMALL = 1e-8


def focal_loss(logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal losses [n, classes] of logits and targets in [0, 1] of that shape."""
    probability = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = probability * targets + (1 - probability) * (1 - targets)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - right) ** gamma * entropy


def boundary_loss(offsets: Tensor, targets: Tensor) -> Tensor:
    """Sum of 1 - tIoU + squared centre distance over the hull's length; both [n, 2], distances to start and end."""
    left, right = offsets.unbind(-1)
    true_left, true_right = targets.unbind(-1)
    hull = torch.maximum(left, true_left) + torch.maximum(right, true_right)
    centre_distance = (right - left - true_right + true_left) / 2
    return (1 - overlap_share(offsets, targets) + (centre_distance / hull.clamp(min=_SMALL)) ** 2).sum()


def overlap_share(offsets: Tensor, targets: Tensor) -> Tensor:
    """tIoU [n] of segments around the same points; both [n, 2], distances to start and end."""
    shared = torch.minimum(offsets, targets).sum(dim=-1)
    union = offsets.sum(dim=-1) + targets.sum(dim=-1) - shared
    return shared / union.clamp(min=_SMALL)


@dataclass(frozen=True)
class DetectionLoss:
    """Losses of one batch, divided by the running number of positive points.

    Attributes:
        total: to be minimised.
        classes, boundaries: its parts, before the boundary weight.
        normalizer: running number of positive points after this batch.
    """

    total: Tensor
    classes: Tensor
    boundaries: Tensor
    normalizer: float


@dataclass(frozen=True)
class LossSums:
    """Losses of one batch summed over points, and how many points were positive."""

    classes: Tensor
    boundaries: Tensor
    positives: int


def loss_sums(output: DetectorOutput, targets: Sequence[Targets], config: TrainConfig) -> LossSums:
    """Sums over all valid points of a batch.

    Args:
        output: of a batch.
        targets: one a clip.
        config: label smoothing and the weight of overlap.
    """
    logits = torch.cat(output.class_logits, dim=1)
    offsets = torch.cat(output.boundary_offsets, dim=1)
    valid = torch.cat([mask[:, 0] for mask in output.level_masks], dim=1)
    wanted = torch.stack([target.classes for target in targets]).to(logits.device)
    true_offsets = torch.stack([target.offsets for target in targets]).to(logits.device)
    positive = (wanted.sum(dim=-1) > 0) & valid
    # One row for each true class of each positive point.
    clip, point, label = torch.nonzero((wanted > 0) & positive[..., None], as_tuple=True)
    per_class = offsets.shape[2] == wanted.shape[2]
    predicted, true = offsets[clip, point, label if per_class else 0], true_offsets[clip, point]
    smooth = wanted * (1 - config.label_smoothing) + config.label_smoothing / (wanted.shape[-1] + 1)
    losses = focal_loss(logits, smooth) * valid[..., None]
    if per_class and config.iou_weight_power > 0:
        weight = overlap_share(predicted, true).clamp(min=_SMALL) ** config.iou_weight_power
        losses = losses * torch.ones_like(losses).index_put((clip, point, label), weight)
    if not per_class:  # a point's boundaries count once, however many classes it has
        predicted, true = offsets[positive][:, 0], true_offsets[positive]
    # An empty sum keeps the graph, so that every parameter gets a gradient.
    return LossSums(losses.sum(), boundary_loss(predicted, true), int(positive.sum()))


def combine(
    sums: LossSums, normalizer: float, config: TrainConfig, whole: tuple[Tensor, ...] | None = None
) -> DetectionLoss:
    """Losses from sums and the running number of positive points before this batch.

    Args:
        sums: of a batch, or of a share of one; `positives` count those of the whole batch.
        whole: class and boundary loss of the whole batch, by which the two are balanced; None if `sums` are those.
    """
    normalizer = _MOMENTUM * normalizer + (1 - _MOMENTUM) * max(sums.positives, 1)
    classes, boundaries = sums.classes / normalizer, sums.boundaries / normalizer
    weight: Tensor | float = config.loss_weight
    if config.loss_weight <= 0:
        of_classes, of_boundaries = (one.detach() / normalizer for one in whole or (sums.classes, sums.boundaries))
        weight = of_classes / max(float(of_boundaries), 0.01)
    return DetectionLoss(classes + weight * boundaries, classes, boundaries, normalizer)
