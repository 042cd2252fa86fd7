"""Tensors made of a model's weights, kept until the weights change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Values of each weight that are compared, besides the count of writes.
_SAMPLED = 512


class Derived:
    """What a function makes of weights, made anew only once they have changed.

    Another tensor in a weight's place, its own write counter, and a sample of its values tell of a
    change; what goes by the counter, as writes to `.data` do, is noticed where it is more than a
    few values. Nothing is kept where gradients are asked for, or off the CPU, where asking would take longer.

    Args:
        compute: from weights to the tensors that are wanted.
    """

    def __init__(self, compute: Callable[..., tuple[Tensor, ...]]) -> None:
        self._compute = compute
        self._known: _Known | None = None

    def __call__(self, *weights: Tensor) -> tuple[Tensor, ...]:
        """The tensors for these weights."""
        if torch.is_grad_enabled() or any(weight.is_inference() or not weight.is_cpu for weight in weights):
            return self._compute(*weights)
        known, sample = self._known, _sample(weights)
        if known is None or not known.fits(weights, sample):
            # Outside of inference mode, since its tensors count no writes.
            with torch.inference_mode(False), torch.no_grad():
                made = self._compute(*weights)
            # Kept in one piece: threads never see one's weights with another's tensors.
            known = self._known = _Known(weights, tuple(_writes(weight) for weight in weights), sample, made)
        return known.made


@dataclass(frozen=True)
class _Known:
    weights: tuple[Tensor, ...]
    writes: tuple[tuple[int, int], ...]
    sample: Tensor
    made: tuple[Tensor, ...]

    def fits(self, weights: tuple[Tensor, ...], sample: Tensor) -> bool:
        return (
            len(weights) == len(self.weights)
            and all(one is other for one, other in zip(weights, self.weights, strict=True))
            and all(_writes(weight) == known for weight, known in zip(weights, self.writes, strict=True))
            and torch.equal(sample, self.sample)
        )


def _writes(weight: Tensor) -> tuple[int, int]:
    return weight.data_ptr(), weight._version


def _sample(weights: tuple[Tensor, ...]) -> Tensor:
    parts = [weight.detach().flatten() for weight in weights]
    return torch.cat([part[:: max(1, len(part) // _SAMPLED)] for part in parts])
