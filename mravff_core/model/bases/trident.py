"""Trident head: a boundary as the expected distance over a step's nearest neighbours.

Two heads score every step as a start and as an end of each class; a third scores, at each
step, how far away its own boundaries are, in bins of one step. Both scores of a neighbour add
up, and their softmax over the bins gives the distance to expect.

Reference: Shi et al., TriDet: Temporal action detection with relative boundary modeling,
CVPR 2023, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mravff_core.config import BaseConfig
from mravff_core.model.bases.base import Pyramid
from mravff_core.model.bases.heads import ClassHead, DistanceHead

_CHUNK = 64
# A denominator below this has lost digits, or all of them.
_UNDERFLOW = 1e-25


class TridentHead(DistanceHead):
    """Distances to start and end per class, at most `bins` steps of the own level.

    The heads for starts and ends learn from the features but do not shape them.
    """

    def __init__(self, config: BaseConfig, classes: int, levels: int) -> None:
        super().__init__(config, 2 * (config.bins + 1), levels)
        self.bins = config.bins
        silent = config.silent_padding
        self.start = ClassHead(config, classes, config.boundary_kernel, speaks_of_padding=silent)
        self.end = ClassHead(config, classes, config.boundary_kernel, speaks_of_padding=silent)

    @property
    def reach(self) -> int:
        """Of the neighbours that are asked, too."""
        return max(self.tower.reach, self.bins + self.start.tower.reach)

    def forward(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """Offsets [batch, time, classes, 2] per level, >= 0, in strides of the own level."""
        apart = Pyramid(tuple(level.detach() for level in pyramid.levels), pyramid.steps, pyramid.first)
        offsets = []
        for bins, starts, ends in zip(super().forward(pyramid), self.start(apart), self.end(apart), strict=True):
            # Starts lie behind: seen from the other end of time they lie ahead, like ends.
            left_bins, right_bins = bins.chunk(2, dim=-1)
            left = expected_distance(starts.flip(1), left_bins.flip(1, 2)).flip(1)
            offsets.append(torch.stack([left, expected_distance(ends, right_bins)], dim=-1))
        return tuple(offsets)


def expected_distance(neighbours: Tensor, bins: Tensor) -> Tensor:
    """Expected distance from each step to a boundary ahead of it, in steps.

    Args:
        neighbours: [batch, time, classes], each step's score as a boundary; 0 beyond the last.
        bins: [batch, time, bins], the step's own score for a boundary 0, 1, ... steps ahead.
    Returns: [batch, time, classes], sum over d of d * softmax_d(neighbours[t + d] + bins[t, d]).

    The exponentials of both scores are multiplied as a banded matrix, chunk by chunk, so that
    no tensor of time × classes × bins comes to be; where they are too far apart for single
    precision the softmax is taken plainly.
    """
    with torch.autocast(bins.device.type, enabled=False):
        time, count = bins.shape[1:]
        more = -time % _CHUNK
        own = functional.pad(bins.float(), (0, 0, 0, more)).unflatten(1, (-1, _CHUNK))
        near = functional.pad(neighbours.float(), (0, 0, 0, more + count - 1)).unfold(1, _CHUNK + count - 1, _CHUNK)
        weight = (own - own.detach().amax(dim=-1, keepdim=True)).exp()
        shares = (near - near.detach().amax(dim=-1, keepdim=True)).exp()
        distance = torch.arange(count, device=bins.device, dtype=weight.dtype)
        band = torch.cat([_band(weight), _band(weight * distance)], dim=2)
        total, moment = (band @ shares.transpose(2, 3)).chunk(2, dim=2)
        lost = total.detach() < _UNDERFLOW
        expected = moment / total.masked_fill(lost, 1.0)
        if bool(lost.any()):
            clip, chunk, row, label = torch.nonzero(lost, as_tuple=True)
            columns = row[:, None] + torch.arange(count, device=row.device)
            scores = near[clip[:, None], chunk[:, None], label[:, None], columns] + own[clip, chunk, row]
            expected = expected.index_put((clip, chunk, row, label), scores.softmax(dim=-1) @ distance)
        return expected.flatten(1, 2)[:, :time]


def _band(weight: Tensor) -> Tensor:
    """[..., rows, bins] to [..., rows, rows + bins - 1] with row `r` moved `r` columns to the right, 0 elsewhere."""
    rows, count = weight.shape[-2:]
    flat = functional.pad(weight, (0, rows)).flatten(-2)
    return flat[..., : rows * (rows + count - 1)].unflatten(-1, (rows, rows + count - 1))
