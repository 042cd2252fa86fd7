"""Products of matrices, in place of convolutions of width 1 and wherever else they are quicker."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def products(
    weights: Sequence[Tensor],
    features: Sequence[Tensor],
    bias: Tensor | None,
    *,
    steps_first: bool = False,
) -> Tensor:
    """The sum of `bias` and each weight times its features, at every step.

    What convolutions give, as the products of matrices that they are: on a CPU up to half as fast
    again as convolutions of width 1, which first lay features out anew.

    Args:
        weights: [outputs, channels] each.
        features: [batch, channels, time] each.
        bias: [outputs], or None.
        steps_first: how the result lies in memory, and its axes.
    Returns: [batch, outputs, time], or with `steps_first` [batch, time, outputs].
    """
    # One clip without its batch is a tenth faster.
    single = len(features[0]) == 1
    out: Tensor | None = None
    for weight, part in zip(weights, features, strict=True):
        weight, part = (weight, part[0]) if single else (weight.expand(len(part), -1, -1), part)
        left, right = (part.mT, weight.mT) if steps_first else (weight, part)
        if out is not None:
            left, right = left.to(out.dtype), right.to(out.dtype)
            out = out.addmm_(left, right) if single else out.baddbmm_(left, right)
        else:
            out = left @ right
    assert out is not None
    if bias is not None:
        # Afterwards, since products that start from a bias first copy it to every step.
        out = out.add_(bias if steps_first else bias[:, None])
    return out[None] if single else out


def products_in_row(
    weights: Sequence[Tensor], features: Sequence[Tensor], biases: Sequence[Tensor | None], *, room: tuple[int, int]
) -> Tensor:
    """Each weight times its own features plus its bias, one sequence after another.

    Args:
        weights: [outputs, channels] each.
        features: [batch, channels, time] each, times of their own.
        biases: [outputs] each, or None.
        room: steps of 0 before the first and after the last.
    Returns: [batch, room and all times, outputs].
    """
    clips, outputs = len(features[0]), len(weights[0])
    before, after = room
    if clips > 1 or not on_cpu_without_gradients(features[0]):
        parts = [
            products([weight], [part], bias, steps_first=True)
            for weight, part, bias in zip(weights, features, biases, strict=True)
        ]
        ends = [parts[0].new_zeros(clips, steps, outputs) for steps in room]
        return torch.cat([ends[0], *parts, ends[1]], dim=1) if len(parts) > 1 or any(room) else parts[0]
    # Products that write where they belong need no copy.
    row = features[0].new_empty(before + sum(part.shape[-1] for part in features) + after, outputs)
    row[:before].zero_()
    row[len(row) - after :].zero_()
    for weight, part, bias in zip(weights, features, biases, strict=True):
        own = row[before : before + part.shape[-1]]
        torch.mm(part[0].mT, weight.mT, out=own)
        if bias is not None:
            own.add_(bias)
        before += len(own)
    return row[None]


def apply_pointwise(conv: nn.Conv1d, *features: Tensor, steps_first: bool = False) -> Tensor:
    """What a convolution of width 1 gives for features [batch, channels, time], those of several stacked."""
    weights = conv.weight[:, :, 0].split([part.shape[1] for part in features], dim=1)
    return products(weights, features, conv.bias, steps_first=steps_first)


class Pointwise(nn.Conv1d):
    """A projection of each step on its own, as a product of matrices; its bias starts at 0."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 1)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, channels, time] to [batch, out_channels, time]."""
        return apply_pointwise(self, features)


def on_cpu_without_gradients(features: Tensor) -> bool:
    """Whether what is quickest on a processor may be done in place of what gradients flow through."""
    return features.device.type == "cpu" and not torch.is_grad_enabled()
