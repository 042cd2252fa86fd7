"""The one place where seconds and feature-grid positions meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mravff_core.errors import ConfigError

if TYPE_CHECKING:
    import torch

Time = TypeVar("Time", float, np.ndarray, "torch.Tensor")


@dataclass(frozen=True, kw_only=True)
class TimeGrid:
    """Where the steps of a feature array lie in time.

    Step `p` was computed from a window of `window_frames` frames whose centre is
    at frame `p * hop_frames + offset_frames`. For audio features a "frame" is one
    spectrogram column or one sample, whichever the encoder counts in.

    Args:
        hop_frames: frames from one step to the next, > 0.
        window_frames: frames each step was computed from, > 0.
        frames_per_second: rate of those frames, > 0.
        offset_frames: centre of step 0 in frames; None means `window_frames / 2`.
    Raises: ConfigError if a value is not finite or not positive.
    """

    hop_frames: float
    window_frames: float
    frames_per_second: float
    offset_frames: float | None = None

    def __post_init__(self) -> None:
        for name in ("hop_frames", "window_frames", "frames_per_second"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"TimeGrid: {name} is {value}, expected a number above 0")
        if self.offset_frames is not None and not np.isfinite(self.offset_frames):
            raise ConfigError(f"TimeGrid: offset_frames is {self.offset_frames}, expected a number")

    @property
    def centre_frames(self) -> float:
        """Frame at the centre of step 0."""
        return self.window_frames / 2 if self.offset_frames is None else self.offset_frames

    @property
    def hop_s(self) -> float:
        """Seconds from one step to the next."""
        return self.hop_frames / self.frames_per_second

    def to_seconds(self, position_grid: Time) -> Time:
        """Seconds of a position in steps (fractions allowed), element by element."""
        return (position_grid * self.hop_frames + self.centre_frames) / self.frames_per_second

    def from_seconds(self, time_s: Time) -> Time:
        """Position in steps of a time in seconds; inverse of `to_seconds`."""
        return (time_s * self.frames_per_second - self.centre_frames) / self.hop_frames

    def steps_in(self, duration_s: float) -> int:
        """Number of whole windows in `duration_s`, at least 1."""
        frames = duration_s * self.frames_per_second
        return max(1, int((frames - self.window_frames) // self.hop_frames) + 1)

    def to_mapping(self) -> dict[str, float]:
        """Plain numbers for YAML, JSON and feature files; `TimeGrid(**mapping)` reads them back."""
        return {
            "hop_frames": self.hop_frames,
            "window_frames": self.window_frames,
            "frames_per_second": self.frames_per_second,
            "offset_frames": self.centre_frames,
        }
