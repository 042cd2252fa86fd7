"""Official checkpoints give the official numbers, in every configuration they come in."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mravff_core.errors import CheckpointError, ConfigError
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.outputs import Batch
from tests.model.published import Published, assert_as_published, small_config, written

GOLDEN = ["epic_verb", "extra_fpn_relpe"]
VARIANTS: dict[str, dict[str, Any]] = {
    "as_is": {},
    "full_attention": {"n_mha_win_size": -1},
    "window_of_one_is_full": {"n_mha_win_size": 1},
    "even_window": {"n_mha_win_size": 4},
    "mixed_windows": {"n_mha_win_size": [5, 9, -1]},
    "relative_position": {"use_rel_pe": True, "n_mha_win_size": [5, 3, -1]},
    "absolute_position": {"use_abs_pe": True},
    "fpn": {"fpn_type": "fpn", "fpn_dim": 24},
    "fpn_without_norm": {"fpn_type": "fpn", "fpn_with_ln": False},
    "fpn_from_level_one": {"fpn_type": "fpn", "fpn_start_level": 1, "regression_range": [[0, 8], [4, 10000]]},
    "identity_from_level_one": {"fpn_start_level": 1, "regression_range": [[0, 8], [4, 10000]]},
    "no_norms": {"embd_with_ln": False, "fpn_with_ln": False, "head_with_ln": False},
    "wide_kernels": {"embd_kernel_size": 7, "head_kernel_size": 5},
    "pointwise_kernels": {"embd_kernel_size": 1, "head_kernel_size": 1},
    "one_head_layer": {"head_num_layers": 1},
    "no_embedding": {"backbone_arch": [0, 1, 2], "input_dim": 16},
    "one_level": {"backbone_arch": [2, 1, 0], "regression_range": [[0, 10000]]},
    "one_level_by_three": {"backbone_arch": [2, 1, 0], "regression_range": [[0, 10000]], "scale_factor": 3},
    "no_stem": {"backbone_arch": [1, 0, 2]},
    "no_stem_for_an_even_window": {"backbone_arch": [1, 0, 2], "n_mha_win_size": [4, 5, -1], "use_rel_pe": True},
    "scale_factor_four": {"scale_factor": 4, "n_mha_win_size": [5, 5, -1]},
    "scale_factor_one": {"scale_factor": 1},
    "convolutional": {"backbone_type": "conv", "use_abs_pe": True},
    "convolutional_by_three": {"backbone_type": "conv", "scale_factor": 3, "max_seq_len": 72},
    "convolutional_fpn": {"backbone_type": "conv", "fpn_type": "fpn", "embd_kernel_size": 5},
    "several_inputs": {"input_dim": [5, 7], "embd_dim": [6, 10]},
    "no_drop_path": {"train_cfg": {"droppath": 0.0}},
    "empty_classes": {"train_cfg": {"head_empty_cls": [0, 3]}},
    "prior_switched_off": {"train_cfg": {"cls_prior_prob": 0}},
}


@pytest.mark.parametrize("variant", GOLDEN)
def test_every_level_equals_the_stored_numbers(shared: Path, variant: str) -> None:
    folder = shared / "golden" / "actionformer" / variant
    detector = load_detector(
        folder / "state_dict.pt", config=json.loads((folder / "config.json").read_text())["config"]
    )
    inputs, expected = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    for tag in ("tiny", "short", "equal", "long"):
        with torch.no_grad():
            output = detector(Batch(torch.from_numpy(inputs[f"{tag}_feats"])[None]))
        for level, mask in enumerate(output.level_masks):
            real = expected[f"{tag}_mask_{level}"]
            assert mask.sum() == real.sum()
            logits, offsets = output.class_logits[level][0], output.boundary_offsets[level][0, :, 0]
            np.testing.assert_allclose(logits[mask[0, 0]], expected[f"{tag}_cls_{level}"][real], atol=1e-4, rtol=0)
            np.testing.assert_allclose(offsets[mask[0, 0]], expected[f"{tag}_offset_{level}"][real], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_equals_a_plain_reading_of_the_published_code(name: str, tmp_path: Path) -> None:
    config = small_config(**VARIANTS[name])
    published = Published(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    longest = config["dataset"]["max_seq_len"]
    channels = detector.config.base.input_channels
    for length in (1, 3, 17, longest - 4, longest - 1, longest, longest + 5, 2 * longest - 2, 2 * longest):
        features = torch.randn(channels, length, generator=torch.Generator().manual_seed(length))
        assert_as_published(detector, published, [features])


def test_clips_of_one_batch_each_keep_their_official_result(tmp_path: Path) -> None:
    config = small_config(use_abs_pe=True, embd_kernel_size=5)
    published = Published(config)
    detector = load_detector(written(tmp_path, published.weights), config=config, device="cpu")
    assert_as_published(detector, published, [torch.randn(12, length) for length in (64, 3, 100, 61)])


def test_short_clips_are_padded_no_further_than_they_need(tmp_path: Path) -> None:
    config = small_config()
    detector = load_detector(written(tmp_path, Published(config).weights), config=config, device="cpu")
    rule = detector.base.padding
    assert [rule.computed(length) for length in (1, 4, 5, 59, 60, 61, 64, 65, 127)] == [
        8,
        8,
        12,
        64,
        64,
        64,
        64,
        72,
        128,
    ]
    assert [rule.extent(length) for length in (1, 64, 65, 80)] == [64, 64, 80, 80]


def test_averaged_weights_are_preferred_and_other_state_is_ignored(tmp_path: Path) -> None:
    config = small_config()
    averaged, last = Published(config, 1).weights, Published(config, 2).weights
    content = {
        "epoch": 7,
        "state_dict": last,
        "state_dict_ema": {f"module.{name}": value for name, value in averaged.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "scheduler": {"last_epoch": 7, "_last_lr": [1e-5]},
    }
    torch.save(content, tmp_path / "both.pth.tar")
    torch.save({"state_dict": last}, tmp_path / "last.pt")
    torch.save(last, tmp_path / "bare.pt")
    bias = "cls_head.cls_head.conv.bias"
    for name, weights in (("both.pth.tar", averaged), ("last.pt", last), ("bare.pt", last)):
        detector = load_detector(tmp_path / name, config=config, device="cpu")
        torch.testing.assert_close(detector.state_dict()["base.class_head.tower.out.bias"], weights[bias])


def test_a_yaml_file_holds_only_differences_from_the_official_defaults(tmp_path: Path) -> None:
    path = tmp_path / "anet.yaml"
    model = {"n_mha_win_size": [25, 25, 25, 25, 25, -1], "embd_dim": 16, "fpn_dim": 16, "head_dim": 16}
    path.write_text(yaml.safe_dump({"dataset": {"num_classes": 1, "input_dim": 8, "max_seq_len": 768}, "model": model}))
    full = {
        "dataset": {"num_classes": 1, "input_dim": 8, "max_seq_len": 768},
        "model": {**model, "backbone_arch": [2, 2, 5]},
    }
    weights = Published({**full, "model": {**full["model"], "n_head": 4}}).weights
    detector = load_detector(written(tmp_path, weights), config=path, device="cpu")
    base, test = detector.config.base, detector.config.test
    assert (base.levels, base.heads, base.window[-1], base.drop_path) == (6, 4, -1, 0.1)
    assert detector.base.padding.multiple == 384
    assert (test.min_score, test.sigma, test.max_segments, test.max_buffer_factor) == (0.01, 0.5, 1000, 6.0)


class RunsCode:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    bait = tmp_path / "ran"
    torch.save({"state_dict": RunsCode(bait)}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match=r"bad\.pt: refused, since reading it could run code.*it holds getattr"):
        load_detector(tmp_path / "bad.pt", config=small_config())
    assert not bait.exists()


def test_what_training_leaves_beside_the_weights_is_passed_over(tmp_path: Path) -> None:
    weights = Published(small_config(), 3).weights
    content = {
        "state_dict": weights,
        "args": argparse.Namespace(folder=tmp_path, lr=np.float32(1e-4)),
        "best": np.float64(0.3),
        "epoch": np.int64(7),
        "history": np.arange(4.0),
        "scheduler": {"milestones": Counter([3, 4])},
    }
    for zipped in (True, False):
        torch.save(content, tmp_path / "own.pth.tar", _use_new_zipfile_serialization=zipped)
        detector = load_detector(tmp_path / "own.pth.tar", config=small_config(), device="cpu")
        bias = weights["cls_head.cls_head.conv.bias"]
        torch.testing.assert_close(detector.state_dict()["base.class_head.tower.out.bias"], bias)
    torch.save({"state_dict": dict.fromkeys(weights, np.float64(0))}, tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="expected state_dict_ema, state_dict or the named tensors"):
        load_detector(tmp_path / "none.pt", config=small_config())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", r"\(a web page\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"\(a pointer of Git LFS, not the file it stands for\)"),
        (b"hello world", r"\(no archive of PyTorch, KeyError\)"),
        (b"PK\x03\x04 and no more", r"failed .*\); cut short while copied"),
    ],
)
def test_what_a_file_is_instead_is_told(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        load_detector(tmp_path / "a.pt", config=small_config())
    assert "\x1b" not in str(caught.value) and "option" not in str(caught.value)


def test_thresholds_below_zero_mean_none(tmp_path: Path) -> None:
    path = written(tmp_path, Published(small_config()).weights)
    config = small_config(test_cfg={"voting_thresh": -1, "min_score": -0.5})
    test = load_detector(path, config=config, device="cpu").config.test
    assert (test.voting_threshold, test.min_score) == (0, 0)


@pytest.mark.parametrize("odd", [torch.Tensor.to_sparse, lambda value: value.to("meta"), lambda value: value + 0j])
def test_tensors_that_are_no_plain_arrays_are_refused(tmp_path: Path, odd: Any) -> None:
    weights = Published(small_config()).weights
    torch.save({"state_dict": {name: odd(value) for name, value in weights.items()}}, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"odd\.pt: .* tensors, such as .*, hold no plain array of real numbers"):
        load_detector(tmp_path / "odd.pt", config=small_config())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _text(path: Path) -> None:
    path.write_text("this is no checkpoint")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_weights(path: Path) -> None:
    torch.save({"epoch": 3, "optimizer": {}}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "not readable as a checkpoint|refused"),
        (_text, "refused|not readable"),
        (_empty, "not readable as a checkpoint"),
        (_no_weights, r"holds \['epoch', 'optimizer'\], expected state_dict_ema"),
    ],
)
def test_a_damaged_file_gets_one_sentence(tmp_path: Path, damage: Any, message: str) -> None:
    path = written(tmp_path, Published(small_config()).weights)
    damage(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_detector(path, config=small_config())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 6}, r"differs in shape at base\.class_head\.tower\.out"),
        ({"embd_with_ln": False}, "lacks .*embed.0.conv.bias.*has beyond that .*embed.0.norm"),
        ({"backbone_arch": [2, 2, 2]}, r"lacks base\.stem\.1"),
        ({"use_rel_pe": True}, "lacks .*relative_bias"),
    ],
)
def test_a_configuration_of_another_checkpoint_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, Published(small_config()).weights)
    with pytest.raises(CheckpointError, match=message):
        load_detector(path, config=small_config(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_mha_win_siz": 9}, "model has unknown settings n_mha_win_siz"),
        ({"test_cfg": {"nms_sgima": 0.4}}, "test_cfg has unknown settings nms_sgima"),
        ({"train_cfg": {"drop_path": 0.2}}, "train_cfg has unknown settings drop_path"),
        ({"max_seq_len": 66}, "max_seq_len is 66, expected a multiple of"),
        ({"regression_range": [[0, 4]]}, "regression_range .* expected one range for each of 3"),
        ({"n_mha_win_size": [5, 5]}, "n_mha_win_size lists 2 levels, expected 3"),
        ({"n_mha_win_size": [5]}, "n_mha_win_size lists 1 levels, expected 3"),
        ({"n_mha_win_size": "wide"}, "window.*found str 'wide', expected int"),
        ({"backbone_arch": [2, 2]}, "backbone_arch is .* expected three counts"),
        ({"backbone_type": "mamba"}, "backbone_type is 'mamba', expected one of convTransformer, conv"),
        ({"input_dim": [5, 7]}, "expected both to be a number or both to be a list"),
        ({"input_dim": "many"}, "input_dim is 'many', expected a number above 0"),
        ({"num_classes": [5, 3]}, r"num_classes is \[5, 3\], expected 1 to 1,000,000"),
        ({"num_classes": 10**9}, r"num_classes is 1000000000, expected 1 to 1,000,000"),
        ({"scale_factor": 0}, "scale_factor must be at least 1"),
        ({"n_head": 3}, r"embed_channels \(16\) must be a multiple of heads \(3\)"),
        ({"fpn_dim": 24}, "neck_channels .* must equal embed_channels"),
        ({"embd_kernel_size": 4}, "embed_kernel must be odd"),
        ({"scale_factor": 3, "max_seq_len": 72}, "scale_factor .* must be 1 or even"),
        ({"use_rel_pe": True, "n_mha_win_size": 4}, "relative_position needs odd windows"),
        ({"test_cfg": {"nms_sigma": 0.0, "voting_thresh": 2.0}}, r"sigma \(0.0\) must be above 0; voting_threshold"),
        ({"test_cfg": {"nms_method": "gentle"}}, "expected one of soft, hard, none"),
        ({"train_cfg": {"head_empty_cls": [5]}}, "empty_classes must lie in 0 to 4"),
        ({"test_cfg": {"nms_sigma": float("nan")}}, r"sigma \(nan\) must be above 0"),
        ({"default_fps": "30"}, "dataset.default_fps is '30', expected a number above 0"),
    ],
)
def test_an_impossible_configuration_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, Published(small_config()).weights)
    with pytest.raises(ConfigError, match=message):
        load_detector(path, config=small_config(**changes))


@pytest.mark.parametrize(
    ("key", "value"),
    [("feat_stride", "4"), ("num_frames", None), ("downsample_rate", 0), ("default_fps", float("inf"))],
)
def test_a_grid_of_features_is_made_of_numbers(tmp_path: Path, key: str, value: Any) -> None:
    config = small_config()
    path = written(tmp_path, Published(config).weights)
    config["dataset"][key] = value
    with pytest.raises(ConfigError, match=f"dataset.{key} is {value!r}, expected a number"):
        load_detector(path, config=config)


@pytest.mark.parametrize(
    ("section", "more", "likely"),
    [
        ("test_config", {"min_score": 0.1}, "test_config is not known; mistyped for test_cfg"),
        ("dataset", {"feat_strides": 4}, "dataset.feat_strides is not known; mistyped for dataset.feat_stride"),
        ("opt", {"warmup_epoch": 4}, "opt.warmup_epoch is not known; mistyped for opt.warmup_epochs"),
    ],
)
def test_a_mistyped_setting_does_not_keep_its_default_unnoticed(
    tmp_path: Path, section: str, more: dict[str, Any], likely: str
) -> None:
    config = small_config()
    path = written(tmp_path, Published(config).weights)
    beside = {"devices": ["cuda:0"], "train_split": ["training"], "output_folder": "./ckpt/"}
    files = {"json_file": "a.json", "feat_folder": "b", "file_prefix": None, "file_ext": ".npy"}
    whole = {**config, **beside, "dataset": config["dataset"] | files, "opt": {"type": "AdamW", "eta_min": 1e-4}}
    load_detector(path, config={**whole, "loader": {"num_workers": 4}})
    with pytest.raises(ConfigError, match=likely):
        load_detector(path, config={**whole, section: {**whole.get(section, {}), **more}})


def test_a_configuration_of_another_network_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, Published(small_config()).weights)
    with pytest.raises(
        ConfigError, match=r"model_name is 'DyFADet', expected LocPointTransformer .* or TriDet for TriDet"
    ):
        load_detector(path, config={**small_config(), "model_name": "DyFADet"})
    with pytest.raises(ConfigError, match="unknown settings n_head, n_mha_win_size; is this a configuration of TriDet"):
        load_detector(path, config={**small_config(), "model_name": "TriDet"})
    with pytest.raises(ConfigError, match="needs its configuration, YAML or OpenTAD"):
        load_detector(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_detector(path, config=tmp_path / "missing.yaml")
    with pytest.raises(CheckpointError, match="no such file or folder"):
        load_detector(tmp_path / "missing.pt", config=small_config())
