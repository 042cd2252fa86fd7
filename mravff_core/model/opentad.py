"""Weights of OpenTAD's checkpoints under the names that the detectors' own code gives them.

OpenTAD (sming256/OpenTAD) builds ActionFormer, TriDet and TemporalMaxer from the same layers; it only
keeps them elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from mravff_core.model.renames import renamed

# OpenTAD's name to the published one; what matches none is called alike.
_RENAMES = [
    (r"projection\.proj\.", r"backbone.proj."),
    (r"projection\.embed\.(\d+)\.conv\.", r"backbone.embd.\1.conv."),
    (r"projection\.embed\.(\d+)\.norm\.", r"backbone.embd_norm.\1."),
    (r"projection\.(stem|branch)\.", r"backbone.\1."),
    (r"rpn_head\.(cls|reg)_convs\.(\d+)\.conv\.", r"\1_head.head.\2.conv."),
    (r"rpn_head\.(cls|reg)_convs\.(\d+)\.norm\.", r"\1_head.norm.\2."),
    (r"rpn_head\.cls_(start|end)_convs\.(\d+)\.conv\.", r"\1_head.head.\2.conv."),
    (r"rpn_head\.cls_(start|end)_convs\.(\d+)\.norm\.", r"\1_head.norm.\2."),
    (r"rpn_head\.cls_head\.", r"cls_head.cls_head.conv."),
    (r"rpn_head\.reg_head\.", r"reg_head.offset_head.conv."),
    (r"rpn_head\.cls_(start|end)_head\.", r"\1_head.cls_head.conv."),
    (r"rpn_head\.scale\.", r"reg_head.scale."),
]
_OWN = re.compile(r"(projection|rpn_head|roi_head)\.")
# A running count of training's, which no detection depends on.
_NOT_NEEDED = "rpn_head.loss_normalizer"


def own_layer(weights: Mapping[str, Tensor]) -> str | None:
    """The first weight that only OpenTAD names so; None if there is none."""
    return next(filter(_OWN.match, weights), None)


def published_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenTAD's weights under published names."""
    return {renamed(name, _RENAMES): value for name, value in weights.items() if name != _NOT_NEEDED}
