"""Audio-visual fusion on every level of a feature pyramid, usable in anyone's detector.

Reference: Fish, Weinbren, Gilbert, Multi-Resolution Audio-Visual Feature Fusion for Temporal
Action Localization (MRAV-FF), arXiv 2310.03456.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.config import FusionConfig
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.model.attended_levels import Level, attended
from mravff_core.model.audio_pyramid import AudioPyramid, Factored
from mravff_core.model.chance import ClipDraws, draw_by_clip
from mravff_core.model.layers import fitted, refuse_other_type
from mravff_core.model.level_fusion import (
    FusionKind,
    GateKind,
    GateSource,
    LevelFusion,
    Mix,
)
from mravff_core.model.outputs import AttentionTrace, FusionTrace


class MRAVFusion(nn.Module):
    """Mixes audio into every level of a visual feature pyramid.

        fusion = MRAVFusion(channels=512, audio_channels=128, levels=6)
        fused_levels, trace = fusion(visual_levels, audio, level_masks)

    Args:
        channels: width of every visual level.
        audio_channels: width of the audio features.
        levels: number of levels, or the stride of each in finest steps; a number stands for
            levels of half the length each: 1, 2, 4, ...
        heads: attention heads.
        attention_channels: width of queries, keys and values, a multiple of `heads`; None for `channels`.
            Half of it about halves what fusion costs.
        window: audio steps in reach of a visual step on the same level, odd; -1 for all.
        gate, gate_source: see `Gate`.
        mix, kind: see `LevelFusion`.
        shared_levels: one fusion for all levels rather than one each.
        audio_kernel: odd width of the convolution that audio enters through.
        audio_dropout: chance that a clip goes without sound while training.
        dropout: on attended audio while training.
        gate_opening: share of each gate that is let through; at 0 vision passes exactly as it came.
    Raises: ConfigError for values that do not fit each other.
    """

    def __init__(
        self,
        channels: int,
        audio_channels: int,
        levels: int | Sequence[int],
        *,
        heads: int = 4,
        attention_channels: int | None = None,
        window: int = 9,
        gate: GateKind = "scalar",
        gate_source: GateSource = "visual",
        mix: Mix = "convex",
        kind: FusionKind = "mrav",
        shared_levels: bool = False,
        audio_kernel: int = 3,
        audio_dropout: float = 0.0,
        dropout: float = 0.0,
        gate_opening: float = 1.0,
    ) -> None:
        super().__init__()
        self.strides = tuple(2**level for level in range(levels)) if isinstance(levels, int) else tuple(levels)
        sizes = {"channels": channels, "audio_channels": audio_channels, "heads": heads}
        if attention_channels is not None:
            sizes["attention_channels"] = attention_channels
        _check(sizes, self.strides, window, audio_kernel, (audio_dropout, dropout))
        _check_choice("kind", kind, get_args(FusionKind))
        _check_choice("gate", gate, get_args(GateKind))
        _check_choice("gate_source", gate_source, get_args(GateSource))
        _check_choice("mix", mix, get_args(Mix))
        if not 0 <= gate_opening <= 1:
            raise ConfigError(f"fusion: gate_opening is {gate_opening}, expected 0 to 1")
        self.kind = kind
        self.channels = channels
        self.audio_channels = audio_channels
        self.audio_dropout = audio_dropout
        self.gate_opening = gate_opening
        self.clip_draws: ClipDraws | None = None
        self.audio_pyramid = AudioPyramid(audio_channels, channels, self.strides, kernel=audio_kernel)
        self.fusions = nn.ModuleList(
            [
                LevelFusion(
                    channels,
                    kind=kind,
                    heads=heads,
                    width=attention_channels,
                    window=window,
                    gate=gate,
                    gate_source=gate_source,
                    mix=mix,
                    dropout=dropout,
                )
                for _ in range(1 if shared_levels else len(self.strides))
            ]
        )

    @classmethod
    def of(cls, config: FusionConfig, channels: int, strides: Sequence[int]) -> MRAVFusion | None:
        """The fusion a configuration describes; None for kind `none`."""
        if config.kind == "none":
            return None
        return cls(
            channels,
            config.audio_channels,
            strides,
            heads=config.heads,
            attention_channels=config.attention_channels,
            window=config.window,
            gate=config.gate,
            gate_source=config.gate_source,
            mix=config.mix,
            kind=config.kind,
            shared_levels=config.shared_levels,
            audio_kernel=config.audio_kernel,
            audio_dropout=config.audio_dropout,
            dropout=config.dropout,
            gate_opening=config.gate_opening,
        )

    def forward(
        self,
        visual_levels: Sequence[Tensor],
        audio: Tensor | None,
        level_masks: Sequence[Tensor],
        *,
        audio_mask: Tensor | None = None,
        audio_present: Tensor | None = None,
        only: int | None = None,
    ) -> tuple[tuple[Tensor, ...], FusionTrace]:
        """Fuse one batch.

        Args:
            visual_levels: [batch, channels, time of the level], finest first; a level of stride `s` may
                keep or leave out a last step that fewer than `s` of the finest stand behind.
            audio: [batch, audio channels, finest time], on the grid of stride 1; None for no sound.
                May end with the longest clip where vision is padded further.
            level_masks: [batch, 1, time of the level] bool, True is real.
            audio_mask: [batch, 1, finest time] bool; None for the finest level's mask, repeated
                where that level's stride is above 1.
            audio_present: [batch] bool; a clip with False is left exactly as it was, whatever its audio holds.
            only: fuse this level and no other; coarser ones may be missing.
        Returns: levels of the same shapes, and the gates; with `only` those of that level alone.
        Raises: FeatureError if shapes or number types do not fit, or nothing is in the batch.
        """
        levels = self._level_fusions(visual_levels, level_masks, least=len(self.strides) if only is None else only + 1)
        heard = self._drop_audio(audio_present, len(visual_levels[0]), visual_levels[0].device)
        wanted = slice(None) if only is None else slice(only, only + 1)
        if audio is None:
            return tuple(visual_levels[wanted]), FusionTrace(self._shut_gates(visual_levels[wanted]))
        # Beyond the longest clip there is nothing to fuse.
        lengths = _real_lengths(level_masks)
        whole = bool(torch.cat([valid[..., :n] for valid, n in zip(level_masks, lengths, strict=True)], dim=-1).all())
        audio_levels = self._audio_levels(
            audio, audio_mask, heard, visual_levels, level_masks, lengths, factored=levels[0].only_attends
        )
        parts = [
            Level(fusion, visual[..., :length], sound, valid[..., :length], visual[..., length:])
            for fusion, visual, sound, valid, length in zip(
                levels, visual_levels, audio_levels, level_masks, lengths, strict=True
            )
        ][wanted]
        fused_levels, gates = [], []
        for (fusion, seen, sound, valid, beyond), answer in zip(parts, attended(parts), strict=True):
            fused, gate = fusion(seen, sound, valid, opening=self.gate_opening, attended=answer)
            fused = fused.to(seen.dtype)
            if heard is not None or not whole:
                changed = valid if heard is None else valid & heard[:, None, None]
                fused = torch.where(changed, fused, seen)
                gate = None if gate is None else gate * changed.to(gate.dtype)
            missing = beyond.shape[-1]
            fused_levels.append(torch.cat([fused, beyond], dim=-1) if missing else fused)
            if gate is not None:
                gates.append(functional.pad(gate, (0, missing)) if missing else gate)
        return tuple(fused_levels), FusionTrace(tuple(gates))

    def attention(
        self,
        visual_levels: Sequence[Tensor],
        audio: Tensor | None,
        level_masks: Sequence[Tensor],
        *,
        audio_mask: Tensor | None = None,
        audio_present: Tensor | None = None,
    ) -> AttentionTrace:
        """Cross-attention weights of one batch; arguments as for `forward`.

        Returns: no levels where the fusion does not attend or there is no sound; weight 0
            throughout for a clip without sound.
        """
        levels = self._level_fusions(visual_levels, level_masks, least=len(self.strides))
        if audio is None or any(fusion.attention is None for fusion in levels):
            return AttentionTrace((), ())
        if audio_present is not None:
            _check_flags("audio_present", audio_present, [len(visual_levels[0])])
        lengths = [level.shape[-1] for level in visual_levels]
        audio_levels = self._audio_levels(audio, audio_mask, audio_present, visual_levels, level_masks, lengths)
        weights, windows = [], []
        for fusion, visual, sound, valid in zip(levels, visual_levels, audio_levels, level_masks, strict=True):
            assert fusion.attention is not None
            assert isinstance(sound, Tensor)
            weight = fusion.attention.weights(visual, sound, valid)
            if audio_present is not None:
                weight = weight * audio_present[:, None, None, None].to(weight.dtype)
            weights.append(weight)
            windows.append(fusion.attention.window)
        return AttentionTrace(tuple(weights), tuple(windows))

    def reach(self, level: int) -> int | None:
        """Finest steps of sound to either side that a step of a level hears; None for all that there are."""
        fusion = self.fusions[0 if len(self.fusions) == 1 else level]
        assert isinstance(fusion, LevelFusion)
        if fusion.reach is None:
            return None
        return self.strides[level] * fusion.reach + self.audio_pyramid.reaches[level]

    def _level_fusions(
        self, visual_levels: Sequence[Tensor], level_masks: Sequence[Tensor], *, least: int
    ) -> list[LevelFusion]:
        """The fusion of each level, once shapes are known to fit."""
        if len(visual_levels) != len(level_masks) or not least <= len(visual_levels) <= len(self.strides):
            raise FeatureError(
                f"found {len(visual_levels)} visual levels and {len(level_masks)} masks, "
                f"expected {len(self.strides)} of each"
            )
        clips = len(visual_levels[0])
        if 0 in (clips, visual_levels[0].shape[-1]):
            raise FeatureError(
                f"visual level 0 is {list(visual_levels[0].shape)}, expected at least one clip and one step"
            )
        for number, (visual, valid) in enumerate(zip(visual_levels, level_masks, strict=True)):
            if visual.ndim != 3 or len(visual) != clips or visual.shape[1] != self.channels:
                raise FeatureError(
                    f"visual level {number} is {list(visual.shape)}, expected [{clips}, {self.channels}, time]; "
                    "is time first, or the pyramid of another width?"
                )
            _check_flags(f"mask of level {number}", valid, [clips, 1, visual.shape[2]])
        fusions = list(self.fusions) * (len(self.strides) if len(self.fusions) == 1 else 1)
        return [fusion for fusion in fusions[: len(visual_levels)] if isinstance(fusion, LevelFusion)]

    def _audio_levels(
        self,
        audio: Tensor,
        audio_mask: Tensor | None,
        heard: Tensor | None,
        visual_levels: Sequence[Tensor],
        level_masks: Sequence[Tensor],
        lengths: Sequence[int],
        *,
        factored: bool = False,
    ) -> list[Tensor | Factored]:
        """Audio pyramid, so many steps of each level; that of a clip that is not heard is 0 throughout."""
        audio, audio_mask = self._on_finest_grid(audio, audio_mask, visual_levels, level_masks)
        weights = self.audio_pyramid.conv.weight
        refuse_other_type("audio features", audio, weights)
        if self.kind != "sum":  # which may as well add what comes in another type
            for number, visual in enumerate(visual_levels):
                refuse_other_type(f"features of visual level {number}", visual, weights)
        if heard is not None:
            # What is not heard may be anything, and 0 times not-a-number would still reach the gradients.
            audio = audio.masked_fill(~heard[:, None, None], 0.0)
        # Up to the last sound, and at least as far as any level's last step.
        least = max((length - 1) * stride + 1 for length, stride in zip(lengths, self.strides, strict=False))
        used = max(least, *_real_lengths([audio_mask]))
        # Factors stand for steps that are real: all that are asked for must be.
        asked_for = level_masks[0][..., : lengths[0]]
        factored = factored and bool((audio_mask[..., : lengths[0]] | ~asked_for).all())
        sounds = self.audio_pyramid(audio[..., :used], audio_mask[..., :used], len(visual_levels), factored=factored)
        return [
            sound[..., :length] if isinstance(sound, Tensor) else replace(sound, columns=sound.columns[..., :length])
            for sound, length in zip(sounds, lengths, strict=True)
        ]

    def _on_finest_grid(
        self,
        audio: Tensor,
        audio_mask: Tensor | None,
        visual_levels: Sequence[Tensor],
        level_masks: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Audio and its mask, as long as the finest visual level reaches. Raises: FeatureError if shapes do not fit."""
        finest, clips = self.strides[0], len(visual_levels[0])
        steps = visual_levels[0].shape[-1] * finest
        fits = audio.ndim == 3 and list(audio.shape[:2]) == [clips, self.audio_channels] and audio.shape[-1] <= steps
        missing = steps - audio.shape[-1]
        # Padded vision takes audio padded likewise, or not at all.
        if not fits or (missing >= finest and missing > steps - int(level_masks[0].sum(dim=-1).max()) * finest):
            raise FeatureError(
                f"audio features are {list(audio.shape)}, expected {[clips, self.audio_channels, steps]} "
                "on the finest visual grid; bring them there by time stamps first"
            )
        for stride, visual in zip(self.strides, visual_levels, strict=False):
            if visual.shape[-1] not in (-(-steps // stride), steps // stride):
                raise FeatureError(
                    f"visual levels have {[level.shape[-1] for level in visual_levels]} steps, expected "
                    f"{[-(-steps // each) for each in self.strides[: len(visual_levels)]]} "
                    f"for strides {list(self.strides)}"
                )
        if audio_mask is not None:
            _check_flags("audio_mask", audio_mask, [clips, 1, audio.shape[-1]])
            return fitted(audio, steps), functional.pad(audio_mask, (0, missing))
        audio_mask = level_masks[0].repeat_interleave(finest, dim=-1)
        audio_mask[..., steps - missing :] = False
        return fitted(audio, steps), audio_mask

    def _drop_audio(self, audio_present: Tensor | None, batch: int, device: torch.device) -> Tensor | None:
        """[batch] bool, True where sound is heard; None where all clips are."""
        if audio_present is not None:
            _check_flags("audio_present", audio_present, [batch])
        if not self.training or self.audio_dropout == 0:
            return audio_present
        kept = draw_by_clip(self.clip_draws, batch, device) >= self.audio_dropout
        return kept if audio_present is None else kept & audio_present

    def _shut_gates(self, visual_levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        gates = [fusion.gate for fusion in self.fusions if isinstance(fusion, LevelFusion)]
        if gates[0] is None:
            return ()
        return tuple(level.new_zeros(len(level), gates[0].width, level.shape[-1]) for level in visual_levels)


def _check_flags(name: str, flags: Tensor, shape: list[int]) -> None:
    if flags.dtype != torch.bool or list(flags.shape) != shape:
        raise FeatureError(f"{name} is {flags.dtype} {list(flags.shape)}, expected torch.bool {shape}")


def _real_lengths(level_masks: Sequence[Tensor]) -> list[int]:
    """Steps of each level up to its last real one in any clip, at least one."""
    if bool(torch.cat(list(level_masks), dim=-1).all()):
        return [valid.shape[-1] for valid in level_masks]
    counted = [torch.arange(1, valid.shape[-1] + 1, device=valid.device) * valid for valid in level_masks]
    return torch.stack([steps.amax() for steps in counted]).clamp(min=1).tolist()


def _check(
    sizes: dict[str, int],
    strides: tuple[int, ...],
    window: int,
    audio_kernel: int,
    dropouts: tuple[float, float],
) -> None:
    ordered = all(above % below == 0 for below, above in zip((1, *strides), strides, strict=False))
    heads = sizes["heads"]
    split = "attention_channels" if "attention_channels" in sizes else "channels"
    problems = [
        (min(sizes.values()) < 1, f"{', '.join(sizes)} are {', '.join(map(str, sizes.values()))}, expected at least 1"),
        (not strides or not ordered, f"strides {list(strides)} must each be a multiple of the finer one"),
        (heads > 0 and sizes[split] % heads != 0, f"{split} ({sizes[split]}) must be a multiple of heads ({heads})"),
        (window != -1 and (window < 1 or window % 2 == 0), f"window ({window}) must be odd, or -1 for all steps"),
        (audio_kernel < 1 or audio_kernel % 2 == 0, f"audio_kernel ({audio_kernel}) must be odd"),
        (not all(0 <= rate < 1 for rate in dropouts), "dropout rates must lie in 0 to 1, 1 excluded"),
    ]
    found = [sentence for wrong, sentence in problems if wrong]
    if found:
        raise ConfigError(f"fusion: {'; '.join(found)}")


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"fusion: {name} is {value!r}, expected one of {', '.join(allowed)}")
