"""TemporalMaxer: a pyramid of nothing but max-pooling, and ActionFormer's heads.

Reference: Tang, Kim, Sohn, TemporalMaxer: Maximize temporal context with only max pooling for
temporal action localization, arXiv 2303.09055.
"""

from __future__ import annotations

from mravff_core.model.bases.heads import BoundaryHead
from mravff_core.model.bases.pyramid import PyramidBase


class TemporalMaxer(PyramidBase):
    """Visual detector after Tang et al.; see `PyramidBase`."""

    def _boundary_head(self, classes: int) -> BoundaryHead:
        return BoundaryHead(self.config, len(self.strides))
