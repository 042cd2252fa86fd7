"""TriDet: a pyramid of SGP layers, and boundaries as an expectation over steps nearby.

Reference: Shi et al., TriDet: Temporal action detection with relative boundary modeling,
CVPR 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mravff_core.model.bases.compact import CompactLevel, compact_levels
from mravff_core.model.bases.heads import BoundaryHead
from mravff_core.model.bases.padding import encoder_strides
from mravff_core.model.bases.pyramid import PyramidBase
from mravff_core.model.bases.sgp import SGPBlock
from mravff_core.model.bases.trident import TridentHead
from mravff_core.model.layers import StepMask, fitted


class TriDet(PyramidBase):
    """A `PyramidBase` of `SGPBlock`s, or of `ConvBlock`s where its configuration says so.

    Our own models never look at padding. Published weights do everywhere: the mean and the
    group norm of every SGP layer run over the whole padded length. Far from a clip and from
    the padded end all steps of the padding are equal, so one of them stands for the rest and
    counts as many times; the cost follows the clip's length, the result that of the padded one.
    """

    def _boundary_head(self, classes: int) -> BoundaryHead | TridentHead:
        if not self.config.trident:
            return super()._boundary_head(classes)
        return TridentHead(self.config, classes, len(self.strides))

    def _encode(
        self, visual: Tensor, lengths: list[int], total: int, count: int
    ) -> tuple[list[Tensor], list[StepMask]]:
        if self.config.blocks != "sgp" or not self.config.official_padding:
            return super()._encode(visual, lengths, total, count)
        extents = [self.padding.extent(length) for length in lengths]
        layouts = compact_levels(self.config, lengths, extents)[:count]
        steps = layouts[0].steps(visual.device)
        features = self._embed(fitted(visual, layouts[0].width), steps, extents)
        for block in self.stem:
            features = block(features, steps)
        levels = [features]
        for block, below, here in zip(self.branch, layouts, layouts[1:], strict=False):
            assert isinstance(block, SGPBlock)
            finer = here.finer(block.stride)
            halved = block.halve(below.rearranged(levels[-1], finer), finer.steps(visual.device, counted=False))
            levels.append(block.mix(halved, here.steps(visual.device)))
        return _unfolded(levels, layouts, [total // stride for stride in encoder_strides(self.config)[:count]])


def _unfolded(
    levels: list[Tensor], layouts: list[CompactLevel], widths: list[int]
) -> tuple[list[Tensor], list[StepMask]]:
    """The first steps of each level one by one, and their masks."""
    plain, steps = [], []
    for level, layout, width in zip(levels, layouts, widths, strict=True):
        plain.append(layout.first(level, width))
        lengths, extents = (torch.tensor(counts, device=level.device) for counts in (layout.lengths, layout.extents))
        steps.append(StepMask.of_lengths(lengths, extents, width))
    return plain, steps
