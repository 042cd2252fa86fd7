"""How far a sequence must be padded, and how far the published code pads it.

Published ActionFormer weights were trained on padded sequences whose padding is not silent:
after a norm it holds constants that a step near the end sees. How much padding there is does
not matter as long as every level has some, but a sequence that fills its padded length at a
level sees the void there instead. So the padding that exists is described by an extent, and
only as much of it is computed as any real step can see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mravff_core.config import BaseConfig


@dataclass(frozen=True)
class PaddingRule:
    """Padding of one base.

    Attributes:
        strides: of all encoder levels, finest first.
        halo: steps to either side that any one operation sees at its level.
        official: whether published padding exists for its neighbours.
        max_steps: length that the published code pads shorter sequences to.
        multiple: longer sequences are padded there to a multiple of this.
    """

    strides: tuple[int, ...]
    halo: int
    official: bool
    max_steps: int
    multiple: int

    @classmethod
    def of(cls, config: BaseConfig) -> PaddingRule:
        """The rule that follows from a configuration."""
        strides = encoder_strides(config)
        return cls(
            strides=strides,
            halo=max(
                config.embed_kernel // 2,
                config.head_kernel // 2,
                config.boundary_kernel // 2,
                config.scale_factor // 2,
                (config.pool_width or 1) // 2,
                config.bins if config.silent_padding and config.kind == "tridet" and config.trident else 1,
                1,
            ),
            official=config.official_padding,
            max_steps=config.max_steps,
            multiple=official_multiple(config),
        )

    def up_to(self, levels: int) -> PaddingRule:
        """The rule where only the finest levels are wanted."""
        return replace(self, strides=self.strides[:levels])

    def extent(self, length: int) -> int:
        """Steps of a sequence that exist for their neighbours: the real ones and published padding."""
        if not self.official:
            return length
        return self.max_steps if length <= self.max_steps else _round_up(length, self.multiple)

    def computed(self, length: int) -> int:
        """Fewest steps to compute so that no real step can tell it from the whole extent.

        It is a multiple of the coarsest stride, so that every level halves evenly.
        """
        extent = self.extent(length)
        wanted = [self._visible(length, extent, stride) for stride in self.strides]
        total = self.whole(length)
        while total < extent and [self._visible(length, total, stride) for stride in self.strides] != wanted:
            total += self.strides[-1]
        return total

    def whole(self, length: int) -> int:
        """`length` rounded up to whole steps of the coarsest level."""
        return _round_up(length, self.strides[-1])

    def _visible(self, length: int, total: int, stride: int) -> int:
        """Padding steps at one level that its last real step can see."""
        return min(self.halo, total // stride - -(-length // stride))


def encoder_strides(config: BaseConfig) -> tuple[int, ...]:
    """Stride of every encoder level in finest steps, finest first."""
    return tuple(config.scale_factor**level for level in range(config.levels))


def windows(config: BaseConfig) -> tuple[int, ...]:
    """Attention window of every encoder level."""
    return config.window * config.levels if len(config.window) == 1 else config.window


def sgp_windows(config: BaseConfig) -> tuple[int, ...]:
    """Window of the SGP layers of every encoder level."""
    return config.sgp_window * config.levels if len(config.sgp_window) == 1 else config.sgp_window


def official_multiple(config: BaseConfig) -> int:
    """Padded lengths beyond `max_steps` are multiples of this in the published code.

    It pairs the windows of the finest levels with the strides of the levels that heads read,
    which are other levels where the neck leaves out the finest; kept as it is.
    """
    read_strides = encoder_strides(config)[config.neck_first_level :]
    if config.kind == "tridet":
        return max(
            1, *(stride * max(window, 1) for stride, window in zip(read_strides, sgp_windows(config), strict=False))
        )
    pairs = zip(read_strides, windows(config), strict=False)
    return max(1, *(chunk_multiple(stride, window) for stride, window in pairs))


def chunk_multiple(stride: int, window: int) -> int:
    """What a level's attention chunks ask of the finest length in the published code."""
    return stride * (window // 2) * 2 if window > 1 else stride


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
