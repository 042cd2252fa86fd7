"""Captum's measures of an explanation's quality, on request: they cost as much as it does several times over.

Infidelity: how badly the attributions foretell what small noise does to the score (0 is best;
normalised, so that the scale of the attributions does not matter). Sensitivity: by how much
the attributions change at most, relative to themselves, when the features hardly do.

Reference: Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019.
"""

from __future__ import annotations

import torch
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor

from mravff_core.analysis.attribution.gradients import full_gradients
from mravff_core.analysis.attribution.scorer import Inputs, Scorer

_NOISE = 0.05
_SAMPLES = 16
_TRIES = 3


def quality(scorer: Scorer, inputs: Inputs, baseline: Inputs, *, steps: int) -> tuple[float, float]:
    """Infidelity and largest sensitivity of Integrated Gradients; the same each time.

    Args:
        inputs, baseline: [1, channels, time] each.
        steps: points on the path.
    """
    scorer.measure(inputs)
    given = tuple(part for part in inputs if part is not None)
    against = tuple(part for part in baseline if part is not None)
    spread = tuple(_NOISE * part.std() for part in given)
    values = full_gradients(scorer, inputs, baseline, steps=steps)
    gradients = tuple(
        torch.where(part == still, 0.0, value / torch.where(part == still, 1.0, part - still))
        for value, part, still in zip(values, given, against, strict=True)
    )

    def shake(several: Tensor | tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        # Captum unpacks what is alone, as sight without sound is.
        several = several if isinstance(several, tuple) else (several,)
        noise = tuple(scale * torch.randn_like(part) for scale, part in zip(spread, several, strict=True))
        return noise, tuple(part - by for part, by in zip(several, noise, strict=True))

    def explain(*several: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        parts = several[0] if isinstance(several[0], tuple) else several
        here = (parts[0], parts[1] if len(parts) > 1 else None)
        return full_gradients(scorer, here, baseline, steps=steps)  # type: ignore[arg-type]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unfaithful = infidelity(
            scorer,
            shake,
            given,
            gradients,
            n_perturb_samples=_SAMPLES,
            max_examples_per_batch=min(scorer.chunk, _SAMPLES),
            normalize=True,
        )
        radius = float(spread[0])
        sensitive = sensitivity_max(
            explain, given, perturb_radius=radius, n_perturb_samples=_TRIES, max_examples_per_batch=1
        )
    return float(unfaithful[0]), float(sensitive[0])
