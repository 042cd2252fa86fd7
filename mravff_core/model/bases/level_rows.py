"""Levels one after another in one row of steps, so that convolutions pass over short ones in one go.

    level 2   level 3  level 4
    0 1 2 3 .  0 1   .  0          a dot is a gap: steps of 0, as beyond the end of each level

On a CPU, a convolution lays out its weights anew at every call; over the few steps of a coarse level
that takes longer than the products do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mravff_core.model.bases.base import Pyramid
from mravff_core.model.layers import StepMask
from mravff_core.model.pieces import together


@dataclass(frozen=True)
class LevelRow:
    """Neighbouring levels in one row.

    Attributes:
        features: [batch, channels, steps of all levels and the gaps between them].
        steps: which of them are real; those of gaps are not.
        gaps: places of the gaps, 0 in `features`; None where there is one level.
        spans: where each level stands.
    """

    features: Tensor
    steps: StepMask
    gaps: Tensor | None
    spans: tuple[slice, ...]

    def levels(self, answer: Tensor) -> list[Tensor]:
        """[batch, outputs, steps of the row] to [batch, outputs, time] per level."""
        return [answer[..., span] for span in self.spans]


def level_rows(pyramid: Pyramid, *, room: int) -> list[LevelRow]:
    """All levels in as few rows as take little memory, with gaps of `room` steps.

    Each has a row of its own where gradients are asked for, which a gap could not be closed behind.
    """
    sizes = [steps.valid.numel() for steps in pyramid.steps]
    alone = torch.is_grad_enabled()
    groups = [slice(level, level + 1) for level in range(len(sizes))] if alone else together(sizes)
    return [_row(pyramid.levels[group], pyramid.steps[group], room) for group in groups]


def _row(levels: Sequence[Tensor], steps: Sequence[StepMask], room: int) -> LevelRow:
    spans: list[slice] = []
    gaps: list[int] = []
    end = 0
    for level in levels:
        gaps.extend(range(end - room, end) if spans else ())
        spans.append(slice(end, end + level.shape[-1]))
        end += level.shape[-1] + room
    if len(levels) == 1:
        return LevelRow(levels[0], steps[0], None, tuple(spans))
    assert all(mask.repeats is None for mask in steps), "steps that stand for several are not neighbours"
    present = None
    if any(mask.present is not None for mask in steps):
        present = _joined([torch.ones_like(m.valid) if m.present is None else m.present for m in steps], room)
    valid = _joined([mask.valid for mask in steps], room)
    masks = StepMask(valid, present, all_valid=all(mask.all_valid for mask in steps))
    places = torch.tensor(gaps, dtype=torch.long, device=valid.device)
    return LevelRow(_joined(levels, room), masks, places, tuple(spans))


def _joined(parts: Sequence[Tensor], room: int) -> Tensor:
    return torch.cat([functional.pad(part, (0, room)) for part in parts[:-1]] + [parts[-1]], dim=-1)
