"""Several clips at once give what each gives alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mravff_core.errors import ConfigError, FeatureError
from mravff_core.inference.batches import ClipFeatures, groups_of_like_length
from mravff_core.inference.predictor import Predictor
from mravff_core.time_grid import TimeGrid
from tests.model.small import AUDIO_CHANNELS, VISUAL_CHANNELS, small_detector

GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)
LENGTHS = [30, 7, 64, 1, 90, 31]
BASES = [{}, {"kind": "tridet", "bins": 6}, {"kind": "tridet", "official_padding": True}, {"kind": "temporalmaxer"}]


def clips() -> list[ClipFeatures]:
    rng = np.random.default_rng(0)
    return [
        ClipFeatures(
            visual=rng.normal(size=(VISUAL_CHANNELS, length)),
            grid=GRID,
            duration_s=float(GRID.to_seconds(np.array(length))),
            audio=None if number % 3 == 1 else rng.normal(size=(AUDIO_CHANNELS, length)),
        )
        for number, length in enumerate(LENGTHS)
    ]


@pytest.mark.parametrize("base", BASES)
def test_a_batch_finds_what_each_clip_alone_does(base: dict) -> None:
    predictor = Predictor(small_detector(base, kind="mrav"))
    together = predictor.detect_many(clips(), max_steps=100)
    for clip, found in zip(clips(), together, strict=True):
        alone = predictor.detect(clip.visual, clip.audio, grid=GRID, duration_s=clip.duration_s)
        assert len(found.detections) == len(alone.detections) > 0
        np.testing.assert_allclose(found.detections["score"], alone.detections["score"], atol=1e-4)
        for name in ("start_s", "end_s", "label"):  # equal scores may come in another order
            np.testing.assert_allclose(np.sort(found.detections[name]), np.sort(alone.detections[name]), atol=1e-3)
        assert [len(times) for times in found.level_times_s] == [len(times) for times in alone.level_times_s]
        for gate, expected in zip(found.trace.gates, alone.trace.gates, strict=True):
            torch.testing.assert_close(gate, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("base", BASES)
def test_rounded_products_move_probabilities_little(base: dict) -> None:
    detector = small_detector(base, kind="mrav")
    with torch.no_grad():
        for value in detector.parameters():
            value.mul_(0.5)
    batch = Predictor(detector).prepare(clips()[4].visual, clips()[4].audio, grid=GRID)
    with torch.inference_mode():
        exact = detector(batch)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = detector(batch)
    for first, second in zip(rounded.class_logits, exact.class_logits, strict=True):
        assert first.dtype == torch.float32
        assert float((first.sigmoid() - second.sigmoid()).abs().max()) < 0.02
    best = [
        np.array([found.detections["score"].max() for found in Predictor(detector).detect_many(clips(), **given)])
        for given in ({}, {"precision": "bfloat16"})
    ]
    assert 0 < np.abs(best[0] - best[1]).max() < 0.02
    with pytest.raises(ConfigError, match="precision is 'float16', expected float32 or bfloat16"):
        Predictor(detector).detect_many(clips(), precision="float16")


def test_like_lengths_go_together_and_no_batch_grows_too_long() -> None:
    groups = groups_of_like_length(LENGTHS, 100)
    assert groups == [[4], [2], [5, 0, 1], [3]]
    assert groups_of_like_length([500], 100) == [[0]]
    assert groups_of_like_length([], 100) == []


def test_one_bad_clip_is_told_before_anything_is_computed() -> None:
    bad = ClipFeatures(np.zeros((2, 5)), GRID, 1.0)
    with pytest.raises(FeatureError, match=r"visual features are \[2, 5\]"):
        Predictor(small_detector()).detect_many([*clips(), bad])
    with pytest.raises(FeatureError, match="duration is nan s"):
        Predictor(small_detector()).detect_many([ClipFeatures(np.zeros((VISUAL_CHANNELS, 5)), GRID, float("nan"))])
