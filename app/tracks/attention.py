"""Cross-attention of one level of one clip: weight on each time offset, mean over heads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from app.tracks.container import encode
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import WorkspaceError
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import prepare_clip
from mravff_core.model.detector import Detector
from mravff_core.workspace import Workspace

# Offsets shown to either side where attention reaches over the whole clip.
_FULL_REACH = 24


def attention(
    workspace: Workspace, clip_id: str, *, detector: Detector, condition: AudioCondition, level: int
) -> bytes:
    """Container with `weights` [offsets, steps]; empty where the detector hears nothing or does not attend.

    Raises: WorkspaceError for an unknown clip, level, or features that are not there yet.
    """
    batch, grid = prepare_clip(workspace, clip_id, Predictor(detector), condition)
    with torch.inference_mode():
        trace = detector.with_attention(batch)
    if not trace.weights:
        return encode({"weights": np.zeros((0, 0), np.float32)}, {"level": 0, "levels": 0, "offsets_s": []})
    if not 0 <= level < len(trace.weights):
        raise WorkspaceError(f"level {level} was asked for; there are levels 0 to {len(trace.weights) - 1}")
    weights = trace.weights[level][0].mean(dim=0).float().cpu().numpy()
    window, stride = trace.windows[level], detector.strides[level]
    banded = weights.T if window >= 0 else _band(weights, _FULL_REACH)
    first_s, second_s = (float(grid.to_seconds(np.asarray(step * stride, np.float64))) for step in (0, 1))
    reach = len(banded) // 2
    meta = {
        "level": level,
        "levels": len(trace.weights),
        "first_s": first_s,
        "step_s": second_s - first_s,
        "offsets_s": [(row - reach) * (second_s - first_s) for row in range(len(banded))],
    }
    return encode({"weights": np.ascontiguousarray(banded, dtype=np.float32)}, meta)


def _band(weights: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """[time, time] weights as [2 reach + 1, time]: row `reach + k` is the weight on step `t + k`."""
    time = len(weights)
    steps = np.arange(time)
    band = np.zeros((2 * reach + 1, time), np.float32)
    for offset in range(-min(reach, time - 1), min(reach, time - 1) + 1):
        inside = (steps + offset >= 0) & (steps + offset < time)
        band[reach + offset, inside] = weights[steps[inside], steps[inside] + offset]
    return band
