"""MRAVFusion in someone else's detector: between neck and heads of the published networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mravff_core import Batch, load_detector
from mravff_core.config import FusionConfig
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import DetectorConfig, build_detector
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.level_fusion import Gate
from mravff_core.model.outputs import FusionTrace
from tests.model.published import Published, small_config
from tests.model.published_tridet import PublishedTriDet, small_tridet_config
from tests.model.small import randomise

AUDIO_CHANNELS = 5
NETWORKS: dict[str, tuple[type[Published], dict[str, Any]]] = {
    "actionformer": (Published, small_config()),
    "actionformer_fpn": (Published, small_config(fpn_type="fpn", fpn_dim=24)),
    "tridet": (PublishedTriDet, small_tridet_config()),
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
    levels = config["model"]["backbone_arch"][2] + 1
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
    own = build_detector(settings).eval()
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
