"""Fusion mixes sound in by its gates, and leaves vision alone where there is none."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from mravff_core.errors import ConfigError, FeatureError
from mravff_core.model.audio_pyramid import AudioPyramid
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.layers import MaskedMaxPool, StepMask
from mravff_core.model.level_fusion import Gate, LevelFusion
from tests.model.small import randomise

KINDS = ("sum", "concat", "cross_attention", "mrav")
GATED = [
    {"gate": gate, "gate_source": source, "mix": mix}
    for gate, source, mix in itertools.product(
        ("scalar", "channel", "softmax"), ("visual", "audio", "both"), ("convex", "residual")
    )
]


def pyramid(lengths: tuple[int, ...] = (21, 11, 6), valid: tuple[int, ...] = (21, 13)) -> tuple[Any, Any, Any]:
    """Visual levels 8 wide, audio 5 wide and masks of two clips with `valid` real steps."""
    torch.manual_seed(3)
    levels = tuple(torch.randn(2, 8, n) for n in lengths)
    mask = torch.arange(lengths[0])[None, None] < torch.tensor(valid)[:, None, None]
    return levels, torch.randn(2, 5, lengths[0]), tuple(mask[..., :: 2**i] for i in range(len(lengths)))


def fusion_of(**settings: Any) -> MRAVFusion:
    fusion = MRAVFusion(8, 5, 3, **{"heads": 2, "window": 3, **settings}).eval()
    randomise(fusion)
    return fusion.requires_grad_(False)


def shut(fusion: MRAVFusion) -> None:
    """Force every gate to 0."""
    for level in fusion.fusions:
        assert isinstance(level, LevelFusion) and isinstance(level.gate, Gate)
        bias = level.gate.score.bias
        assert bias is not None
        with torch.no_grad():
            bias[-level.gate.width :] = -torch.inf


def assert_equal(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("settings", GATED, ids=lambda s: "-".join(s.values()))
def test_with_every_gate_shut_vision_passes_bit_for_bit(settings: dict[str, str]) -> None:
    fusion = fusion_of(**settings)
    levels, audio, masks = pyramid()
    opened, trace = fusion(levels, audio, masks)
    assert not any(torch.equal(a, b) for a, b in zip(opened, levels, strict=True))
    width = 8 if settings["gate"] == "channel" else 1
    assert [gate.shape for gate in trace.gates] == [(2, width, level.shape[-1]) for level in levels]
    assert all(bool(((gate >= 0) & (gate <= 1)).all()) for gate in trace.gates)
    shut(fusion)
    closed, trace = fusion(levels, audio, masks)
    assert_equal(closed, levels)
    assert all(float(gate.abs().max()) == 0 for gate in trace.gates)


@pytest.mark.parametrize("kind", KINDS)
def test_without_sound_vision_passes_bit_for_bit(kind: str) -> None:
    fusion = fusion_of(kind=kind)
    levels, audio, masks = pyramid()
    heard, _ = fusion(levels, audio, masks)
    deaf, trace = fusion(levels, None, masks)
    assert_equal(deaf, levels)
    assert len(trace.gates) == (3 if kind == "mrav" else 0)
    mixed, trace = fusion(levels, audio, masks, audio_present=torch.tensor([False, True]))
    for level, fused in enumerate(mixed):
        assert torch.equal(fused[0], levels[level][0])
        torch.testing.assert_close(fused[1], heard[level][1])
    assert all(float(gate[0].abs().max()) == 0 and float(gate[1].max()) > 0 for gate in trace.gates)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shared", [False, True])
def test_steps_that_are_not_real_neither_change_nor_matter(kind: str, shared: bool) -> None:
    fusion = fusion_of(kind=kind, shared_levels=shared)
    levels, audio, masks = pyramid()
    fused, trace = fusion(levels, audio, masks)
    noisy_levels = tuple(torch.where(mask, level, 99.0) for level, mask in zip(levels, masks, strict=True))
    noisy, _ = fusion(noisy_levels, torch.where(masks[0], audio, torch.nan), masks)
    for level, mask in enumerate(masks):
        assert torch.equal(fused[level][~mask.expand_as(fused[level])], levels[level][~mask.expand_as(levels[level])])
        real = mask.expand_as(fused[level])
        torch.testing.assert_close(noisy[level][real], fused[level][real])
        if trace.gates:
            assert float(trace.gates[level][~mask].abs().max()) == 0


@pytest.mark.parametrize(("mix", "own"), [("convex", 0.3), ("residual", 1.0)])
def test_a_gate_of_seven_tenths_mixes_exactly_so(mix: str, own: float) -> None:
    level = LevelFusion(
        2,
        kind="mrav",
        heads=1,
        width=None,
        window=1,
        gate="scalar",
        gate_source="visual",
        mix=mix,
        dropout=0.0,  # type: ignore[arg-type]
    )
    assert level.attention is not None and level.gate is not None and level.gate.score.bias is not None
    with torch.no_grad():
        for conv in (level.attention.query, level.attention.key, level.attention.value, level.attention.out):
            conv.weight.copy_(torch.eye(2)[..., None])
            torch.nn.init.zeros_(conv.bias)
        level.gate.score.weight.zero_()
        level.gate.score.bias.fill_(torch.logit(torch.tensor(0.7)).item())
    visual, audio = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[[10.0, 20.0], [30.0, 40.0]]])
    fused, gate = level(visual, audio, torch.ones(1, 1, 2, dtype=torch.bool))
    torch.testing.assert_close(gate, torch.full((1, 1, 2), 0.7))
    torch.testing.assert_close(fused, own * visual + 0.7 * audio)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind: str) -> None:
    fusion = fusion_of(kind=kind, gate_source="both").train().requires_grad_(True)
    levels, audio, masks = pyramid()
    fused, _ = fusion(levels, audio, masks)
    sum((level**2).sum() for level in fused).backward()
    # Keys all shift their scores alike by a bias, which a softmax does not see.
    still = [n for n, p in fusion.named_parameters() if p.grad is None or float(p.grad.abs().max()) < 1e-9]
    assert [name for name in still if not name.endswith("key.bias")] == []


def test_shared_levels_have_one_set_of_weights() -> None:
    apart, shared = (sum(p.numel() for p in fusion_of(shared_levels=s).fusions.parameters()) for s in (False, True))
    assert apart == 3 * shared


def test_dropped_sound_is_a_bypass_and_only_while_training() -> None:
    fusion = fusion_of(audio_dropout=0.999)
    levels, audio, masks = pyramid()
    torch.manual_seed(0)
    dropped, trace = fusion.train()(levels, audio, masks)
    assert_equal(dropped, levels)
    assert float(trace.gates[0].detach().max()) == 0
    _, trace = fusion.eval()(levels, audio, masks)
    assert float(trace.gates[0].max()) > 0
    # A clip without sound stays without, whatever chance says.
    silent = torch.tensor([True, False])
    mixed, _ = fusion_of(audio_dropout=1e-6).train()(levels, audio, masks, audio_present=silent)
    assert_equal([level[1] for level in mixed], [level[1] for level in levels])
    assert not torch.equal(mixed[0][0], levels[0][0])


@pytest.mark.parametrize("window", [3, -1])
def test_attention_weights_sum_to_one_at_real_steps(window: int) -> None:
    fusion = fusion_of(window=window)
    levels, audio, masks = pyramid()
    trace = fusion.attention(levels, audio, masks)
    assert trace.windows == (window,) * 3
    for weights, mask in zip(trace.weights, masks, strict=True):
        total = weights.sum(-1)
        torch.testing.assert_close(total, mask.expand_as(total).float())
    assert fusion.attention(levels, None, masks).weights == ()
    deaf = fusion.attention(levels, audio, masks, audio_present=torch.tensor([True, False]))
    assert float(deaf.weights[0][1].abs().max()) == 0
    assert fusion_of(kind="sum").attention(levels, audio, masks).weights == ()


@pytest.mark.parametrize("strides", [[1, 2, 4], [1, 3, 12], [2, 8]])
@pytest.mark.parametrize("valid", [(23, 23), (23, 10)])
def test_sound_is_convolved_normed_and_pooled_as_vision_is(strides: list[int], valid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pyramid = AudioPyramid(5, 8, strides)
    randomise(pyramid)
    audio = torch.randn(2, 5, 23)
    mask = torch.arange(23)[None, None] < torch.tensor(valid)[:, None, None]
    steps = StepMask(mask, mask)
    expected = steps.keep_valid(pyramid.norm(pyramid.conv(audio, steps)))
    found = pyramid(audio, mask, len(strides))
    for level, below, stride in zip(found, [1, *strides], strides, strict=False):
        expected = MaskedMaxPool(stride // below)(expected, steps)
        steps = steps.every(stride // below)
        torch.testing.assert_close(level, expected)


def test_uneven_strides_of_someone_else_s_pyramid() -> None:
    fusion = MRAVFusion(8, 5, [2, 8], heads=2)
    levels, masks = (
        (torch.randn(1, 8, 12), torch.randn(1, 8, 3)),
        (torch.ones(1, 1, 12, dtype=torch.bool), torch.ones(1, 1, 3, dtype=torch.bool)),
    )
    fused, trace = fusion(levels, torch.randn(1, 5, 24), masks)
    assert [level.shape[-1] for level in fused] == [gate.shape[-1] for gate in trace.gates] == [12, 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, r"fusion: channels \(8\) must be a multiple of heads \(3\)"),
        ({"attention_channels": 6}, r"attention_channels \(6\) must be a multiple of heads \(4\)"),
        ({"attention_channels": 0}, "channels, audio_channels, heads, attention_channels are 8, 5, 4, 0, expected at "),
        ({"window": 4}, r"window \(4\) must be odd"),
        ({"window": 0}, r"window \(0\) must be odd"),
        ({"audio_kernel": 2}, r"audio_kernel \(2\) must be odd"),
        ({"gate": "wide"}, "gate is 'wide', expected one of scalar, channel, softmax"),
        ({"gate_source": "smell"}, "gate_source is 'smell'"),
        ({"mix": "stirred"}, "mix is 'stirred'"),
        ({"kind": "none"}, "kind is 'none', expected one of sum"),
        ({"audio_dropout": 1.0}, "dropout rates"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MRAVFusion(8, 5, 3, **settings)


def test_strides_must_be_multiples() -> None:
    with pytest.raises(ConfigError, match=r"strides \[2, 3\] must each be a multiple"):
        MRAVFusion(8, 5, [2, 3])


def test_shapes_that_do_not_fit_are_told() -> None:
    fusion = fusion_of()
    levels, audio, masks = pyramid()
    with pytest.raises(FeatureError, match=r"audio features are \[2, 5, 20\], expected \[2, 5, 21\]"):
        fusion(levels, audio[..., :20], masks)
    with pytest.raises(FeatureError, match="found 2 visual levels and 3 masks, expected 3"):
        fusion(levels[:2], audio, masks)
    short = (levels[0], levels[1][..., :9], levels[2])
    with pytest.raises(
        FeatureError, match=r"mask of level 1 is torch.bool \[2, 1, 11\], expected torch.bool \[2, 1, 9\]"
    ):
        fusion(short, audio, masks)
    with pytest.raises(FeatureError, match=r"visual levels have \[21, 9, 6\] steps, expected \[21, 11, 6\]"):
        fusion(short, audio, (masks[0], masks[1][..., :9], masks[2]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", [torch.float16, torch.float64, torch.int64])
def test_numbers_of_another_type_are_told(kind: str, other: torch.dtype) -> None:
    fusion = fusion_of(kind=kind)
    levels, audio, masks = pyramid()
    with pytest.raises(FeatureError, match=f"audio features are of {other}, expected torch.float32"):
        fusion(levels, audio.to(other), masks)
    if kind != "sum":
        with pytest.raises(FeatureError, match=f"visual level 1 are of {other}, expected torch.float32"):
            fusion((levels[0], levels[1].to(other), levels[2]), audio, masks)


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_takes_halves_and_is_told_what_it_leaves_alone(kind: str) -> None:
    fusion = fusion_of(kind=kind)
    levels, audio, masks = pyramid()
    with torch.autocast("cpu", torch.bfloat16):
        fusion([level.bfloat16() for level in levels], audio.bfloat16(), masks)
        fusion(levels, audio.half(), masks)
        for other in (torch.float64, torch.int64):
            with pytest.raises(FeatureError, match=f"audio features are of {other}, expected torch.float32"):
                fusion(levels, audio.to(other), masks)
            if kind != "sum":
                with pytest.raises(FeatureError, match=f"visual level 0 are of {other}, expected torch.float32"):
                    fusion([level.to(other) for level in levels], audio, masks)


@pytest.mark.parametrize("sound", [True, False])
def test_a_batch_of_nothing_is_told(sound: bool) -> None:
    levels, audio, masks = pyramid()
    for nothing, shape in ((slice(0), r"\[0, 8, 21\]"), ((..., slice(0)), r"\[2, 8, 0\]")):
        left = [level[nothing] for level in levels], audio[nothing] if sound else None, [m[nothing] for m in masks]
        with pytest.raises(FeatureError, match=f"level 0 is {shape}, expected at least one clip and one step"):
            fusion_of()(*left)


@pytest.mark.parametrize("window", [3, -1])
@pytest.mark.parametrize("clips", [1, 2])
@pytest.mark.parametrize("heard", ["all", "holes", "short"])
def test_quicker_ways_without_gradients_give_the_same(window: int, clips: int, heard: str) -> None:
    """Sound that enters narrow is projected at once for keys and values; where it is missing, it counts as before."""
    torch.manual_seed(5)
    fusion = MRAVFusion(24, 5, 4, heads=2, window=window).eval()
    randomise(fusion)
    levels = [torch.randn(clips, 24, n) for n in (53, 27, 14, 7)]
    mask = torch.arange(53)[None, None] < torch.tensor([53, 31][:clips])[:, None, None]
    masks = [mask[..., :: 2**level] for level in range(4)]
    audio_mask = {"all": None, "holes": torch.rand(clips, 1, 53) < 0.7, "short": mask & (torch.arange(53) < 20)}[heard]
    audio = torch.randn(clips, 5, 53)

    def fused() -> tuple[Tensor, ...]:
        return fusion(levels, audio, masks, audio_mask=audio_mask)[0]

    for _ in range(2):
        with torch.no_grad():
            quick = fused()
        slow = fused()
        assert slow[0].requires_grad and not quick[0].requires_grad
        for one, other in zip(quick, slow, strict=True):
            torch.testing.assert_close(one, other.detach(), atol=2e-5, rtol=1e-4)
        # Again with other weights: nothing of the former may linger.
        randomise(fusion, seed=1)


def test_a_long_level_passes_piece_by_piece() -> None:
    """Where pieces meet, a step hears its neighbours across the seam."""
    fusion = MRAVFusion(24, 5, 2, heads=2, window=9).eval()
    randomise(fusion)
    levels, audio = [torch.randn(1, 24, 3100), torch.randn(1, 24, 1550)], torch.randn(1, 5, 3100)
    masks = [torch.ones(1, 1, level.shape[-1], dtype=torch.bool) for level in levels]
    with torch.no_grad():
        quick = fusion(levels, audio, masks)[0]
    slow = fusion(levels, audio, masks)[0]
    for one, other in zip(quick, slow, strict=True):
        torch.testing.assert_close(one, other.detach(), atol=2e-5, rtol=1e-4)
