"""Losses on an official TemporalMaxer equal those of its own code where true segments do not overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mravff_core import load_detector
from mravff_core.model.official_config import convert_training
from mravff_core.training.batches import training_batch
from mravff_core.training.clip import TrainingClip
from mravff_core.training.losses import combine, loss_sums
from tests.model.published import written
from tests.model.published_temporalmaxer import PublishedTemporalMaxer, small_temporalmaxer_config

# With these all points that an assigner considers count alike, as in every published recipe.
ASSIGNER = {"center_radius": 1.5, "iou_weight": 2, "cls_weight": 1.0, "keep_percent": 1.0, "confuse_weight": 0.0}
SEGMENTS = [
    [(2.0, 7.5, 0), (7.5, 9.0, 3), (15.2, 40.0, 1), (41.0, 41.4, 2)],
    [(0.5, 3.0, 4), (3.0, 28.0, 0)],
]


@pytest.mark.parametrize("norm", ["groupnorm", "layernorm"])
def test_losses_equal_a_plain_reading(norm: str, tmp_path: Path) -> None:
    config = small_temporalmaxer_config(fpn_norm=norm, assigner=ASSIGNER, train_cfg={"init_loss_norm": 20})
    published = PublishedTemporalMaxer(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu").train()
    rng = np.random.default_rng(0)
    clips = [
        TrainingClip(
            f"clip{number}",
            rng.normal(size=(12, steps)).astype(np.float32),
            None,
            np.array([segment[:2] for segment in segments], np.float32),
            np.array([segment[2] for segment in segments]),
        )
        for number, (steps, segments) in enumerate(zip((50, 29), SEGMENTS, strict=True))
    ]
    settings = convert_training(config, "config.yaml")
    batch, targets = training_batch(detector, clips, settings)
    found = combine(loss_sums(detector(batch), targets, settings), settings.initial_loss_norm, settings)
    parts = [plain_sums(published, torch.from_numpy(clip.visual), SEGMENTS[i]) for i, clip in enumerate(clips)]
    classes, boundaries, positives = (sum(part) for part in zip(*parts, strict=True))
    normalizer = 0.9 * 20 + 0.1 * positives
    assert positives > 10
    assert found.normalizer == pytest.approx(normalizer)
    assert float(found.classes.detach()) == pytest.approx(float(classes / normalizer), rel=1e-5)
    assert float(found.boundaries.detach()) == pytest.approx(float(boundaries / normalizer), rel=1e-5)


def plain_sums(
    published: PublishedTemporalMaxer, clip: Tensor, segments: list[tuple[float, float, int]]
) -> tuple[Tensor, Tensor, int]:
    """Class loss, boundary loss and the number of points that learn a segment, over one clip."""
    classes, boundaries, positives = torch.zeros(()), torch.zeros(()), 0
    ranges = published.model["regression_range"]
    for (logits, offsets), stride, (least, most) in zip(published(clip), published.strides, ranges, strict=True):
        wanted = torch.zeros_like(logits)
        for step in range(len(logits)):
            time = step * stride
            for start, end, label in segments:
                radius = ASSIGNER["center_radius"] * stride
                centre = (start + end) / 2
                is_central = max(start, centre - radius) < time < min(end, centre + radius)
                if is_central and least <= max(time - start, end - time) <= most:
                    wanted[step, label] = 1
                    left, right = offsets[step, 0]
                    true_left, true_right = (time - start) / stride, (end - time) / stride
                    shared = torch.minimum(left, torch.tensor(true_left)) + torch.minimum(
                        right, torch.tensor(true_right)
                    )
                    union = left + right + true_left + true_right - shared
                    hull = torch.maximum(left, torch.tensor(true_left)) + torch.maximum(right, torch.tensor(true_right))
                    apart = (right - left - true_right + true_left) / 2
                    boundaries = boundaries + 1 - shared / union + (apart / hull).square()
                    positives += 1
        missed = torch.where(wanted > 0, 1 - logits.sigmoid(), logits.sigmoid())
        weight = torch.where(wanted > 0, 0.25, 0.75)
        entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        classes = classes + (weight * missed.square() * entropy).sum()
    return classes, boundaries, positives
