"""OpenTAD's configurations of ActionFormer, TriDet and TemporalMaxer, in our terms.

Facts about that code (sming256/OpenTAD): its norms of embedding, neck and heads add 1e-6 to variances, and
leave padding silent; `pre_nms_topk` counts all levels together, and TriDet's detector has its own limits,
whatever the configuration says; of a single class every point is a candidate; its TemporalMaxer does not
pad; nothing limits a clip's length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mravff_core.config import BaseConfig, TestConfig, TrainConfig, from_mapping
from mravff_core.errors import ConfigError
from mravff_core.model.bases.checks import check_base
from mravff_core.model.bases.padding import encoder_strides
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.official_config import as_groups, check_classes, check_lengths, counts_of, total
from mravff_core.model.opentad_detectors import (
    REQUIRED,
    OpenTADDetector,
    Settings,
    as_mapping,
    check_known,
    parts_of,
    with_defaults,
)

_NMS: Settings = {
    "iou_threshold": 0.0,
    "min_score": 0.0,
    "max_seg_num": 100,
    "use_soft_nms": True,
    "multiclass": True,
    "sigma": 0.5,
    "voting_thresh": 0.0,
    "method": 2,
    "t1": 0,
    "t2": 0,
}
_GAUSSIAN = 2
_MOST_CANDIDATES = 10**9
_ANY_LENGTH = 1e6


def convert_opentad(raw: Settings, where: str) -> DetectorConfig:
    """Our configuration for one of OpenTAD's.

    Args:
        raw: the mapping that the file comes to, with its bases.
        where: file, for messages.
    Raises: ConfigError for another detector, settings that are not known or cannot be followed, or wrong types.
    """
    detector, projection, neck, head = parts_of(raw, where)
    classes = head["num_classes"]
    check_classes(classes, f"{where}: model.rpn_head.num_classes")
    base = from_mapping(BaseConfig, _base_settings(raw, detector, projection, neck, head, where), where)
    check_base(base, classes)
    _check_levels(base, head["prior_generator"], where)
    if base.official_padding:
        check_lengths(base, f"{where}: model.projection.max_seq_len")
    test = as_mapping(as_mapping(raw.get("dataset", {}), "dataset", where).get("test", {}), "dataset.test", where)
    _check_test_clips(test, base, where)
    return DetectorConfig(
        label_set="class",
        labels=tuple(f"class {label}" for label in range(classes)),
        base=base,
        test=from_mapping(TestConfig, _test_settings(raw, detector, classes, where), where),
        features={"visual": _feature_record(test, base.input_channels, where)},
    )


def convert_opentad_training(raw: Settings, where: str) -> TrainConfig:
    """What points learn by a configuration of OpenTAD's; how long and how fast is not taken over.

    Arguments and errors as for `convert_opentad`.
    """
    detector, projection, _, head = parts_of(raw, where)
    own: dict[str, Any] = {}
    if detector.kind == "temporalmaxer":
        own["centre_radius"] = as_mapping(head["assigner"], "model.rpn_head.assigner", where).get("center_radius", 2.5)
    else:
        own["centre_sampling"] = "radius" if head["center_sample"] == "radius" else "none"
        own["centre_radius"] = head["center_sample_radius"]
    if detector.kind == "tridet":
        own |= {"iou_weight_power": head["iou_weight_power"], "input_noise": projection["input_noise"]}
    settings = {
        **own,
        "regression_range": head["prior_generator"]["regression_range"],
        "loss_weight": head["loss_weight"],
        "initial_loss_norm": head["loss_normalizer"],
        "label_smoothing": head["label_smoothing"],
    }
    return from_mapping(TrainConfig, settings, where)


def _base_settings(
    raw: Settings, detector: OpenTADDetector, projection: Settings, neck: Settings | None, head: Settings, where: str
) -> dict[str, Any]:
    """Fields of `BaseConfig`; their types are not checked yet."""
    name = "model.projection"
    counts = counts_of(projection["arch"], ("embed_layers", "stem_layers", "halvings"), f"{where}: {name}.arch")
    levels = counts.pop("halvings") + 1
    inputs, outputs = as_groups(projection["in_channels"]), as_groups(projection["out_channels"])
    if bool(inputs) != bool(outputs) or (inputs and detector.kind == "tridet"):
        raise ConfigError(
            f"{where}: {name} has in_channels {projection['in_channels']} and out_channels "
            f"{projection['out_channels']}, expected two numbers{'' if detector.kind == 'tridet' else ' or two lists'}"
        )
    conv = with_defaults(
        projection["conv_cfg"], dict.fromkeys(detector.conv_settings, REQUIRED), f"{name}.conv_cfg", where
    )
    channels = total(projection["out_channels"], where, f"{name}.out_channels")
    settings = {
        **counts,
        **_neck_settings(neck, channels, levels, where),
        "kind": detector.kind,
        "input_channels": total(projection["in_channels"], where, f"{name}.in_channels"),
        "input_groups": inputs,
        "embed_channels": channels,
        "embed_groups": outputs,
        "embed_kernel": conv["kernel_size"],
        "embed_norm": _norm(projection["norm_cfg"], f"{name}.norm_cfg", where),
        "levels": levels,
        "head_channels": head["feat_channels"],
        "head_layers": head["num_convs"] + 1 if isinstance(head["num_convs"], int) else head["num_convs"],
        "class_prior": head["cls_prior_prob"] if _is_above_zero(head["cls_prior_prob"]) else 0.5,
        "silent_padding": True,
        "norm_margin": 1e-6,
    }
    if head["in_channels"] != settings["neck_channels"]:
        raise ConfigError(
            f"{where}: model.rpn_head.in_channels is {head['in_channels']!r}, expected {settings['neck_channels']} as "
            "the levels have"
        )
    if detector.kind == "temporalmaxer":
        return settings | {
            "stem_layers": 0,
            "pool_width": 3,
            "window": [-1],
            "drop_path": 0.0,
            "max_steps": _trained_length(raw, where),
        }
    settings |= {
        "official_padding": True,
        "absolute_position": projection["use_abs_pe"],
        "max_steps": projection["max_seq_len"],
        "drop_path": projection["path_pdrop"],
    }
    if detector.kind == "actionformer":
        attention = {"n_head": REQUIRED, "n_mha_win_size": REQUIRED}
        attention = with_defaults(projection["attn_cfg"], attention, f"{name}.attn_cfg", where)
        window = attention["n_mha_win_size"]
        return settings | {
            "heads": attention["n_head"],
            "window": window if isinstance(window, (list, tuple)) else [window] * levels,
            "dropout": conv["proj_pdrop"],
        }
    pooling = {"max": "max", "avg": "average"}
    if projection["downsample_type"] not in list(pooling):
        raise ConfigError(f"{where}: {name}.downsample_type is {projection['downsample_type']!r}, expected max or avg")
    hidden = projection["sgp_mlp_dim"]
    return settings | {
        "sgp_window": projection["sgp_win_size"],
        "sgp_ratio": projection["k"],
        "sgp_channels": 4 * channels if hidden is None else hidden,
        "sgp_spread": projection["init_conv_vars"],
        "pooling": pooling[projection["downsample_type"]],
        "head_kernel": head["kernel_size"],
        "bins": head["num_bins"],
        "boundary_kernel": head["boundary_kernel_size"],
    }


def _neck_settings(neck: Settings | None, channels: int, levels: int, where: str) -> dict[str, Any]:
    if neck is None:
        return {"neck_channels": channels, "neck_norm": False}
    expected = {"num_levels": (levels,), "end_level": (-1, levels), "in_channels": (neck["out_channels"],)}
    for key, values in expected.items():
        if neck[key] not in values:
            raise ConfigError(f"{where}: model.neck.{key} is {neck[key]!r}, expected {values[-1]!r}")
    norm = neck["norm_cfg"]
    settings = {"neck_channels": neck["out_channels"], "neck_first_level": neck["start_level"]}
    if isinstance(norm, Mapping) and norm.get("type") == "GN":
        groups = with_defaults(
            norm, {"type": "GN", "num_groups": REQUIRED, "affine": True}, "model.neck.norm_cfg", where
        )
        if groups["affine"]:
            raise ConfigError(f"{where}: model.neck.norm_cfg is a group norm with weights, expected affine=False")
        return settings | {"neck_norm": True, "neck_norm_groups": groups["num_groups"]}
    return settings | {"neck_norm": _norm(norm, "model.neck.norm_cfg", where)}


def _test_settings(raw: Settings, detector: OpenTADDetector, classes: int, where: str) -> dict[str, Any]:
    post = as_mapping(raw.get("post_processing", {}), "post_processing", where)
    limits = {"pre_nms_thresh": 0.001, "pre_nms_topk": 2000}
    others = dict.fromkeys(("nms", "external_cls", "save_dict", "sliding_window"))
    check_known(post, {**limits, **others}, "post_processing", where)
    if detector.kind != "tridet":
        limits |= post
    settings = {
        "pre_nms_min_score": limits["pre_nms_thresh"],
        "pre_nms_top_k": limits["pre_nms_topk"],
        "pre_nms_of": "clip",
        "min_duration_grid": -1,
        "vote_weight": "score",
        "max_buffer_factor": _ANY_LENGTH,
        "keep_outside": True,
    }
    if classes == 1:
        settings |= {"pre_nms_min_score": 0, "pre_nms_top_k": _MOST_CANDIDATES}
    if post.get("nms") is None:
        return settings | {"nms": "none"}
    nms = with_defaults(post["nms"], _NMS, "post_processing.nms", where)
    if nms["use_soft_nms"] and nms["method"] != _GAUSSIAN:
        raise ConfigError(
            f"{where}: post_processing.nms.method is {nms['method']!r}, expected {_GAUSSIAN}, whose scores fall by "
            "exp(-tIoU² / sigma)"
        )
    return settings | {
        "nms": "soft" if nms["use_soft_nms"] else "hard",
        "iou_threshold": nms["iou_threshold"],
        "sigma": nms["sigma"],
        "min_score": nms["min_score"],
        "max_segments": nms["max_seg_num"],
        "multiclass": nms["multiclass"],
        "voting_threshold": nms["voting_thresh"],
    }


def _check_levels(base: BaseConfig, generator: Settings, where: str) -> None:
    """Refuse points that lie elsewhere than at every step of the levels that the heads read."""
    name = f"{where}: model.rpn_head.prior_generator"
    strides = list(encoder_strides(base)[base.neck_first_level :])
    if as_groups(generator["strides"]) != strides:
        raise ConfigError(f"{name}.strides is {generator['strides']!r}, expected {strides} for {base.levels} levels")
    ranges = generator["regression_range"]
    if not isinstance(ranges, (list, tuple)) or len(ranges) != len(strides):
        raise ConfigError(
            f"{name}.regression_range is {ranges!r}, expected one range for each of {len(strides)} levels"
        )
    if generator["use_offset"]:
        raise ConfigError(f"{name}.use_offset is {generator['use_offset']!r}, expected False: points at the steps")


def _check_test_clips(test: Settings, base: BaseConfig, where: str) -> None:
    """Refuse clips that are cut or padded before they come to the detector, where that is not followed."""
    if "Sliding" in str(test.get("type")) or "window_size" in test:
        raise ConfigError(
            f"{where}: dataset.test.type is {test.get('type')!r}, which cuts clips into windows, expected one of whole "
            "clips, such as EpicKitchensPaddingDataset; name it in a file over this one to detect so"
        )
    longest = base.max_steps if base.official_padding else 0
    for length in _of_pipeline(test, "Padding", "length"):
        if not isinstance(length, int) or length > longest:
            raise ConfigError(
                f"{where}: dataset.test.pipeline pads clips to {length!r} steps, expected "
                + (f"at most {longest}, its max_seq_len" if longest else "no padding, of which TemporalMaxer has none")
            )


def _trained_length(raw: Settings, where: str) -> Any:
    """Steps that training clips are cut to, as far as the data set's settings say."""
    train = as_mapping(as_mapping(raw.get("dataset", {}), "dataset", where).get("train", {}), "dataset.train", where)
    return next(iter(_of_pipeline(train, "RandomTrunc", "trunc_len")), BaseConfig.max_steps)


