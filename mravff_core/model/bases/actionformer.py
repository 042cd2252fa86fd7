"""ActionFormer: a pyramid of local self-attention and two light heads.

Reference: Zhang, Wu, Li, ActionFormer: Localizing moments of actions with transformers,
ECCV 2022. The `conv` encoder is the purely convolutional variant of the same code base.
"""

from __future__ import annotations

from mravff_core.model.bases.pyramid import PyramidBase


class ActionFormer(PyramidBase):
    """A `PyramidBase` of `TransformerBlock`s, or of `ConvBlock`s where its configuration says so."""
