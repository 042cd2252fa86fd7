"""TemporalMaxer: a pyramid of nothing but max-pooling, and ActionFormer's heads.

Reference: Tang, Kim, Sohn, TemporalMaxer: Maximize temporal context with only max pooling for
temporal action localization, arXiv 2303.09055.
"""

from __future__ import annotations

from mravff_core.model.bases.pyramid import PyramidBase


class TemporalMaxer(PyramidBase):
    """A `PyramidBase` of `MaxPoolBlock`s, without a stem."""
