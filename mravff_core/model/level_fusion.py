"""One level's fusion: its gate, and how what is heard is mixed in."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mravff_core.model.audio_pyramid import Factored
from mravff_core.model.cross_attention import CrossAttention
from mravff_core.model.products import apply_pointwise

FusionKind = Literal["sum", "concat", "cross_attention", "mrav"]
GateKind = Literal["scalar", "channel", "softmax"]
GateSource = Literal["visual", "audio", "both"]
Mix = Literal["convex", "residual"]


class Gate(nn.Module):
    """Share of sound in each step, from 0 (shut) to 1.

    Args:
        kind: `scalar` for one number per step, `channel` for one per step and channel, `softmax`
            for one per step, as the sound's share in a softmax over a visual and an audio score.
        source: features that decide.
    """

    def __init__(self, channels: int, *, kind: GateKind, source: GateSource) -> None:
        super().__init__()
        self.kind = kind
        self.source = source
        self.width = channels if kind == "channel" else 1
        scores = 2 if kind == "softmax" else self.width
        self.score = nn.Conv1d(channels * (2 if source == "both" else 1), scores, 1)
        assert self.score.bias is not None
        nn.init.zeros_(self.score.bias)

    def forward(self, visual: Tensor, audio: Tensor | Factored) -> Tensor:
        """[batch, channels, time] each to [batch, 1 or channels, time]."""
        features = [] if self.source == "audio" else [visual]
        if self.source != "visual":
            features.append(_features(audio))
        scores = apply_pointwise(self.score, *features)
        return scores.softmax(dim=1)[:, 1:] if self.kind == "softmax" else scores.sigmoid()


class LevelFusion(nn.Module):
    """One level's fusion: what the sound says, and how it is mixed in.

    `sum` adds the audio features, `concat` projects both side by side, `cross_attention` adds
    attended audio, `mrav` mixes attended audio in through a gate: convex as
    (1 - gate) * visual + gate * attended, residual as visual + gate * attended.
    """

    def __init__(
        self,
        channels: int,
        *,
        kind: FusionKind,
        heads: int,
        width: int | None,
        window: int,
        gate: GateKind,
        gate_source: GateSource,
        mix: Mix,
        dropout: float,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.mix = mix
        attends = kind in ("cross_attention", "mrav")
        self.attention = (
            CrossAttention(channels, heads=heads, width=width, window=window, dropout=dropout) if attends else None
        )
        # Steps of sound to either side that a step hears; None for all that there are.
        self.reach = (window // 2 if window > 0 else None) if attends else 0
        self.gate = Gate(channels, kind=gate, source=gate_source) if kind == "mrav" else None
        self.merge = nn.Conv1d(2 * channels, channels, 1) if kind == "concat" else None

    @property
    def only_attends(self) -> bool:
        """Whether audio features themselves are of no use, only the keys and values made of them."""
        return self.attention is not None and (self.gate is None or self.gate.source == "visual")

    def forward(
        self,
        visual: Tensor,
        audio: Tensor | Factored,
        valid: Tensor,
        *,
        opening: float = 1.0,
        attended: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Fused features [batch, channels, time] and, for `mrav`, the gate [batch, 1 or channels, time].

        `opening` is the share of the gate that is let through; `attended` what `attention` hears, where
        that is known; without gradients its memory may be used for the result.
        """
        if self.merge is not None:
            return apply_pointwise(self.merge, visual, _features(audio)), None
        if self.attention is None:
            heard = _features(audio)
        else:
            heard = self.attention(visual, audio, valid) if attended is None else attended
        if self.gate is None:
            return visual + heard, None
        gate, heard = (self.gate(visual, audio) * valid).to(visual.dtype), heard.to(visual.dtype)
        if opening != 1:
            gate = gate * opening
        if self.mix == "residual":
            return torch.addcmul(visual, gate, heard), gate
        # New memory would take longer to write than what was heard did to compute.
        return torch.lerp(visual, heard, gate, out=None if torch.is_grad_enabled() else heard), gate


def _features(audio: Tensor | Factored) -> Tensor:
    return audio if isinstance(audio, Tensor) else audio.features()
