"""A long sequence gives the same piece by piece as whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mravff_core.model import pieces
from mravff_core.model.outputs import Batch
from tests.model.small import AUDIO_CHANNELS, VISUAL_CHANNELS, assert_alike, small_detector

BASES: dict[str, dict[str, Any]] = {
    "actionformer": {"kind": "actionformer", "window": (5,), "relative_position": True, "neck": "fpn"},
    "global attention": {"kind": "actionformer", "window": (5, -1, 5, -1), "absolute_position": True},
    "tridet": {"kind": "tridet", "sgp_groups": 4},
    "temporalmaxer": {"kind": "temporalmaxer"},
    "temporalmaxer, group norm": {"kind": "temporalmaxer", "neck_norm_groups": 4},
}


@pytest.mark.parametrize("official", [False, True], ids=["own padding", "official padding"])
@pytest.mark.parametrize("base", BASES)
def test_pieces_equal_the_whole(base: str, official: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = small_detector({**BASES[base], "official_padding": official, "max_steps": 96})
    torch.manual_seed(0)
    valid = torch.arange(90) < torch.tensor([90, 51])[:, None, None]
    batch = Batch(torch.randn(2, VISUAL_CHANNELS, 90), torch.randn(2, AUDIO_CHANNELS, 90), valid)
    cut: list[int] = []
    between = pieces.StepMask.between
    monkeypatch.setattr(
        pieces.StepMask, "between", lambda steps, first, last: cut.append(first) or between(steps, first, last)
    )
    with torch.no_grad():
        whole = detector(batch)
        assert not cut
        monkeypatch.setattr(pieces, "PIECE", 10)
        apart = detector(batch)
    assert len(set(cut)) > 5
    assert_alike(apart, whole)


def test_training_passes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 10)
    monkeypatch.setattr(pieces.StepMask, "between", None)
    detector = small_detector(BASES["tridet"])
    detector(Batch(torch.randn(1, VISUAL_CHANNELS, 64)))
    with torch.no_grad():
        detector.train()(Batch(torch.randn(1, VISUAL_CHANNELS, 64)))
