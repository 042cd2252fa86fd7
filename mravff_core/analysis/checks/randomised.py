"""Whether explanations hang on what was learnt: with random weights, or asked about another class, they must change.

Three questions are put to the same segments:

- Does a detector with random weights explain them alike?
- With labels swapped, so that the output of another class stands where this class's stood, is
  the explanation of the class's own score alike? The detector is not trained again on swapped
  labels: its outputs are swapped, which asks whether an explanation is about its class.
- The same for the contrast of a class with all others. Contrasts of all classes add up to 0, so
  two of them are a little unlike by construction (-1 / (classes - 1) on average); the contrast is
  therefore held against the other class's own score as well.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mravff_core.analysis.attribution.occlusion import agreement
from mravff_core.analysis.attribution.target import Target
from mravff_core.analysis.checks.cases import Case
from mravff_core.analysis.checks.tracks import Tracks, attributions
from mravff_core.model.detector import Detector, build_detector

# With fewer, a contrast is the other's own, turned over.
_CLASSES_TO_CONTRAST = 3


@dataclass(frozen=True)
class Likeness:
    """Rank correlation over the steps that either explanation sees, of one segment.

    Attributes:
        audio, vision: by modality.
    """

    audio: float
    vision: float

    @property
    def mean(self) -> float:
        """Of both modalities."""
        return (self.audio + self.vision) / 2


def random_twin(detector: Detector, *, seed: int = 0) -> Detector:
    """A detector of the same configuration that has learnt nothing."""
    device = next(detector.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_detector(detector.config).to(device).eval()


def likeness(
    detector: Detector,
    cases: Sequence[Case],
    tracks: Sequence[Tracks],
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, list[Likeness]]:
    """How far explanations resemble those that they must not resemble.

    Args:
        tracks: attribution of each case.
        progress, cancel: as everywhere.
    Returns: `random_weights`; `other_class`, a class's own score against another's; `contrast`, its
        contrast against another's; `contrast_to_score`, its contrast against another's own score;
        one a case each, none where there are too few classes.
    """
    report = progress or (lambda _share: None)
    twin = attributions(random_twin(detector), cases, progress=lambda share: report(0.25 * share), cancel=cancel)
    found = {"random_weights": _alike(tracks, twin), "other_class": [], "contrast": [], "contrast_to_score": []}
    own = [case.target for case in cases]
    first, end = own[0].rivals or (0, len(detector.labels)) if own else (0, 0)
    classes = end - first
    if classes < 2:
        return found
    others = [_another(target, first, classes, number) for number, target in enumerate(own)]
    asked = [others]
    if classes >= _CLASSES_TO_CONTRAST:
        asked += [[replace(target, quantity="contrast") for target in targets] for targets in (own, others)]
    many = attributions(
        detector,
        list(cases) * len(asked),
        [target for targets in asked for target in targets],
        progress=lambda share: report(0.25 + 0.75 * share),
        cancel=cancel,
    )
    parts = [many[begin : begin + len(own)] for begin in range(0, len(many), len(own))]
    found["other_class"] = _alike(tracks, parts[0])
    if len(parts) > 1:
        found["contrast"] = _alike(parts[1], parts[2])
        found["contrast_to_score"] = _alike(parts[1], parts[0])
    return found


def _another(target: Target, first: int, classes: int, number: int) -> Target:
    """The same of another class, each in turn."""
    return replace(target, label=first + (target.label - first + 1 + number % (classes - 1)) % classes)


def _alike(some: Sequence[Tracks], others: Sequence[Tracks]) -> list[Likeness]:
    return [
        Likeness(*(_over_seen(one, other) for one, other in zip(first, second, strict=True)))
        for first, second in zip(some, others, strict=True)
    ]


def _over_seen(one: np.ndarray, other: np.ndarray) -> float:
    seen = (one != 0) | (other != 0)
    return agreement(one[seen], other[seen]) or 0.0
