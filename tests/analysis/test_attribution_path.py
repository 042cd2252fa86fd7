"""Points on the path of Integrated Gradients: as many as completeness asks for, where the score changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mravff_core import Batch
from mravff_core.analysis.attribution import Options, Target, attribute
from mravff_core.analysis.planted import CHANNELS, planted_detector
from mravff_core.model.outputs import DetectorOutput
from tests.analysis.clip_features import GRID, TIME, inputs, zeros


def test_more_steps_are_taken_until_the_gap_is_small_and_said_where_it_stays() -> None:
    given = inputs(CHANNELS)
    detector, target = planted_detector("vision", 0), Target(0, 20, 0)
    rough = attribute(detector, given, zeros(given), target, grid=GRID, options=Options(steps=8, most_steps=8))
    enough = attribute(detector, given, zeros(given), target, grid=GRID, options=Options(steps=8))
    assert not rough.complete and rough.gradients.pieces == 1
    assert enough.complete and enough.gradients.pieces > 1


class Steep(torch.nn.Module):
    """Its probability rises within a short part of the way from features of 0 to features of 1."""

    strides = (1,)

    def __init__(self, at: float, width: float) -> None:
        super().__init__()
        self.at, self.width = at, width

    def forward(self, batch: Batch) -> DetectorOutput:
        logits = ((batch.visual.mean(dim=1) - self.at) / self.width)[:, :, None]
        offsets = logits.new_ones(*logits.shape[:2], 1, 2)
        return DetectorOutput((logits,), (offsets,), (torch.ones_like(logits[..., 0], dtype=torch.bool)[:, None],))


@pytest.mark.parametrize("at", [0.03, 0.3, 0.62, 0.97])
@pytest.mark.parametrize("width", [0.1, 0.02, 0.004])
def test_points_are_spent_where_the_score_changes(at: float, width: float) -> None:
    given = torch.ones(1, CHANNELS, TIME), None
    still = torch.zeros(1, CHANNELS, TIME), None
    found = attribute(Steep(at, width), given, still, Target(0, 7, 0, "probability"), grid=GRID)
    assert found.complete and found.gradients.steps <= (32 if width > 0.01 else 64)
    own = np.zeros(TIME)
    own[7] = found.score - found.baseline_score
    np.testing.assert_allclose(found.gradients.vision, own, atol=0.01 * own[7])