def _of_pipeline(data: Settings, kind: str, setting: str) -> list[Any]:
    """A setting of each step of a kind that clips go through."""
    steps = [step for step in as_groups(data.get("pipeline")) if isinstance(step, Mapping)]
    return [step.get(setting) for step in steps if step.get("type") == kind]


def _feature_record(test: Settings, channels: int, where: str) -> dict[str, Any]:
    """What the weights were trained on, as far as the configuration says. Raises: ConfigError."""
    found = {
        "feature_stride": -1,
        "sample_stride": 1,
        "offset_frames": 0,
        "fps": -1,
        **{key: value for key, value in test.items() if value is not None},
    }
    for key in ("feature_stride", "sample_stride", "offset_frames", "fps"):
        value = found[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"{where}: dataset.test.{key} is {value!r}, expected a number")
    return {
        "channels": channels,
        "stride_frames": found["feature_stride"],
        "downsample_rate": found["sample_stride"],
        "window_frames": 2 * int(found["offset_frames"]),
        "frames_per_second": found["fps"] if found["fps"] > 0 else None,
        "resized_steps": found.get("resize_length"),
        "resized_from_the_start": bool(found.get("resize_length")),
    }


def _norm(value: Any, name: str, where: str) -> bool:
    """Whether there is a layer norm. Raises: ConfigError for any other."""
    if value is None:
        return False
    if value != {"type": "LN"}:
        raise ConfigError(f'{where}: {name} is {value!r}, expected dict(type="LN") or None')
    return True


def _is_above_zero(value: Any) -> bool:
    return not isinstance(value, (int, float)) or value > 0
