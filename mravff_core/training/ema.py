"""A running mean of the weights, which is what a run hands out."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    Args:
        model: where it starts.
        decay: share kept at each update, in [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's present weights."""
        for name, value in model.state_dict().items():
            mean = self.weights[name]
            if mean.is_floating_point():
                mean.lerp_(value.detach(), 1 - self.decay)
            else:
                mean.copy_(value)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from stored weights."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
