"""Whether attribution over time points at the true sounds, and whether what it points at matters.

Pointing game: the step of largest audio attribution lies within a true sound of the segment.
Mass: share of the positive audio attribution that lies within them. Chance for both is the
share of the clip's time that those sounds take up near the segment, which is reported beside.

Deletion: steps of sound are replaced by the baseline, those that speak most for the detection
first; the earlier the score falls, the better the order. Insertion: the other way round, from the
baseline. Both are areas under the curve of the score. They stay in its units: in many segments
sound does next to nothing, and dividing each area by its own segment's effect would blow up noise.
Areas of two orders are subtracted segment by segment, averaged over segments, and divided once by
the mean size of the effect of sound on the same segments (`advantage`).

References: Zhang et al., Top-down Neural Attention, ECCV 2016 (pointing game); Petsiuk, Das,
Saenko, RISE, BMVC 2018 (deletion and insertion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.analysis.attribution.scorer import Inputs, Scorer
from mravff_core.analysis.checks.cases import Case

# Replaced shares of the steps: so many, evenly from none to all.
_CURVE_POINTS = 8
_RANDOM_ORDERS = 3
# What counts as near a segment: as much again on both sides.
_MARGIN = 1.0


@dataclass(frozen=True)
class Localisation:
    """One segment: hit of the pointing game, mass inside, and what chance gives."""

    hit: bool
    mass: float
    chance: float


def localisation(case: Case, audio: NDArray) -> Localisation | None:
    """Where the audio attribution lies; None where the segment has no sound of its own."""
    if case.heard_s is None or not len(case.heard_s):
        return None
    times_s = case.grid.to_seconds(np.arange(len(audio), dtype=np.float64))
    half_s = case.grid.hop_s / 2
    inside = np.zeros(len(audio), bool)
    for start_s, end_s in case.heard_s:
        inside |= (times_s + half_s > start_s) & (times_s - half_s < end_s)
    low, high = _around(case, len(audio))
    positive = np.clip(audio, 0.0, None)
    total = positive.sum()
    mass = float(positive[inside].sum() / total) if total > 0 else 0.0
    return Localisation(bool(inside[np.argmax(audio)]), mass, float(inside[low:high].mean()))


@dataclass(frozen=True)
class Curves:
    """Areas under the curves of one segment, in units of the explained score.

    Attributes:
        effect: score of the clip minus that with all sound at the baseline.
        deletion, insertion: by order: `attribution`, `gate`, `random` (mean of several).
    """

    effect: float
    deletion: dict[str, float]
    insertion: dict[str, float]


def curves(scorer: Scorer, case: Case, audio: NDArray) -> Curves | None:
    """Deletion and insertion by attribution, by gate and at random; None where the point reads no sound.

    All orders are of the same steps, those that the point reads at all, so that they begin and
    end at the same scores and none wins by mere reach.

    Args:
        scorer: of the case's target, measured.
        audio: [time] attribution of sound.
    """
    steps = np.flatnonzero(audio)
    if len(steps) < 2:
        return None
    gates = np.repeat(case.gates, case.stride)[: len(audio)] if len(case.gates) else np.zeros(len(audio))
    generator = np.random.default_rng(case.target.step + 1000 * case.target.level)
    mixed = generator.permutation(steps)  # so that equal gates come in no order
    orders = [steps[np.argsort(-audio[steps], kind="stable")], mixed[np.argsort(-gates[mixed], kind="stable")]]
    orders += [generator.permutation(steps) for _ in range(_RANDOM_ORDERS)]
    (visual, sound), silent = case.inputs, case.baseline[1]
    assert sound is not None and silent is not None
    variants: list[Inputs] = []
    for order in orders:
        for count in np.linspace(0, len(order), _CURVE_POINTS + 1)[1:-1].round().astype(int):
            chosen = torch.zeros(sound.shape[-1], dtype=torch.bool, device=sound.device)
            chosen[order[:count].tolist()] = True
            variants += [(visual, torch.where(chosen, silent, sound)), (visual, torch.where(chosen, sound, silent))]
    scores = scorer.scores([(visual, sound), (visual, silent), *variants]).numpy()
    whole, empty = scores[:2]
    found = scores[2:].reshape(len(orders), -1, 2)
    deletion = [_area(whole, one[:, 0], empty) for one in found]
    insertion = [_area(empty, one[:, 1], whole) for one in found]
    return Curves(whole - empty, _by_order(deletion), _by_order(insertion))


def _by_order(areas: list[float]) -> dict[str, float]:
    return {"attribution": areas[0], "gate": areas[1], "random": float(np.mean(areas[2:]))}


def _area(first: float, between: NDArray, last: float) -> float:
    return float(np.trapezoid([first, *between, last], dx=1 / (len(between) + 1)))


def _around(case: Case, steps: int) -> tuple[int, int]:
    length_s = case.end_s - case.start_s
    ends = case.grid.from_seconds(np.array([case.start_s - _MARGIN * length_s, case.end_s + _MARGIN * length_s]))
    low = int(np.clip(np.floor(ends[0]), 0, steps - 1))
    return low, int(np.clip(np.ceil(ends[1]) + 1, low + 1, steps))
