"""YAML configurations of the published ActionFormer code, in our terms.

Facts about that code (happyharrycn/actionformer_release, 61ea7eb): a YAML file lists only
differences from defaults; input width, classes and length stand under `dataset` and override
what `model` says; heads share the neck's width.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mravff_core.config import BaseConfig, TestConfig, from_mapping, merge
from mravff_core.errors import ConfigError
from mravff_core.model.bases.checks import check_base
from mravff_core.model.bases.padding import chunk_multiple, encoder_strides, windows
from mravff_core.model.detector import DetectorConfig

# Defaults of the published code, where they bear on inference.
_DEFAULTS: dict[str, Any] = {
    "dataset_name": "epic",
    "model_name": "LocPointTransformer",
    "dataset": {
        "feat_stride": 16,
        "num_frames": 32,
        "default_fps": None,
        "downsample_rate": 1,
        "input_dim": 2304,
        "num_classes": 97,
        "max_seq_len": 2304,
    },
    "model": {
        "backbone_type": "convTransformer",
        "fpn_type": "identity",
        "backbone_arch": [2, 2, 5],
        "scale_factor": 2,
        "regression_range": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]],
        "n_head": 4,
        "n_mha_win_size": -1,
        "embd_kernel_size": 3,
        "embd_dim": 512,
        "embd_with_ln": True,
        "fpn_dim": 512,
        "fpn_with_ln": True,
        "fpn_start_level": 0,
        "head_dim": 512,
        "head_kernel_size": 3,
        "head_num_layers": 3,
        "head_with_ln": True,
        "max_buffer_len_factor": 6.0,
        "use_abs_pe": False,
        "use_rel_pe": False,
    },
    "train_cfg": {"cls_prior_prob": 0.01, "head_empty_cls": [], "dropout": 0.0, "droppath": 0.1},
    "test_cfg": {
        "pre_nms_thresh": 0.001,
        "pre_nms_topk": 5000,
        "iou_threshold": 0.1,
        "min_score": 0.01,
        "max_seg_num": 1000,
        "nms_method": "soft",
        "nms_sigma": 0.5,
        "duration_thresh": 0.05,
        "multiclass_nms": True,
        "ext_score_file": None,
        "voting_thresh": 0.75,
    },
}
_DERIVED_MODEL_KEYS = {"input_dim", "num_classes", "max_seq_len", "train_cfg", "test_cfg"}
_MODEL_FIELDS = {
    "n_head": "heads",
    "embd_kernel_size": "embed_kernel",
    "embd_with_ln": "embed_norm",
    "use_abs_pe": "absolute_position",
    "use_rel_pe": "relative_position",
    "fpn_type": "neck",
    "fpn_dim": "neck_channels",
    "fpn_with_ln": "neck_norm",
    "fpn_start_level": "neck_first_level",
    "head_dim": "head_channels",
    "head_kernel_size": "head_kernel",
    "head_num_layers": "head_layers",
    "head_with_ln": "head_norm",
    "scale_factor": "scale_factor",
}
_ENCODERS = {"convTransformer": "transformer", "conv": "conv"}


def convert_config(raw: Mapping[str, Any], where: str) -> DetectorConfig:
    """Our configuration for an official one; missing keys keep the official defaults.

    Args:
        raw: the mapping in an official YAML file, or the resolved one that the code prints.
        where: file, for messages.
    Raises: ConfigError for unknown settings of model or test, wrong types, or values that the
        published code refuses.
    """
    full = _with_defaults(raw, where)
    data, model = full["dataset"], full["model"]
    classes = data["num_classes"]
    if not _is_count(classes) or classes < 1:
        raise ConfigError(f"{where}: dataset.num_classes is {classes!r}, expected a number above 0")
    base = from_mapping(BaseConfig, _base_settings(full, where), where)
    check_base(base, classes)
    _check_lengths(base, model["regression_range"], where)
    return DetectorConfig(
        label_set=str(full["dataset_name"]),
        labels=tuple(f"class {label}" for label in range(classes)),
        base=base,
        test=from_mapping(TestConfig, _test_settings(full["test_cfg"], model), where),
        features={"visual": _feature_record(data, base.input_channels)},
    )


def _base_settings(full: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fields of `BaseConfig`; their types are not checked yet."""
    data, model, train = full["dataset"], full["model"], full["train_cfg"]
    embed_layers, stem_layers, branch_layers = _list_of_three(model["backbone_arch"], where)
    input_groups, embed_groups = _as_groups(data["input_dim"]), _as_groups(model["embd_dim"])
    if bool(input_groups) != bool(embed_groups):
        raise ConfigError(
            f"{where}: dataset.input_dim is {data['input_dim']} and model.embd_dim is {model['embd_dim']}, "
            "expected both to be a number or both to be a list"
        )
    blocks = str(model["backbone_type"])
    if blocks not in _ENCODERS:
        raise ConfigError(f"{where}: model.backbone_type is {blocks!r}, expected one of {', '.join(_ENCODERS)}")
    levels, window = branch_layers + 1, model["n_mha_win_size"]
    windows_of_levels = list(window) if isinstance(window, (list, tuple)) else [window] * levels
    if len(windows_of_levels) != levels:
        raise ConfigError(f"{where}: model.n_mha_win_size lists {len(windows_of_levels)} levels, expected {levels}")
    return {
        **{ours: model[official] for official, ours in _MODEL_FIELDS.items()},
        "encoder": _ENCODERS[blocks],
        "input_channels": _total(data["input_dim"], where, "dataset.input_dim"),
        "input_groups": input_groups,
        "embed_channels": _total(model["embd_dim"], where, "model.embd_dim"),
        "embed_groups": embed_groups,
        "embed_layers": embed_layers,
        "stem_layers": stem_layers,
        "levels": levels,
        "window": windows_of_levels,
        "max_steps": data["max_seq_len"],
        "dropout": train["dropout"],
        "drop_path": train["droppath"],
        "class_prior": train["cls_prior_prob"],
        "empty_classes": train["head_empty_cls"],
        "official_padding": True,
    }


