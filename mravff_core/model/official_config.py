"""YAML configurations of the published ActionFormer, TriDet and TemporalMaxer code, in our terms.

Input width, classes and length stand under `dataset` and override what `model` says; heads
share the neck's width.
"""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Mapping
from typing import Any

from mravff_core.config import BaseConfig, TestConfig, TrainConfig, from_mapping, merge
from mravff_core.errors import ConfigError
from mravff_core.model.bases.checks import check_base
from mravff_core.model.bases.padding import chunk_multiple, encoder_strides, windows
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.official_families import Family, family_of

# Beyond any vocabulary, and below what a list of names would fill memory with.
_MOST_CLASSES = 1_000_000
_ALIKE = 0.8
# What else stands in these is of no concern here: folders, file names, workers.
_WITH_MORE = ("dataset", "loader", "opt")
_DERIVED_MODEL_KEYS = {"input_dim", "num_classes", "max_seq_len", "train_cfg", "test_cfg"}


def convert_config(raw: Mapping[str, Any], where: str) -> DetectorConfig:
    """Our configuration for an official one; missing keys keep the official defaults.

    Args:
        raw: the mapping in an official YAML file, or the resolved one that the code prints.
        where: file, for messages.
    Raises: ConfigError for unknown settings of model, training or test, wrong types, or values that the
        published code refuses.
    """
    family = family_of(raw, where)
    full = _with_defaults(raw, family, where)
    data, model = full["dataset"], full["model"]
    classes = data["num_classes"]
    check_classes(classes, f"{where}: dataset.num_classes")
    base = from_mapping(BaseConfig, _base_settings(full, family, where), where)
    check_base(base, classes)
    _check_ranges(base, model["regression_range"], where)
    check_lengths(base, f"{where}: dataset.max_seq_len")
    return DetectorConfig(
        label_set=str(full["dataset_name"]),
        labels=tuple(f"class {label}" for label in range(classes)),
        base=base,
        test=from_mapping(TestConfig, _test_settings(full, family), where),
        features={"visual": _feature_record(data, base.input_channels, where)},
    )


def convert_training(raw: Mapping[str, Any], where: str) -> TrainConfig:
    """Our settings for how an official configuration trains; missing keys keep the official defaults.

    A training by that configuration goes by all of them; a warm start takes over what points learn.

    Arguments and errors as for `convert_config`.
    """
    family = family_of(raw, where)
    full = _with_defaults(raw, family, where)
    data, model, train, optimiser = (full[section] for section in ("dataset", "model", "train_cfg", "opt"))
    settings = {
        **family.own_training(model, train),
        "seed": full["init_rand_seed"],
        "epochs": optimiser["epochs"],
        "warmup_epochs": optimiser["warmup_epochs"] if optimiser["warmup"] else 0,
        "batch_size": full["loader"]["batch_size"],
        "learning_rate": optimiser["learning_rate"],
        "weight_decay": optimiser["weight_decay"],
        "schedule": optimiser["schedule_type"],
        "schedule_steps": optimiser["schedule_steps"],
        "schedule_gamma": optimiser["schedule_gamma"],
        "final_learning_rate": optimiser.get("eta_min", 1e-8),
        "clip_gradient_norm": train["clip_grad_l2norm"],
        "regression_range": model["regression_range"],
        "loss_weight": train["loss_weight"],
        "initial_loss_norm": train["init_loss_norm"],
        "label_smoothing": train["label_smoothing"],
        "crop_ratio": data["crop_ratio"],
        "truncated_share": data["trunc_thresh"],
        "crop_margin": _half_window(data, where),
    }
    return from_mapping(TrainConfig, settings, where)


