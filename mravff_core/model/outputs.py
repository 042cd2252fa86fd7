"""What goes into a detector and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Features of several clips on one visual grid, padded at the end.

    Attributes:
        visual: [batch, visual channels, time].
        audio: [batch, audio channels, time], already on the visual grid, or None for no sound.
        valid_mask: [batch, 1, time] bool, True is real; None means all steps are.
        audio_present: [batch] bool, False bypasses fusion for that clip; None means all True.
    """

    visual: Tensor
    audio: Tensor | None = None
    valid_mask: Tensor | None = None
    audio_present: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        return Batch(
            self.visual.to(device),
            *(None if part is None else part.to(device) for part in (self.audio, self.valid_mask, self.audio_present)),
        )


@dataclass(frozen=True)
class FusionTrace:
    """What the fusion did.

    Attributes:
        gates: one [batch, 1 or channels, time] tensor per level, finest first, from 0 (audio
            shut out) to 1; 0 where fusion was bypassed. Empty where the fusion has no gate.
    """

    gates: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class AttentionTrace:
    """Cross-attention weights, recomputed on request.

    Attributes:
        weights: one tensor per level, finest first. Local windows: [batch, heads, time, window],
            entry `k` is the weight on audio step `t + k - window // 2`. Full attention:
            [batch, heads, time, time]. Masked steps carry weight 0.
        windows: window of each level in steps, -1 for full.
    """

    weights: tuple[Tensor, ...]
    windows: tuple[int, ...]


@dataclass(frozen=True)
class DetectorOutput:
    """Point predictions of every level, finest first.

    Attributes:
        class_logits: [batch, time, classes] per level.
        boundary_offsets: [batch, time, K, 2] per level, >= 0, distances to start and end in
            strides of the own level; K = 1, or classes where boundaries are per class.
        level_masks: [batch, 1, time] bool per level.
        trace: what the fusion did.
    """

    class_logits: tuple[Tensor, ...]
    boundary_offsets: tuple[Tensor, ...]
    level_masks: tuple[Tensor, ...]
    trace: FusionTrace = field(default_factory=FusionTrace)
