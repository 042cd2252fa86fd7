"""Features of one clip, and what they are compared with."""

from __future__ import annotations

import torch

from mravff_core import TimeGrid

GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)


TIME = 40


def inputs(channels: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    visual, audio = (torch.randn(1, channels, TIME, generator=generator) for _ in range(2))
    return visual, audio


def zeros(given: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros_like(given[0]), torch.zeros_like(given[1])


def noise(given: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """A baseline that norm layers bear: at features that are all 0 a detector all but jumps."""
    return inputs(given[0].shape[1], seed=77)
