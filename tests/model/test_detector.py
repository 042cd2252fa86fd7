"""What always holds for a detector, over random shapes and every kind of fusion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from mravff_core.config import BaseConfig
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.model.chance import ClipDraws, StepDropout, set_clip_draws
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.level_fusion import Gate, LevelFusion
from mravff_core.model.outputs import Batch, DetectorOutput
from tests.model.small import AUDIO_CHANNELS, BASE, VISUAL_CHANNELS, WIDTHS, small_detector

KINDS = ("none", "sum", "concat", "cross_attention", "mrav")
BASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "fpn": {"neck": "fpn", "neck_channels": 20},
    "full_attention": {"window": (-1,)},
    "both_positions": {"absolute_position": True, "relative_position": True, "window": (9, 5, 5, -1)},
    "wide_kernels": {"embed_kernel": 5, "head_kernel": 5},
    "convolutional": {"encoder": "conv"},
    "from_level_one": {"neck_first_level": 1},
    "by_four": {"scale_factor": 4, "levels": 3},
    "temporalmaxer": {"kind": "temporalmaxer"},
    "temporalmaxer_fpn": {"kind": "temporalmaxer", "neck": "fpn", "neck_channels": 20, "scale_factor": 4, "levels": 3},
    "temporalmaxer_one_norm": {"kind": "temporalmaxer", "neck_norm_shared": True, "pool_width": 5},
    "temporalmaxer_group_norm": {"kind": "temporalmaxer", "neck_norm_groups": 4},
    "group_norm_from_level_one": {"neck_norm_groups": 2, "neck_first_level": 1},
    "tridet": {"kind": "tridet", "sgp_window": (1, 3, 5, 1), "sgp_ratio": 1.5, "bins": 5},
    "tridet_averaging": {"kind": "tridet", "pooling": "average", "scale_factor": 3, "levels": 3, "boundary_kernel": 5},
    "tridet_without_trident": {"kind": "tridet", "trident": False, "absolute_position": True, "neck_first_level": 1},
    "tridet_of_convolutions": {"kind": "tridet", "encoder": "conv", "neck": "fpn", "bins": 3},
}


def features(length: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(VISUAL_CHANNELS, length, generator=generator),
        torch.randn(AUDIO_CHANNELS, length, generator=generator),
    )


def outputs(output: DetectorOutput, clip: int) -> list[Tensor]:
    """Everything a clip got at its real steps."""
    found = []
    for level, mask in enumerate(output.level_masks):
        real = mask[clip, 0]
        found += [output.class_logits[level][clip][real], output.boundary_offsets[level][clip][real]]
        found += [gate[clip][:, real] for gate in output.trace.gates[level : level + 1]]
    return found


def assert_same(found: DetectorOutput, expected: DetectorOutput) -> None:
    """Bit for bit."""
    for first, second in (
        (found.class_logits, expected.class_logits),
        (found.boundary_offsets, expected.boundary_offsets),
        (found.level_masks, expected.level_masks),
        (found.trace.gates, expected.trace.gates),
    ):
        assert len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    base=st.sampled_from(sorted(BASES)),
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=3),
    padding=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize("window", [3, -1])
def test_padding_and_batching_never_change_a_real_step(
    window: int, kind: str, base: str, lengths: list[int], padding: int, seed: int
) -> None:
    detector = small_detector(BASES[base], seed, kind=kind, window=window)
    clips = [features(length, seed + number) for number, length in enumerate(lengths)]
    total = max(lengths) + padding
    # What stands in the padding must not matter, so it is not 0.
    visual = torch.stack([functional.pad(clip[0], (0, total - clip[0].shape[1]), value=7.0) for clip in clips])
    audio = torch.stack([functional.pad(clip[1], (0, total - clip[1].shape[1]), value=-7.0) for clip in clips])
    valid = torch.arange(total)[None, None] < torch.tensor(lengths)[:, None, None]
    with torch.no_grad():
        together = detector(Batch(visual, audio, valid))
        for number, (clip_visual, clip_audio) in enumerate(clips):
            alone = detector(Batch(clip_visual[None], clip_audio[None]))
            for found, expected in zip(outputs(together, number), outputs(alone, 0), strict=True):
                torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-4)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS[1:]),
    base=st.sampled_from(sorted(BASES)),
    length=st.integers(1, 80),
    official=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_without_sound_the_output_is_the_base_s_bit_for_bit(
    kind: str, base: str, length: int, official: bool, seed: int
) -> None:
    own = {**BASES[base], "official_padding": official}
    fused, alone = small_detector(own, seed, kind=kind), small_detector(own, seed)
    alone.base.load_state_dict(fused.base.state_dict())
    visual, audio = (clip[None].repeat(2, 1, 1) for clip in features(length, seed))
    with torch.no_grad():
        expected = alone(Batch(visual))
        for batch in (Batch(visual), Batch(visual, audio, audio_present=torch.tensor([False, False]))):
            output = fused(batch)
            assert all(float(gate.abs().max()) == 0 for gate in output.trace.gates)
            assert_same(DetectorOutput(output.class_logits, output.boundary_offsets, output.level_masks), expected)
        one_deaf = fused(Batch(visual, audio, audio_present=torch.tensor([True, False])))
        for level, logits in enumerate(one_deaf.class_logits):
            assert torch.equal(logits[1], expected.class_logits[level][1])


@pytest.mark.parametrize("fuse_for", ["both", "classes", "boundaries"])
@pytest.mark.parametrize("mix", ["convex", "residual"])
@pytest.mark.parametrize("gate", ["scalar", "channel", "softmax"])
def test_with_every_gate_shut_the_output_is_the_base_s_bit_for_bit(gate: str, mix: str, fuse_for: str) -> None:
    fused = small_detector(kind="mrav", gate=gate, mix=mix, fuse_for=fuse_for, gate_source="both")
    assert fused.fusion is not None
    for level in fused.fusion.fusions:
        assert isinstance(level, LevelFusion) and isinstance(level.gate, Gate) and level.gate.score.bias is not None
        with torch.no_grad():
            level.gate.score.bias[-level.gate.width :] = -torch.inf
    alone = small_detector()
    alone.base.load_state_dict(fused.base.state_dict())
    visual, audio = (clip[None] for clip in features(45, 1))
    with torch.no_grad():
        output, expected = fused(Batch(visual, audio)), alone(Batch(visual))
    assert_same(DetectorOutput(output.class_logits, output.boundary_offsets, output.level_masks), expected)


@pytest.mark.parametrize(
    ("fuse_for", "classes_hear", "boundaries_hear"), [("both", 1, 1), ("classes", 1, 0), ("boundaries", 0, 1)]
)
def test_sound_reaches_only_the_heads_it_is_meant_for(fuse_for: str, classes_hear: int, boundaries_hear: int) -> None:
    detector = small_detector(kind="mrav", fuse_for=fuse_for)
    visual, audio = (clip[None] for clip in features(30, 2))
    with torch.no_grad():
        on, off = detector(Batch(visual, audio)), detector(Batch(visual))
    assert torch.equal(on.class_logits[0], off.class_logits[0]) != bool(classes_hear)
    assert torch.equal(on.boundary_offsets[0], off.boundary_offsets[0]) != bool(boundaries_hear)


@pytest.mark.parametrize("kind", KINDS)
def test_asking_for_attention_changes_nothing(kind: str) -> None:
    detector = small_detector(kind=kind, window=5)
    visual, audio = (clip[None] for clip in features(45, 1))
    valid = torch.arange(45)[None, None] < 40
    batch = Batch(visual, audio, valid)
    with torch.no_grad():
        before = detector(batch)
        buffers = {name: value.clone() for name, value in detector.state_dict().items()}
        trace = detector.with_attention(batch)
        assert_same(detector(batch), before)
    assert all(torch.equal(value, buffers[name]) for name, value in detector.state_dict().items())
    attends = kind in ("cross_attention", "mrav")
    assert [tuple(weights.shape) for weights in trace.weights] == (
        [(1, 4, n, 5) for n in (45, 23, 12, 6)] if attends else []
    )
    for weights, mask in zip(trace.weights, before.level_masks, strict=False):
        torch.testing.assert_close(weights.sum(-1), mask.expand(1, 4, -1).float())


def test_full_attention_has_a_weight_for_every_pair_of_steps() -> None:
    detector = small_detector(kind="mrav", window=-1)
    visual, audio = (clip[None] for clip in features(45, 1))
    with torch.no_grad():
        trace = detector.with_attention(Batch(visual, audio))
    assert [tuple(weights.shape) for weights in trace.weights] == [(1, 4, n, n) for n in (45, 23, 12, 6)]


@pytest.mark.parametrize("base", BASES)
def test_every_weight_of_the_base_learns(base: str) -> None:
    detector = small_detector({**BASES[base], "drop_path": 0.0}, kind="mrav").train()
    with torch.no_grad():  # so that no level's offsets are all cut off at 0
        for name, value in detector.named_parameters():
            if name.startswith("base.boundary_head.tower.out.bias"):
                value.fill_(9.0)
            if name.startswith("base.boundary_head.scales."):
                value.fill_(0.5)
    visual, audio = (clip[None] for clip in features(64, 1))
    output = detector(Batch(visual, audio))
    sum((x**2).sum() for x in (*output.class_logits, *output.boundary_offsets)).backward()
    still = [
        name for name, value in detector.named_parameters() if value.grad is None or not value.grad.abs().max() > 0
    ]
    assert [name for name in still if not name.endswith("key.bias")] == []


def test_levels_have_a_step_for_every_stride_begun() -> None:
    with torch.no_grad():
        output = small_detector()(Batch(torch.randn(2, VISUAL_CHANNELS, 37)))
    assert [logits.shape[1] for logits in output.class_logits] == [37, 19, 10, 5]
    assert [offsets.shape for offsets in output.boundary_offsets] == [(2, n, 1, 2) for n in (37, 19, 10, 5)]
    assert all(float(offsets.min()) >= 0 for offsets in output.boundary_offsets)


def test_a_fresh_detector_starts_at_its_class_prior() -> None:
    base = BaseConfig(
        input_channels=4, embed_channels=16, neck_channels=16, head_channels=16, class_prior=0.02, empty_classes=(1,)
    )
    detector = Detector(DetectorConfig("noun", ("cup", "lid"), base))
    bias = detector.state_dict()["base.class_head.tower.out.bias"]
    torch.testing.assert_close(bias.sigmoid(), torch.tensor([0.02, 1e-6]))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(torch.zeros(1, 9, VISUAL_CHANNELS)), r"visual features are \[1, 9, 6\], expected \[batch, 6, time\]"),
        (Batch(torch.zeros(VISUAL_CHANNELS, 9)), r"visual features are \[6, 9\]"),
        (Batch(torch.zeros(1, VISUAL_CHANNELS, 0)), "time above 0"),
        (
            Batch(torch.zeros(1, VISUAL_CHANNELS, 9), torch.zeros(1, AUDIO_CHANNELS, 8)),
            r"audio features are \[1, 5, 8\], expected \[1, 5, 9\]",
        ),
        (
            Batch(torch.zeros(2, VISUAL_CHANNELS, 9), audio_present=torch.ones(3, dtype=torch.bool)),
            r"audio_present is \[3\], expected \[2\]",
        ),
        (
            Batch(torch.zeros(1, VISUAL_CHANNELS, 9), valid_mask=torch.ones(1, 9, dtype=torch.bool)),
            r"valid_mask is torch.bool \[1, 9\], expected torch.bool \[1, 1, 9\]",
        ),
        (
            Batch(torch.zeros(1, VISUAL_CHANNELS, 3), valid_mask=torch.tensor([[[True, False, True]]])),
            "True from the first step",
        ),
        (Batch(torch.zeros(0, VISUAL_CHANNELS, 3)), r"visual features are \[0, \d+, 3\], expected at least one clip"),
        (
            Batch(torch.zeros(1, VISUAL_CHANNELS, 3).half()),
            "visual features are of torch.float16, expected torch.float32",
        ),
        (
            Batch(torch.zeros(1, VISUAL_CHANNELS, 3), torch.zeros(1, AUDIO_CHANNELS, 3).double()),
            "audio features are of torch.float64, expected torch.float32",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_told(batch: Batch, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        small_detector(kind="mrav")(batch)


def test_a_detector_without_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one label"):
        Detector(DetectorConfig("verb", ()))


def test_dropout_falls_on_a_clip_alike_however_it_is_batched() -> None:
    dropout = StepDropout(0.3)
    features = torch.ones(3, 40, 50)
    set_clip_draws(dropout, ClipDraws(torch.tensor([0, 1, 2]), 3, seed=7))
    whole, again = dropout(features), dropout(features)
    assert float((whole == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert whole.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert not torch.equal(whole, again) and not torch.equal(whole[0], whole[1])
    for row, steps in ((2, 50), (1, 23), (0, 1)):
        set_clip_draws(dropout, ClipDraws(torch.tensor([row]), 3, seed=7))
        assert torch.equal(dropout(features[:1, :, :steps])[0], whole[row, :, :steps])
        assert torch.equal(dropout(features[:1, :, :steps])[0], again[row, :, :steps])
    set_clip_draws(dropout, ClipDraws(torch.tensor([0, 1, 2]), 3, seed=8))
    assert not torch.equal(dropout(features), whole)
    assert torch.equal(dropout.eval()(features), features)


@pytest.mark.parametrize("base", BASES)
def test_a_detector_cast_whole_to_another_precision_answers_alike(base: str) -> None:
    detector, (visual, audio) = small_detector(BASES[base], kind="mrav"), features(40, 0)
    with torch.no_grad():
        expected = detector(Batch(visual[None], audio[None])).class_logits
        for precision, tolerance in ((torch.float64, 1e-5), (torch.bfloat16, 0.08)):
            detector.to(precision)
            found = detector(Batch(visual[None].to(precision), audio[None].to(precision))).class_logits
            assert {level.dtype for level in found} == {precision}
            for one, other in zip(found, expected, strict=True):
                assert (one.float() - other).abs().max() < tolerance * torch.cat(expected, dim=1).abs().max()


@pytest.mark.parametrize("base", [{}, {"kind": "temporalmaxer"}, {"kind": "tridet", "trident": False}])
def test_starts_and_ends_of_a_fresh_detector_can_all_be_learnt(base: dict[str, Any]) -> None:
    """A distance below 0 is answered as 0 and learns nothing."""
    for seed in range(20):
        torch.manual_seed(seed)
        detector = Detector(DetectorConfig("verb", ("cut",), BaseConfig(**{**BASE, **WIDTHS, **base})))
        with torch.no_grad():
            offsets = detector.eval()(Batch(torch.randn(1, VISUAL_CHANNELS, 64))).boundary_offsets
        assert torch.cat([level.flatten(0, 2) for level in offsets]).gt(0).float().mean(dim=0).min() > 0.6
