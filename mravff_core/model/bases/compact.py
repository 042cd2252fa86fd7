"""Long padding in few columns: equal steps are kept once and counted as often as they occur.

A published TriDet looks at its whole padded length. What stands in the padding, though, is the
same at every step that is far enough from the clip and from the padded end; how far that is
grows with each layer. So each level is laid out as the first steps (the clip and what it
reaches), one step that stands for all those folded away, and the last steps (what the padded
end reaches).

    steps    0 1 2 3 4 5 6 7 8 ... 93 94 95        clip of 4 steps, padded to 96
    columns  0 1 2 3 4 5 6 7             8  9      head of 8, tail of 2; column 7 stands for 87 steps
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mravff_core.config import BaseConfig
from mravff_core.model.bases.sgp import reach
from mravff_core.model.layers import StepMask


@dataclass(frozen=True)
class CompactLevel:
    """Which steps of one level are held in which columns, one entry a clip.

    Attributes:
        lengths: real steps.
        extents: steps in all, padding included.
        heads: columns for the first steps; the last of them stands for all that are folded away.
        tails: columns for the last steps.
    """

    lengths: tuple[int, ...]
    extents: tuple[int, ...]
    heads: tuple[int, ...]
    tails: tuple[int, ...]

    @property
    def width(self) -> int:
        """Columns of the clip that needs most."""
        return max(head + tail for head, tail in zip(self.heads, self.tails, strict=True))

    def steps(self, device: torch.device, *, counted: bool = True) -> StepMask:
        """Masks of the columns, with the number of steps that each stands for if `counted`."""
        column, (length, extent, head, used) = self._columns_and_counts(device)
        present = (column < used)[:, None]
        repeats = present + ((column == head - 1) * (extent - used))[:, None]
        alike, unfolded = bool((used == self.width).all()), bool((used == extent).all())
        valid = (column < length)[:, None]
        return StepMask(
            valid,
            None if alike else present,
            repeats.float() if counted and not unfolded else None,
            all_valid=bool(valid.all()),
        )

    def finer(self, stride: int) -> CompactLevel:
        """The level below, laid out so that halving it by `stride` gives this layout."""
        return CompactLevel(*(tuple(stride * count for count in counts) for counts in self._counts()))

    def rearranged(self, features: Tensor, wanted: CompactLevel) -> Tensor:
        """`features` [batch, channels, columns] of this layout in another layout of the same level."""
        if (wanted.extents, wanted.heads, wanted.tails) == (self.extents, self.heads, self.tails):
            return features
        column, (_, extent, head, used) = wanted._columns_and_counts(features.device)
        return self._at(features, torch.where(column < head, column, extent - used + column))

    def first(self, features: Tensor, count: int) -> Tensor:
        """The first steps of `features` [batch, channels, columns]; anything beyond a clip's extent."""
        if count <= min(min(self.heads), features.shape[-1]):
            return features[..., :count]
        return self._at(features, torch.arange(count, device=features.device).expand(len(features), -1))

    def _at(self, features: Tensor, positions: Tensor) -> Tensor:
        """`features` [batch, channels, columns] at steps [batch, time]; anything beyond a clip's extent."""
        _, (_, extent, head, used) = self._columns_and_counts(features.device)
        column = torch.where(
            positions >= extent - used + head, positions - extent + used, positions.clamp(max=head - 1)
        )
        column = column.clamp(max=features.shape[-1] - 1)
        if len(column) == 1:
            return features[..., column[0]]
        return features.gather(2, column[:, None].expand(-1, features.shape[1], -1))

    def _counts(self) -> tuple[tuple[int, ...], ...]:
        return self.lengths, self.extents, self.heads, self.tails

    def _columns_and_counts(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Column numbers [1, width]; lengths, extents, heads and used columns, [batch, 1] each."""
        used = [head + tail for head, tail in zip(self.heads, self.tails, strict=True)]
        counts = torch.tensor([self.lengths, self.extents, self.heads, used], device=device)
        return torch.arange(self.width, device=device)[None], counts[..., None]


def compact_levels(config: BaseConfig, lengths: Sequence[int], extents: Sequence[int]) -> list[CompactLevel]:
    """Layouts of all encoder levels, finest first, narrow and yet the same as the whole padded length.

    Args:
        lengths: real steps of each clip.
        extents: its steps with padding, a multiple of the coarsest stride.
    """
    stride = config.scale_factor
    stem = config.stem_layers * reach(config, 0)
    # Steps from the start that the clip reaches, and from the end that the padded end reaches.
    starts, end = [length + stem for length in lengths], stem
    # The embedded padding is alike everywhere, but a clip's last steps look at as much as their convolution reaches.
    kept = [length + max(stem, config.embed_kernel // 2) for length in lengths]
    levels = [_level(lengths, extents, kept, end)]
    for level in range(1, config.levels):
        more = reach(config, level)
        lengths = [-(-length // stride) for length in lengths]
        extents = [extent // stride for extent in extents]
        starts = [-(-(start + stride // 2) // stride) + more for start in starts]
        end = -(-end // stride) + more
        levels.append(_level(lengths, extents, starts, end))
    return levels


def _level(lengths: Sequence[int], extents: Sequence[int], starts: Sequence[int], end: int) -> CompactLevel:
    folds = [start + 1 + end + 1 < extent for start, extent in zip(starts, extents, strict=True)]
    heads = [start + 1 if fold else extent for fold, start, extent in zip(folds, starts, extents, strict=True)]
    return CompactLevel(tuple(lengths), tuple(extents), tuple(heads), tuple((end + 1) * fold for fold in folds))
