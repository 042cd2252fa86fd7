"""Whether explanations hang on what was learnt: with other weights, or asked about another class, they must change.

Four questions are put to the same segments:

- Does a detector with random weights explain them alike?
- Does one that was trained on swapped labels? (see `retrained`)
- Is the explanation of another class's own score, by the same detector, alike? That asks whether an
  explanation is about its class; what all classes share, such as a moving hand, makes them alike.
- The same for the contrast of a class with all others. Contrasts of all classes add up to 0, so
  two of them are a little unlike by construction (-1 / (classes - 1) on average); the contrast is
  therefore held against the other class's own score as well.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    twins: Mapping[str, Detector] | None = None,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, list[Likeness]]:
    """How far explanations resemble others, which they must not or should.

    Args:
        tracks: attribution of each case.
        twins: further detectors of the same classes by name.
        progress, cancel: as everywhere.
    Returns: `random_weights` and each twin by its name, the class's own score against theirs, and its
        contrast under the name with `_contrast`; `other_class`, a class's own score against
        another's; `contrast`, its contrast against another's; `contrast_to_score`, its contrast
        against another's own score. One a case each, none where there are too few classes.
    """
    asked = {"random_weights": random_twin(detector), **(twins or {})}
    report = _shared_out(progress, 1 + len(asked))
    own = [case.target for case in cases]
    first, end = own[0].rivals or (0, len(detector.labels)) if own else (0, 0)
    contrasts = [replace(target, quantity="contrast") for target in own] if end - first >= _CLASSES_TO_CONTRAST else []
    others = (
        [_another(target, first, end - first, number) for number, target in enumerate(own)] if end > first + 1 else []
    )
    against = [replace(target, quantity="contrast") for target in others] if contrasts else []
    others_, contrasts_, against_ = _answers(detector, cases, [others, contrasts, against], report(0), cancel)
    found = {
        "other_class": _alike(tracks, others_),
        "contrast": _alike(contrasts_, against_),
        "contrast_to_score": _alike(contrasts_, others_ if contrasts_ else ()),
    }
    for number, (name, twin) in enumerate(asked.items(), start=1):
        twins_own, twins_contrasts = _answers(twin, cases, [own, contrasts], report(number), cancel)
        found |= {name: _alike(tracks, twins_own), f"{name}_contrast": _alike(contrasts_, twins_contrasts)}
    return found


def _shared_out(progress: Callable[[float], None] | None, parts: int) -> Callable[[int], Callable[[float], None]]:
    """Progress of one of several equal parts."""
    whole = progress or (lambda _share: None)
    return lambda part: lambda share: whole((part + share) / parts)


def _answers(
    detector: Detector,
    cases: Sequence[Case],
    questions: Sequence[Sequence[Target]],
    progress: Callable[[float], None],
    cancel: Callable[[], bool] | None,
) -> list[list[Tracks]]:
    """Attributions of every case for each question, in one go; none for a question that is empty."""
    put = [targets for targets in questions if targets]
    every = attributions(
        detector,
        list(cases) * len(put),
        [target for targets in put for target in targets],
        progress=progress,
        cancel=cancel,
    )
    parts = iter([every[begin : begin + len(cases)] for begin in range(0, len(every), max(1, len(cases)))])
    return [next(parts) if targets else [] for targets in questions]


def _another(target: Target, first: int, classes: int, number: int) -> Target:
    """The same of another class, each in turn."""
    return replace(target, label=first + (target.label - first + 1 + number % (classes - 1)) % classes)


def _alike(some: Sequence[Tracks], others: Sequence[Tracks]) -> list[Likeness]:
    """One a segment; none where there is nothing to hold them against."""
    pairs = zip(some, others, strict=True) if others else ()
    return [
        Likeness(*(_over_seen(one, other) for one, other in zip(first, second, strict=True))) for first, second in pairs
    ]


def _over_seen(one: np.ndarray, other: np.ndarray) -> float:
    seen = (one != 0) | (other != 0)
    return agreement(one[seen], other[seen]) or 0.0
