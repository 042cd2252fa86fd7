"""Mel spectra over a stream of samples.

Settings and filter bank are librosa's (`librosa.feature.melspectrogram` with its
defaults: periodic Hann window, centred columns with zeros beyond both ends, power 2,
Slaney scale and norm), computed block by block so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

Floats = NDArray[np.float32]
# Columns transformed at once; bounds memory whatever the block length.
_BATCH = 1024


@dataclass(frozen=True)
class MelSettings:
    """What a mel spectrum is made with: samples a second, FFT length, bands from `low_hz` to `high_hz`."""

    sample_rate: int = 16000
    fft_length: int = 512
    bands: int = 64
    low_hz: float = 0.0
    high_hz: float = 8000.0


@lru_cache(maxsize=8)
def mel_filters(settings: MelSettings) -> Floats:
    """librosa's filter bank, [bands, fft_length // 2 + 1]; made once per settings."""
    from librosa.filters import mel  # takes seconds to load and compile; only who asks for spectra pays

    return mel(
        sr=settings.sample_rate,
        n_fft=settings.fft_length,
        n_mels=settings.bands,
        fmin=settings.low_hz,
        fmax=settings.high_hz,
    ).astype(np.float32)


def mel_frequencies(settings: MelSettings) -> NDArray[np.float64]:
    """Centre frequency of each band in Hz, [bands]."""
    from librosa import mel_frequencies as edges_of

    edges = edges_of(n_mels=settings.bands + 2, fmin=settings.low_hz, fmax=settings.high_hz)
    return np.asarray(edges[1:-1], dtype=np.float64)


def warm_up() -> None:
    """Load librosa and build the default filter bank, so that the first spectrum does not wait for it."""
    mel_filters(MelSettings())


def mel_columns(
    blocks: Iterable[Floats],
    settings: MelSettings,
    *,
    centre: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    first: int,
    stop: Callable[[int], int],
) -> Iterator[Floats]:
    """Mel power spectra of a stream, in order.

    Args:
        blocks: consecutive float32 samples, any lengths.
        centre: sample numbers at the centres of given columns; rises by at least 1 a column.
        first: number of the first column wanted; may be negative.
        stop: one past the last column wanted, from the number of samples heard.
    Yields: [bands, columns] float32 power. Samples outside the stream count as 0.
    """
    half = settings.fft_length // 2
    column = first
    begin = min(0, int(centre(np.array([first]))[0]) - half)
    held = np.zeros(-begin, np.float32)
    heard = 0
    for block in blocks:
        heard += len(block)
        held = np.concatenate([held, block])
        ready = _columns_before(centre, column, begin + len(held) - half)
        ready = min(ready, column + max(0, stop(heard) - column))
        for low in range(column, ready, _BATCH):
            starts = centre(np.arange(low, min(low + _BATCH, ready))) - half - begin
            yield _transform(held, starts, settings)
        if ready > column:
            column = ready
            # The next column may begin later than anything heard so far.
            done = min(len(held), max(0, int(centre(np.array([column]))[0]) - half - begin))
            held = held[done:]
            begin += done
    last = stop(heard)
    if last > column:
        starts = centre(np.arange(column, last)) - half - begin
        short = int(starts[-1]) + settings.fft_length - len(held)
        held = np.concatenate([held, np.zeros(max(0, short), np.float32)])
        for low in range(0, len(starts), _BATCH):
            yield _transform(held, starts[low : low + _BATCH], settings)


def _columns_before(centre: Callable[[NDArray[np.int64]], NDArray[np.int64]], column: int, sample: int) -> int:
    """First column from `column` on whose centre lies beyond `sample`."""
    low, high = column, column + 1
    while int(centre(np.array([high]))[0]) <= sample:
        high += 2 * (high - low)
    while low < high:
        middle = (low + high) // 2
        if int(centre(np.array([middle]))[0]) <= sample:
            low = middle + 1
        else:
            high = middle
    return low


@lru_cache(maxsize=8)
def _hann(length: int) -> Floats:
    return np.hanning(length + 1)[:-1].astype(np.float32)


def _transform(samples: Floats, starts: NDArray[np.int64], settings: MelSettings) -> Floats:
    windows = sliding_window_view(samples, settings.fft_length)[starts] * _hann(settings.fft_length)
    spectrum = rfft(windows, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return mel_filters(settings) @ power.T
