"""MRAVFusion in someone else's detector: between neck and heads of the published networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mravff_core import Batch, load_detector
from mravff_core.config import FusionConfig
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.level_fusion import Gate
from mravff_core.model.outputs import FusionTrace
from tests.model.published import Published, small_config
from tests.model.published_temporalmaxer import PublishedTemporalMaxer, small_temporalmaxer_config
from tests.model.published_tridet import PublishedTriDet, small_tridet_config
from tests.model.small import randomise

AUDIO_CHANNELS = 5
NETWORKS: dict[str, tuple[type[Published], dict[str, Any]]] = {
    "actionformer": (Published, small_config()),
    "actionformer_fpn": (Published, small_config(fpn_type="fpn", fpn_dim=24)),
    "tridet": (PublishedTriDet, small_tridet_config()),
    "temporalmaxer": (PublishedTemporalMaxer, small_temporalmaxer_config()),
    "temporalmaxer_one_norm": (PublishedTemporalMaxer, small_temporalmaxer_config(fpn_norm="layernorm")),
}


class WithSound:
    """The published network with three lines more."""

    def __init__(self, network: type[Published], config: dict[str, Any], fusion: MRAVFusion) -> None:
        outer = self
        self.audio: Tensor | None = None
        self.trace = FusionTrace()

        class Fused(network):  # type: ignore[misc, valid-type]
            def _levels(self, features: Tensor) -> tuple[list[Tensor], list[Tensor]]:
                levels, masks = super()._levels(features)
                fused, outer.trace = fusion(levels, outer.audio, [mask.bool() for mask in masks])
                return list(fused), masks

        self.network = Fused(config)


def assert_same(found: list[tuple[Tensor, Tensor]], expected: list[tuple[Tensor, Tensor]]) -> None:
    """Bit for bit."""
    for first, second in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def fusion_of(config: dict[str, Any]) -> MRAVFusion:
    levels = config["model"]["backbone_arch"][-1] + 1
    fusion = MRAVFusion(config["model"]["fpn_dim"], AUDIO_CHANNELS, levels).eval()
    randomise(fusion)
    return fusion


@pytest.mark.parametrize("padded_audio", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_gives_what_our_own_detector_gives(name: str, padded_audio: bool, tmp_path: Path) -> None:
    network, config = NETWORKS[name]
    fusion = fusion_of(config)
    plugged = WithSound(network, config, fusion)
    torch.save(plugged.network.weights, tmp_path / "official.pt")
    base = load_detector(tmp_path / "official.pt", config=config, device="cpu")
    settings = DetectorConfig(
        label_set=base.config.label_set,
        labels=base.config.labels,
        base=base.config.base,
        fusion=FusionConfig(kind="mrav", audio_channels=AUDIO_CHANNELS),
    )
    own = Detector(settings).eval()
    own.base.load_state_dict(base.base.state_dict())
    assert own.fusion is not None
    own.fusion.load_state_dict(fusion.state_dict())
    save_detector(own, tmp_path / "own")
    own = load_detector(tmp_path / "own", device="cpu")
    for length in (5, 40, 64, 100):
        visual, audio = torch.randn(12, length), torch.randn(AUDIO_CHANNELS, length)
        plugged.audio = audio[None]
        if padded_audio:
            total = own.base.padding.extent(length)
            plugged.audio = torch.nn.functional.pad(audio, (0, total - length), value=9.0)[None]
        with torch.no_grad():
            found, expected = own(Batch(visual[None], audio[None])), plugged.network(visual)
        for level, (logits, offsets) in enumerate(expected):
            real = found.level_masks[level][0, 0]
            torch.testing.assert_close(found.class_logits[level][0][real], logits, atol=1e-4, rtol=1e-4)
            boundaries = found.boundary_offsets[level][0][real].reshape(offsets.shape)
            torch.testing.assert_close(boundaries, offsets, atol=1e-4, rtol=1e-4)
            gate = plugged.trace.gates[level][0, :, : int(real.sum())]
            torch.testing.assert_close(found.trace.gates[level][0][:, real], gate, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_shut_gates_leave_the_published_network_bit_for_bit(name: str) -> None:
    network, config = NETWORKS[name]
    fusion = fusion_of(config)
    plugged = WithSound(network, config, fusion)
    visual = torch.randn(12, 37)
    with torch.no_grad():
        expected = network(config)(visual)
        assert all(
            torch.equal(a, b)
            for pair in zip(plugged.network(visual), expected, strict=True)
            for a, b in zip(*pair, strict=True)
        )
        for module in fusion.modules():
            if isinstance(module, Gate) and module.score.bias is not None:
                module.score.bias.fill_(-torch.inf)
        plugged.audio = torch.randn(1, AUDIO_CHANNELS, 37)
        assert all(
            torch.equal(a, b)
            for pair in zip(plugged.network(visual), expected, strict=True)
            for a, b in zip(*pair, strict=True)
        )
    assert all(float(gate.abs().max()) == 0 for gate in plugged.trace.gates)


@pytest.mark.parametrize("kind", ["sum", "concat", "cross_attention", "mrav"])
def test_the_published_optimisers_know_every_weight(kind: Any) -> None:
    # They refuse any that is neither a bias nor of a module that they know.
    fusion = MRAVFusion(16, AUDIO_CHANNELS, 3, kind=kind)
    known = set()
    for name, module in fusion.named_modules():
        for own, _ in module.named_parameters(recurse=False):
            if own == "bias" or (own == "weight" and isinstance(module, (nn.Linear, nn.Conv1d, nn.GroupNorm))):
                known.add(f"{name}.{own}")
    assert known == dict(fusion.named_parameters()).keys()


def inputs(lengths: tuple[int, ...] = (21, 11, 6)) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """Two clips of someone's pyramid, the second shorter."""
    levels = [torch.randn(2, 16, length) for length in lengths]
    masks = [torch.arange(length) < torch.tensor([length, length // 2])[:, None, None] for length in lengths]
    return levels, torch.randn(2, AUDIO_CHANNELS, lengths[0]), masks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual": lambda x: x[:, :8]}, r"visual level 0 is \[2, 8, 21\], expected \[2, 16, time\]"),
        (
            {"visual": lambda x: x.transpose(1, 2)},
            r"visual level 0 is \[2, 21, 16\], expected \[2, 16, time\]; is time",
        ),
        ({"audio": lambda x: x[:1]}, r"audio features are \[1, 5, 21\], expected \[2, 5, 21\]"),
        ({"mask": lambda x: x[:, 0]}, r"mask of level 0 is torch.bool \[2, 21\], expected torch.bool \[2, 1, 21\]"),
        ({"mask": lambda x: x.float()}, r"mask of level 0 is torch.float32 \[2, 1, 21\], expected torch.bool"),
        (
            {"mask": lambda x: x[..., :-1]},
            r"mask of level 0 is torch.bool \[2, 1, 20\], expected torch.bool \[2, 1, 21\]",
        ),
        ({"audio_present": torch.tensor([True])}, r"audio_present is torch.bool \[1\], expected torch.bool \[2\]"),
        ({"audio_present": torch.ones(2)}, r"audio_present is torch.float32 \[2\], expected torch.bool"),
        ({"audio_mask": torch.ones(2, 21, dtype=torch.bool)}, r"audio_mask is torch.bool \[2, 21\], expected"),
    ],
)
def test_inputs_of_other_shapes_are_told(change: dict[str, Any], message: str) -> None:
    levels, audio, masks = inputs()
    change = dict(change)
    levels = [change.get("visual", lambda x: x)(level) for level in levels]
    masks = [change.get("mask", lambda x: x)(mask) for mask in masks]
    audio = change.get("audio", lambda x: x)(audio)
    more = {name: value for name, value in change.items() if name.startswith("audio_")}
    fusion = MRAVFusion(16, AUDIO_CHANNELS, 3)
    for apply in (fusion, fusion.attention):
        with pytest.raises(FeatureError, match=message):
            apply(levels, audio, masks, **more)


def test_gates_open_by_a_share() -> None:
    with pytest.raises(ConfigError, match=r"gate_opening is 2, expected 0 to 1"):
        MRAVFusion(16, AUDIO_CHANNELS, 3, gate_opening=2)


def test_sound_that_is_not_there_may_hold_anything() -> None:
    levels, audio, masks = inputs()
    levels = [level.requires_grad_() for level in levels]
    audio[0] = torch.nan
    fusion = MRAVFusion(16, AUDIO_CHANNELS, 3)
    present = torch.tensor([False, True])
    fused, _ = fusion(levels, audio, masks, audio_present=present)
    assert all(torch.equal(found[0], level[0]) for found, level in zip(fused, levels, strict=True))
    torch.stack([level.square().sum() for level in fused]).sum().backward()
    learning = [*fusion.parameters(), *levels]
    assert all(one.grad is not None and bool(one.grad.isfinite().all()) for one in learning)
    weights = fusion.attention(levels, audio, masks, audio_present=present).weights
    assert all(bool((weight[0] == 0).all()) for weight in weights)


@pytest.mark.parametrize("lengths", [(21, 10, 5), (1, 1, 1), (13, 6, 3), (13, 7, 3)])
def test_a_pyramid_may_leave_out_its_last_odd_step(lengths: tuple[int, ...]) -> None:
    levels, audio, masks = inputs(lengths)
    masks = [torch.ones_like(mask) for mask in masks]
    fusion = MRAVFusion(16, AUDIO_CHANNELS, 3).eval()
    fused, trace = fusion(levels, audio, masks)
    assert [level.shape for level in fused] == [level.shape for level in levels]
    assert [gate.shape[-1] for gate in trace.gates] == list(lengths)
    with pytest.raises(FeatureError, match=r"visual levels have .* steps, expected"):
        fusion([levels[0], *[torch.randn(2, 16, 40)] * 2], audio, [masks[0], *[torch.ones(2, 1, 40) > 0] * 2])


@pytest.mark.parametrize("kind", ["sum", "concat", "cross_attention", "mrav"])
def test_half_precision_gives_back_what_it_takes(kind: Any) -> None:
    levels, audio, masks = inputs()
    whole = [torch.ones_like(mask) for mask in masks]
    fusion = MRAVFusion(16, AUDIO_CHANNELS, 3, kind=kind).eval()
    with torch.no_grad():
        exact = fusion(levels, audio, masks)[0]
        for valid in (masks, whole):
            with torch.autocast("cpu", torch.bfloat16):
                mixed = fusion(levels, audio, valid)[0]
            assert {level.dtype for level in mixed} == {torch.float32}
        fusion.bfloat16()
        coarse = fusion([level.bfloat16() for level in levels], audio.bfloat16(), masks)[0]
    assert {level.dtype for level in coarse} == {torch.bfloat16}
    for found, expected in zip(coarse, exact, strict=True):
        torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)
