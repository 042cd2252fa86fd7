"""Official TemporalMaxer checkpoints give the official numbers, in every configuration they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mravff_core.model.checkpoints import load_detector
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
