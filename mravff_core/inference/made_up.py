"""Detections, gates and features made up with a seed around true segments: plausible, but no detector's.

Every class gets a tendency to listen (its gate) and a worth of sound (what its detections gain
from it); the two are related, but far from one and the same, as with real detectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import LevelGates

Floats = NDArray[np.float64]
_PER_SEGMENT = 3
# How strongly each level listens, finest first.
_LEVEL_WEIGHTS = (1.0, 0.9, 0.75, 0.6, 0.45, 0.3)


@dataclass(frozen=True)
class ClassTraits:
    """Of each class: its gate inside segments, and what sound is worth to its detections.

    Attributes:
        gate: [classes] in [0, 1].
        worth: [classes]; above 0 where sound helps.
    """

    gate: Floats
    worth: Floats

    @classmethod
    def draw(cls, classes: int, generator: np.random.Generator) -> ClassTraits:
        """Traits of so many classes."""
        worth = generator.normal(0.3, 0.8, classes)
        gate = 1 / (1 + np.exp(-(-0.4 + 0.5 * worth + generator.normal(0, 0.8, classes))))
        return cls(gate, worth)


def made_up_detections(
    truth: pd.DataFrame,
    duration_s: float,
    traits: ClassTraits,
    *,
    most: int,
    with_sound: bool,
    seed: int,
) -> pd.DataFrame:
    """Detections of one clip, best first; with and without sound they differ by the classes' worth of it.

    Args:
        truth: `start_s`, `end_s`, `label` of the clip.
        duration_s: of the clip.
        traits: of the classes.
        most: detections to make.
        with_sound: whether the detector heard.
        seed: the same for both.
    Returns: `start_s`, `end_s`, `label`, `score`.
    """
    generator = np.random.default_rng(seed)
    near, near_score = _near_truth(truth, traits, with_sound, generator)
    stray = _stray(truth, duration_s, len(traits.gate), max(0, most - len(near)), generator)
    stray_score = generator.beta(1, 14, len(stray)) * 0.5
    rows = np.concatenate([near, stray])
    table = pd.DataFrame(
        {
            "start_s": np.clip(rows[:, 0], 0.0, duration_s - 0.05),
            "end_s": np.clip(rows[:, 1], 0.05, duration_s),
            "label": rows[:, 2].astype(np.int64),
            "score": np.concatenate([near_score, stray_score]).round(6),
        }
    )
    table["end_s"] = np.maximum(table["end_s"], table["start_s"] + 0.05)
    order = ["score", "start_s", "end_s", "label"]
    return table.sort_values(order, ascending=[False, True, True, True], ignore_index=True).head(most)


def made_up_gates(
    truth: pd.DataFrame, grid: TimeGrid, steps: int, traits: ClassTraits, generator: np.random.Generator
) -> list[LevelGates]:
    """Gates of one clip at six levels: higher inside segments whose class listens, with a rise at their start.

    Args:
        truth: `start_s`, `end_s`, `label` of the clip.
        grid: of the finest level.
        steps: of the finest level.
        traits: of the classes.
    """
    times_s = grid.to_seconds(np.arange(steps, dtype=np.float64))
    wanted = np.full(steps, 0.15)
    for start_s, end_s, label in zip(truth["start_s"], truth["end_s"], truth["label"], strict=True):
        inside = (times_s >= start_s - grid.hop_s / 2) & (times_s <= end_s + grid.hop_s / 2)
        rise = 0.15 * np.exp(-np.abs(times_s[inside] - start_s) / 0.5)
        wanted[inside] = np.maximum(wanted[inside], traits.gate[label] + rise)
    levels = []
    for number, weight in enumerate(_LEVEL_WEIGHTS):
        stride = 2**number
        starts = np.arange(0, steps, stride)
        pooled = np.add.reduceat(wanted, starts) / np.diff(np.append(starts, steps))
        noisy = np.clip(weight * pooled + generator.normal(0, 0.05, len(starts)), 0.01, 0.99)
        levels.append(LevelGates(grid.to_seconds(starts.astype(np.float64)), noisy.astype(np.float32)))
    return levels


def made_up_features(
    truth: pd.DataFrame, grid: TimeGrid, steps: int, directions: Floats, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Features [channels, steps] of one clip: noise, and the direction of each class inside its segments.

    Args:
        truth: `start_s`, `end_s`, `label` of the clip.
        grid: of the features.
        steps: how many.
        directions: [classes, channels].
    """
    times_s = grid.to_seconds(np.arange(steps, dtype=np.float64))
    array = generator.normal(0, 1, (steps, directions.shape[1]))
    for start_s, end_s, label in zip(truth["start_s"], truth["end_s"], truth["label"], strict=True):
        array[(times_s >= start_s) & (times_s <= end_s)] += directions[label]
    return np.ascontiguousarray(array.T, dtype=np.float32)


def _near_truth(
    truth: pd.DataFrame, traits: ClassTraits, with_sound: bool, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Detections around true segments, [rows, 3] start, end and label, and their scores."""
    start_s, end_s = (np.repeat(truth[name].to_numpy(np.float64), _PER_SEGMENT) for name in ("start_s", "end_s"))
    label = np.repeat(truth["label"].to_numpy(np.int64), _PER_SEGMENT)
    count, classes = len(label), len(traits.gate)
    rank = np.tile(np.arange(_PER_SEGMENT), len(truth))
    shift = generator.normal(0, 1, (count, 2))
    quality, chance = generator.normal(0, 1, count), generator.random(count)
    other = generator.integers(0, classes, count)
    strength = 0.2 + quality - 1.1 * rank + (traits.worth[label] if with_sound else 0.0)
    right = chance < 1 / (1 + np.exp(-(1.0 + 0.8 * strength)))
    loose = 0.12 + 0.18 / (1 + np.exp(strength))
    moved = shift * (loose * (end_s - start_s))[:, None]
    rows = np.stack([start_s + moved[:, 0], end_s + moved[:, 1], np.where(right, label, other)], axis=1)
    return rows, 1 / (1 + np.exp(-(strength - 1.0)))


def _stray(truth: pd.DataFrame, duration_s: float, classes: int, count: int, generator: np.random.Generator) -> Floats:
    """Detections anywhere, [count, 3] start, end and label."""
    length_s = np.exp(generator.normal(0.7, 0.9, count))
    start_s = generator.uniform(0, duration_s, count)
    seen = truth["label"].to_numpy(np.int64)
    label = np.where(
        generator.random(count) < 0.5, generator.choice(seen, count), generator.integers(0, classes, count)
    )
    return np.stack([start_s, start_s + length_s, label], axis=1)
