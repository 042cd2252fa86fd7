"""Log-mel spectrogram of a whole file, for showing and for analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mravff_core.media.mel import MelSettings, mel_columns, mel_frequencies
from mravff_core.media.sound import iter_audio, watched

__all__ = ["LogMel", "MelSettings", "log_mel", "log_mel_of"]

Floats = NDArray[np.float32]
# Power that counts as silence, as in librosa's `power_to_db`.
_FLOOR = 1e-10


@dataclass(frozen=True)
class LogMel:
    """A spectrogram.

    Attributes:
        decibels: float32 [bands, columns], 10 log10 of power, never below -100.
        hop_s: seconds from column to column.
        start_s: time of the centre of column 0.
        frequencies_hz: [bands] centre frequencies.
    """

    decibels: Floats
    hop_s: float
    start_s: float
    frequencies_hz: NDArray[np.float64]


def log_mel(
    path: Path | str,
    *,
    settings: MelSettings | None = None,
    hop_s: float = 0.02,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    duration_s: float | None = None,
) -> LogMel:
    """Log-mel spectrogram of a file's sound; no columns for a silent file.

    Equals `librosa.power_to_db(librosa.feature.melspectrogram(y=..., sr=16000, n_fft=512,
    hop_length=320, n_mels=64), top_db=None)` of the same samples at the default settings.

    Args:
        settings: sample rate, FFT length, bands.
        hop_s: seconds between columns, rounded to whole samples.
        progress: told the share done; needs `duration_s`, the expected length.
        cancel: asked now and then; True stops with CancelledError.
    Raises: MediaError if the file cannot be opened.
    """
    settings = settings or MelSettings()
    blocks = iter_audio(path, sample_rate=settings.sample_rate)
    heard = watched(
        blocks,
        sample_rate=settings.sample_rate,
        duration_s=duration_s,
        doing="computing the spectrogram",
        progress=progress,
        cancel=cancel,
    )
    return log_mel_of(heard, settings=settings, hop_s=hop_s)


def log_mel_of(blocks: Iterable[Floats], *, settings: MelSettings | None = None, hop_s: float = 0.02) -> LogMel:
    """The same of mono samples that have the settings' rate already, in blocks one after another."""
    settings = settings or MelSettings()
    hop = max(1, round(hop_s * settings.sample_rate))
    columns = mel_columns(
        blocks,
        settings,
        centre=lambda column: column * hop,
        first=0,
        stop=lambda samples: 1 + samples // hop if samples else 0,
    )
    # The logarithm of the floor itself may come out a rounding below its own value.
    lowest = np.float32(10 * np.log10(_FLOOR))
    pieces = [np.maximum(10 * np.log10(np.maximum(piece, np.float32(_FLOOR))), lowest) for piece in columns]
    decibels = np.concatenate(pieces, axis=1) if pieces else np.zeros((settings.bands, 0), np.float32)
    return LogMel(decibels, hop / settings.sample_rate, 0.0, mel_frequencies(settings))
