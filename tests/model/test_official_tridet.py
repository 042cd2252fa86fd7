"""Official TriDet checkpoints give the official numbers, in every configuration they come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mravff_core.errors import CheckpointError, ConfigError, FeatureError
from mravff_core.inference.predictor import Predictor
from mravff_core.model.bases.compact import compact_levels
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid
from tests.model.published import assert_as_published, written
from tests.model.published_tridet import PublishedTriDet, small_tridet_config

LEVELS_OF_SIX = {
    "backbone_arch": [2, 2, 5],
    "regression_range": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "as_is": {},
    "as_for_thumos": {**LEVELS_OF_SIX, "n_sgp_win_size": 1, "k": 5, "max_seq_len": 256, "num_bins": 16},
    "as_for_epic": {**LEVELS_OF_SIX, "n_sgp_win_size": 5, "k": 2, "max_seq_len": 224, "num_bins": 16},
    "as_for_activitynet": {
        **LEVELS_OF_SIX,
        "n_sgp_win_size": 15,
        "k": 1.3,
        "use_abs_pe": True,
        "max_seq_len": 192,
        "num_classes": 1,
        "num_bins": 12,
    },
    "as_for_hacs": {
        "n_sgp_win_size": 3,
        "k": 1.2,
        "use_abs_pe": True,
        "head_kernel_size": 5,
        "boudary_kernel_size": 1,
    },
    "windows_of_levels": {"n_sgp_win_size": [4, 9, 1]},
    "wide_windows": {"n_sgp_win_size": 21, "k": 3},
    "narrow_wide_convolution": {"k": 0.2},
    "no_trident_head": {"use_trident_head": False},
    "no_trident_head_no_bins": {"use_trident_head": False, "num_bins": 0},
    "one_bin": {"num_bins": 1},
    "more_bins_than_steps": {"num_bins": 40, "max_seq_len": 32},
    "averaging": {"downsample_type": "avg"},
    "averaging_by_three": {"downsample_type": "avg", "scale_factor": 3, "max_seq_len": 72},
    "by_four": {"scale_factor": 4},
    "by_one": {"scale_factor": 1},
    "absolute_position": {"use_abs_pe": True, "embd_kernel_size": 5},
    "absolute_position_without_embedding": {"backbone_arch": [0, 1, 2], "input_dim": 16, "use_abs_pe": True},
    "fpn": {"fpn_type": "fpn", "fpn_dim": 24, "head_dim": 24},
    "fpn_without_norm": {"fpn_type": "fpn", "fpn_with_ln": False},
    "no_norms": {"embd_with_ln": False, "fpn_with_ln": False, "head_with_ln": False},
    "wide_heads": {"head_kernel_size": 7, "boudary_kernel_size": 5},
    "one_head_layer": {"head_num_layers": 1, "head_dim": 16},
    "one_level": {"backbone_arch": [2, 1, 0], "regression_range": [[0, 10000]]},
    "one_level_of_any_window": {"backbone_arch": [2, 1, 0], "regression_range": [[0, 10000]], "n_sgp_win_size": -1},
    "no_stem": {"backbone_arch": [1, 0, 2]},
    "no_stem_behind_a_wide_embedding": {"backbone_arch": [2, 0, 2], "embd_kernel_size": 7},
    "embedding_that_sees_farther_than_the_stem": {"embd_kernel_size": 9, "k": 0.5},
    "deep_stem": {"backbone_arch": [1, 4, 2], "k": 4},
    "hidden_width_not_given": {"sgp_mlp_dim": None},
    "wider": {"embd_dim": 48, "fpn_dim": 48, "sgp_mlp_dim": 50},
    "no_drop_path": {"train_cfg": {"droppath": 0.0}},
    "convolutional": {"backbone_type": "conv", "use_abs_pe": True},
    "convolutional_fpn": {"backbone_type": "conv", "fpn_type": "fpn", "boudary_kernel_size": 5},
    "convolutional_by_three": {"backbone_type": "conv", "scale_factor": 3, "max_seq_len": 72},
    "long_training_length": {"max_seq_len": 1024, "max_buffer_len_factor": 1.0},
}


@pytest.mark.parametrize("variant", ["thumos", "anet_tsp"])
def test_every_level_equals_the_stored_numbers(shared: Path, variant: str) -> None:
    folder = shared / "golden" / "tridet" / variant
    detector = load_detector(
        folder / "state_dict.pt", config=json.loads((folder / "config.json").read_text())["config"], device="cpu"
    )
    inputs, expected = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    for tag in [name.split("_")[0] for name in expected.files if name.endswith("_mask_0")]:
        with torch.no_grad():
            output = detector(Batch(torch.from_numpy(inputs[f"{tag}_feats"])[None]))
        for level, mask in enumerate(output.level_masks):
            real, ours = expected[f"{tag}_mask_{level}"], mask[0, 0]
            assert ours.sum() == real.sum()
            decoded = expected[f"{tag}_decoded_{level}"].transpose(1, 0, 2)[real]
            logits, offsets = output.class_logits[level][0][ours], output.boundary_offsets[level][0][ours]
            np.testing.assert_allclose(logits, expected[f"{tag}_cls_{level}"][real], atol=1e-4, rtol=0)
            np.testing.assert_allclose(offsets, decoded, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_equals_a_plain_reading_of_the_published_code(name: str, tmp_path: Path) -> None:
    config = small_tridet_config(**VARIANTS[name])
    published = PublishedTriDet(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    longest = config["dataset"]["max_seq_len"]
    channels = detector.config.base.input_channels
    lengths = [1, 3, 17, longest // 2, longest - 4, longest - 1, longest, longest + 5, 2 * longest - 2, 2 * longest]
    rule = detector.base.padding
    for length in (length for length in lengths if rule.extent(length) % rule.strides[-1] == 0):
        features = torch.randn(channels, length, generator=torch.Generator().manual_seed(length))
        assert_as_published(detector, published, [features])


def test_clips_of_one_batch_each_keep_their_official_result(tmp_path: Path) -> None:
    config = small_tridet_config(use_abs_pe=True, embd_kernel_size=5)
    published = PublishedTriDet(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    assert_as_published(detector, published, [torch.randn(12, length) for length in (64, 3, 100, 61)])


def test_short_clips_cost_little_more_than_their_length(tmp_path: Path) -> None:
    config = small_tridet_config(**LEVELS_OF_SIX, n_sgp_win_size=5, k=2, max_seq_len=2304)
    base = load_detector(written(tmp_path, PublishedTriDet(config).weights), config=config, device="cpu").base
    layouts = compact_levels(base.config, [405], [base.padding.extent(405)])
    assert [layout.extents[0] for layout in layouts] == [2304, 1152, 576, 288, 144, 72]
    assert sum(layout.width for layout in layouts) < 1.2 * sum(-(-405 // stride) for stride in base.strides) + 6


def test_a_yaml_file_without_a_network_s_name_is_told_by_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "thumos_i3d.yaml"
    model = {"sgp_mlp_dim": 24, "n_sgp_win_size": 1, "k": 5, "embd_dim": 16, "fpn_dim": 16, "head_dim": 16}
    data = {"num_classes": 2, "input_dim": 8, "max_seq_len": 64}
    path.write_text(yaml.safe_dump({"dataset": data, "model": model, "test_cfg": {"voting_thresh": 0.7}}))
    full = {"dataset": data, "model": {**model, "backbone_arch": [2, 2, 5]}}
    detector = load_detector(written(tmp_path, PublishedTriDet(full).weights), config=path, device="cpu")
    base, test = detector.config.base, detector.config.test
    assert (base.kind, base.blocks, base.levels, base.bins, base.trident) == ("tridet", "sgp", 6, 16, True)
    assert (test.vote_weight, test.voting_threshold, test.max_buffer_factor) == ("score", 0.7, 6.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_head": 4}, "model has unknown settings n_head; is this a configuration of TriDet"),
        ({"test_cfg": {"nms_sgima": 0.4}}, "test_cfg has unknown settings nms_sgima"),
        ({"n_sgp_win_size": -1}, r"sgp_window \[-1, -1, -1\] must be odd and at least 1"),
        ({"n_sgp_win_size": 4}, "must be odd"),
        ({"n_sgp_win_size": [5, 5]}, "n_sgp_win_size lists 2 levels, expected 3"),
        ({"n_sgp_win_size": "wide"}, "found str 'wide', expected int"),
        ({"embd_dim": 24, "fpn_dim": 24}, r"embed_channels \(24\) must be a multiple of sgp_groups \(16\)"),
        ({"max_seq_len": 66}, "max_seq_len is 66, expected a multiple of 4 for 3 levels"),
        ({"scale_factor": 3, "max_seq_len": 72}, "scale_factor .* must be 1 or even"),
        ({"downsample_type": "min"}, "downsample_type is 'min', expected max or avg"),
        ({"backbone_type": "convTransformer"}, "backbone_type is 'convTransformer', expected one of SGP, conv"),
        ({"boudary_kernel_size": 2}, r"boundary_kernel \(2\) must be odd"),
        ({"input_dim": [6, 6]}, r"input_dim is \[6, 6\] .* expected a number for each"),
        ({"num_bins": 2.5}, "found float 2.5, expected int"),
        ({"regression_range": [[0, 4]]}, "expected one range for each of 3 levels"),
        ({"use_trident_head": "no"}, "found str 'no', expected bool"),
        ({"train_cfg": {"cls_prior_prob": 0}}, r"class_prior \(0\.0\) must lie between 0 and 1"),
    ],
)
def test_an_impossible_configuration_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, PublishedTriDet(small_tridet_config()).weights)
    with pytest.raises(ConfigError, match=message) as caught:
        load_detector(path, config=small_tridet_config(**changes))
    assert "\n" not in str(caught.value)


def test_a_missing_hidden_width_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, PublishedTriDet(small_tridet_config()).weights)
    config = small_tridet_config()
    del config["model"]["sgp_mlp_dim"]
    with pytest.raises(ConfigError, match=r"model\.sgp_mlp_dim is missing"):
        load_detector(path, config=config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 6}, r"differs in shape at base\.class_head\.tower\.out"),
        ({"use_trident_head": False}, r"has beyond that base\.boundary_head\.(start|end)"),
        ({"k": 4}, r"differs in shape at base\.stem\.0\.wide\.weight"),
        ({"downsample_type": "avg"}, r"lacks base\.branch\.0\.pool\.project"),
        ({"backbone_type": "conv"}, r"lacks base\.stem\.0\.widen"),
    ],
)
def test_a_configuration_of_another_checkpoint_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, PublishedTriDet(small_tridet_config()).weights)
    with pytest.raises(CheckpointError, match=message):
        load_detector(path, config=small_tridet_config(**changes))


def test_lengths_that_the_published_code_cannot_take_are_told(tmp_path: Path) -> None:
    grid = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=1)
    config = small_tridet_config(n_sgp_win_size=[1, 9, 1], max_buffer_len_factor=2.0)
    path = written(tmp_path, PublishedTriDet(config).weights)
    predictor = Predictor(load_detector(path, config=config, device="cpu"))
    with pytest.raises(FeatureError, match="has 70 feature steps, 72 with padding"):
        small = small_tridet_config(n_sgp_win_size=[1, 9, 1], max_buffer_len_factor=1.0)
        Predictor(load_detector(path, config=small, device="cpu")).detect(np.zeros((12, 70)), grid=grid, duration_s=70)
    with pytest.raises(FeatureError, match="pads a clip of 80 feature steps to 90, which 3 levels cannot halve"):
        predictor.detect(np.zeros((12, 80)), grid=grid, duration_s=80)
    with torch.no_grad(), pytest.raises(FeatureError, match="pads a clip of 80 feature steps to 90, which 3 levels"):
        predictor.detector(Batch(torch.zeros(1, 12, 80)))
    with torch.no_grad():
        assert predictor.detector(Batch(torch.zeros(1, 12, 64))).class_logits[0].shape[1] == 64
