"""Official TemporalMaxer checkpoints give the official numbers, in every configuration they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mravff_core.errors import CheckpointError, ConfigError, FeatureError
from mravff_core.inference.predictor import Predictor
from mravff_core.model.checkpoints import load_detector, save_detector
from mravff_core.model.detector import Detector
from mravff_core.model.official_config import convert_config, convert_training
from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid
from tests.model.published import assert_as_published, written
from tests.model.published_temporalmaxer import PublishedTemporalMaxer, small_temporalmaxer_config

LEVELS_OF_SIX = {"regression_range": [[0, 4], [2, 8], [4, 16], [8, 32], [16, 64], [32, 10000]]}
VARIANTS: dict[str, dict[str, Any]] = {
    "as_is": {},
    "as_for_thumos": {**LEVELS_OF_SIX, "backbone_arch": [2, 5], "max_seq_len": 256},
    "as_for_multithumos": {**LEVELS_OF_SIX, "backbone_arch": [3, 5], "fpn_norm": "layernorm", "max_seq_len": 256},
    "as_for_epic_verb": {**LEVELS_OF_SIX, "backbone_arch": [2, 5], "fpn_norm": "layernorm", "max_seq_len": 224},
    "as_for_epic_noun": {**LEVELS_OF_SIX, "backbone_arch": [2, 5], "fpn_norm": "groupnorm", "max_seq_len": 224},
    "no_neck_norm": {"fpn_norm": None},
    "whatever_fpn_with_ln_says": {"fpn_with_ln": False},
    "one_group": {"num_group": 1},
    "a_group_for_each_channel": {"num_group": 16},
    "groups_that_do_not_matter": {"fpn_norm": "layernorm", "num_group": 3},
    "from_level_one": {"fpn_start_level": 1, "regression_range": [[0, 8], [4, 10000]]},
    "no_norms": {"embd_with_ln": False, "fpn_norm": None, "head_with_ln": False},
    "neck_norm_alone": {"embd_with_ln": False, "head_with_ln": False},
    "wide_kernels": {"embd_kernel_size": 7, "head_kernel_size": 5},
    "pointwise_kernels": {"embd_kernel_size": 1, "head_kernel_size": 1},
    "one_head_layer": {"head_num_layers": 1, "head_dim": 16},
    "no_embedding": {"backbone_arch": [0, 2], "input_dim": 16},
    "one_level": {"backbone_arch": [2, 0], "regression_range": [[0, 10000]]},
    "by_four": {"scale_factor": 4},
    "by_three": {"scale_factor": 3, "max_seq_len": 72},
    "by_one": {"scale_factor": 1},
    "several_inputs": {"input_dim": [5, 7], "embd_dim": [6, 10]},
    "empty_classes": {"train_cfg": {"head_empty_cls": [0, 3], "center_sample": "none"}},
    "long_training_length": {"max_seq_len": 2304},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_equals_a_plain_reading_of_the_published_code(name: str, tmp_path: Path) -> None:
    config = small_temporalmaxer_config(**VARIANTS[name])
    published = PublishedTemporalMaxer(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    longest = config["dataset"]["max_seq_len"]
    channels = detector.config.base.input_channels
    for length in (
        1,
        3,
        17,
        longest // 2,
        longest - 4,
        longest - 1,
        longest,
        longest + 5,
        2 * longest - 2,
        2 * longest,
    ):
        features = torch.randn(channels, length, generator=torch.Generator().manual_seed(length))
        assert_as_published(detector, published, [features], tolerance=1e-5)


@pytest.mark.parametrize("norm", ["groupnorm", "layernorm", None])
def test_clips_of_one_batch_each_keep_their_official_result(tmp_path: Path, norm: str | None) -> None:
    config = small_temporalmaxer_config(fpn_norm=norm, embd_kernel_size=5)
    published = PublishedTemporalMaxer(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    clips = [torch.randn(12, length) for length in (64, 3, 100, 61)]
    for batch in (clips, clips[1::2], clips[:2]):
        assert_as_published(detector, published, batch, tolerance=1e-5)


def test_gradients_are_those_of_the_literal_padding(tmp_path: Path) -> None:
    config = small_temporalmaxer_config()
    published = PublishedTemporalMaxer(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu").train()
    clip = torch.randn(12, 21, requires_grad=True)
    found = torch.autograd.grad(sum(level.square().sum() for level in detector(Batch(clip[None])).class_logits), clip)
    wanted = torch.autograd.grad(sum(logits.square().sum() for logits, _ in published(clip)), clip)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_norm_that_serves_all_levels_is_stored_once(tmp_path: Path) -> None:
    config = small_temporalmaxer_config(fpn_norm="layernorm")
    published = PublishedTemporalMaxer(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    names = [name for name in detector.state_dict() if ".neck." in name]
    assert names == ["base.neck.norms.0.weight", "base.neck.norms.0.bias"]
    save_detector(detector, tmp_path / "ours")
    assert_as_published(load_detector(tmp_path / "ours", device="cpu"), published, [torch.randn(12, 40)])


def test_norms_that_differ_from_level_to_level_are_refused(tmp_path: Path) -> None:
    config = small_temporalmaxer_config(fpn_norm="layernorm")
    weights = PublishedTemporalMaxer(config).weights
    weights["neck.fpn_norms.2.bias"] = weights["neck.fpn_norms.2.bias"] + 1
    with pytest.raises(CheckpointError, match=r"norms differ from level to level at base\.neck\.norms\.2\.bias, exp"):
        load_detector(written(tmp_path, weights), config=config)


@pytest.mark.parametrize("telling", [{"fpn_norm": "layernorm"}, {"backbone_type": "convPooler"}, {"assigner": {}}])
def test_a_yaml_file_holds_only_differences_from_the_official_defaults(tmp_path: Path, telling: dict[str, Any]) -> None:
    path = tmp_path / "temporalmaxer_thumos_i3d.yaml"
    model = {**telling, "embd_dim": 16, "fpn_dim": 16, "head_dim": 16}
    data = {"num_classes": 2, "input_dim": 8, "max_seq_len": 64}
    path.write_text(yaml.safe_dump({"dataset": data, "model": model, "test_cfg": {"voting_thresh": 0.7}}))
    full = {"dataset": data, "model": {**model, "backbone_arch": [2, 5]}}
    detector = load_detector(written(tmp_path, PublishedTemporalMaxer(full).weights), config=path, device="cpu")
    base, test = detector.config.base, detector.config.test
    assert (base.kind, base.blocks, base.levels, base.embed_layers) == ("temporalmaxer", "maxpool", 6, 2)
    assert base.neck_norm_groups == (None if "fpn_norm" in telling else 4)
    assert detector.base.padding.multiple == 32
    assert (test.vote_weight, test.voting_threshold, test.max_buffer_factor) == ("score_iou", 0.7, 6.0)
    assert (test.min_score, test.sigma, test.max_segments, test.pre_nms_top_k) == (0.01, 0.5, 1000, 5000)


def test_centres_are_sampled_as_the_assigner_says() -> None:
    assigner = {"iou_weight": 2, "cls_weight": 1.0, "center_radius": 1.5, "keep_percent": 1.0, "confuse_weight": 0.0}
    config = small_temporalmaxer_config(assigner=assigner, train_cfg={"center_sample": "none", "init_loss_norm": 250})
    settings = convert_training(config, "epic.yaml")
    assert (settings.centre_sampling, settings.centre_radius) == ("radius", 1.5)
    assert (settings.initial_loss_norm, settings.input_noise, settings.iou_weight_power) == (250, 0.0, 0.0)
    assert convert_training(small_temporalmaxer_config(), "epic.yaml").centre_radius == 2.5


@pytest.mark.parametrize("prior", [0, -1.0])
def test_class_heads_start_at_zero_where_their_prior_is_switched_off(prior: float) -> None:
    config = convert_config(small_temporalmaxer_config(train_cfg={"cls_prior_prob": prior}), "epic.yaml")
    bias = Detector(config).state_dict()["base.class_head.tower.out.bias"]
    assert torch.equal(bias, torch.zeros(5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_mha_win_size": 9}, "model has unknown settings n_mha_win_size; is this a configuration of TemporalMaxer"),
        ({"test_cfg": {"nms_sgima": 0.4}}, "test_cfg has unknown settings nms_sgima"),
        ({"train_cfg": {"centre": 1}}, "train_cfg has unknown settings centre"),
        ({"fpn_norm": "batchnorm"}, "fpn_norm is 'batchnorm', expected groupnorm, layernorm or none at all"),
        ({"fpn_type": "fpn"}, "fpn_type is 'fpn', expected identity"),
        ({"num_group": 3}, r"neck_norm_groups \(3\) must divide neck_channels \(16\)"),
        ({"num_group": 0}, r"neck_norm_groups \(0\) must divide neck_channels"),
        ({"num_group": "four"}, "neck_norm_groups.*found str 'four'"),
        ({"backbone_arch": [2, 0, 2]}, "backbone_arch is .* expected two counts"),
        ({"backbone_type": "convTransformer"}, "backbone_type is 'convTransformer', expected one of convPooler"),
        ({"assigner": {"radius": 2}}, "assigner is .* expected a mapping with no more than center_radius, iou_weight"),
        ({"assigner": "simota"}, "assigner is 'simota', expected a mapping"),
        ({"fpn_dim": 24}, "neck_channels .* must equal embed_channels"),
        ({"max_seq_len": 66}, "max_seq_len is 66, expected a multiple of 4 for 3 levels"),
        ({"regression_range": [[0, 4]]}, "expected one range for each of 3 levels"),
        ({"fpn_start_level": 3}, r"neck_first_level \(3\) must be below levels \(3\)"),
    ],
)
def test_an_impossible_configuration_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, PublishedTemporalMaxer(small_temporalmaxer_config()).weights)
    with pytest.raises(ConfigError, match=message) as caught:
        load_detector(path, config=small_temporalmaxer_config(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 6}, r"differs in shape at base\.class_head\.tower\.out"),
        ({"fpn_norm": "layernorm"}, r"lacks base\.neck\.norms\.0\.weight"),
        ({"backbone_arch": [3, 2]}, r"lacks base\.embed\.2"),
        (
            {"backbone_arch": [2, 1], "regression_range": [[0, 4], [2, 8]]},
            r"beyond that base\.boundary_head\.scales\.2",
        ),
    ],
)
def test_a_configuration_of_another_checkpoint_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, PublishedTemporalMaxer(small_temporalmaxer_config()).weights)
    with pytest.raises(CheckpointError, match=message):
        load_detector(path, config=small_temporalmaxer_config(**changes))


def test_a_clip_beyond_the_official_buffer_is_told(tmp_path: Path) -> None:
    grid = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=1)
    config = small_temporalmaxer_config(max_buffer_len_factor=1.0)
    path = written(tmp_path, PublishedTemporalMaxer(config).weights)
    predictor = Predictor(load_detector(path, config=config, device="cpu"))
    with pytest.raises(FeatureError, match=r"has 65 feature steps, 68 with padding, but .* ends at 64"):
        predictor.detect(np.zeros((12, 65)), grid=grid, duration_s=65)
