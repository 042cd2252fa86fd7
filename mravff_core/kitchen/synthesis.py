"""Building blocks of synthesised sound: noise, grains, ringing bodies, envelopes.

All work on whole arrays at 32 kHz; times are in seconds, frequencies in hertz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

SAMPLE_RATE = 32_000
Floats = NDArray[np.floating[Any]]


def noise(rng: np.random.Generator, samples: int, low_hz: float, high_hz: float) -> Floats:
    """White noise between two frequencies, about unit loudness."""
    raw = rng.standard_normal(samples, dtype=np.float32)
    made = sosfilt(butter(2, (low_hz, min(high_hz, 0.48 * SAMPLE_RATE)), "bandpass", fs=SAMPLE_RATE, output="sos"), raw)
    return made / (np.std(made) + 1e-9)


def grains(rng: np.random.Generator, samples: int, per_second: float, density: Floats | None = None) -> Floats:
    """Random single-sample clicks of uneven strength; `density` (0 to 1 per sample) thins them out."""
    count = int(rng.poisson(per_second * samples / SAMPLE_RATE))
    places = rng.integers(0, samples, count)
    strengths = rng.exponential(size=count)
    if density is not None:
        strengths = np.where(rng.uniform(size=count) < density[places], strengths, 0.0)
    return np.bincount(places, strengths, minlength=samples).astype(np.float32)


def ring(frequencies_hz: Sequence[float], decay_s: float, *, glide: float = 0.0) -> Floats:
    """A struck body: partials that die away, higher ones sooner; `glide` > 0 lets the pitch rise as bubbles do."""
    time = np.arange(int(SAMPLE_RATE * decay_s * 6)) / SAMPLE_RATE
    bent = time * (1 + glide * time / (decay_s * 6))
    body = np.zeros_like(time)
    for order, frequency in enumerate(frequencies_hz):
        body += np.sin(2 * np.pi * frequency * bent) * np.exp(-time / decay_s * (1 + 0.35 * order)) / (1 + 0.5 * order)
    return body.astype(np.float32)


def struck(clicks: Floats, body: Floats) -> Floats:
    """Let every click set a body ringing; as long as `clicks`."""
    return oaconvolve(clicks, body)[: len(clicks)]


def at_times(samples: int, times_s: Sequence[float] | Floats, strengths: Sequence[float] | Floats) -> Floats:
    """Single clicks at given times; those outside are left out."""
    clicks = np.zeros(samples, np.float32)
    places = np.round(np.asarray(times_s) * SAMPLE_RATE).astype(int)
    inside = (places >= 0) & (places < samples)
    clicks[places[inside]] += np.asarray(strengths, dtype=float)[inside]
    return clicks


def clock(samples: int) -> Floats:
    """Time of every sample in seconds."""
    return np.arange(samples) / SAMPLE_RATE


def strokes(samples: int, period_s: float, phase: float, sharpness: float = 1.0) -> Floats:
    """0 to 1 and back once a period, highest where stroke and phase add up to a half."""
    return np.abs(np.sin(np.pi * (clock(samples) / period_s + phase))) ** sharpness


def wander(rng: np.random.Generator, samples: int, per_second: float) -> Floats:
    """Slow random ups and downs between 0 and 1."""
    knots = max(2, int(samples / SAMPLE_RATE * per_second) + 2)
    return np.interp(np.linspace(0, knots - 1, samples), np.arange(knots), rng.uniform(size=knots))


def faded(sound: Floats, attack_s: float, release_s: float) -> Floats:
    """Without clicks at both ends: the sound is silent outside its span and smooth inside."""
    rise = np.clip(np.arange(1, len(sound) + 1) / max(1.0, attack_s * SAMPLE_RATE), 0, 1)
    fall = np.clip(np.arange(len(sound), 0, -1) / max(1.0, release_s * SAMPLE_RATE), 0, 1)
    return sound * np.sin(rise * np.pi / 2) * np.sin(fall * np.pi / 2)
