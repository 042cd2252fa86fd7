"""The part of a clip that decides one number: passes need no more of it, and the rest gets exactly 0."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mravff_core.analysis.attribution.gradients import TimeAttribution
from mravff_core.analysis.attribution.occlusion import Occlusion
from mravff_core.analysis.attribution.scorer import Inputs, is_ours
from mravff_core.analysis.attribution.target import Target


@dataclass(frozen=True)
class Span:
    """Steps of a clip outside which nothing can change a number.

    Attributes:
        first, end: the first of them and the one after the last.
        time: steps of the clip.
    """

    first: int
    end: int
    time: int

    @classmethod
    def of(cls, detector: nn.Module, target: Target, time: int) -> Span:
        """What decides a number of a clip of `time` steps; of detectors that are not ours, all of it."""
        steps = detector.span(target.level, target.step, time) if is_ours(detector) else range(time)
        return cls(steps.start, steps.stop, time)

    def cut(self, inputs: Inputs) -> Inputs:
        """The features within, [1, channels, end - first] each."""
        visual, audio = (None if part is None else part[..., self.first : self.end] for part in inputs)
        assert visual is not None
        return visual, audio

    def target(self, target: Target, stride: int) -> Target:
        """The same number where only what is within is looked at; `stride` is that of its level."""
        return replace(target, step=target.step - self.first // stride, origin=self.first)

    def windows(self, edges: NDArray[np.int64]) -> NDArray[np.int64]:
        """Edges of the windows of the whole clip, as far as they lie within."""
        return np.unique(edges.clip(self.first, self.end)) - self.first

    def over_clip(self, found: TimeAttribution) -> TimeAttribution:
        """Attributions of all steps of the clip from those within."""
        outside = (self.first, self.time - self.end)
        return replace(found, audio=np.pad(found.audio, outside), vision=np.pad(found.vision, outside))

    def occluded(self, found: Occlusion, edges: NDArray[np.int64]) -> Occlusion:
        """Falls for all windows of the clip from those of the windows within."""
        inside = (edges[1:] > self.first) & (edges[:-1] < self.end)
        audio, vision = np.zeros(len(inside)), np.zeros(len(inside))
        audio[inside], vision[inside] = found.audio, found.vision
        return Occlusion(edges, audio, vision)
