"""Cross-attention of one level as a picture: time by offset where it is local, else time by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import prepare_clip
from mravff_core.model.detector import Detector
from mravff_core.workspace import Workspace

_MOST_SIDE = 400


@dataclass(frozen=True)
class AttentionMap:
    """Weights of one level.

    Attributes:
        weights: [sounds, steps] weight of every step on the sound at an offset or at a time.
        times_s: [steps] seconds of the visual steps.
        sounds_s: [sounds] offsets in seconds (negative: earlier), or seconds where not local.
        is_local: which of the two.
        levels, heads: how many there are.
    """

    weights: NDArray[np.float32]
    times_s: NDArray[np.floating]
    sounds_s: NDArray[np.floating]
    is_local: bool
    levels: int
    heads: int


def attention_map(
    workspace: Workspace, clip_id: str, detector: Detector, *, condition: AudioCondition, level: int, head: int | None
) -> AttentionMap | None:
    """Attention of one clip; None where the detector does not attend or hears nothing.

    Args:
        level: 0 is the finest.
        head: None for the mean over heads.
    Raises: ConfigError for a level or head that is not there.
    """
    batch, grid = prepare_clip(workspace, clip_id, Predictor(detector), condition)
    with torch.inference_mode():
        trace = detector.with_attention(batch)
    if not trace.weights:
        return None
    heads = trace.weights[0].shape[1]
    if not 0 <= level < len(trace.weights) or (head is not None and not 0 <= head < heads):
        asked = f"level {level}" + ("" if head is None else f" and head {head}")
        raise ConfigError(f"found {asked}, expected levels 0 to {len(trace.weights) - 1} and heads 0 to {heads - 1}")
    own = trace.weights[level][0].float()
    weights = (own.mean(dim=0) if head is None else own[head]).cpu().numpy()
    stride, is_local = detector.strides[level], trace.windows[level] >= 0
    times_s = grid.to_seconds(np.arange(len(weights), dtype=np.float64) * stride)
    if is_local:
        reach = trace.windows[level] // 2
        sounds_s = np.arange(-reach, reach + 1, dtype=np.float64) * (stride * grid.hop_s)
        return AttentionMap(weights.T, times_s, sounds_s, True, len(trace.weights), heads)
    pool = -(-len(weights) // _MOST_SIDE)
    pooled, middles = _pooled(weights, pool), times_s[: len(times_s) // pool * pool].reshape(-1, pool).mean(axis=1)
    return AttentionMap(pooled.T, middles, middles, False, len(trace.weights), heads)


def _pooled(weights: NDArray[np.float32], pool: int) -> NDArray[np.float32]:
    """[time, time] with `pool` steps and sounds in one: mean over steps, sum over sounds."""
    whole = len(weights) // pool * pool
    blocks = weights[:whole, :whole].reshape(whole // pool, pool, whole // pool, pool)
    return np.asarray(blocks.mean(axis=1).sum(axis=2), np.float32)
