"""Waveform envelope: the lowest and highest sample in every short bin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import CancelledError
from mravff_core.media.sound import iter_audio

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Envelope:
    """Outline of a waveform; bin `k` covers `k * hop_s` to `(k + 1) * hop_s`.

    Attributes:
        lowest, highest: float32 [bins], samples of full scale 1.
    """

    lowest: Floats
    highest: Floats
    hop_s: float


def envelope(
    path: Path | str,
    *,
    hop_s: float = 0.01,
    sample_rate: int = 16000,
    cancel: Callable[[], bool] | None = None,
) -> Envelope:
    """Outline of a file's sound; no bins for a silent file.

    Args:
        hop_s: seconds a bin, rounded to whole samples.
        cancel: asked now and then; True stops with CancelledError.
    Raises: MediaError if the file cannot be opened.
    """
    return envelope_of(iter_audio(path, sample_rate=sample_rate), hop_s=hop_s, sample_rate=sample_rate, cancel=cancel)


def envelope_of(
    blocks: Iterable[Floats], *, hop_s: float, sample_rate: int, cancel: Callable[[], bool] | None = None
) -> Envelope:
    """The same for a stream of mono samples."""
    size = max(1, round(hop_s * sample_rate))
    lows: list[Floats] = []
    highs: list[Floats] = []
    rest = np.zeros(0, np.float32)
    for block in blocks:
        if cancel is not None and cancel():
            raise CancelledError("stopped while reading the waveform")
        samples = np.concatenate([rest, block])
        whole = len(samples) - len(samples) % size
        bins = samples[:whole].reshape(-1, size)
        lows.append(bins.min(axis=1))
        highs.append(bins.max(axis=1))
        rest = samples[whole:]
    if len(rest):
        lows.append(rest.min(keepdims=True))
        highs.append(rest.max(keepdims=True))
    empty = np.zeros(0, np.float32)
    return Envelope(
        np.concatenate(lows) if lows else empty, np.concatenate(highs) if highs else empty, size / sample_rate
    )
