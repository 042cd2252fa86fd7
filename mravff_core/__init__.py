"""Multi-resolution audio-visual feature fusion for temporal action localization.

The public names load on first use, so that `import mravff_core` stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mravff_core.audio_condition import AudioCondition
    from mravff_core.inference.predictor import Predictor
    from mravff_core.model.checkpoints import load_detector
    from mravff_core.model.fusion import MRAVFusion
    from mravff_core.model.outputs import Batch
    from mravff_core.time_grid import TimeGrid
    from mravff_core.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["AudioCondition", "Batch", "MRAVFusion", "Predictor", "TimeGrid", "Workspace", "load_detector"]

_HOMES = {
    "AudioCondition": "mravff_core.audio_condition",
    "Batch": "mravff_core.model.outputs",
    "MRAVFusion": "mravff_core.model.fusion",
    "Predictor": "mravff_core.inference.predictor",
    "TimeGrid": "mravff_core.time_grid",
    "Workspace": "mravff_core.workspace",
    "load_detector": "mravff_core.model.checkpoints",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mravff_core' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
