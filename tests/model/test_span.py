"""What a detector answers at a point, it answers shown only the steps that it says decide it; others change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mravff_core import Batch
from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.model.detector import Detector, DetectorConfig

CHANNELS, TIME = 6, 150
BASES: dict[str, dict[str, Any]] = {
    "actionformer": {"kind": "actionformer", "window": (5,)},
    "actionformer, even window, one for each level": {"kind": "actionformer", "window": (4, 9, 3, 5)},
    "actionformer, relative": {"kind": "actionformer", "window": (3,), "relative_position": True},
    "actionformer, pyramid neck": {"kind": "actionformer", "window": (3,), "neck": "fpn"},
    "actionformer, published padding": {"kind": "actionformer", "window": (5,), "official_padding": True},
    "actionformer, without the finest level": {"kind": "actionformer", "window": (3,), "neck_first_level": 1},
    "convolutions": {"kind": "actionformer", "encoder": "conv"},
    "convolutions, pyramid neck": {"kind": "actionformer", "encoder": "conv", "neck": "fpn", "neck_first_level": 1},
    "temporalmaxer": {"kind": "temporalmaxer"},
    "temporalmaxer, wide kernels": {"kind": "temporalmaxer", "embed_kernel": 5, "head_kernel": 5, "head_layers": 2},
    "temporalmaxer, wide maxima, one norm": {"kind": "temporalmaxer", "pool_width": 7, "neck_norm_shared": True},
    "temporalmaxer, group norm": {"kind": "temporalmaxer", "neck_norm_groups": 2},
    "tridet's head on maxima": {"kind": "tridet", "encoder": "maxpool", "bins": 4},
    "tridet": {"kind": "tridet"},
    "actionformer, full attention above": {"kind": "actionformer", "window": (3, 3, -1, -1)},
    "actionformer, absolute positions": {"kind": "actionformer", "window": (3,), "absolute_position": True},
}
WHOLE = (
    "tridet",
    "actionformer, absolute positions",
    "actionformer, published padding",
    "temporalmaxer, group norm",
)
FUSIONS: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "mrav": {"kind": "mrav", "window": 5},
    "mrav, gate by sound": {"kind": "mrav", "window": 1, "gate_source": "both", "audio_kernel": 5},
    "mrav, shared": {"kind": "mrav", "window": 9, "shared_levels": True, "mix": "residual"},
    "mrav, narrow": {"kind": "mrav", "window": 5, "attention_channels": 4},
    "concat": {"kind": "concat"},
    "classes alone": {"kind": "mrav", "window": 9, "fuse_for": "classes"},
    "boundaries alone": {"kind": "mrav", "window": 9, "fuse_for": "boundaries"},
}


def detector_of(base: dict[str, Any], fusion: dict[str, Any]) -> Detector:
    """Random weights that let every step speak: none of the small scales that training starts from."""
    common = {
        "levels": 4,
        "embed_channels": 8,
        "neck_channels": 8,
        "head_channels": 8,
        "max_steps": 256,
        "sgp_groups": 2,
    }
    config = DetectorConfig(
        "verb",
        ("one", "two", "three"),
        base=BaseConfig(**{"input_channels": CHANNELS, **common, **base}),
        fusion=FusionConfig(**{"audio_channels": CHANNELS, **fusion}),
    )
    torch.manual_seed(1)
    detector = Detector(config).eval().double()
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if name.endswith(".scale"):
                weight.fill_(1.0)
            if "boundary_head" in name and name.endswith("out.bias"):
                weight.fill_(3.0)
    return detector


def features(time: int = TIME) -> Batch:
    generator = torch.Generator().manual_seed(2)
    visual, audio = (torch.randn(1, CHANNELS, time, generator=generator, dtype=torch.float64) for _ in range(2))
    return Batch(visual, audio)


def rounding(base: str) -> float:
    """TriDet's expected boundaries are computed in single precision whatever comes in."""
    return 1e-5 if "tridet" in base else 1e-9


