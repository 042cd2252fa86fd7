"""Attribution over time of many segments: those of one clip share the path, so each of its points is run once.

Integrated Gradients as `attribute` computes them, but with a fixed number of points and for many
numbers of a clip in one go; kept by content, clip by clip, so that a stopped check goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mravff_core.analysis.attribution.scorer import Inputs, Scorer
from mravff_core.analysis.attribution.target import Target
from mravff_core.analysis.checks.cases import Case
from mravff_core.files import written_aside

POINTS = 16
# Audio and vision attribution, [time] each.
Tracks = tuple[NDArray[np.float64], NDArray[np.float64]]
# Raise it when equal questions get other answers.
_VERSION = 1


def attributions(
    detector: nn.Module,
    cases: Sequence[Case],
    targets: Sequence[Target] | None = None,
    *,
    points: int = POINTS,
    kept: Path | None = None,
    model: str = "",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Tracks]:
    """Integrated Gradients of sound and sight, one a case.

    Args:
        cases: segments, in any order.
        targets: what is explained of each; None for the cases' own.
        points: on the path, by Gauss-Legendre quadrature.
        kept: folder that answers are read from and written to; None keeps nothing.
        model: names the detector's weights there.
        progress: told the share done.
        cancel: asked all the time.
    Raises: CancelledError.
    """
    asked = [case.target for case in cases] if targets is None else list(targets)
    clips: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        clips.setdefault(case.clip_id, []).append(number)
    found: dict[int, Tracks] = {}
    for numbers in clips.values():
        first, own = cases[numbers[0]], [asked[number] for number in numbers]
        path = None if kept is None else kept / f"{first.clip_id}.{_key(model, first, own, points)}.npz"
        tracks = _read(path)
        if tracks is None:
            scorer = Scorer(detector, own[0], cancel=cancel)
            tracks = tracks_of_clip(scorer, first.inputs, first.baseline, own, points=points)
            if path is not None:
                _write(path, tracks)
        found.update(zip(numbers, tracks, strict=True))
        if progress is not None:
            progress(len(found) / len(cases))
    return [found[number] for number in range(len(cases))]


def tracks_of_clip(
    scorer: Scorer, inputs: Inputs, baseline: Inputs, targets: Sequence[Target], *, points: int = POINTS
) -> list[Tracks]:
    """Integrated Gradients of several numbers of one clip with sound.

    Args:
        scorer: of the detector; its memory limit holds.
        inputs, baseline: [1, channels, time] each.
    """
    (visual, audio), (still, silent) = inputs, baseline
    assert audio is not None and silent is not None
    scorer.measure(inputs)
    places, weights = np.polynomial.legendre.leggauss(points)
    shares = torch.tensor((places + 1) / 2, dtype=visual.dtype, device=visual.device)
    weight = torch.tensor(weights / 2, dtype=visual.dtype, device=visual.device)
    sums = [(torch.zeros_like(audio[0]), torch.zeros_like(visual[0])) for _ in targets]
    for begin in range(0, points, scorer.chunk):
        share = shares[begin : begin + scorer.chunk, None, None]
        seen = (still + share * (visual - still)).requires_grad_()
        heard = (silent + share * (audio - silent)).requires_grad_()
        output = scorer.output(seen, heard)
        for number, target in enumerate(targets):
            scores = target.of(output, scorer.strides[target.level]) * weight[begin : begin + scorer.chunk]
            slopes = torch.autograd.grad(scores.sum(), (heard, seen), retain_graph=True, allow_unused=True)
            for total, slope in zip(sums[number], slopes, strict=True):
                if slope is not None:
                    total += slope.sum(dim=0)
    return [(_over_time(heard * (audio - silent)[0]), _over_time(seen * (visual - still)[0])) for heard, seen in sums]


def _over_time(values: Tensor) -> NDArray[np.float64]:
    return values.double().sum(dim=0).cpu().numpy()


def _key(model: str, case: Case, targets: Sequence[Target], points: int) -> str:
    digest = hashlib.sha256(json.dumps([_VERSION, model, points, [repr(target) for target in targets]]).encode())
    for part in (*case.inputs, *case.baseline):
        assert part is not None
        digest.update(part.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path | None) -> list[Tracks] | None:
    """What is kept; None where there is nothing, or nothing readable."""
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            return list(zip(kept["audio"], kept["vision"], strict=True))
    except (OSError, ValueError, KeyError):
        return None


def _write(path: Path, tracks: list[Tracks]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, audio=[audio for audio, _ in tracks], vision=[vision for _, vision in tracks])