def _with_defaults(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    name = raw.get("model_name", _DEFAULTS["model_name"])
    if name != _DEFAULTS["model_name"]:
        raise ConfigError(f"{where}: model_name is {name!r}, expected {_DEFAULTS['model_name']} (ActionFormer)")
    full: dict[str, Any] = merge(copy.deepcopy(_DEFAULTS), dict(raw))
    for section, known in _DEFAULTS.items():
        if isinstance(known, dict) and not isinstance(full[section], dict):
            raise ConfigError(f"{where}: {section} is {full[section]!r}, expected a mapping of settings")
    for section, more in (("model", _DERIVED_MODEL_KEYS), ("test_cfg", set())):
        unknown = sorted(map(str, full[section].keys() - _DEFAULTS[section].keys() - more))
        if unknown:
            raise ConfigError(
                f"{where}: {section} has unknown settings {', '.join(unknown)}; "
                "is this a configuration of ActionFormer?"
            )
    return full


def _test_settings(test: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pre_nms_min_score": test["pre_nms_thresh"],
        "pre_nms_top_k": test["pre_nms_topk"],
        "min_duration_grid": test["duration_thresh"],
        "nms": test["nms_method"],
        "iou_threshold": test["iou_threshold"],
        "sigma": test["nms_sigma"],
        "min_score": test["min_score"],
        "max_segments": test["max_seg_num"],
        "multiclass": test["multiclass_nms"],
        "voting_threshold": test["voting_thresh"],
        "vote_weight": "score_iou",
        "max_buffer_factor": model["max_buffer_len_factor"],
        "keep_outside": True,
    }


def _feature_record(data: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """What the weights were trained on, as far as the configuration says."""
    return {
        "channels": channels,
        "stride_frames": data["feat_stride"],
        "downsample_rate": data["downsample_rate"],
        "window_frames": data["num_frames"],
        "frames_per_second": data["default_fps"],
    }


def _check_lengths(base: BaseConfig, regression_range: Any, where: str) -> None:
    """What the published code asserts about levels and lengths."""
    strides = encoder_strides(base)[base.neck_first_level :]
    if not isinstance(regression_range, (list, tuple)) or len(regression_range) != len(strides):
        raise ConfigError(
            f"{where}: model.regression_range is {regression_range!r}, expected one range "
            f"for each of {len(strides)} levels"
        )
    for stride, window in zip(strides, windows(base), strict=False):
        if base.max_steps % chunk_multiple(stride, window):
            raise ConfigError(
                f"{where}: dataset.max_seq_len is {base.max_steps}, expected a multiple of "
                f"{chunk_multiple(stride, window)} for stride {stride} and attention window {window}"
            )


def _list_of_three(value: Any, where: str) -> list[int]:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(_is_count(item) for item in value):
        raise ConfigError(f"{where}: model.backbone_arch is {value!r}, expected three counts of layers")
    return list(value)


def _as_groups(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _total(value: Any, where: str, key: str) -> int:
    """Sum of a number or a list of numbers."""
    items = value if isinstance(value, (list, tuple)) else [value]
    if not items or not all(_is_count(item) and item > 0 for item in items):
        raise ConfigError(f"{where}: {key} is {value!r}, expected a number above 0 or a list of such")
    return sum(items)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
