"""ActionFormer: a pyramid of local self-attention and two light heads.

Reference: Zhang, Wu, Li, ActionFormer: Localizing moments of actions with transformers,
ECCV 2022. The `conv` encoder is the purely convolutional variant of the same code base.
"""

from __future__ import annotations

from mravff_core.model.bases.heads import BoundaryHead
from mravff_core.model.bases.pyramid import PyramidBase


class ActionFormer(PyramidBase):
    """Visual detector after Zhang et al.; see `PyramidBase`."""

    def _boundary_head(self, classes: int) -> BoundaryHead:
        return BoundaryHead(self.config, len(self.strides))