def steps_of(level: int, stride: int, time: int) -> list[int]:
    """Points at both borders and between them."""
    last = -(-time // stride) - 1
    return sorted({0, 1, last // 3, last // 2, last - 1, last})


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("base", BASES)
def test_a_point_says_the_same_shown_its_span_alone(base: str, fusion: str) -> None:
    detector, batch = detector_of(BASES[base], FUSIONS[fusion]), features()
    assert batch.audio is not None
    with torch.no_grad():
        output = detector(batch)
    for level, stride in enumerate(detector.strides):
        for step in steps_of(level, stride, TIME):
            span = detector.span(level, step, TIME)
            assert 0 <= span.start < span.stop <= TIME and span.start % stride == 0
            part = Batch(batch.visual[..., span.start : span.stop], batch.audio[..., span.start : span.stop])
            here = step - span.start // stride
            with torch.no_grad():
                logits = detector.class_logits_at(part, level)[:, here]
                offsets = detector.boundary_offsets_at(part, level)[:, here]
                all_levels = detector(part)
            for found in (logits, all_levels.class_logits[level][:, here]):
                torch.testing.assert_close(found, output.class_logits[level][:, step], atol=rounding(base), rtol=0)
            for found in (offsets, all_levels.boundary_offsets[level][:, here]):
                torch.testing.assert_close(found, output.boundary_offsets[level][:, step], atol=rounding(base), rtol=0)


@pytest.mark.parametrize("fusion", ["mrav", "mrav, gate by sound"])
@pytest.mark.parametrize("base", BASES)
def test_nothing_beyond_a_span_moves_its_point(base: str, fusion: str) -> None:
    detector, batch = detector_of(BASES[base], FUSIONS[fusion]), features()
    assert batch.audio is not None
    visual, audio = batch.visual.requires_grad_(), batch.audio.requires_grad_()
    output = detector(Batch(visual, audio))
    for level, stride in enumerate(detector.strides):
        step = TIME // stride // 2
        span = detector.span(level, step, TIME)
        said = output.class_logits[level][0, step].sum() + output.boundary_offsets[level][0, step].sum()
        for slope in torch.autograd.grad(said, (visual, audio), retain_graph=True, allow_unused=True):
            if slope is not None:
                assert not slope[..., : span.start].any() and not slope[..., span.stop :].any()


@pytest.mark.parametrize("base", BASES)
def test_spans_are_no_longer_than_they_must(base: str) -> None:
    detector, time = detector_of(BASES[base], FUSIONS["mrav"]), 2000
    spans = [detector.span(level, time // stride // 2, time) for level, stride in enumerate(detector.strides)]
    if base in WHOLE:
        assert all(span == range(time) for span in spans)
        return
    for level, span in enumerate(spans):
        if "full" in base and level > 1:
            assert span == range(time)
            continue
        batch = features(time)
        visual = batch.visual.requires_grad_()
        logits = detector.class_logits_at(Batch(visual, batch.audio), level)
        said = logits[0, time // detector.strides[level] // 2].sum()
        moved = torch.nonzero(torch.autograd.grad(said, visual)[0].abs().sum(dim=(0, 1)))[:, 0]
        # A maximum passes on one step of several, a boundary's head may see farther, and ends are rounded.
        spare = 16 * detector.strides[detector.base.source(level)]
        assert len(span) <= int(moved[-1] - moved[0]) + 1 + spare < time


@pytest.mark.parametrize("window", [-1, 9])
def test_full_attention_to_sound_needs_the_whole_clip(window: int) -> None:
    detector = detector_of(BASES["temporalmaxer"], {"kind": "mrav", "window": window})
    assert (detector.span(0, 75, TIME) == range(TIME)) == (window == -1)


@pytest.mark.parametrize("base", BASES)
def test_one_levels_answers_are_those_of_all(base: str) -> None:
    detector, batch = detector_of(BASES[base], FUSIONS["mrav"]), features()
    with torch.no_grad():
        output = detector(batch)
        for level in range(len(detector.strides)):
            logits, offsets = detector.class_logits_at(batch, level), detector.boundary_offsets_at(batch, level)
            torch.testing.assert_close(logits, output.class_logits[level], atol=rounding(base), rtol=0)
            torch.testing.assert_close(offsets, output.boundary_offsets[level], atol=rounding(base), rtol=0)


@pytest.mark.parametrize("fuse_for", ["both", "classes", "boundaries"])
@pytest.mark.parametrize("base", ["actionformer", "tridet"])
def test_both_answers_of_a_level_are_those_asked_for_one_by_one(base: str, fuse_for: str) -> None:
    detector, batch = detector_of(BASES[base], {"kind": "mrav", "fuse_for": fuse_for}), features()
    with torch.no_grad():
        output = detector(batch)
        for level in range(len(detector.strides)):
            logits, offsets = detector.answers_at(batch, level)
            assert torch.equal(logits, detector.class_logits_at(batch, level))
            assert torch.equal(offsets, detector.boundary_offsets_at(batch, level))
            torch.testing.assert_close(logits, output.class_logits[level], atol=rounding(base), rtol=0)
            torch.testing.assert_close(offsets, output.boundary_offsets[level], atol=rounding(base), rtol=0)
