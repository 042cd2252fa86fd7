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
        first: number of the first level that is here.
    """

    levels: tuple[Tensor, ...]
    steps: tuple[StepMask, ...]
    first: int = 0

    def rows(self, places: Tensor) -> Pyramid:
        """Clips of the batch by number, [any] of them, one as often as it is named."""
        levels = tuple(level[places] for level in self.levels)
        return Pyramid(levels, tuple(mask.rows(places) for mask in self.steps), self.first)


class Base(nn.Module, ABC):
    """A detector for vision alone, cut open where audio enters.

    Attributes:
        strides: finest steps from one step of a level to the next, finest level first.
        channels: width of every level.
        head_reach: steps of a level to either side of a step that the heads' answers there depend on.
    """

    strides: tuple[int, ...]
    channels: int
    head_reach: int

    def check_length(self, steps: int, max_buffer_factor: float) -> None:
        """Refuse an input longer than the base can take; most bases take any.

        Raises: FeatureError.
        """

    def source(self, level: int) -> int:
        """The coarsest level whose steps a level is made from."""
        return len(self.strides) - 1

    def reach(self, level: int) -> int | None:
        """Input steps to either side of a level's step that its features depend on; None for all that there are."""
        return None

    @abstractmethod
    def pyramid(self, visual: Tensor, valid: Tensor, *, only: int | None = None) -> Pyramid:
        """Encode visual features [batch, channels, time] with `valid` [batch, 1, time] bool.

        What stands at steps that are not valid is not looked at. Pads time at its end as far as
        the base needs; levels keep that padding.

        Args:
            only: the one level that is wanted; those coarser than its source may be left out.
        """

    @abstractmethod
    def classify(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Class logits [batch, time, classes] per level."""

    @abstractmethod
    def locate(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Boundary offsets [batch, time, 1 or classes, 2] per level, >= 0, in strides of the own level."""