def _base_settings(full: Mapping[str, Any], family: Family, where: str) -> dict[str, Any]:
    """Fields of `BaseConfig`; their types are not checked yet."""
    data, model, train = full["dataset"], full["model"], full["train_cfg"]
    counts = counts_of(model["backbone_arch"], family.counts, f"{where}: model.backbone_arch")
    input_groups, embed_groups = as_groups(data["input_dim"]), as_groups(model["embd_dim"])
    if family.kind == "tridet" and (input_groups or embed_groups):
        raise ConfigError(
            f"{where}: dataset.input_dim is {data['input_dim']} and model.embd_dim is {model['embd_dim']}, expected a "
            "number for each, since TriDet takes features of one encoder"
        )
    if bool(input_groups) != bool(embed_groups):
        raise ConfigError(
            f"{where}: dataset.input_dim is {data['input_dim']} and model.embd_dim is {model['embd_dim']}, "
            "expected both to be a number or both to be a list"
        )
    backbone = str(model["backbone_type"])
    if backbone not in family.encoders:
        raise ConfigError(f"{where}: model.backbone_type is {backbone!r}, expected one of {', '.join(family.encoders)}")
    levels = counts.pop("halvings") + 1
    return {
        **counts,
        **{ours: model[official] for official, ours in family.fields.items()},
        **family.own_settings(model, levels, where),
        "kind": family.kind,
        "encoder": family.encoders[backbone],
        "input_channels": total(data["input_dim"], where, "dataset.input_dim"),
        "input_groups": input_groups,
        "embed_channels": total(model["embd_dim"], where, "model.embd_dim"),
        "embed_groups": embed_groups,
        "levels": levels,
        "absolute_position": model.get("use_abs_pe", False) if backbone != "conv" else False,
        "max_steps": data["max_seq_len"],
        "dropout": train.get("dropout", 0.0),
        "drop_path": train.get("droppath", 0.0),
        "class_prior": _class_prior(train["cls_prior_prob"], family),
        "empty_classes": train["head_empty_cls"],
        "official_padding": True,
    }


def _with_defaults(raw: Mapping[str, Any], family: Family, where: str) -> dict[str, Any]:
    defaults = family.defaults
    full: dict[str, Any] = merge(copy.deepcopy(defaults), dict(raw))
    _refuse_misspelt(raw, defaults, where)
    for section, known in defaults.items():
        if isinstance(known, dict) and not isinstance(full[section], dict):
            raise ConfigError(f"{where}: {section} is {full[section]!r}, expected a mapping of settings")
        if section in _WITH_MORE:
            _refuse_misspelt(full[section], known, where, f"{section}.")
    for section, more in (
        ("model", _DERIVED_MODEL_KEYS | family.optional),
        ("train_cfg", family.optional_train),
        ("test_cfg", set()),
    ):
        unknown = sorted(map(str, full[section].keys() - defaults[section].keys() - more))
        if unknown:
            raise ConfigError(
                f"{where}: {section} has unknown settings {', '.join(unknown)}; "
                f"is this a configuration of {family.title}?"
            )
    return full


def _refuse_misspelt(given: Mapping[Any, Any], known: Mapping[str, Any], where: str, section: str = "") -> None:
    """Refuse what is written almost like a setting that is read, and would otherwise keep its default unnoticed."""
    for name in map(str, given.keys() - known.keys()):
        if likely := difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE):
            raise ConfigError(f"{where}: {section}{name} is not known; mistyped for {section}{likely[0]}?")


def _half_window(data: Mapping[str, Any], where: str) -> float:
    """Steps by which the window of a step reaches beyond it; half a one where the steps share their clip out evenly.

    Raises: ConfigError.
    """
    _check_grid(data, where)
    hop = data["feat_stride"] * data["downsample_rate"]
    return 0.5 if hop <= 0 or data["force_upsampling"] else 0.5 * data["num_frames"] / hop


def _test_settings(full: Mapping[str, Any], family: Family) -> dict[str, Any]:
    test = full["test_cfg"]
    return {
        "pre_nms_min_score": test["pre_nms_thresh"],
        "pre_nms_top_k": test["pre_nms_topk"],
        "min_duration_grid": test["duration_thresh"],
        "nms": test["nms_method"],
        "iou_threshold": test["iou_threshold"],
        "sigma": test["nms_sigma"],
        "min_score": _at_least_zero(test["min_score"]),
        "max_segments": test["max_seg_num"],
        "multiclass": test["multiclass_nms"],
        "voting_threshold": _at_least_zero(test["voting_thresh"]),
        "vote_weight": family.vote_weight,
        "max_buffer_factor": full["model"]["max_buffer_len_factor"],
        "keep_outside": True,
    }


