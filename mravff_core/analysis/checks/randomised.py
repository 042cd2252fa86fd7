"""Whether explanations hang on what was learnt: with random weights, or asked about another class, they must change.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.analysis.attribution.occlusion import agreement
from mravff_core.analysis.checks.cases import Case
from mravff_core.analysis.checks.over_time import attributions
from mravff_core.model.detector import Detector, build_detector


def random_twin(detector: Detector, *, seed: int = 0) -> Detector:
    """A detector of the same configuration that has learnt nothing."""
    device = next(detector.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_detector(detector.config).to(device).eval()


def likeness(
    detector: Detector, cases: Sequence[Case], tracks: Sequence[tuple[NDArray, NDArray]]
) -> dict[str, list[float]]:
    """Rank correlations of the trained detector's attributions with those it must not resemble.

    Args:
        tracks: audio and vision attribution of each case.
    Returns: `random_weights` and `other_class`, the mean over both modalities, one a case.
    """
    twin = random_twin(detector)
    found: dict[str, list[float]] = {"random_weights": [], "other_class": []}
    classes = len(detector.labels)
    for number, (case, own) in enumerate(zip(cases, tracks, strict=True)):
        other = (case.target.label + 1 + number % max(1, classes - 1)) % classes
        swapped = replace(case, target=replace(case.target, label=other))
        found["random_weights"].append(_alike(own, attributions(twin, case)))
        if classes > 1:
            found["other_class"].append(_alike(own, attributions(detector, swapped)))
    return found


def _alike(first: tuple[NDArray, NDArray], second: tuple[NDArray, NDArray]) -> float:
    """Mean over modalities, over the steps that either sees."""
    values = []
    for one, other in zip(first, second, strict=True):
        seen = (one != 0) | (other != 0)
        values.append(agreement(one[seen], other[seen]) or 0.0)
    return float(np.mean(values))
