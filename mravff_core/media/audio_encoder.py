"""`light_audio`: 192 numbers for every 0.133 s of sound, from log-mel spectra alone.

Nothing is learnt and no clip statistics are used: the same sound gives the same
features wherever it occurs. Spectra are 120 a second (64 mel bands up to 8 kHz from
32 ms of 16 kHz sound); step `p` describes the 16 columns of its own 0.133 s, with
4 more to either side where the table says "wide".

| channels | what | why |
| --- | --- | --- |
| 64 | log-mel, mean | timbre |
| 32 | log-mel, maximum above mean, pairs of bands | short events within the step |
| 32 | largest rise over 17 ms, pairs of bands | hits: chops, clinks, clicks |
| 16 | largest rise over 67 ms, fours of bands | sounds that swell in |
| 16 | mean rise over 17 ms, fours of bands | grain of a texture: sizzling against humming |
| 16 | standard deviation of log-mel, wide, fours of bands | steady against broken |
| 8 | loudness of eighths of the step against its mean | where in the step a hit falls |
| 8 | loudness (mean, max), centroid, spread, flatness (mean, min), peak over mean (mean, max) | summary |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mravff_core.data.features import Features
from mravff_core.errors import MediaError
from mravff_core.media.container import DecodeReport
from mravff_core.media.mel import MelSettings, mel_columns
from mravff_core.media.probe import probe
from mravff_core.media.sound import iter_audio, watched
from mravff_core.time_grid import TimeGrid

Floats = NDArray[np.float32]

_SETTINGS = MelSettings()
_COLUMN = 16  # columns a step
_WIDE = 4  # columns more to either side
_LAG = 8  # columns of past that rises look back on
_COLUMNS_PER_SECOND = 120
# Power below which a band counts as silent: about -90 dB of full scale for noise.
_FLOOR = 1e-6
# Rises are measured above a higher floor, so that faint hiss has no hits.
_RISE_FLOOR = 1e-4


class AudioEncoder:
    """Light features of sound; see the module for what the channels are.

    `grid` counts in spectrum columns, 120 a second; step `p` is centred at
    (16 p + 8) / 120 s, where the light visual encoder's step `p` is centred too.
    """

    name = "light_audio"
    channels = 192
    sample_rate = _SETTINGS.sample_rate

    @property
    def grid(self) -> TimeGrid:
        """Time stamps of the steps."""
        return TimeGrid(
            hop_frames=_COLUMN,
            window_frames=_COLUMN + 2 * _WIDE,
            frames_per_second=_COLUMNS_PER_SECOND,
            offset_frames=_COLUMN / 2,
        )

    def encode(
        self,
        path: Path | str,
        *,
        progress: Callable[[float], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        report: DecodeReport | None = None,
    ) -> Features:
        """Features of a file's sound, [192, ceil(seconds of sound * 7.5)].

        A track from which nothing can be heard, being empty or damaged, counts as silence.

        Args:
            progress: told the share done, 0 to 1.
            cancel: asked now and then; True stops with CancelledError.
            report: filled with the damage met.
        Raises: MediaError if the file cannot be opened or has no audio track.
        """
        info = probe(path)
        duration_s = info.audio_duration_s or info.duration_s
        blocks = iter_audio(path, sample_rate=self.sample_rate, report=report)
        heard = watched(
            blocks,
            sample_rate=_SETTINGS.sample_rate,
            duration_s=duration_s,
            doing="encoding sound",
            progress=progress,
            cancel=cancel,
        )
        features = self._encode_blocks(heard)
        if features is None and not info.has_audio:
            raise MediaError(f"{path}: has no audio track, so no sound to encode; leave audio out for this clip")
        return features or Features(self.silence()[:, None], self.grid)

    def encode_samples(self, samples: Floats, sample_rate: int) -> Features:
        """Features of mono samples in [-1, 1] at any rate; an empty array gives one step of silence."""
        samples = np.asarray(samples, dtype=np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples are {list(samples.shape)}, expected one axis (mono)")
        if sample_rate != self.sample_rate and len(samples):
            from scipy.signal import resample_poly

            ratio = Fraction(self.sample_rate, sample_rate)
            samples = resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)
        block = 10 * self.sample_rate
        blocks = [samples[low : low + block] for low in range(0, max(1, len(samples)), block)]
        features = self._encode_blocks(blocks)
        assert features is not None
        return features

    def silence(self) -> Floats:
        """[192] features of digital silence, exactly what encoding zeros gives."""
        return self.encode_samples(np.zeros(1, np.float32), self.sample_rate).array[:, 0].copy()

    def _encode_blocks(self, blocks: Iterable[Floats]) -> Features | None:
        counted = _Counted(blocks)
        steps = list(_steps(counted))
        if not counted.blocks:
            return None
        return Features(np.ascontiguousarray(np.concatenate(steps, axis=1)), self.grid)


class _Counted:
    """Passes blocks on and remembers whether there were any."""

    def __init__(self, blocks: Iterable[Floats]) -> None:
        self._source = blocks
        self.blocks = 0

    def __iter__(self) -> Iterator[Floats]:
        for block in self._source:
            self.blocks += 1
            yield block


def _centre(column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sample at the centre of a column: (column + 1/2) / 120 s, rounded (column spacing is 133 1/3 samples)."""
    return (800 * column + 403) // 6


