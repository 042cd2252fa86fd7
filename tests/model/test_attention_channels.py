"""Attention at a width of its own, against its definition step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mravff_core.model.checkpoints import load_detector, save_detector
from mravff_core.model.cross_attention import CrossAttention
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.level_fusion import LevelFusion
from mravff_core.model.outputs import Batch
from tests.model.small import randomise, small_detector

CHANNELS, HEADS = 12, 2


def slowly(attention: CrossAttention, visual: Tensor, audio: Tensor, steps: int) -> Tensor:
    """What each of the first steps of one clip [channels, time] hears, [channels, steps]."""
    query, key, value, out = attention.query, attention.key, attention.value, attention.out
    assert query.bias is not None and key.bias is not None and value.bias is not None and out.bias is not None
    heard = []
    for step in range(steps):
        near = [other for other in range(steps) if abs(other - step) <= attention.window // 2]
        asked = query.weight[:, :, 0] @ visual[:, step] + query.bias
        answers = []
        for head in range(attention.heads):
            part = slice(head * len(asked) // attention.heads, (head + 1) * len(asked) // attention.heads)
            keys = [(key.weight[:, :, 0] @ audio[:, other] + key.bias)[part] for other in near]
            values = [(value.weight[:, :, 0] @ audio[:, other] + value.bias)[part] for other in near]
            scores = torch.stack([asked[part] @ each for each in keys]) / len(keys[0]) ** 0.5
            answers.append((scores.softmax(dim=0)[:, None] * torch.stack(values)).sum(dim=0))
        heard.append(out.weight[:, :, 0] @ torch.cat(answers) + out.bias)
    return torch.stack(heard, dim=1)


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("width", [4, 6, 12, 20, None])
def test_each_level_hears_what_the_definition_says(width: int | None, learning: bool) -> None:
    torch.manual_seed(0)
    fusion = MRAVFusion(CHANNELS, 3, 2, heads=HEADS, attention_channels=width, window=5, mix="residual").double()
    randomise(fusion.eval())
    visual = [torch.randn(2, CHANNELS, time, dtype=torch.double) for time in (17, 9)]
    audio = torch.randn(2, 3, 17, dtype=torch.double)
    masks = [torch.arange(time) < torch.tensor([[time], [5]]) for time in (17, 9)]
    masks = [mask[:, None] for mask in masks]
    masks[1] = masks[0][..., ::2]
    with torch.set_grad_enabled(learning):
        fused, trace = fusion(visual, audio, masks)
        sounds = fusion.audio_pyramid(audio, masks[0], 2)
    for level, (seen, sound, mask) in enumerate(zip(visual, sounds, masks, strict=True)):
        parts = fusion.fusions[level]
        assert isinstance(parts, LevelFusion) and parts.attention is not None
        assert parts.attention.query.weight.shape[0] == (width or CHANNELS)
        for clip in range(2):
            steps = int(mask[clip].sum())
            heard = slowly(parts.attention, seen[clip], sound[clip], steps)
            expected = seen[clip, :, :steps] + trace.gates[level][clip, :, :steps] * heard
            torch.testing.assert_close(fused[level][clip, :, :steps], expected, rtol=1e-9, atol=1e-9)
            assert torch.equal(fused[level][clip, :, steps:], seen[clip, :, steps:])


def test_a_narrow_attention_is_kept_with_the_detector(tmp_path: Path) -> None:
    detector = small_detector(kind="mrav", attention_channels=4)
    save_detector(detector, tmp_path / "narrow")
    again = load_detector(tmp_path / "narrow", device="cpu")
    channels = detector.config.base.input_channels
    batch = Batch(torch.randn(1, channels, 30), torch.randn(1, detector.config.fusion.audio_channels, 30))
    with torch.no_grad():
        for found, expected in zip(again(batch).class_logits, detector(batch).class_logits, strict=True):
            assert torch.equal(found, expected)
    weight = again.state_dict()["fusion.fusions.0.attention.key.weight"]
    assert weight.shape[:2] == (4, detector.config.base.neck_channels)
