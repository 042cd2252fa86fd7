"""Looking only at what decides a number, and once at what is alike, changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mravff_core import Batch
from mravff_core.analysis.attribution import Attribution, Options, Target, attribute
from mravff_core.analysis.attribution.occlusion import windows
from mravff_core.model.detector import Detector
from tests.analysis.clip_features import GRID, inputs
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector


@pytest.mark.parametrize(
    ("steps", "start", "end"), [(1, 0, 0), (7, 2, 3), (340, 100, 120), (340, -3, 400), (50, 49, 55)]
)
def test_windows_cover_every_step_once(steps: int, start: float, end: float) -> None:
    edges = windows(steps, start, end)
    assert edges[0] == 0 and edges[-1] == steps
    assert (np.diff(edges) > 0).all() and len(edges) <= 36


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("fusion", ["mrav", "concat"])
def test_what_is_alike_is_looked_at_once_and_changes_nothing(
    level: int, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, (visual, audio), other = small_detector(fusion=fusion), inputs(WIDE), inputs(WIDE, seed=5)
    batch = Batch(torch.cat([visual, other[0], visual]), torch.cat([audio, audio, other[1]]))
    looked = []
    usual = detector.base.pyramid
    monkeypatch.setattr(
        detector.base,
        "pyramid",
        lambda shown, valid, **more: looked.append(len(shown)) or usual(shown, valid, **more),
        raising=False,
    )
    with torch.no_grad():
        whole = detector(batch).class_logits[level]
        found = detector.class_logits_at(batch, level, alike=torch.tensor([0, 1, 0]))
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)
    assert looked == [3, 2]


@pytest.mark.parametrize("level", range(3))
def test_one_levels_logits_are_those_of_all(level: int) -> None:
    batch = Batch(*inputs(WIDE))
    with torch.no_grad():
        alone = small_detector().class_logits_at(batch, level)
        assert torch.equal(alone, small_detector()(batch).class_logits[level])


@pytest.mark.parametrize(
    ("level", "step", "quantity", "fusion"),
    [
        (0, 100, "probability", "mrav"),
        (0, 1, "contrast", "mrav"),
        (1, 99, "logit", "mrav"),
        (2, 30, "start", "mrav"),
        (2, 49, "end", "mrav"),
        (2, 31, "probability", "none"),
    ],
)
def test_what_cannot_reach_the_number_is_left_out_and_changes_nothing(
    level: int, step: int, quantity: Any, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(4)
    one, other = ([torch.randn(1, WIDE, 200, generator=generator) for _ in range(2)] for _ in range(2))
    detector, target = small_detector(fusion=fusion), Target(level, step, 1, quantity, GRID)
    torch.nn.init.constant_(detector.base.boundary_head.tower.out.bias, 3.0)  # type: ignore[union-attr,arg-type]
    shown: list[int] = []
    usual = Detector._check
    monkeypatch.setattr(
        Detector, "_check", lambda self, batch: shown.append(batch.visual.shape[-1]) or usual(self, batch)
    )

    def explain() -> Attribution:
        shown.clear()
        options = Options(steps=16, most_steps=16)
        return attribute(detector, tuple(one), tuple(other), target, grid=GRID, segment=(80, 130), options=options)

    part = explain()
    span = detector.span(level, step, 200)
    assert len(span) < 130 and set(shown) == ({len(span), 200} if fusion == "mrav" else {len(span)})
    monkeypatch.setattr(Detector, "span", lambda _self, _level, _step, time: range(time))
    whole = explain()
    assert set(shown) == {200}
    assert part.score == pytest.approx(whole.score, abs=1e-5) and part.share == approximately(whole.share)
    for name in ("gradients", "occlusion"):
        for modality in ("audio", "vision"):
            found, wanted = (getattr(getattr(of, name), modality) for of in (part, whole))
            assert found.shape == wanted.shape and wanted.any() == (fusion == "mrav" or modality == "vision")
            np.testing.assert_allclose(found, wanted, atol=1e-5)
            if name == "gradients":
                assert not found[: span.start].any() and not found[span.stop :].any()
    np.testing.assert_array_equal(part.occlusion.edges, whole.occlusion.edges)
    assert [approximately(level) for level in whole.levels] == list(part.levels)


def approximately(value: Any) -> Any:
    """A data class of numbers, but for rounding."""
    plain = {name: each if each is None else pytest.approx(each, abs=1e-5) for name, each in vars(value).items()}
    return type(value)(**plain)
