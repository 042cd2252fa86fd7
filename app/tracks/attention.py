"""Cross-attention of one level of one clip: weights on time offsets or, where it reaches everywhere, on times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.tracks.container import encode
from mravff_core.analysis.attention_map import AttentionMap, attention_map
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.model.detector import Detector
from mravff_core.workspace import Workspace


def attention(
    workspace: Workspace,
    clip_id: str,
    *,
    detector: Detector,
    condition: AudioCondition,
    level: int,
    head: int | None = None,
) -> bytes:
    """Container with `weights` [sounds, steps]; empty where the detector hears nothing or does not attend.

    The description has `offsets_s` of the sounds where attention is local, else `sounds_first_s`
    and `sounds_step_s` of the times that they stand for.

    Args:
        head: None for the mean over heads.
    Raises: WorkspaceError for an unknown clip, level or head, or features that are not there yet.
    """
    try:
        found = attention_map(workspace, clip_id, detector, condition=condition, level=level, head=head)
    except ConfigError as error:
        raise WorkspaceError(str(error)) from error
    if found is None:
        return encode({"weights": np.zeros((0, 0), np.float32)}, {"level": 0, "levels": 0, "heads": 0, "offsets_s": []})
    first_s, step_s = _axis(found.times_s)
    meta = {
        "level": level,
        "levels": found.levels,
        "head": head,
        "heads": found.heads,
        "first_s": first_s,
        "step_s": step_s,
        **_sounds(found),
    }
    return encode({"weights": np.ascontiguousarray(found.weights, dtype=np.float32)}, meta)


def _sounds(found: AttentionMap) -> dict[str, object]:
    if found.is_local:
        return {"offsets_s": [float(offset_s) for offset_s in found.sounds_s]}
    first_s, step_s = _axis(found.sounds_s)
    return {"offsets_s": None, "sounds_first_s": first_s, "sounds_step_s": step_s}


def _axis(times_s: NDArray[np.floating]) -> tuple[float, float]:
    """The first and the distance to the next."""
    return float(times_s[0]), float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
