"""What a visual base offers: a pyramid, and two heads that read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from mravff_core.model.layers import StepMask


@dataclass(frozen=True)
class Pyramid:
    """Features after the neck, which both heads read.

    Attributes:
        levels: [batch, channels, time of the level] each, finest first.
        steps: which steps of each level are real.
    """

    levels: tuple[Tensor, ...]
    steps: tuple[StepMask, ...]

    def rows(self, places: Tensor) -> Pyramid:
        """Clips of the batch by number, [any] of them, one as often as it is named."""
        return Pyramid(tuple(level[places] for level in self.levels), tuple(mask.rows(places) for mask in self.steps))


class Base(nn.Module, ABC):
    """A detector for vision alone, cut open where audio enters.

    Attributes:
        strides: finest steps from one step of a level to the next, finest level first.
        channels: width of every level.
    """

    strides: tuple[int, ...]
    channels: int

    def check_length(self, steps: int, max_buffer_factor: float) -> None:
        """Refuse an input longer than the base can take; most bases take any.

        Raises: FeatureError.
        """

    @abstractmethod
    def pyramid(self, visual: Tensor, valid: Tensor) -> Pyramid:
        """Encode visual features [batch, channels, time] with `valid` [batch, 1, time] bool.

        What stands at steps that are not valid is not looked at. Pads time at its end as far as
        the base needs; levels keep that padding.
        """

    @abstractmethod
    def classify(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Class logits [batch, time, classes] per level."""

    @abstractmethod
    def locate(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Boundary offsets [batch, time, 1 or classes, 2] per level, >= 0, in strides of the own level."""
