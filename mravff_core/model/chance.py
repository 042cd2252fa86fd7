"""What training leaves out by chance: the same for a clip whatever it is batched with, and wherever."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ClipDraws:
    """Chance by clip while training, the same whether a batch passes whole, in parts or on several devices.

    Attributes:
        rows: [clips here] place of each in the whole batch.
        whole: clips of the whole batch.
        seed: of what is drawn step by step, where drawing for the whole batch would be much.
        place: of the module that draws.
    """

    rows: Tensor
    whole: int
    seed: int = 0
    place: int = 0

    def uniform(self) -> Tensor:
        """[clips here] numbers in [0, 1): those of the whole batch are drawn, on the CPU, and its own kept."""
        return torch.rand(self.whole)[self.rows]

    def by_step(self, call: int, like: Tensor) -> Tensor:
        """Numbers in [0, 1), [clips here, channels, time]; a clip's are the same however far it is padded, on the CPU.

        Args:
            call: how often the module has drawn for these clips before.
            like: of that shape, on the device that is wanted.
        """
        clips = []
        for row in self.rows.tolist():
            key = np.random.SeedSequence([self.seed, self.place, call, row]).generate_state(1, np.uint32)
            generator = torch.Generator(like.device).manual_seed(int(key[0]))
            clips.append(torch.rand(like.shape[2], like.shape[1], generator=generator, device=like.device))
        return torch.stack(clips).transpose(1, 2)


def set_clip_draws(model: nn.Module, draws: ClipDraws | None) -> None:
    """Tell every module that leaves clips out by chance which clips come next; None for a batch of its own."""
    for place, module in enumerate(model.modules()):
        if hasattr(module, "clip_draws"):
            module.clip_draws = None if draws is None else replace(draws, place=place)  # type: ignore[assignment]
        if isinstance(module, StepDropout):
            module.calls = 0


def draw_by_clip(draws: ClipDraws | None, clips: int, device: torch.device) -> Tensor:
    """[clips] numbers in [0, 1) on a device."""
    return torch.rand(clips, device=device) if draws is None else draws.uniform().to(device)


class ScaledDropPath(nn.Module):
    """Residual branch with a learnt scale per channel, dropped for whole clips while training.

    Args:
        rate: chance that a clip goes without the branch; survivors are scaled up to match.
    Reference: Touvron et al., Going deeper with image transformers, ICCV 2021 (the scale).
    """

    def __init__(self, channels: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.scale = nn.Parameter(torch.full((channels,), 1e-4))
        self.clip_draws: ClipDraws | None = None

    def forward(self, branch: Tensor) -> Tensor:
        """Same shape, [batch, channels, time]."""
        scaled = branch * self.scale[:, None]
        if not self.training or self.rate == 0:
            return scaled
        keep = 1 - self.rate
        survives = draw_by_clip(self.clip_draws, len(branch), branch.device) < keep
        return scaled * survives[:, None, None] / keep


class StepDropout(nn.Dropout):
    """Dropout of [batch, channels, time] that falls on a clip alike whatever clips it is batched with."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.clip_draws: ClipDraws | None = None
        self.calls = 0

    def forward(self, features: Tensor) -> Tensor:
        """Same shape; what is kept is scaled up to match."""
        if self.clip_draws is None or not self.training or self.p == 0:
            return super().forward(features)
        survives = self.clip_draws.by_step(self.calls, features) >= self.p
        self.calls += 1
        return features * survives.to(features.dtype) / (1 - self.p)


def drop_path(channels: int, rate: float) -> nn.Module:
    """A `ScaledDropPath`, or nothing at all where the rate is 0."""
    return ScaledDropPath(channels, rate) if rate > 0 else nn.Identity()
