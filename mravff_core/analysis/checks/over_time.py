"""Whether attribution over time points at the true sounds, and whether what it points at matters.

Pointing game: the step of largest audio attribution lies within a true sound of the segment.
Mass: share of the positive audio attribution that lies within them. Chance for both is the
share of the clip's time that those sounds take up near the segment, which is reported beside.

Deletion: steps of sound are replaced by the baseline, most important first; the earlier the
score falls, the better the order. Insertion: the other way round, from the baseline. Both are
areas under the curve of the score, scaled so that the baseline is 0 and the clip is 1.

References: Zhang et al., Top-down Neural Attention, ECCV 2016 (pointing game); Petsiuk, Das,
Saenko, RISE, BMVC 2018 (deletion and insertion).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mravff_core.analysis.attribution.gradients import full_gradients
from mravff_core.analysis.attribution.scorer import Inputs, Scorer
from mravff_core.analysis.checks.cases import Case

STEPS = 16
_CURVE_POINTS = 10
# Steps that the order is about: the segment and as much again on both sides.
_MARGIN = 1.0


def attributions(detector: nn.Module, case: Case, *, steps: int = STEPS) -> tuple[NDArray, NDArray]:
    """Integrated Gradients of sound and sight, [time] each."""
    scorer = Scorer(detector, case.target)
    scorer.measure(case.inputs)
    vision, audio = full_gradients(scorer, case.inputs, case.baseline, steps=steps)
    return audio[0].double().sum(dim=0).cpu().numpy(), vision[0].double().sum(dim=0).cpu().numpy()


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


def curves(detector: nn.Module, case: Case, audio: NDArray) -> dict[str, tuple[float, float]]:
    """Deletion and insertion areas of the orders by attribution, by gate and by chance."""
    low, high = _around(case, len(audio))
    steps = np.arange(low, high)
    gates = np.repeat(case.gates, case.stride)[:high] if len(case.gates) else np.zeros(high)
    generator = np.random.default_rng(case.target.step + 1000 * case.target.level)
    orders = {
        "attribution": steps[np.argsort(-audio[steps], kind="stable")],
        "gate": steps[np.argsort(-gates[steps], kind="stable")],
        "random": generator.permutation(steps),
    }
    scorer = Scorer(detector, case.target)
    scorer.measure(case.inputs)
    (visual, sound), silent = case.inputs, case.baseline[1]
    assert sound is not None and silent is not None
    variants: list[Inputs] = [(visual, sound), (visual, silent)]
    for order in orders.values():
        for count in np.linspace(0, len(order), _CURVE_POINTS + 1)[1:].round().astype(int):
            chosen = torch.zeros(sound.shape[-1], dtype=torch.bool, device=sound.device)
            chosen[order[:count].tolist()] = True
            variants += [(visual, torch.where(chosen, silent, sound)), (visual, torch.where(chosen, sound, silent))]
    scores = scorer.scores(variants).numpy()
    whole, empty = scores[:2]
    if abs(whole - empty) < 1e-6:
        return {}
    scaled = (scores[2:] - empty) / (whole - empty)
    places = 2 * _CURVE_POINTS
    found = {}
    for number, name in enumerate(orders):
        own = scaled[number * places : (number + 1) * places]
        found[name] = (_area(1.0, own[0::2]), _area(0.0, own[1::2]))
    return found


def _area(first: float, rest: NDArray) -> float:
    return float(np.trapezoid([first, *rest], dx=1 / len(rest)))


def _around(case: Case, steps: int) -> tuple[int, int]:
    length_s = case.end_s - case.start_s
    ends = case.grid.from_seconds(np.array([case.start_s - _MARGIN * length_s, case.end_s + _MARGIN * length_s]))
    low = int(np.clip(np.floor(ends[0]), 0, steps - 1))
    return low, int(np.clip(np.ceil(ends[1]) + 1, low + 1, steps))
