"""Files of the published ActionFormer code: its YAML and its state dictionaries, in our terms.

Facts about that code (happyharrycn/actionformer_release, 61ea7eb): a YAML file lists only
differences from defaults; input width, classes and length stand under `dataset` and override
what `model` says; heads share the neck's width.
"""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mravff_core.config import BaseConfig, TestConfig, from_mapping, merge, read_yaml
from mravff_core.errors import CheckpointError, ConfigError
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
_ENCODERS = {"convTransformer": "transformer", "conv": "conv"}

# Official name to ours, tried in this order; a number stays a number.
_RENAMES = [
    (r"backbone\.proj\.(\d+)\.conv\.", r"projections.\1."),
    (r"backbone\.embd\.(\d+)\.conv\.", r"embed.\1.conv."),
    (r"backbone\.embd_norm\.(\d+)\.", r"embed.\1.norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.ln1\.", r"\1.\2.attention_norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.ln2\.", r"\1.\2.mlp_norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.(query|key|value)_conv\.conv\.", r"\1.\2.attention.\3_conv."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.(query|key|value)(_norm)?\.", r"\1.\2.attention.\3\4."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.proj\.", r"\1.\2.attention.out."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.rel_pe$", r"\1.\2.attention.relative_bias"),
    (r"backbone\.(stem|branch)\.(\d+)\.mlp\.", r"\1.\2.mlp."),
    (r"backbone\.(stem|branch)\.(\d+)\.drop_path_attn\.", r"\1.\2.attention_path."),
    (r"backbone\.(stem|branch)\.(\d+)\.drop_path_mlp\.", r"\1.\2.mlp_path."),
    (r"backbone\.(stem|branch)\.(\d+)\.conv1\.conv\.", r"\1.\2.widen."),
    (r"backbone\.(stem|branch)\.(\d+)\.conv2\.conv\.", r"\1.\2.narrow."),
    (r"backbone\.(stem|branch)\.(\d+)\.downsample\.conv\.", r"\1.\2.shortcut."),
    (r"neck\.fpn_norms\.", r"neck.norms."),
    (r"neck\.lateral_convs\.(\d+)\.conv\.", r"neck.laterals.\1."),
    (r"neck\.fpn_convs\.(\d+)\.conv\.", r"neck.smoothers.\1."),
    (r"cls_head\.cls_head\.conv\.", r"class_head.tower.out."),
    (r"reg_head\.offset_head\.conv\.", r"boundary_head.tower.out."),
    (r"reg_head\.scale\.(\d+)\.scale$", r"boundary_head.scales.\1"),
    (r"cls_head\.head\.(\d+)\.", r"class_head.tower.layers.\1."),
    (r"cls_head\.norm\.(\d+)\.", r"class_head.tower.layers.\1.norm."),
    (r"reg_head\.head\.(\d+)\.", r"boundary_head.tower.layers.\1."),
    (r"reg_head\.norm\.(\d+)\.", r"boundary_head.tower.layers.\1.norm."),
]

_PER_CHANNEL = re.compile(r"((ln[12]|norms?(\.\d+)?)\.(weight|bias)|drop_path_\w+\.scale)$")


def read_official(path: Path, config: Path | str | Mapping[str, Any]) -> tuple[DetectorConfig, dict[str, Tensor]]:
    """Configuration and weights of a published checkpoint, under our names.

    Args:
        path: `.pth.tar` or `.pt` file.
        config: its YAML file, or the mapping in it.
    Raises: CheckpointError for a file that is damaged, unsafe or holds no weights; ConfigError
        for a configuration that the published code would refuse as well.
    """
    where = "official configuration" if isinstance(config, Mapping) else str(config)
    raw = dict(config) if isinstance(config, Mapping) else read_yaml(config)
    detector_config = convert_config(raw, where)
    weights = read_weights(path)
    return detector_config, {f"base.{rename(name)}": _plain_shape(name, weights[name]).float() for name in weights}


def convert_config(raw: Mapping[str, Any], where: str) -> DetectorConfig:
    """Our configuration for an official one; missing keys keep the official defaults.

    Args:
        raw: the mapping in an official YAML file, or the resolved one that the code prints.
        where: file, for messages.
    Raises: ConfigError for unknown settings of model or test, wrong types, or values that the
        published code refuses.
    """
    full = _with_defaults(raw, where)
    data, model, train, test = (full[name] for name in ("dataset", "model", "train_cfg", "test_cfg"))
    stem = _list_of_three(model["backbone_arch"], where)
    input_groups = _as_groups(data["input_dim"])
    embed_groups = _as_groups(model["embd_dim"])
    if bool(input_groups) != bool(embed_groups):
        raise ConfigError(
            f"{where}: dataset.input_dim is {data['input_dim']} and model.embd_dim is {model['embd_dim']}, "
            "expected both to be a number or both to be a list"
        )
    window = model["n_mha_win_size"]
    base = {
        "kind": "actionformer",
        "encoder": _ENCODERS.get(model["backbone_type"], model["backbone_type"]),
        "input_channels": _total(data["input_dim"], where, "dataset.input_dim"),
        "input_groups": input_groups,
        "embed_channels": _total(model["embd_dim"], where, "model.embd_dim"),
        "embed_groups": embed_groups,
        "embed_layers": stem[0],
        "embed_kernel": model["embd_kernel_size"],
        "embed_norm": model["embd_with_ln"],
        "stem_layers": stem[1],
        "levels": stem[2] + 1,
        "heads": model["n_head"],
        "window": window if isinstance(window, (list, tuple)) else [window] * (stem[2] + 1),
        "absolute_position": model["use_abs_pe"],
        "relative_position": model["use_rel_pe"],
        "max_steps": data["max_seq_len"],
        "neck": model["fpn_type"],
        "neck_channels": model["fpn_dim"],
        "neck_norm": model["fpn_with_ln"],
        "neck_first_level": model["fpn_start_level"],
        "head_channels": model["head_dim"],
        "head_kernel": model["head_kernel_size"],
        "head_layers": model["head_num_layers"],
        "head_norm": model["head_with_ln"],
        "scale_factor": model["scale_factor"],
        "dropout": train["dropout"],
        "drop_path": train["droppath"],
        "class_prior": train["cls_prior_prob"],
        "empty_classes": train["head_empty_cls"],
        "official_padding": True,
    }
    base_config = from_mapping(BaseConfig, base, where)
    _check_lengths(base_config, model["regression_range"], where)
    classes = _total(data["num_classes"], where, "dataset.num_classes")
    return DetectorConfig(
        label_set=str(full["dataset_name"]),
        labels=tuple(f"class {label}" for label in range(classes)),
        base=base_config,
        test=from_mapping(TestConfig, _test_settings(test, model), where),
        features={"visual": _feature_record(data, base_config.input_channels)},
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights of an official file under official names, averaged ones preferred; nothing in it is run.

    Raises: CheckpointError for a file that is damaged, unsafe or holds no weights.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: refused, since reading it could run code or it is no checkpoint "
            f"({_first_line(error)}); expected plain tensors in lists and mappings: "
            "if you trust it, save its state dictionary alone again"
        ) from error
    except Exception as error:
        # A damaged archive surfaces as any of a dozen kinds of error from torch and zipfile.
        raise CheckpointError(
            f"{path}: not readable as a checkpoint ({_first_line(error)}); cut short while copied?"
        ) from error
    chosen = content
    if isinstance(content, Mapping):
        chosen = content.get("state_dict_ema") or content.get("state_dict") or content
    if not isinstance(chosen, Mapping) or not chosen or not all(isinstance(value, Tensor) for value in chosen.values()):
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(
            f"{path}: holds {found}, expected state_dict_ema, state_dict or the named tensors themselves"
        )
    weights = {re.sub(r"^(module\.)+", "", str(name)): value for name, value in chosen.items()}
    return {name: value for name, value in weights.items() if not _is_buffer(name)}


def rename(name: str) -> str:
    """Our name for an official weight; unknown names stay as they are."""
    for pattern, replacement in _RENAMES:
        ours, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return ours
    return name


def _is_buffer(name: str) -> bool:
    """Tables that older checkpoints carry and that follow from the configuration."""
    return name.startswith("point_generator.") or name == "backbone.pos_embd"


def _plain_shape(name: str, value: Tensor) -> Tensor:
    """Official norms, scales and position scores carry axes of length 1 that ours leave out."""
    if _PER_CHANNEL.search(name):
        return value.reshape(-1)
    return value.reshape(value.shape[-2:]) if name.endswith(".rel_pe") else value


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
    return {
        "channels": channels,
        "hop_frames": data["feat_stride"] * data["downsample_rate"],
        "window_frames": data["num_frames"],
        "frames_per_second": data["default_fps"],
    }


def _check_lengths(base: BaseConfig, regression_range: Any, where: str) -> None:
    """What the published code asserts about levels and lengths."""
    if len(base.window) != base.levels:
        raise ConfigError(f"{where}: model.n_mha_win_size lists {len(base.window)} levels, expected {base.levels}")
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


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