def _count(samples: int) -> int:
    return max(1, math.ceil(samples * _COLUMNS_PER_SECOND / (_SETTINGS.sample_rate * _COLUMN)))


def _steps(blocks: Iterable[Floats]) -> Iterator[Floats]:
    """[192, steps] for as many steps at a time as the columns so far allow."""
    before = _WIDE + _LAG
    held = np.zeros((_SETTINGS.bands, 0), np.float32)
    columns = mel_columns(
        blocks,
        _SETTINGS,
        centre=_centre,
        first=-before,
        stop=lambda samples: _count(samples) * _COLUMN + _WIDE,
    )
    for piece in columns:
        held = np.concatenate([held, piece], axis=1)
        ready = (held.shape[1] - before - _WIDE) // _COLUMN
        if ready > 0:
            yield _describe(held[:, : before + ready * _COLUMN + _WIDE], ready)
            held = held[:, ready * _COLUMN :]


def _describe(power: Floats, steps: int) -> Floats:
    """[192, steps] from [64, 12 + 16 steps + 4] mel power; each step sees only its own columns."""
    level = np.log10(power + np.float32(_FLOOR))
    raised = np.log10(power + np.float32(_RISE_FLOOR))
    inner = _windows(level, _WIDE + _LAG, _COLUMN, steps)  # [64, steps, 16]
    wide = _windows(level, _LAG, _COLUMN + 2 * _WIDE, steps)
    rise = np.maximum(raised[:, 2:] - raised[:, :-2], 0)
    fast = _windows(rise, _WIDE + _LAG - 2, _COLUMN, steps)
    swell = np.maximum(raised[:, _LAG:] - raised[:, :-_LAG], 0)
    slow = _windows(swell, _WIDE, _COLUMN, steps)
    mean = inner.mean(axis=2)
    loudness = inner.mean(axis=0)  # [steps, 16]
    shape = loudness.reshape(steps, 8, 2).mean(axis=2) - loudness.mean(axis=1, keepdims=True)
    return np.concatenate(
        [
            (mean + 3.0) / 1.5,
            (_pooled(inner.max(axis=2) - mean, 2) - 0.4) / 0.3,
            _pooled(fast.max(axis=2), 2) / 0.4,
            _pooled(slow.max(axis=2), 4) / 0.5,
            _pooled(fast.mean(axis=2), 4) / 0.1,
            (_pooled(wide.std(axis=2), 4) - 0.25) / 0.2,
            shape.T / 0.25,
            _summary(inner, loudness),
        ]
    ).astype(np.float32, copy=False)


def _summary(inner: Floats, loudness: Floats) -> Floats:
    """[8, steps] of [64, steps, 16] log power."""
    bands = np.linspace(-1, 1, inner.shape[0], dtype=np.float32)[:, None, None]
    above = inner + np.float32(-math.log10(_FLOOR)) + np.float32(1e-3)  # > 0, the higher the louder
    weight = above / above.sum(axis=0)
    centroid = (weight * bands).sum(axis=0)
    spread = np.sqrt((weight * (bands - centroid) ** 2).sum(axis=0))
    power = np.maximum(10.0**inner, np.float32(_FLOOR))
    flatness = loudness - np.log10(power.mean(axis=0))
    peak = inner.max(axis=0) - loudness
    return np.stack(
        [
            (loudness.mean(axis=1) + 3.0) / 1.2,
            (loudness.max(axis=1) + 2.5) / 1.2,
            centroid.mean(axis=1) / 0.15,
            (spread.mean(axis=1) - 0.55) / 0.05,
            (flatness.mean(axis=1) + 0.6) / 0.4,
            (flatness.min(axis=1) + 0.8) / 0.4,
            (peak.mean(axis=1) - 1.2) / 0.6,
            (peak.max(axis=1) - 1.6) / 0.6,
        ]
    )


def _windows(columns: Floats, first: int, length: int, steps: int) -> Floats:
    """[bands, steps, length] views starting at `first`, one step apart."""
    windows = np.lib.stride_tricks.sliding_window_view(columns, length, axis=1)
    return windows[:, first : first + steps * _COLUMN : _COLUMN]


def _pooled(bands: Floats, size: int) -> Floats:
    return bands.reshape(bands.shape[0] // size, size, -1).mean(axis=1)
