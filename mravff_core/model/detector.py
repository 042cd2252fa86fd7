"""A visual base, audio fusion on its pyramid, and the two heads that read it: wiring only.

Axes:
    batch      clips
    channels   feature width
    time       steps of one level; level 0 is the finest, step `t` of a level with stride `s`
               stands at step `t * s` of the input
    classes    one logit each, not exclusive; those of several label sets one after another
    K          1, or classes where the base predicts boundaries per class

        visual [batch, channels, time] -> base.pyramid -> levels [batch, channels, time of the level]
        audio  [batch, channels, time] -> audio pyramid -> fusion at every level
        levels -> class_logits [batch, time, classes], boundary_offsets [batch, time, K, 2]

Sound enters after the base's neck, on the very features that both heads read; with every gate
shut the heads read what they would read without it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.config import BaseConfig, FusionConfig, LabelSet, TestConfig
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.model.bases import Pyramid, build_base
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.layers import fitted, refuse_other_type
from mravff_core.model.outputs import AttentionTrace, Batch, DetectorOutput, FusionTrace


@dataclass(frozen=True)
class DetectorConfig:
    """Everything needed to build a detector and to use it as it was meant.

    Attributes:
        label_set: what the classes are, such as `verb`; the first of several.
        labels: class names of that label set.
        base: visual detector.
        fusion: how audio enters.
        test: from logits to detections.
        features: what it was trained on, by modality (`visual`, `audio`): encoder, channels,
            hop and whatever else identifies them; not read by the detector itself.
        further_label_sets: predicted jointly, such as nouns beside verbs; their logits follow
            those of the first on the same axis.
    """

    label_set: str
    labels: tuple[str, ...]
    base: BaseConfig = field(default_factory=BaseConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    test: TestConfig = field(default_factory=TestConfig)
    features: dict[str, Any] = field(default_factory=dict)
    further_label_sets: tuple[LabelSet, ...] = ()

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """Class names by label set, in the order of the logits."""
        return {self.label_set: self.labels, **{other.name: other.labels for other in self.further_label_sets}}

    @property
    def label_slices(self) -> dict[str, slice]:
        """Where the logits of each label set stand on the axis of classes."""
        ends = list(itertools.accumulate(len(labels) for labels in self.label_sets.values()))
        return {name: slice(a, b) for name, a, b in zip(self.label_sets, [0, *ends], ends, strict=False)}


class Detector(nn.Module):
    """Temporal action detector for vision and, if its fusion says so, sound.

    Args:
        config: see `DetectorConfig`.
    Raises: ConfigError for values that do not fit each other.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        if not all(config.label_sets.values()):
            raise ConfigError("a detector needs at least one label in each label set; found none")
        if len(config.label_sets) != 1 + len(config.further_label_sets):
            raise ConfigError(f"a detector's label sets need names of their own; found {config.label_set!r} twice")
        check_test(config.test)
        self.config = config
        self.base = build_base(config.base, len(self.labels))
        self.fusion = MRAVFusion.of(config.fusion, self.base.channels, self.base.strides)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the logits, those of all label sets."""
        return tuple(label for labels in self.config.label_sets.values() for label in labels)

    @property
    def strides(self) -> tuple[int, ...]:
        """Input steps from one step of a level to the next, finest level first."""
        return self.base.strides

    def forward(self, batch: Batch) -> DetectorOutput:
        """Predict at every step of every level.

        A level with stride `s` has ceil(time / s) steps. Without audio, for the batch or for
        one clip, fusion is bypassed and the output is exactly the base's.

        Raises: FeatureError if shapes or number types do not fit, or there is no clip.
        """
        valid = self._check(batch)
        pyramid = self.base.pyramid(batch.visual, valid)
        fused, trace = self._fuse(batch, valid, pyramid)
        fuse_for = self.config.fusion.fuse_for
        logits = self.base.classify(pyramid if fuse_for == "boundaries" else fused)
        offsets = self.base.locate(pyramid if fuse_for == "classes" else fused)
        lengths = self._level_lengths(batch.visual.shape[-1])
        return DetectorOutput(
            class_logits=tuple(level[:, :n] for level, n in zip(logits, lengths, strict=True)),
            boundary_offsets=tuple(level[:, :n] for level, n in zip(offsets, lengths, strict=True)),
            level_masks=tuple(steps.valid[..., :n] for steps, n in zip(pyramid.steps, lengths, strict=True)),
            trace=FusionTrace(tuple(gate[..., :n] for gate, n in zip(trace.gates, lengths, strict=False))),
        )

    def class_logits_at(self, batch: Batch, level: int, *, alike: Tensor | None = None) -> Tensor:
        """Class logits [batch, time, classes] of one level, as `forward` gives them, without the work for the others.

        Args:
            level: which.
            alike: [batch] for each clip the number of one whose visual features and mask are the same;
                what is alike is looked at once.
        Raises: FeatureError if shapes do not fit the configuration.
        """
        (read,) = self._read_at(batch, level, alike, "classes")
        return self.base.classify(read)[0][:, : self._level_lengths(batch.visual.shape[-1])[level]]

    def boundary_offsets_at(self, batch: Batch, level: int, *, alike: Tensor | None = None) -> Tensor:
        """Boundary offsets [batch, time, K, 2] of one level; otherwise as `class_logits_at`."""
        (read,) = self._read_at(batch, level, alike, "boundaries")
        return self.base.locate(read)[0][:, : self._level_lengths(batch.visual.shape[-1])[level]]

    def answers_at(self, batch: Batch, level: int) -> tuple[Tensor, Tensor]:
        """`class_logits_at` and `boundary_offsets_at` of one level, what both heads read made once."""
        classes, boundaries = self._read_at(batch, level, None, "classes", "boundaries")
        length = self._level_lengths(batch.visual.shape[-1])[level]
        return self.base.classify(classes)[0][:, :length], self.base.locate(boundaries)[0][:, :length]

    def span(self, level: int, step: int, time: int) -> range:
        """Input steps that alone decide what the detector answers at one point of a clip of `time` steps.

        Shown only these, it answers the same there, at step `step - first / stride` of the level.
        """
        stride, coarsest = self.strides[level], self.strides[self.base.source(level)]
        reaches = [self.base.reach(level), 0 if self.fusion is None else self.fusion.reach(level)]
        if None in reaches:
            return range(time)
        reach = max(one for one in reaches if one is not None) + stride * self.base.head_reach
        first = max(0, step * stride - reach) // coarsest * coarsest
        last = -(-(step * stride + reach + 1) // coarsest) * coarsest
        return range(first, min(last, time))

    def _read_at(self, batch: Batch, level: int, alike: Tensor | None, *heads: str) -> list[Pyramid]:
        """One level, and no other, as each of these heads reads it: `classes`, `boundaries`."""
        valid = self._check(batch)
        if alike is None:
            pyramid = self.base.pyramid(batch.visual, valid, only=level)
        else:
            first, place = alike.unique(return_inverse=True)
            pyramid = self.base.pyramid(batch.visual[first], valid[first], only=level).rows(place)
        visual = fused = Pyramid((pyramid.levels[level],), pyramid.steps[level : level + 1], level)
        listening = [self.config.fusion.fuse_for in ("both", head) for head in heads]
        if self.fusion is not None and any(listening):
            levels = self.fusion(pyramid.levels, **self._sound(batch, valid, pyramid), only=level)[0]
            fused = replace(visual, levels=levels)
        return [fused if listens else visual for listens in listening]

    def with_attention(self, batch: Batch) -> AttentionTrace:
        """Recompute the cross-attention weights of a batch.

        Returns: no levels where there is no sound or the fusion does not attend.
        Raises: FeatureError if shapes do not fit the configuration.
        """
        valid = self._check(batch)
        if self.fusion is None:
            return AttentionTrace((), ())
        pyramid = self.base.pyramid(batch.visual, valid)
        trace = self.fusion.attention(pyramid.levels, **self._sound(batch, valid, pyramid))
        weights = []
        lengths = self._level_lengths(batch.visual.shape[-1])
        for weight, window, n in zip(trace.weights, trace.windows, lengths, strict=False):
            weights.append(weight[:, :, :n, :n] if window < 0 else weight[:, :, :n])
        return AttentionTrace(tuple(weights), trace.windows)

    def _fuse(self, batch: Batch, valid: Tensor, pyramid: Pyramid) -> tuple[Pyramid, FusionTrace]:
        if self.fusion is None:
            return pyramid, FusionTrace()
        levels, trace = self.fusion(pyramid.levels, **self._sound(batch, valid, pyramid))
        return replace(pyramid, levels=levels), trace

    def _sound(self, batch: Batch, valid: Tensor, pyramid: Pyramid) -> dict[str, Any]:
        """What the fusion hears: audio, padded as far as the base padded vision, and its masks."""
        audio, present = batch.audio, batch.audio_present
        missing = pyramid.levels[0].shape[-1] * self.strides[0] - valid.shape[-1]
        if audio is not None and (present is None or bool(present.any())):
            audio = fitted(audio, audio.shape[-1] + missing)
        else:
            audio = None
        return {
            "audio": audio,
            "level_masks": [steps.valid for steps in pyramid.steps],
            "audio_mask": functional.pad(valid, (0, missing)),
            "audio_present": present,
        }

    def _level_lengths(self, time: int) -> list[int]:
        return [-(-time // stride) for stride in self.strides]

    def _check(self, batch: Batch) -> Tensor:
        """Valid mask of a batch whose shapes and number types fit. Raises: FeatureError."""
        visual, channels = batch.visual, self.config.base.input_channels
        if visual.ndim != 3 or visual.shape[1] != channels or visual.shape[2] == 0:
            raise FeatureError(
                f"visual features are {list(visual.shape)}, expected [batch, {channels}, time] with time above 0; "
                "were they saved with time first, or made by another encoder?"
            )
        clips, _, time = visual.shape
        if not clips:
            raise FeatureError(f"visual features are {list(visual.shape)}, expected at least one clip in a batch")
        refuse_other_type("visual features", visual, next(self.base.parameters()))
        audio_channels = self.config.fusion.audio_channels
        if self.fusion is not None and batch.audio is not None:
            expected = [clips, audio_channels, time]
            if list(batch.audio.shape) != expected:
                raise FeatureError(f"audio features are {list(batch.audio.shape)}, expected {expected} as for vision")
        if batch.audio_present is not None and list(batch.audio_present.shape) != [clips]:
            raise FeatureError(f"audio_present is {list(batch.audio_present.shape)}, expected [{clips}]")
        if batch.valid_mask is None:
            return torch.ones(clips, 1, time, dtype=torch.bool, device=visual.device)
        valid = batch.valid_mask
        if list(valid.shape) != [clips, 1, time] or valid.dtype != torch.bool:
            raise FeatureError(
                f"valid_mask is {valid.dtype} {list(valid.shape)}, expected torch.bool {[clips, 1, time]}"
            )
        if not bool(valid[..., 0].all()) or bool((valid[..., 1:] > valid[..., :-1]).any()):
            raise FeatureError("valid_mask must be True from the first step to a clip's last, and False after it")
        return valid


def check_test(config: TestConfig) -> None:
    """Refuse test-time settings out of range. Raises: ConfigError, naming all that is wrong."""
    positive = ("sigma", "pre_nms_top_k", "max_segments", "max_buffer_factor")
    shares = ("pre_nms_min_score", "iou_threshold", "min_score", "voting_threshold")
    found = [f"{name} ({getattr(config, name)}) must be above 0" for name in positive if not getattr(config, name) > 0]
    for name in shares:
        if not 0 <= getattr(config, name) <= 1:
            found.append(f"{name} ({getattr(config, name)}) must lie in 0 to 1")
    if found:
        raise ConfigError(f"test: {'; '.join(found)}")
