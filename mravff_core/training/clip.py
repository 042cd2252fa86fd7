"""Clips as training sees them: cut at random, padded into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.model.outputs import Batch

_CROP_TRIALS = 200


@dataclass(frozen=True)
class TrainingClip:
    """One clip with its true segments.

    Attributes:
        clip_id: its name.
        visual: [visual channels, time].
        audio: [audio channels, time] on the visual grid; None for a clip without sound.
        segments_grid: [n, 2] start and end in finest feature steps.
        labels: [n] class indices.
    """

    clip_id: str
    visual: NDArray[np.float32]
    audio: NDArray[np.float32] | None
    segments_grid: NDArray[np.float32]
    labels: NDArray[np.int64]

    def with_noise(self, spread: float, rng: np.random.Generator) -> TrainingClip:
        """The same with normal noise of standard deviation `spread` on its visual features."""
        noise = rng.standard_normal(self.visual.shape, dtype=np.float32)
        return replace(self, visual=self.visual + np.float32(spread) * noise)


def random_crop(
    clip: TrainingClip,
    rng: np.random.Generator,
    *,
    max_steps: int,
    crop_ratio: tuple[float, float] | None,
    truncated_share: float,
    margin: float = 0.0,
) -> TrainingClip:
    """A random stretch of a clip that holds at least one of its segments, if any stretch tried does.

    Longer clips are cut to `max_steps`; shorter ones to a random share of their length within
    `crop_ratio`. A segment stays if at least `truncated_share` of it does.

    Args:
        max_steps: longest stretch, in finest feature steps.
        crop_ratio: least and greatest share of a clip's length; None to leave shorter clips whole.
        truncated_share: in [0, 1].
        margin: steps by which segments may reach beyond the stretch at either end.
    Reference: Zhang et al., ActionFormer, ECCV 2022 (sequence cropping while training).
    """
    length = clip.visual.shape[1]
    steps = max_steps
    if length <= max_steps:
        if crop_ratio is None:
            return clip
        low, high = (min(length, max(1, round(share * length))) for share in crop_ratio)
        steps = int(rng.integers(low, high + 1))
        if steps == length:
            return clip
    for _ in range(_CROP_TRIALS):
        first = int(rng.integers(0, length - steps + 1))
        bounds = np.clip(clip.segments_grid, first - margin, first + steps + margin)
        whole = np.maximum(clip.segments_grid[:, 1] - clip.segments_grid[:, 0], 1e-6)
        stays = (bounds[:, 1] - bounds[:, 0]) / whole >= truncated_share
        if stays.any() or not len(stays):
            break
    window = slice(first, first + steps)
    # Copies, so that the rest of a long clip need not stay in memory.
    return replace(
        clip,
        visual=clip.visual[:, window].copy(),
        audio=None if clip.audio is None else clip.audio[:, window].copy(),
        segments_grid=(bounds[stays] - first).astype(np.float32),
        labels=clip.labels[stays],
    )


def collate(clips: Sequence[TrainingClip], *, audio_channels: int | None, least_steps: int = 0) -> Batch:
    """Clips padded at the end to the longest one.

    Args:
        audio_channels: None for a detector that takes no sound.
        least_steps: pad at least this far.
    """
    steps = max(least_steps, *(clip.visual.shape[1] for clip in clips))
    visual = torch.zeros(len(clips), clips[0].visual.shape[0], steps)
    valid = torch.zeros(len(clips), 1, steps, dtype=torch.bool)
    audio = None if audio_channels is None else torch.zeros(len(clips), audio_channels, steps)
    for row, clip in enumerate(clips):
        length = clip.visual.shape[1]
        visual[row, :, :length] = torch.from_numpy(clip.visual)
        valid[row, :, :length] = True
        if audio is not None and clip.audio is not None:
            audio[row, :, :length] = torch.from_numpy(clip.audio)
    present = None if audio is None else torch.tensor([clip.audio is not None for clip in clips])
    return Batch(visual, audio, valid, present)
