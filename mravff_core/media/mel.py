"""Mel spectra over a stream of samples.

Settings and filter bank are librosa's (`librosa.feature.melspectrogram` with its
defaults: periodic Hann window, centred columns with zeros beyond both ends, power 2,
Slaney scale and norm), computed block by block so that memory stays flat.
"""

from __future__ import annotations

import math
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
# Slaney's scale: 200/3 Hz a mel below 1 kHz, 27 mel for a factor of 6.4 above.
_LINEAR_HZ, _BREAK_HZ = 200.0 / 3, 1000.0
_BREAK_MEL, _LOG_STEP = _BREAK_HZ / _LINEAR_HZ, math.log(6.4) / 27.0


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
    """Filter bank [bands, fft_length // 2 + 1]: triangles between neighbouring bands, of equal area.

    Equal to `librosa.filters.mel` with its defaults, which takes a second to load.
    Reference: Slaney, Auditory Toolbox, 1998.
    """
    edges = _edges_hz(settings)
    bins = np.fft.rfftfreq(settings.fft_length, 1 / settings.sample_rate)
    width = np.diff(edges)[:, None]
    rising = (bins - edges[:-2, None]) / width[:-1]
    falling = (edges[2:, None] - bins) / width[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def mel_frequencies(settings: MelSettings) -> NDArray[np.float64]:
    """Centre frequency of each band in Hz, [bands]."""
    return _edges_hz(settings)[1:-1]


def _edges_hz(settings: MelSettings) -> NDArray[np.float64]:
    """[bands + 2] frequencies evenly spaced in mel: linear in Hz below 1 kHz, logarithmic above."""
    low, high = _mel_of(settings.low_hz), _mel_of(settings.high_hz)
    mels = np.linspace(low, high, settings.bands + 2)
    return np.where(mels < _BREAK_MEL, mels * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL)))


def _mel_of(hertz: float) -> float:
    if hertz < _BREAK_HZ:
        return hertz / _LINEAR_HZ
    return _BREAK_MEL + math.log(hertz / _BREAK_HZ) / _LOG_STEP


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
