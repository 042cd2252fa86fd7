"""Group norm over a whole clip, of whatever length and however much of it is padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mravff_core.model.layers import StepMask, at_least_single
from mravff_core.model.pieces import in_pieces

# Of `nn.GroupNorm`, which published weights were trained with.
_EPSILON = 1e-5


class StepGroupNorm(nn.Module):
    """Group norm over channels and all steps that exist, with scale and shift per channel.

    Args:
        groups: of channels; each is normed by itself.
        learnt: whether scale and shift are weights, rather than 1 and 0 for good.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: int, groups: int, *, learnt: bool = True) -> None:
        super().__init__()
        for name, start in (("weight", torch.ones(channels)), ("bias", torch.zeros(channels))):
            if learnt:
                self.register_parameter(name, nn.Parameter(start))
            else:
                self.register_buffer(name, start, persistent=False)
        self.groups = groups

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """Same shape, [batch, channels, time], in the precision of the weights."""
        return self.scaled(features, *self.centre_and_scale(features, steps))

    def centre_and_scale(self, features: Tensor, steps: StepMask) -> tuple[Tensor, Tensor]:
        """What is subtracted from each channel, and what it is then multiplied with, [batch, channels, 1] each."""
        features = at_least_single(features)
        if steps.present is None and steps.repeats is None and not torch.is_grad_enabled():
            # What a plain group norm measures on the way, in a sixth of the time.
            clips, channels, time = features.shape
            _, mean, spread = torch.native_group_norm(
                features, None, None, clips, channels, time, self.groups, _EPSILON
            )
            own = channels // self.groups
            centre, spread = (each.repeat_interleave(own, dim=1)[..., None] for each in (mean, spread))
            return centre, spread * self.weight[:, None]
        centre = self._group_mean(features, steps)
        squares = in_pieces(lambda piece, _: (piece - centre).square(), [features], steps, reach=0, whole=self.training)
        spread = torch.rsqrt(self._group_mean(squares, steps) + _EPSILON)
        return centre, spread * self.weight[:, None]

    def scaled(self, features: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Some steps of the result, [batch, channels, time]."""
        return (at_least_single(features) * scale).add_(self.bias[:, None] - centre * scale).to(self.weight.dtype)

    def _group_mean(self, features: Tensor, steps: StepMask) -> Tensor:
        """Mean of each channel's group, [batch, channels, 1]."""
        grouped = steps.mean(features).unflatten(1, (self.groups, -1))
        return grouped.mean(dim=2, keepdim=True).expand_as(grouped).flatten(1, 2)
