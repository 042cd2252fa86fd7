"""Several clips at once: which go together, and how they are laid side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid


@dataclass(frozen=True)
class ClipFeatures:
    """Features of one clip; see `Predictor.detect` for each."""

    visual: ArrayLike
    grid: TimeGrid
    duration_s: float
    audio: ArrayLike | None = None
    audio_grid: TimeGrid | None = None
    silence: ArrayLike | None = None


def groups_of_like_length(lengths: Sequence[int], max_steps: int) -> list[list[int]]:
    """Clips by number, longest first, in groups whose padded steps stay within `max_steps`.

    A clip longer than that is a group of its own.
    """
    groups: list[list[int]] = []
    room = 0
    for clip in sorted(range(len(lengths)), key=lambda clip: (-lengths[clip], clip)):
        if room < 1:
            groups.append([])
            room = max(1, max_steps // max(1, lengths[clip]))
        groups[-1].append(clip)
        room -= 1
    return groups


def side_by_side(batches: Sequence[Batch]) -> Batch:
    """Batches of one clip each as one batch, padded at the end to the longest."""
    if len(batches) == 1:
        return batches[0]
    lengths = [batch.visual.shape[-1] for batch in batches]
    device = batches[0].visual.device
    heard = [batch.audio for batch in batches if batch.audio is not None]
    audio = present = None
    if heard:
        silent = heard[0].new_zeros(1, heard[0].shape[1], 1)
        audio = _padded([silent if batch.audio is None else batch.audio for batch in batches], max(lengths))
        present = torch.tensor([batch.audio is not None for batch in batches], device=device)
    valid = torch.arange(max(lengths), device=device)[None, None] < torch.tensor(lengths, device=device)[:, None, None]
    return Batch(_padded([batch.visual for batch in batches], max(lengths)), audio, valid, present)


def _padded(features: Sequence[Tensor], steps: int) -> Tensor:
    return torch.cat([functional.pad(clip, (0, steps - clip.shape[-1])) for clip in features])
