"""Small detectors whose weights are all random, so that nothing cancels by chance."""

from __future__ import annotations

from typing import Any

import torch

from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.outputs import DetectorOutput

VISUAL_CHANNELS, AUDIO_CHANNELS = 6, 5
BASE = {"input_channels": VISUAL_CHANNELS, "levels": 4, "max_steps": 64}
WIDTHS = {"embed_channels": 16, "neck_channels": 16, "head_channels": 12}


def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Give every weight a value away from its usual start, biases and scales included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            start = 1.0 if parameter.ndim == 0 else 0.0  # a boundary scale below 0 would switch its level off
            parameter.copy_(start + torch.randn(parameter.shape, generator=generator) * 0.3)


def small_detector(base: dict[str, Any] | None = None, seed: int = 0, **fusion: Any) -> Detector:
    """A detector of four levels in evaluation mode; keywords go to its fusion."""
    config = DetectorConfig(
        label_set="verb",
        labels=("cut", "pour", "open"),
        base=BaseConfig(**{**BASE, **WIDTHS, **(base or {})}),
        fusion=FusionConfig(**{"audio_channels": AUDIO_CHANNELS, **fusion}),
    )
    detector = Detector(config).eval()
    randomise(detector, seed)
    return detector


def assert_alike(found: DetectorOutput, expected: DetectorOutput) -> None:
    """The same answers at every real step, but for rounding."""
    for one, other, real in zip(
        found.class_logits + found.boundary_offsets,
        expected.class_logits + expected.boundary_offsets,
        expected.level_masks * 2,
        strict=True,
    ):
        steps = real[:, 0]
        torch.testing.assert_close(one[steps], other[steps], atol=2e-5, rtol=1e-4)
