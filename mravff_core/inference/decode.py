"""Point predictions to candidate segments, before suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mravff_core.model.outputs import DetectorOutput


@dataclass(frozen=True)
class Candidates:
    """Candidate segments of one clip, level by level, best first within a level.

    Attributes:
        segments_grid: [n, 2] float32, start and end in finest feature steps.
        scores: [n] float32 in [0, 1].
        labels: [n] int64 class indices.
    """

    segments_grid: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]


def decode(
    output: DetectorOutput,
    strides: Sequence[int],
    *,
    min_score: float,
    top_k: int,
    together: bool = False,
    min_duration_grid: float = 0.0,
    clip: int = 0,
) -> Candidates:
    """Turn the point predictions for one clip into candidate segments.

    Args:
        output: of the detector.
        strides: finest steps from one step of a level to the next, as `Detector.strides`.
        min_score: probability; only points above it become candidates.
        top_k: most candidates of one level; equal scores at the cut go to the earlier step.
        together: most of all levels, too; equal scores at the cut go to the finer level.
        min_duration_grid: only longer candidates are kept, in finest steps.
        clip: which clip of the batch.
    Raises: ValueError if `top_k` is below 1 or the strides are not those of the output.
    Reference: Zhang et al., ActionFormer, ECCV 2022.
    """
    if top_k < 1 or len(strides) != len(output.class_logits):
        raise ValueError(f"top_k is {top_k} with {len(strides)} strides for {len(output.class_logits)} levels")
    # Real steps come first, so that none need be picked out of others.
    lengths = torch.stack([mask[clip, 0].sum() for mask in output.level_masks]).tolist()
    levels = [
        _decode_level(logits[clip, :length], offsets[clip, :length], stride, min_score, top_k)
        for logits, offsets, length, stride in zip(
            output.class_logits, output.boundary_offsets, lengths, strides, strict=True
        )
    ]
    return gathered(levels, min_duration_grid, top_k if together else None)


def gathered(
    levels: Sequence[tuple[Tensor, Tensor, Tensor]], min_duration_grid: float, most: int | None = None
) -> Candidates:
    """Segments, scores and labels of all levels as candidates.

    Args:
        min_duration_grid: only those longer than this.
        most: only so many of the best.
    """
    segments, scores, labels = (torch.cat(parts) for parts in zip(*levels, strict=True))
    if most is not None and len(scores) > most:
        best = scores.sort(descending=True, stable=True).indices[:most].sort().values
        segments, scores, labels = segments[best], scores[best], labels[best]
    long_enough = segments[:, 1] - segments[:, 0] > min_duration_grid
    return Candidates(*(kept[long_enough].cpu().numpy() for kept in (segments, scores, labels)))


def segments_around(step: Tensor, offsets: Tensor, stride: int) -> Tensor:
    """Segments [n, 2] in finest steps, from steps [n] of a level and distances [n, 2] in its strides."""
    distances = offsets.float() * stride
    centre = (step * stride).to(distances.dtype)
    return torch.stack([centre - distances[:, 0], centre + distances[:, 1]], dim=1)


def _decode_level(
    logits: Tensor, offsets: Tensor, stride: int, min_score: float, top_k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Segments [n, 2], scores [n], labels [n] of the valid steps of one level."""
    classes = logits.shape[-1]
    scores = logits.float().sigmoid().flatten()
    chosen = best_scores(scores, min_score, top_k)
    step, label = chosen // classes, chosen % classes
    distances = offsets[step, label if offsets.shape[1] > 1 else 0]
    return segments_around(step, distances, stride), scores[chosen], label


def best_scores(scores: Tensor, min_score: float, top_k: int) -> Tensor:
    """Indices of the `top_k` best scores above `min_score`, best first, ties to the lower index."""
    above = torch.nonzero(scores > min_score)[:, 0]
    values = scores[above]
    if len(values) > top_k:
        # A sort of all is slow where a fresh detector scores every class at every step alike.
        cut = values.topk(top_k).values[-1]
        better = torch.nonzero(values > cut)[:, 0]
        equal = torch.nonzero(values == cut)[: top_k - len(better), 0]
        picked = torch.cat([better, equal]).sort().values
        above, values = above[picked], values[picked]
    return above[values.sort(descending=True, stable=True).indices]
