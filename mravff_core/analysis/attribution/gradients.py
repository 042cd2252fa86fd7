"""Where in time: Integrated Gradients from the baseline to the clip, for both modalities at once.

The path runs straight from the baseline features to the clip's own, sound and sight together,
so the attributions of both add up to the difference of the two scores. What the sum misses
is the completeness gap.

The score seldom changes evenly along the path, and points are spent where it does: scores alone,
a third of a gradient's cost each, tell where to cut the path into pieces that change it about
alike. Where the gap is still too large, the pieces that miss most of their own score difference
are cut in two. Each is integrated by itself, and their sum is again Integrated Gradients of the
whole path.

Reference: Sundararajan, Taly, Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from mravff_core.analysis.attribution.scorer import Inputs, Scorer

STEPS = 32
MOST_STEPS = 1024
LARGEST_GAP = 0.01
# Pieces at first, and points on a piece at least.
_PIECES, _PIECE_STEPS = 4, 8
# Even distances at which scores are looked at before, and how far pieces are of even length
# (1) rather than of even change (0): scores may change little where single steps' features do much.
LOOKS, _EVEN = 16, 0.3
# The piece at the baseline is cut that much nearer to it if most happens there: behind norm layers,
# a detector may change within a millionth of the way from features that are all 0.
_NEAR_BASELINE = 8
# Where a piece begins or ends, as a share of the path, and the score there.
_End = tuple[float, float]
# Calls a function for each of several things, as `map` does.
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class TimeAttribution:
    """Attribution of every feature step, summed over channels.

    Attributes:
        audio, vision: [time] in units of the score; audio is 0 throughout where there is no sound.
        steps: points on the path that were used.
        pieces: into how many the path was cut.
        gap: |sum - score difference| / |score difference|; None where the scores do not differ.
    """

    audio: NDArray[np.float64]
    vision: NDArray[np.float64]
    steps: int
    pieces: int
    gap: float | None


@dataclass(frozen=True)
class _Piece:
    """A piece of the path: its ends, [time] attributions per modality, and what they miss."""

    start: _End
    end: _End
    steps: int
    values: list[NDArray[np.float64]]

    @property
    def total(self) -> float:
        return float(sum(part.sum() for part in self.values))

    @property
    def missed(self) -> float:
        return self.total - (self.end[1] - self.start[1])


def integrated_gradients(
    scorer: Scorer,
    inputs: Inputs,
    baseline: Inputs,
    *,
    score: float,
    baseline_score: float,
    run: Run = map,
    steps: int = STEPS,
    most_steps: int = MOST_STEPS,
    largest_gap: float = LARGEST_GAP,
) -> TimeAttribution:
    """Integrated Gradients per modality and feature step.

    Args:
        inputs, baseline: [1, channels, time] each.
        score, baseline_score: of the two; their difference is what the result should add up to.
        run: does what does not wait for each other; an executor's `map` does it in several threads.
        steps: points on the path at first, by Gauss-Legendre quadrature on each piece.
        most_steps: points at most.
        largest_gap: pieces are cut while the gap is larger.
    """
    difference = score - baseline_score
    ends = [(0.0, baseline_score), (1.0, score)]
    if difference and steps >= _PIECES * _PIECE_STEPS:
        ends = _cuts(scorer, inputs, baseline, ends, _PIECES)
    each = steps // _PIECES if len(ends) > 2 else steps
    pieces = list(run(partial(_piece, scorer, inputs, baseline, each), itertools.pairwise(ends)))
    used = sum(one.steps for one in pieces)
    while difference and abs(sum(one.missed for one in pieces)) > largest_gap * abs(difference):
        worst = max(pieces, key=lambda one: abs(one.missed))
        each = max(_PIECE_STEPS, worst.steps // 2)
        if used + 2 * each > most_steps:
            break
        middle = _middle(scorer, inputs, baseline, worst)
        pieces = [one for one in pieces if one is not worst]
        halves = [(worst.start, middle), (middle, worst.end)]
        pieces += run(partial(_piece, scorer, inputs, baseline, each), halves)
        used += 2 * each
    over_time = [np.sum([one.values[part] for one in pieces], axis=0) for part in range(len(pieces[0].values))]
    audio = over_time[1] if len(over_time) > 1 else np.zeros_like(over_time[0])
    gap = abs(sum(one.missed for one in pieces)) / abs(difference) if difference else None
    return TimeAttribution(audio, over_time[0], used, len(pieces), gap)


def _cuts(scorer: Scorer, inputs: Inputs, baseline: Inputs, ends: list[_End], count: int) -> list[_End]:
    """Shares of the path, with their scores, that cut it into at most `count` pieces of like change.

    Args:
        ends: (0, score of the baseline) and (1, score of the clip).
    """
    places = np.linspace(0.0, 1.0, LOOKS + 1)
    between = scorer.scores([_between(inputs, baseline, float(share)) for share in places[1:-1]]).numpy()
    seen = np.concatenate([ends[:1], np.stack([places[1:-1], between], axis=1), ends[1:]])
    change = np.abs(np.diff(seen[:, 1]))
    done = np.cumsum(np.append(0.0, _EVEN / LOOKS + (1 - _EVEN) * change / change.sum()))
    chosen = np.unique(np.abs(done[:, None] - np.linspace(0.0, 1.0, count + 1)).argmin(axis=0))
    return [(float(share), float(score)) for share, score in seen[chosen]]


def _middle(scorer: Scorer, inputs: Inputs, baseline: Inputs, piece: _Piece) -> _End:
    """Where a piece is cut in two."""
    (start, start_score), (end, end_score) = piece.start, piece.end

    def look(share: float) -> _End:
        return share, float(scorer.scores([_between(inputs, baseline, share)])[0])

    if not start:
        near = look(end / _NEAR_BASELINE)
        if 2 * abs(near[1] - start_score) >= abs(end_score - start_score):
            return near
    return look((start + end) / 2)


def _piece(scorer: Scorer, inputs: Inputs, baseline: Inputs, steps: int, ends: tuple[_End, _End]) -> _Piece:
    start, end = (_between(inputs, baseline, share) for share, _ in ends)
    values = full_gradients(scorer, end, start, steps=steps)
    return _Piece(*ends, steps, [part[0].double().sum(dim=0).cpu().numpy() for part in values])


def _between(inputs: Inputs, baseline: Inputs, share: float) -> Inputs:
    """The point of the path `share` of the way from the baseline to the clip; its ends exactly."""
    if share in (0.0, 1.0):
        return inputs if share else baseline
    visual = baseline[0] + share * (inputs[0] - baseline[0])
    if inputs[1] is None or baseline[1] is None:
        return visual, None
    return visual, baseline[1] + share * (inputs[1] - baseline[1])


def full_gradients(scorer: Scorer, inputs: Inputs, baseline: Inputs, *, steps: int = STEPS) -> tuple[Tensor, ...]:
    """Integrated Gradients of every channel and step: vision, then audio where there is sound."""
    given = tuple(part for part in inputs if part is not None)
    against = tuple(part for part in baseline if part is not None)
    found = IntegratedGradients(scorer).attribute(
        given, baselines=against, n_steps=steps, internal_batch_size=min(scorer.chunk, steps)
    )
    return tuple(part.detach() for part in found)