def _class_prior(value: Any, family: Family) -> Any:
    """Where class heads start: with a bias of 0 where a prior is switched off, which TriDet's code cannot do."""
    is_off = family.kind != "tridet" and isinstance(value, (int, float)) and value <= 0
    return 0.5 if is_off else value


def _at_least_zero(value: Any) -> Any:
    """A threshold, 0 where the published code takes one below it to mean none."""
    return max(value, 0) if isinstance(value, (int, float)) else value


def _feature_record(data: Mapping[str, Any], channels: int, where: str) -> dict[str, Any]:
    """What the weights were trained on, as far as the configuration says. Raises: ConfigError."""
    _check_grid(data, where)
    return {
        "channels": channels,
        "stride_frames": data["feat_stride"],
        "downsample_rate": data["downsample_rate"],
        "window_frames": data["num_frames"],
        "frames_per_second": data["default_fps"],
        "resized_steps": data["max_seq_len"] if data["force_upsampling"] else None,
    }


def _check_grid(data: Mapping[str, Any], where: str) -> None:
    """Refuse what is no number, or no rate. Raises: ConfigError."""
    for key in ("feat_stride", "num_frames", "downsample_rate", "default_fps"):
        value = data[key]
        if key == "default_fps" and value is None:
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        # The published code takes strides and windows below 1 for features that share their clip out evenly.
        if not is_number or (value <= 0 and key in ("downsample_rate", "default_fps")):
            raise ConfigError(f"{where}: dataset.{key} is {value!r}, expected a number above 0")


def check_classes(classes: Any, what: str) -> None:
    """Refuse what is no count of classes. Raises: ConfigError, which begins with `what`."""
    if not _is_count(classes) or not 1 <= classes <= _MOST_CLASSES:
        raise ConfigError(f"{what} is {classes!r}, expected 1 to {_MOST_CLASSES:,}")


def _check_ranges(base: BaseConfig, regression_range: Any, where: str) -> None:
    strides = encoder_strides(base)[base.neck_first_level :]
    if not isinstance(regression_range, (list, tuple)) or len(regression_range) != len(strides):
        raise ConfigError(
            f"{where}: model.regression_range is {regression_range!r}, expected one range "
            f"for each of {len(strides)} levels"
        )


def check_lengths(base: BaseConfig, what: str) -> None:
    """What the published code asserts about lengths. Raises: ConfigError, which begins with `what`, the longest."""
    if base.max_steps % encoder_strides(base)[-1]:
        raise ConfigError(
            f"{what} is {base.max_steps}, expected a multiple of {encoder_strides(base)[-1]} for {base.levels} levels"
        )
    if base.kind == "tridet":
        return
    strides = encoder_strides(base)[base.neck_first_level :]
    for stride, window in zip(strides, windows(base), strict=False):
        if base.max_steps % chunk_multiple(stride, window):
            raise ConfigError(
                f"{what} is {base.max_steps}, expected a multiple of "
                f"{chunk_multiple(stride, window)} for stride {stride} and attention window {window}"
            )


def counts_of(value: Any, names: tuple[str, ...], what: str) -> dict[str, int]:
    """What a backbone's list counts, by our names. Raises: ConfigError, which begins with `what`."""
    if not isinstance(value, (list, tuple)) or len(value) != len(names) or not all(_is_count(item) for item in value):
        number = {2: "two", 3: "three"}[len(names)]
        raise ConfigError(f"{what} is {value!r}, expected {number} counts of layers")
    return dict(zip(names, value, strict=True))


def as_groups(value: Any) -> list[Any]:
    """The channels of each of several encoders; none where there is one."""
    return list(value) if isinstance(value, (list, tuple)) else []


def total(value: Any, where: str, key: str) -> int:
    """Sum of a number or a list of numbers. Raises: ConfigError."""
    items = value if isinstance(value, (list, tuple)) else [value]
    if not items or not all(_is_count(item) and item > 0 for item in items):
        raise ConfigError(f"{where}: {key} is {value!r}, expected a number above 0 or a list of such")
    return sum(items)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
