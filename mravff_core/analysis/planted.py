"""Detectors whose truth is known because it was planted: each uses one modality at one level only.

All weights are random but for these. At the chosen level the gate is fully open (sound) or
fully shut (sight), at all others the other way round. Cross-attention cannot see the picture
(its queries are 0) and reaches one step; convolutions are one step wide. So a point of that
level provably reads nothing but the chosen modality, at the steps that its pooling spans.
"""

from __future__ import annotations

from typing import Literal

import torch

from mravff_core.config import BaseConfig, FusionConfig, TestConfig
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.level_fusion import LevelFusion

LEVELS = 4
CHANNELS = 12
# Far enough out that a sigmoid is 0 or 1 exactly.
_FAR = 1e4


def planted_detector(modality: Literal["audio", "vision"], level: int, *, seed: int = 0) -> Detector:
    """A detector that uses one modality at one of its `LEVELS` levels.

    Args:
        modality: the only one that a point of the level reads.
        level: 0 is the finest.
        seed: of all other weights.
    """
    config = DetectorConfig(
        label_set="planted",
        labels=("one", "other"),
        base=BaseConfig(
            kind="temporalmaxer",
            input_channels=CHANNELS,
            embed_channels=16,
            embed_kernel=1,
            levels=LEVELS,
            neck_channels=16,
            head_channels=16,
            head_kernel=1,
            class_prior=0.3,
        ),
        fusion=FusionConfig(kind="mrav", audio_channels=CHANNELS, audio_kernel=1, window=1),
        test=TestConfig(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = Detector(config).eval()
        with torch.no_grad():
            for weight in detector.parameters():
                if weight.ndim > 1:
                    weight.copy_(torch.randn_like(weight) / weight[0].numel() ** 0.5)
    assert detector.fusion is not None
    with torch.no_grad():
        for place, fusion in enumerate(detector.fusion.fusions):
            assert isinstance(fusion, LevelFusion) and fusion.attention is not None and fusion.gate is not None
            assert fusion.gate.score.bias is not None and fusion.attention.query.bias is not None
            heard = (place == level) == (modality == "audio")
            fusion.gate.score.weight.zero_()
            fusion.gate.score.bias.fill_(_FAR if heard else -_FAR)
            fusion.attention.query.weight.zero_()
            fusion.attention.query.bias.zero_()
    return detector


def reach(level: int, step: int, time: int) -> tuple[int, int]:
    """First and last feature step that a point of a level can read, both included.

    Args:
        level, step: the point.
        time: feature steps of the clip.
    """
    # Every halving pools a step with its neighbours, which lie 1, 2, 4, … feature steps away.
    centre, radius = step * 2**level, 2**level - 1
    return max(0, centre - radius), min(time - 1, centre + radius)
