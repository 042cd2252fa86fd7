"""Attributions find what was planted, in detectors of ours and of anyone's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core import Batch, MRAVFusion
from mravff_core.analysis.attribution import Target, attribute
from mravff_core.analysis.planted import CHANNELS, LEVELS, planted_detector, reach
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import DetectorOutput
from tests.analysis.clip_features import GRID, TIME, inputs, noise, zeros
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector


@pytest.mark.parametrize("modality", ["audio", "vision"])
@pytest.mark.parametrize("level", range(LEVELS))
def test_planted_truth_is_found(modality: Any, level: int) -> None:
    given = inputs(CHANNELS, seed=level)
    step = (TIME >> level) // 2
    target = Target(level, step, 0)
    found = attribute(planted_detector(modality, level, seed=level), given, zeros(given), target, grid=GRID)
    assert found.share.audio_share == (1.0 if modality == "audio" else 0.0)
    own, other = found.gradients.audio, found.gradients.vision
    own, other = (own, other) if modality == "audio" else (other, own)
    first, last = reach(level, step, TIME)
    assert np.abs(own[first : last + 1]).sum() > 0
    assert not np.delete(own, np.arange(first, last + 1)).any()
    assert not other.any()
    assert found.complete
    for effect in found.levels:
        moved = effect.closed if modality == "audio" else effect.opened
        assert (moved != 0) == (effect.level == level)
    used = getattr(found.occlusion, modality)
    inside = (found.occlusion.edges[:-1] <= last) & (found.occlusion.edges[1:] > first)
    assert used[inside].any() and not used[~inside].any()


class Foreign(nn.Module):
    """Another one's detector: its points average a track over their stride, its three classes are multiples of that."""

    def __init__(self, track: Callable[[Tensor, Tensor], Tensor], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.track, self.strides = track, strides

    def forward(self, batch: Batch) -> DetectorOutput:
        assert batch.audio is not None
        track = self.track(batch.visual.mean(dim=1), batch.audio.mean(dim=1))
        levels = [functional.avg_pool1d(track[:, None], one, ceil_mode=True)[:, 0] for one in self.strides]
        return DetectorOutput(
            class_logits=tuple(torch.stack([level, -level, 2 * level], dim=-1) for level in levels),
            boundary_offsets=tuple(level.abs()[..., None, None].expand(-1, -1, 1, 2) for level in levels),
            level_masks=tuple(torch.ones_like(level, dtype=torch.bool)[:, None] for level in levels),
        )


# Track, audio share of it (None for undefined), feature steps that it looks ahead in sound and in sight.
FOREIGN: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float | None, int | None, int | None]] = {
    "sound to come": (lambda sight, sound: sound.roll(-5, dims=1), 1.0, 5, None),
    "sight gone by": (lambda sight, sound: sight.roll(4, dims=1), 0.0, None, -4),
    "both or nothing": (lambda sight, sound: sight * sound.roll(-3, dims=1), 0.5, 3, 0),
    "nothing": (lambda sight, sound: torch.ones_like(sight), None, None, None),
    "others in the batch": (lambda sight, sound: sound - sound.mean(dim=0, keepdim=True) / 2, 1.0, 0, None),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("strides", "level"), [((1,), 0), ((2, 6, 18), 1), ((1, 2, 4, 8, 16, 32, 64), 3)])
def test_what_was_planted_in_anyones_detector_is_found(name: str, strides: tuple[int, ...], level: int) -> None:
    track, share, sound, sight = FOREIGN[name]
    detector, given = Foreign(track, strides), inputs(CHANNELS)
    given = (given[0][..., :37], given[1][..., :37])
    step = 18 // strides[level]
    found = attribute(detector, given, zeros(given), Target(level, step, 2), grid=GRID)
    assert found.share.audio_share == (share if share is None else pytest.approx(share, abs=1e-6))
    assert found.complete and found.score == pytest.approx(
        float(detector(Batch(*given)).class_logits[level][0, step, 2])
    )
    for values, falls, ahead in (
        (found.gradients.audio, found.occlusion.audio, sound),
        (found.gradients.vision, found.occlusion.vision, sight),
    ):
        first = 0 if ahead is None else step * strides[level] + ahead
        read = np.arange(first, first + (0 if ahead is None else strides[level]))
        np.testing.assert_array_equal(np.flatnonzero(values), read)
        edges = found.occlusion.edges
        inside = [bool(((edges[n] <= read) & (read < edges[n + 1])).any()) for n in range(len(falls))]
        np.testing.assert_array_equal(falls != 0, inside)


class Plugged(nn.Module):
    """Anyone's detector that took in our fusion."""

    def __init__(self) -> None:
        super().__init__()
        self.strides = (1, 2)
        self.fusion = MRAVFusion(CHANNELS, CHANNELS, 2, heads=1)

    def forward(self, batch: Batch) -> DetectorOutput:
        levels = [batch.visual, batch.visual[..., ::2]]
        masks = [torch.ones(len(level), 1, level.shape[-1], dtype=torch.bool) for level in levels]
        fused, trace = self.fusion(levels, batch.audio, masks, audio_present=batch.audio_present)
        return DetectorOutput(
            class_logits=tuple(level.transpose(1, 2) for level in fused),
            boundary_offsets=tuple(level.new_ones(len(level), level.shape[-1], 1, 2) for level in fused),
            level_masks=tuple(masks),
            trace=trace,
        )


def test_forced_gates_of_our_fusion_in_anyones_detector_are_found() -> None:
    detector, given = Plugged().eval(), inputs(CHANNELS)
    found = attribute(detector, given, zeros(given), Target(1, 6, 2), grid=GRID)
    seen = float(given[0][0, 2, 12])
    assert [one.closed == 0 for one in found.levels] == [True, False]
    assert found.levels[1].closed == pytest.approx(seen - found.score, abs=1e-6)


class Deaf(Detector):
    """One of ours that was given an answer of its own."""

    def forward(self, batch: Batch) -> DetectorOutput:
        assert batch.audio is not None
        return super().forward(dataclasses.replace(batch, audio=torch.zeros_like(batch.audio)))


def test_a_detector_of_ours_with_an_answer_of_its_own_is_explained_by_that() -> None:
    detector, given = small_detector(), inputs(WIDE)
    heard = attribute(detector, given, noise(given), Target(1, 6, 2), grid=GRID)
    detector.__class__ = Deaf
    found = attribute(detector, given, noise(given), Target(1, 6, 2), grid=GRID)
    assert heard.share.audio and not found.share.audio
    assert not found.gradients.audio.any() and found.gradients.vision.any()


@pytest.mark.parametrize("modality", ["audio", "vision"])
@pytest.mark.parametrize("quantity", ["contrast", "start", "end"])
def test_a_planted_modality_is_found_by_every_number(modality: Any, quantity: Any) -> None:
    given, level, step = inputs(CHANNELS), 1, 9
    target = Target(level, step, 0, quantity)
    found = attribute(planted_detector(modality, level, seed=1), given, zeros(given), target, grid=GRID)
    own, other = found.gradients.audio, found.gradients.vision
    own, other = (own, other) if modality == "audio" else (other, own)
    first, last = reach(level, step, TIME)
    if found.share.audio_share is None:  # a boundary that lies at 0, with and without all of it
        assert quantity != "contrast" and found.score == found.baseline_score
        return
    assert found.share.audio_share == (1.0 if modality == "audio" else 0.0)
    assert own.any() and not np.delete(own, np.arange(first, last + 1)).any() and not other.any()
