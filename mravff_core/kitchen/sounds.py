"""The sound track of a clip: every event of its plan over a quiet room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

from mravff_core.kitchen.plan import ClipPlan, SoundEvent
from mravff_core.kitchen.synthesis import SAMPLE_RATE, Floats, clock, faded, noise, wander
from mravff_core.kitchen.timbres import TIMBRES, Cue

__all__ = ["SAMPLE_RATE", "event_samples", "room_tone", "soundtrack"]

# Loudness of a full-level event: lasting sounds by their mean, short ones by their peak.
_LASTING_RMS = 0.075
_HIT_PEAK = 0.5
_HITS = frozenset(("knock", "click", "slam", "chopping", "ignition", "shut-off"))
_ROOM_RMS = 0.0016
_ELSEWHERE_HZ = 5200.0


def soundtrack(plan: ClipPlan) -> NDArray[np.float32]:
    """Samples of a clip, mono at `SAMPLE_RATE`, within -1 to 1; equal plans give equal samples."""
    samples = round(plan.duration_s * SAMPLE_RATE)
    rng = np.random.default_rng([plan.decor, 1])
    near, far = np.zeros(samples), np.zeros(samples)
    for event in plan.sounds:
        first = round(event.start_s * SAMPLE_RATE)
        made = event_samples(event)[: samples - first]
        (near if event.on_screen else far)[first : first + len(made)] += made
    # What is out of sight is duller and has more of the room in it.
    far = sosfilt(butter(1, _ELSEWHERE_HZ, fs=SAMPLE_RATE, output="sos"), far)
    echo = _echo(rng)
    mixed = near + far + oaconvolve(0.10 * near + 0.25 * far, echo)[:samples]
    return np.clip(mixed + room_tone(rng, samples), -0.98, 0.98).astype(np.float32)


def event_samples(event: SoundEvent) -> Floats:
    """One event alone, silent outside its span."""
    samples = round(event.end_s * SAMPLE_RATE) - round(event.start_s * SAMPLE_RATE)
    cue = Cue(samples, event.material, event.period_s, event.phase)
    sound = TIMBRES[event.sound](np.random.default_rng(event.seed), cue)
    if event.sound in _HITS:
        sound = sound * (_HIT_PEAK / (np.abs(sound).max() + 1e-9))
        return event.level * faded(sound, 0.001, 0.02)
    sound = sound * (_LASTING_RMS / (np.sqrt(np.mean(sound**2)) + 1e-9))
    # Rare tall peaks would clip once several events meet.
    return event.level * faded(0.6 * np.tanh(sound / 0.6), 0.015, 0.05)


def room_tone(rng: np.random.Generator, samples: int) -> Floats:
    """Air and a refrigerator: what silence sounds like here."""
    time = clock(SAMPLE_RATE // 50)  # one turn of the mains
    hum = sum(np.sin(2 * np.pi * 50 * order * time + rng.uniform(0, 6)) / order for order in (1, 2, 3, 5))
    air = noise(rng, samples, 60, 2500) * (0.8 + 0.2 * wander(rng, samples, 0.5))
    return _ROOM_RMS * (0.8 * air + 0.5 * np.resize(hum, samples))


def _echo(rng: np.random.Generator) -> Floats:
    """A small tiled room: a few dozen milliseconds of fading reflections."""
    length = int(0.09 * SAMPLE_RATE)
    tail = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.018 * SAMPLE_RATE))
    tail[: int(0.004 * SAMPLE_RATE)] = 0.0
    return tail / np.sqrt(np.sum(tail**2))
