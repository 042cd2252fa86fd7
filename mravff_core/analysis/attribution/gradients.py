"""Where in time: Integrated Gradients from the baseline to the clip, for both modalities at once.

The path runs straight from the baseline features to the clip's own, sound and sight together,
so the attributions of both add up to the difference of the two scores. What the sum misses
is the completeness gap; steps are doubled until it is small enough.

Reference: Sundararajan, Taly, Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from mravff_core.analysis.attribution.scorer import Inputs, Scorer

STEPS = 32
MOST_STEPS = 512
LARGEST_GAP = 0.01


@dataclass(frozen=True)
class TimeAttribution:
    """Attribution of every feature step, summed over channels.

    Attributes:
        audio, vision: [time] in units of the score; audio is 0 throughout where there is no sound.
        steps: points on the path that were used.
        gap: |sum - score difference| / |score difference|; None where the scores do not differ.
    """

    audio: NDArray[np.float64]
    vision: NDArray[np.float64]
    steps: int
    gap: float | None


def integrated_gradients(
    scorer: Scorer,
    inputs: Inputs,
    baseline: Inputs,
    *,
    difference: float,
    steps: int = STEPS,
    most_steps: int = MOST_STEPS,
    largest_gap: float = LARGEST_GAP,
) -> TimeAttribution:
    """Integrated Gradients per modality and feature step.

    Args:
        inputs, baseline: [1, channels, time] each.
        difference: score of `inputs` minus that of `baseline`, which the result should add up to.
        steps: points on the path at first, by Gauss-Legendre quadrature.
        most_steps: points at most.
        largest_gap: steps are doubled while the gap is larger.
    """
    while True:
        values = full_gradients(scorer, inputs, baseline, steps=steps)
        total = float(sum(part.double().sum() for part in values))
        gap = abs(total - difference) / abs(difference) if difference else None
        if gap is None or gap <= largest_gap or 2 * steps > most_steps:
            break
        steps *= 2
    over_time = [part[0].double().sum(dim=0).cpu().numpy() for part in values]
    audio = over_time[1] if len(over_time) > 1 else np.zeros_like(over_time[0])
    return TimeAttribution(audio, over_time[0], steps, gap)


def full_gradients(scorer: Scorer, inputs: Inputs, baseline: Inputs, *, steps: int = STEPS) -> tuple[Tensor, ...]:
    """Integrated Gradients of every channel and step: vision, then audio where there is sound."""
    given = tuple(part for part in inputs if part is not None)
    against = tuple(part for part in baseline if part is not None)
    found = IntegratedGradients(scorer).attribute(
        given, baselines=against, n_steps=steps, internal_batch_size=min(scorer.chunk, steps)
    )
    return tuple(part.detach() for part in found)
