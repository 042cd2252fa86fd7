"""Short levels pass through the heads in one row, and answer as they do alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mravff_core.model.bases.level_rows import level_rows
from mravff_core.model.outputs import Batch
from tests.model.small import AUDIO_CHANNELS, VISUAL_CHANNELS, assert_alike, small_detector

BASES: dict[str, dict[str, Any]] = {
    "actionformer": {"kind": "actionformer", "neck": "fpn"},
    "wide kernel": {"kind": "actionformer", "head_kernel": 5, "head_layers": 4},
    "kernel of one": {"kind": "actionformer", "head_kernel": 1},
    "tridet": {"kind": "tridet", "sgp_groups": 4},
    "temporalmaxer": {"kind": "temporalmaxer"},
    "temporalmaxer, group norm": {"kind": "temporalmaxer", "neck_norm_groups": 4},
}


@pytest.mark.parametrize("official", [False, True], ids=["own padding", "official padding"])
@pytest.mark.parametrize("base", BASES)
def test_levels_in_a_row_answer_as_alone(base: str, official: bool) -> None:
    detector = small_detector({**BASES[base], "official_padding": official, "max_steps": 96})
    torch.manual_seed(0)
    valid = torch.arange(90) < torch.tensor([90, 51])[:, None, None]
    batch = Batch(torch.randn(2, VISUAL_CHANNELS, 90), torch.randn(2, AUDIO_CHANNELS, 90), valid)
    calls: list[int] = []
    tower = detector.base.get_submodule("class_head.tower.out")
    tower.register_forward_hook(lambda module, given, answer: calls.append(answer.shape[-1]))
    with torch.enable_grad():
        alone = detector(batch)
    assert len(calls) == len(detector.strides)
    calls.clear()
    with torch.no_grad():
        together = detector(batch)
    assert len(calls) == 1
    assert_alike(together, alone)


def test_a_long_level_has_a_row_of_its_own() -> None:
    detector = small_detector({"kind": "temporalmaxer"})
    with torch.no_grad():
        pyramid = detector.base.pyramid(torch.randn(1, VISUAL_CHANNELS, 2304), torch.ones(1, 1, 2304).bool())
        rows = level_rows(pyramid, room=1)
    assert [row.gaps is None for row in rows] == [True, False]
    assert torch.equal(rows[0].features, pyramid.levels[0])
    for level, expected in zip(rows[1].levels(rows[1].features), pyramid.levels[1:], strict=True):
        assert torch.equal(level, expected)
    assert rows[1].gaps is not None
    assert not rows[1].features[..., rows[1].gaps].any()
    assert rows[1].features.shape[-1] == sum(level.shape[-1] for level in pyramid.levels[1:]) + len(rows[1].gaps)
