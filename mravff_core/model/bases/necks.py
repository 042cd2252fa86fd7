"""From the encoder's levels to those that the heads read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional

from mravff_core.model.bases.group_norm import StepGroupNorm
from mravff_core.model.layers import ChannelNorm, MaskedConv1d, StepMask
from mravff_core.model.pieces import in_pieces


def _norms(channels: int, levels: int, norm: bool, margin: float) -> nn.ModuleList:
    return nn.ModuleList([ChannelNorm(channels, margin) if norm else nn.Identity() for _ in range(levels)])


def _alone(norm: nn.Module) -> Callable[[Tensor, StepMask], Tensor]:
    """A norm that takes steps too, and has no use for them."""
    return lambda features, _: norm(features)


class IdentityNeck(nn.Module):
    """Each level on its own, normed if asked.

    Args:
        shared: one norm serves all levels.
        margin: see `ChannelNorm`.
    """

    reach = 0

    def __init__(self, channels: int, levels: int, *, norm: bool, shared: bool = False, margin: float = 1e-5) -> None:
        super().__init__()
        self.norms = _norms(channels, 1 if shared else levels, norm, margin)

    def source(self, level: int) -> int:
        """The coarsest level that a level is made from."""
        return level

    def forward(self, levels: Sequence[Tensor], steps: Sequence[StepMask]) -> tuple[Tensor, ...]:
        """Same shapes, [batch, channels, time] per level; the coarsest may be left out."""
        return tuple(
            in_pieces(_alone(norm), [level], here, reach=0, whole=self.training)
            for norm, level, here in zip(itertools.cycle(self.norms), levels, steps, strict=False)
        )


class GroupNormNeck(nn.Module):
    """Each level on its own, groups of its channels normed over all steps that exist."""

    reach = None  # for mean and spread

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = StepGroupNorm(channels, groups, learnt=False)

    def source(self, level: int) -> int:
        """The coarsest level that a level is made from."""
        return level

    def forward(self, levels: Sequence[Tensor], steps: Sequence[StepMask]) -> tuple[Tensor, ...]:
        """Same shapes, [batch, channels, time] per level; the coarsest may be left out."""
        return tuple(self.norm(level, here).to(level.dtype) for level, here in zip(levels, steps, strict=True))


class TopDownNeck(nn.Module):
    """Feature pyramid: coarse levels are added, repeated in time, to the finer ones.

    Reference: Lin et al., Feature pyramid networks for object detection, CVPR 2017.
    """

    reach = 1

    def __init__(
        self,
        channels: int,
        out_channels: int,
        levels: int,
        *,
        scale_factor: int,
        norm: bool,
        margin: float = 1e-5,
    ) -> None:
        super().__init__()
        self.scale_factor = scale_factor
        bias = not norm
        self.laterals = nn.ModuleList([MaskedConv1d(channels, out_channels, 1, bias=bias) for _ in range(levels)])
        self.smoothers = nn.ModuleList(
            [MaskedConv1d(out_channels, out_channels, 3, groups=out_channels, bias=bias) for _ in range(levels)]
        )
        self.norms = _norms(out_channels, levels, norm, margin)

    def source(self, level: int) -> int:
        """The coarsest level that a level is made from."""
        return len(self.norms) - 1

    def forward(self, levels: Sequence[Tensor], steps: Sequence[StepMask]) -> tuple[Tensor, ...]:
        """[batch, channels, time] to [batch, out_channels, time] per level."""
        merged = [lateral(level, step) for lateral, level, step in zip(self.laterals, levels, steps, strict=True)]
        for fine in range(len(merged) - 2, -1, -1):
            repeated = functional.interpolate(merged[fine + 1], scale_factor=float(self.scale_factor), mode="nearest")
            merged[fine] = merged[fine] + repeated
        smoothed = [smoother(level, step) for smoother, level, step in zip(self.smoothers, merged, steps, strict=True)]
        return tuple(norm(level) for norm, level in zip(self.norms, smoothed, strict=True))
