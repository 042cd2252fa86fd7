"""One clip's features to detections in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mravff_core.config import BaseConfig, FusionConfig, TestConfig
from mravff_core.data.align import to_grid
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.inference.batches import ClipFeatures
from mravff_core.inference.predictor import Predictor
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid

GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)
AUDIO_GRID = TimeGrid(hop_frames=10, window_frames=40, frames_per_second=100)
GOLDEN_TEST_CHANGES: dict[str | None, dict[str, Any]] = {
    None: {},
    "class_agnostic_soft_vote": {"multiclass_nms": False},
    "hard_multiclass": {"nms_method": "hard", "multiclass_nms": True},
}

SMALL_TEST = TestConfig(pre_nms_top_k=100, max_segments=50)


def small_detector(fusion: str = "mrav", test: TestConfig = SMALL_TEST, **base: Any) -> Detector:
    torch.manual_seed(0)
    widths = {"embed_channels": 16, "neck_channels": 16, "head_channels": 16}
    config = DetectorConfig(
        label_set="verb",
        labels=("cut", "pour", "open"),
        base=BaseConfig(**{"input_channels": 6, "levels": 4, "max_steps": 64, **widths, **base}),
        fusion=FusionConfig(kind=fusion, audio_channels=5),  # type: ignore[arg-type]
        test=test,
    )
    detector = Detector(config).eval()
    for parameter in detector.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return detector


def assert_same_up_to_ties(found: pd.DataFrame, expected: dict[str, Any]) -> None:
    """Same count; every expected detection is found within two places of its own."""
    assert len(found) == len(expected["score"])
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-4)
    rows = list(zip(expected["t_start"], expected["t_end"], expected["score"], expected["label"], strict=True))
    own = found[["start_s", "end_s", "score", "label"]].to_numpy()
    tolerance = np.array([1e-3, 1e-3, 1e-4, 0])
    for place, row in enumerate(rows):
        near = own[max(0, place - 2) : place + 3]
        assert (np.abs(near - row) <= tolerance).all(axis=1).any(), f"detection {place}: {row}"


@pytest.mark.parametrize("training", [True, False])
def test_a_detector_is_left_in_its_mode_and_detects_the_same_in_both(training: bool) -> None:
    detector = small_detector(drop_path=0.9)
    visual = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    expected = Predictor(detector).detect(visual, grid=GRID, duration_s=6.0).detections
    found = Predictor(detector.train(training)).detect(visual, grid=GRID, duration_s=6.0).detections
    assert detector.training is training and len(expected)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("change", GOLDEN_TEST_CHANGES)
@pytest.mark.parametrize(
    "variant", ["actionformer/epic_verb", "actionformer/extra_fpn_relpe", "tridet/thumos", "tridet/anet_tsp"]
)
def test_detections_equal_the_stored_ones(shared: Path, variant: str, change: str | None) -> None:
    folder = shared / "golden" / variant
    config = json.loads((folder / "config.json").read_text())["config"]
    config["test_cfg"] = {**config["test_cfg"], **GOLDEN_TEST_CHANGES[change]}
    predictor = Predictor(load_detector(folder / "state_dict.pt", config=config, device="cpu"))
    stored, inputs = json.loads((folder / "detections.json").read_text()), np.load(folder / "inputs.npz")
    for tag in ("tiny", "short", "equal", "long"):
        grid = TimeGrid(
            hop_frames=float(inputs[f"{tag}_feat_stride"]),
            window_frames=float(inputs[f"{tag}_feat_num_frames"]),
            frames_per_second=float(inputs[f"{tag}_fps"]),
        )
        clip = {"grid": grid, "duration_s": float(inputs[f"{tag}_duration"])}
        if "error" in stored[tag]:
            with pytest.raises(FeatureError, match="the checkpoint's configuration ends at"):
                predictor.detect(inputs[f"{tag}_feats"], **clip)
        elif change is None or change in stored[tag]:
            found = predictor.detect(inputs[f"{tag}_feats"], **clip)
            assert_same_up_to_ties(found.detections, stored[tag] if change is None else stored[tag][change])


def test_detections_are_sorted_and_inside_the_clip() -> None:
    found = Predictor(small_detector()).detect(np.random.default_rng(0).normal(size=(6, 50)), grid=GRID, duration_s=6.9)
    table = found.detections
    assert list(table.columns) == ["start_s", "end_s", "label", "score"]
    assert 0 < len(table) <= 50
    assert table["score"].is_monotonic_decreasing
    assert table["start_s"].min() >= 0 and table["end_s"].max() <= 6.9


def test_detections_wholly_outside_the_clip_are_left_out_except_as_published() -> None:
    visual = np.random.default_rng(0).normal(size=(6, 50))
    found = {}
    for keep in (False, True):
        predictor = Predictor(small_detector("none", TestConfig(keep_outside=keep)))
        found[keep] = predictor.detect(visual, grid=GRID, duration_s=3.0).detections
    lengths = found[True]["end_s"] - found[True]["start_s"]
    assert (lengths == 0).any()
    pd.testing.assert_frame_equal(found[False], found[True][lengths > 0].reset_index(drop=True))


def test_level_times_and_gates_are_cut_to_the_clip() -> None:
    rng = np.random.default_rng(0)
    found = Predictor(small_detector()).detect(
        rng.normal(size=(6, 37)), rng.normal(size=(5, 37)), grid=GRID, duration_s=5.0
    )
    assert [gate.shape for gate in found.trace.gates] == [(1, 1, 37), (1, 1, 19), (1, 1, 10), (1, 1, 5)]
    assert [len(times) for times in found.level_times_s] == [37, 19, 10, 5]
    np.testing.assert_allclose(found.level_times_s[2], GRID.to_seconds(np.arange(10) * 4.0))


def test_without_sound_the_detections_are_the_same_whatever_the_way() -> None:
    rng = np.random.default_rng(1)
    visual, audio = rng.normal(size=(6, 41)), rng.normal(size=(5, 41))
    predictor = Predictor(small_detector())
    silent = predictor.detect(visual, grid=GRID, duration_s=5.0)
    off = predictor.detect(visual, audio, grid=GRID, duration_s=5.0, audio_condition="off")
    on = predictor.detect(visual, audio, grid=GRID, duration_s=5.0)
    pd.testing.assert_frame_equal(silent.detections, off.detections)
    assert all(float(gate.abs().max()) == 0 for gate in off.trace.gates)
    assert all(float(gate.min()) > 0 for gate in on.trace.gates)
    assert not on.detections.equals(off.detections)


def test_sound_comes_onto_the_visual_grid_by_time_stamps() -> None:
    rng = np.random.default_rng(2)
    visual, audio = rng.normal(size=(6, 30)), rng.normal(size=(5, 48))
    predictor = Predictor(small_detector())
    batch = predictor.prepare(visual, audio, grid=GRID, audio_grid=AUDIO_GRID)
    assert batch.audio is not None
    np.testing.assert_allclose(batch.audio[0], to_grid(audio, AUDIO_GRID, GRID, 30), atol=1e-6)


def test_a_shift_delays_the_sound_and_fills_with_silence() -> None:
    audio = np.arange(30, dtype=np.float32)[None].repeat(5, axis=0)
    silence = np.full(5, -7.0)
    predictor = Predictor(small_detector())
    for steps in (3, -3):
        batch = predictor.prepare(
            np.zeros((6, 30)), audio, grid=GRID, audio_condition=f"shift:{steps * GRID.hop_s}", silence=silence
        )
        assert batch.audio is not None
        expected = np.full(30, -7.0)
        source = np.arange(30) - steps
        inside = (source >= 0) & (source < 30)
        expected[inside] = source[inside]
        np.testing.assert_allclose(batch.audio[0, 0], expected, atol=1e-4)


def test_silence_is_what_the_caller_says_it_is() -> None:
    batch = Predictor(small_detector()).prepare(
        np.zeros((6, 8)), np.ones((5, 8)), grid=GRID, audio_condition="silence", silence=np.arange(5)
    )
    assert batch.audio is not None
    np.testing.assert_array_equal(batch.audio[0], np.arange(5)[:, None].repeat(8, axis=1))


def test_a_batch_of_one_goes_to_the_detector_as_it_is() -> None:
    detector = small_detector()
    visual = torch.randn(6, 33)
    batch = Predictor(detector).prepare(visual, grid=GRID)
    with torch.no_grad():
        assert torch.equal(detector(batch).class_logits[0], detector(Batch(visual[None])).class_logits[0])


def test_the_detector_is_left_in_the_mode_it_was_in() -> None:
    detector = small_detector(dropout=0.5).train()
    first, second = (
        Predictor(detector).detect(np.ones((6, 20)), grid=GRID, duration_s=3.0).detections for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert detector.training


def test_no_suppression_keeps_every_candidate_best_first() -> None:
    detector = small_detector("none", TestConfig(nms="none", pre_nms_min_score=0.0, min_duration_grid=0.0))
    found = Predictor(detector).detect(np.random.default_rng(0).normal(size=(6, 9)), grid=GRID, duration_s=9.0)
    assert found.detections["score"].is_monotonic_decreasing
    assert len(found.detections) > 20


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"visual": np.zeros((50, 6))}, FeatureError, r"visual features are \[50, 6\], expected \[6, time\]"),
        ({"visual": np.zeros((6, 0))}, FeatureError, "time above 0"),
        ({"visual": np.full((6, 9), np.nan)}, FeatureError, "not finite at 9 of 9 steps"),
        ({"audio": np.zeros((4, 9))}, FeatureError, r"audio features are \[4, 9\], expected \[5, time\]"),
        ({"audio": np.zeros((5, 9)), "silence": np.zeros(3)}, FeatureError, r"silence are \[3\], expected \[5\]"),
        ({"duration_s": 0.0}, FeatureError, "duration is 0.0 s"),
        ({"audio_condition": "swap:other"}, ConfigError, "pass the features of the altered sound"),
        ({"audio_condition": "louder"}, ConfigError, "audio condition 'louder' is not known"),
    ],
)
def test_bad_input_is_told(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    call = {"visual": np.zeros((6, 9)), "grid": GRID, "duration_s": 2.0, **arguments}
    with pytest.raises(error, match=message):
        Predictor(small_detector()).detect(**call)


def test_published_detectors_end_where_their_configuration_ends() -> None:
    detector = small_detector("none", TestConfig(max_buffer_factor=1.5), official_padding=True, window=(5,))
    Predictor(detector).prepare(np.zeros((6, 96)), grid=GRID)
    with pytest.raises(FeatureError, match=r"97 feature steps, 128 with padding, but .* ends at 96"):
        Predictor(detector).prepare(np.zeros((6, 97)), grid=GRID)


@pytest.mark.parametrize("first_level", [0, 1, 2])
def test_published_detectors_end_where_the_points_of_a_level_do(first_level: int) -> None:
    settings = TestConfig(max_buffer_factor=1.98)
    detector = small_detector("none", settings, official_padding=True, window=(-1,), neck_first_level=first_level)
    # The published code lists the points of each level that heads read: every stride-th step below 64 * 1.98.
    points = {stride: len(np.arange(0, 64 * 1.98, stride)) for stride in (1, 2, 4, 8)[first_level:]}
    for steps in range(65, 140):
        padded = -(-steps // 8) * 8
        if all(padded // stride <= count for stride, count in points.items()):
            Predictor(detector).prepare(np.zeros((6, steps)), grid=GRID)
        else:
            with pytest.raises(FeatureError, match=f"the clip has {steps} feature steps"):
                Predictor(detector).prepare(np.zeros((6, steps)), grid=GRID)


def test_a_forward_pass_loads_neither_tables_nor_a_compiler() -> None:
    heavy = "{'pandas', 'numba', 'duckdb', 'pyarrow', 'scipy'}"
    program = (
        "import sys, mravff_core.model.checkpoints, mravff_core.inference.predictor, mravff_core.inference.decode; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_features_that_may_not_be_written_to_are_detected_in_and_stay_as_they_were() -> None:
    visual = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    frozen, before = visual.copy(), visual.copy()
    frozen.flags.writeable = False
    predictor = Predictor(small_detector())
    found = [predictor.detect(array, grid=GRID, duration_s=9.0).detections for array in (visual, frozen)]
    pd.testing.assert_frame_equal(*found)
    np.testing.assert_array_equal(visual, before)


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float64, 1e-6), (torch.float16, 0.02)])
@pytest.mark.parametrize("kind", ["actionformer", "tridet", "temporalmaxer"])
def test_a_detector_may_be_of_any_precision(kind: str, precision: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    base = BaseConfig(kind=kind, input_channels=6, embed_channels=16, neck_channels=16, head_channels=16, levels=4)  # type: ignore[arg-type]
    fusion = FusionConfig(kind="mrav", audio_channels=5)
    detector = Detector(DetectorConfig(label_set="verb", labels=("cut", "pour"), base=base, fusion=fusion))
    rng = np.random.default_rng(0)
    visual, audio = (rng.normal(size=(channels, 40)).astype(np.float32) for channels in (6, 5))
    clip = ClipFeatures(visual, grid=GRID, duration_s=6.0, audio=audio)
    expected = Predictor(detector).detect(visual, audio, grid=GRID, duration_s=6.0)
    predictor = Predictor(detector.to(precision))
    for found in (predictor.detect(visual, audio, grid=GRID, duration_s=6.0), *predictor.detect_many([clip, clip])):
        np.testing.assert_allclose(found.detections["score"], expected.detections["score"], atol=tolerance)
        for gate, exact in zip(found.trace.gates, expected.trace.gates, strict=True):
            torch.testing.assert_close(gate, exact, atol=tolerance, rtol=0)
