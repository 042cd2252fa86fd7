"""Whether explanations hang on what was learnt: with other weights, or asked about another class, they must change.

Four questions are put to the same segments:

- Does a detector with random weights explain them alike?
- Does one that was trained on swapped labels? (see `retrained`)
- Is the explanation of another class's own score, by the same detector, alike? That asks whether an
  explanation is about its class; what all classes share, such as a moving hand, makes them alike.
- The same for the contrast of a class with all others. Contrasts of all classes add up to 0, so
  two of them are a little unlike by construction (-1 / (classes - 1) on average); the contrast is
  therefore held against the other class's own score as well.

Explanations are held against each other by rank correlation, with their signs and by size alone.
Sizes have no zero to hold them to: any two detectors read mostly what is near, so they are
reported beside those of random weights. Where two detectors explain a class's own score alike, the
partial rank correlation tells what is left of it beyond the explanation of another class.

Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.analysis.attribution.occlusion import agreement
from mravff_core.analysis.attribution.target import Target
from mravff_core.analysis.checks.cases import Case
from mravff_core.analysis.checks.tracks import Tracks, attributions
from mravff_core.model.detector import Detector

# With fewer, a contrast is the other's own, turned over.
_CLASSES_TO_CONTRAST = 3


@dataclass(frozen=True)
class Likeness:
    """Rank correlations over the steps that either explanation sees, of one segment; 0 where undefined.

    Attributes:
        audio, vision: by modality.
        size: of absolute values, mean of both modalities.
        beyond: given the explanation of another class's own score, mean of both modalities; None
            where that was not asked.
    """

    audio: float
    vision: float
    size: float
    beyond: float | None = None

    @property
    def mean(self) -> float:
        """Of both modalities."""
        return (self.audio + self.vision) / 2


def random_twin(detector: Detector, *, seed: int = 0) -> Detector:
    """A detector of the same configuration that has learnt nothing."""
    device = next(detector.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Detector(detector.config).to(device).eval()


def likeness(
    detector: Detector,
    cases: Sequence[Case],
    tracks: Sequence[Tracks],
    twins: Mapping[str, Detector] | None = None,
    *,
    kept: Path | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, list[Likeness]]:
    """How far explanations resemble others, which they must not or should.

    Args:
        tracks: attribution of each case.
        twins: further detectors of the same classes by name.
        kept: folder that attributions are kept in; None keeps nothing.
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
    others_, contrasts_, against_ = _answers(detector, cases, [others, contrasts, against], kept, report(0), cancel)
    found = {
        "other_class": _alike(tracks, others_),
        "contrast": _alike(contrasts_, against_),
        "contrast_to_score": _alike(contrasts_, others_ if contrasts_ else ()),
    }
    for number, (name, twin) in enumerate(asked.items(), start=1):
        twins_own, twins_contrasts = _answers(twin, cases, [own, contrasts], kept, report(number), cancel)
        found |= {name: _alike(tracks, twins_own, others_), f"{name}_contrast": _alike(contrasts_, twins_contrasts)}
    return found


def _shared_out(progress: Callable[[float], None] | None, parts: int) -> Callable[[int], Callable[[float], None]]:
    """Progress of one of several equal parts."""
    whole = progress or (lambda _share: None)
    return lambda part: lambda share: whole((part + share) / parts)


def _answers(
    detector: Detector,
    cases: Sequence[Case],
    questions: Sequence[Sequence[Target]],
    kept: Path | None,
    progress: Callable[[float], None],
    cancel: Callable[[], bool] | None,
) -> list[list[Tracks]]:
    """Attributions of every case for each question, in one go; none for a question that is empty."""
    put = [targets for targets in questions if targets]
    every = attributions(
        detector,
        list(cases) * len(put),
        [target for targets in put for target in targets],
        kept=kept,
        model=_weights(detector) if kept else "",
        progress=progress,
        cancel=cancel,
    )
    parts = iter([every[begin : begin + len(cases)] for begin in range(0, len(every), max(1, len(cases)))])
    return [next(parts) if targets else [] for targets in questions]


def _weights(detector: Detector) -> str:
    """Names a detector's weights."""
    digest = hashlib.sha256()
    for name, weight in detector.state_dict().items():
        digest.update(name.encode() + weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _another(target: Target, first: int, classes: int, number: int) -> Target:
    """The same of another class, each in turn."""
    return replace(target, label=first + (target.label - first + 1 + number % (classes - 1)) % classes)


def _alike(some: Sequence[Tracks], others: Sequence[Tracks], given: Sequence[Tracks] | None = None) -> list[Likeness]:
    """One a segment; none where there is nothing to hold them against.

    Args:
        given: explanations to look beyond.
    """
    return (
        [resemblance(some[number], other, given[number] if given else None) for number, other in enumerate(others)]
        if some
        else []
    )


def resemblance(one: Tracks, other: Tracks, given: Tracks | None = None) -> Likeness:
    """How far two explanations of one clip are alike; `given` is a third to look beyond."""
    seen = [(first != 0) | (second != 0) for first, second in zip(one, other, strict=True)]
    ours, theirs, third = (
        [part[where] for part, where in zip(tracks, seen, strict=True)] for tracks in (one, other, given or one)
    )
    audio, vision = (_agreed(*pair) for pair in zip(ours, theirs, strict=True))
    sizes = [_agreed(np.abs(first), np.abs(second)) for first, second in zip(ours, theirs, strict=True)]
    beyond = [_partial(*parts) for parts in zip(ours, theirs, third, strict=True)] if given else None
    return Likeness(audio, vision, float(np.mean(sizes)), None if beyond is None else float(np.mean(beyond)))


def _agreed(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return agreement(one, other) or 0.0


def _partial(one: NDArray[np.float64], other: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Partial rank correlation of two, given a third."""
    straight, first, second = _agreed(one, other), _agreed(one, given), _agreed(other, given)
    left = (1 - first**2) * (1 - second**2)
    return (straight - first * second) / left**0.5 if left > 0 else 0.0
