"""Whether explanations find what was planted: one modality, one level, one place in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from mravff_core.analysis.attribution import Options, Target, attribute
from mravff_core.analysis.attribution.target import DEFAULT_QUANTITY
from mravff_core.analysis.planted import CHANNELS, LEVELS, planted_detector, reach
from mravff_core.time_grid import TimeGrid

_TIME = 48
_GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)


@dataclass(frozen=True)
class Planted:
    """What an explanation said of a planted detector.

    Attributes:
        modality, level: what was planted.
        share: of the planted modality; 1 is right.
        mass_inside: of the planted modality's attribution, within the steps that the point reads; 1 is right.
        other_mass: attribution of the other modality; 0 is right.
        levels: those whose gate changes anything; the planted one alone is right.
        gap: completeness gap.
        passed: whether all of it is right.
    """

    modality: str
    level: int
    share: float
    mass_inside: float
    other_mass: float
    levels: tuple[int, ...]
    gap: float
    passed: bool


def check_planted(modality: Literal["audio", "vision"], level: int) -> Planted:
    """Explain one planted detector on noise."""
    generator = torch.Generator().manual_seed(level)
    visual, audio = (torch.randn(1, CHANNELS, _TIME, generator=generator) for _ in range(2))
    baseline = (torch.zeros_like(visual), torch.zeros_like(audio))
    step = (_TIME >> level) // 2
    detector = planted_detector(modality, level, seed=level)
    found = attribute(
        detector,
        (visual, audio),
        baseline,
        Target(level, step, 0, DEFAULT_QUANTITY),
        grid=_GRID,
        options=Options(near=8, far=4),
    )
    own, other = found.gradients.audio, found.gradients.vision
    share = found.share.audio_share or 0.0
    if modality == "vision":
        own, other, share = other, own, 1 - share
    first, last = reach(level, step, _TIME)
    total = np.abs(own).sum()
    inside = float(np.abs(own[first : last + 1]).sum() / total) if total else 0.0
    moved = tuple(one.level for one in found.levels if one.closed or one.opened)
    gap = found.gradients.gap or 0.0
    right = share == 1 and inside == 1 and not other.any() and moved == (level,) and found.complete
    return Planted(modality, level, share, inside, float(np.abs(other).sum()), moved, gap, bool(right))


@lru_cache(maxsize=1)
def check_all_planted() -> tuple[Planted, ...]:
    """Every modality at every level; the same for every run."""
    return tuple(check_planted(modality, level) for modality in ("audio", "vision") for level in range(LEVELS))
