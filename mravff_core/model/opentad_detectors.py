"""What OpenTAD's configurations of ActionFormer, TriDet and TemporalMaxer may say, and its defaults.

A detector is made of parts, each of a type with settings of its own (sming256/OpenTAD).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mravff_core.errors import ConfigError

Settings = Mapping[str, Any]
REQUIRED: Any = object()


@dataclass(frozen=True)
class OpenTADDetector:
    """One of OpenTAD's detectors: its parts' names, and their settings with defaults."""

    kind: str
    projection: str
    head: str
    settings: Settings
    head_settings: Settings
    conv_settings: tuple[str, ...] = ("kernel_size",)


_PROJECTION: Settings = {
    "in_channels": REQUIRED,
    "out_channels": REQUIRED,
    "arch": (2, 2, 5),
    "conv_cfg": REQUIRED,
    "norm_cfg": None,
}
_PADDED: Settings = {"path_pdrop": 0.0, "use_abs_pe": False, "max_seq_len": 2304}
_NECK: Settings = {
    "in_channels": REQUIRED,
    "out_channels": REQUIRED,
    "num_levels": 0,
    "scale_factor": 2.0,
    "start_level": 0,
    "end_level": -1,
    "norm_cfg": {"type": "LN"},
}
_HEAD: Settings = {
    "num_classes": REQUIRED,
    "in_channels": REQUIRED,
    "feat_channels": REQUIRED,
    "num_convs": 3,
    "prior_generator": REQUIRED,
    "loss": None,
    "loss_normalizer": 100,
    "loss_normalizer_momentum": 0.9,
    "label_smoothing": 0.0,
    "cls_prior_prob": 0.01,
    "loss_weight": 1.0,
}
_CENTRES: Settings = {"center_sample": "radius", "center_sample_radius": 1.5}
DETECTORS = {
    "ActionFormer": OpenTADDetector(
        kind="actionformer",
        projection="Conv1DTransformerProj",
        head="ActionFormerHead",
        settings={**_PROJECTION, **_PADDED, "attn_cfg": REQUIRED, "input_pdrop": 0.0},
        head_settings={**_HEAD, **_CENTRES, "filter_similar_gt": True},
        conv_settings=("kernel_size", "proj_pdrop"),
    ),
    "TriDet": OpenTADDetector(
        kind="tridet",
        projection="TriDetProj",
        head="TriDetHead",
        settings={
            **_PROJECTION,
            **_PADDED,
            "sgp_mlp_dim": REQUIRED,
            "sgp_win_size": [-1] * 6,
            "downsample_type": "max",
            "k": 1.5,
            "init_conv_vars": 1,
            "input_noise": 0.0,
        },
        head_settings={
            **_HEAD,
            **_CENTRES,
            "kernel_size": 3,
            "boundary_kernel_size": 3,
            "iou_weight_power": 0.2,
            "num_bins": 16,
        },
    ),
    "TemporalMaxer": OpenTADDetector(
        kind="temporalmaxer",
        projection="TemporalMaxerProj",
        head="TemporalMaxerHead",
        settings={**_PROJECTION, "arch": (2, 0, 5), "drop_out": 0.0},
        head_settings={**_HEAD, "assigner": REQUIRED},
    ),
}


def is_opentad(raw: Settings) -> bool:
    """Whether settings are laid out as OpenTAD's: a model of a type, made of parts."""
    model = raw.get("model")
    return isinstance(model, Mapping) and "type" in model


def parts_of(raw: Settings, where: str) -> tuple[OpenTADDetector, Settings, Settings | None, Settings]:
    """The detector, and settings of its projection, neck and head with defaults."""
    model = as_mapping(raw.get("model"), "model", where)
    if model.get("type") not in list(DETECTORS):
        raise ConfigError(
            f"{where}: model.type is {model.get('type')!r}, expected one of {', '.join(DETECTORS)} of OpenTAD's; "
            "take over what others find by 'import detections'"
        )
    if model.get("backbone") is not None:
        raise ConfigError(
            f"{where}: model.backbone is a network for video frames, trained end to end, expected none: a detector "
            "of features"
        )
    detector = DETECTORS[model["type"]]
    check_known(model, dict.fromkeys(("type", "projection", "neck", "rpn_head", "backbone")), "model", where)
    projection = _part(model, "projection", (detector.projection,), detector.settings, where)
    head = dict(_part(model, "rpn_head", (detector.head,), detector.head_settings, where))
    generator = {"strides": REQUIRED, "regression_range": REQUIRED, "use_offset": False}
    head["prior_generator"] = _part(head, "prior_generator", ("PointGenerator",), generator, where, "model.rpn_head.")
    neck = None
    if model.get("neck") is not None:
        neck = _part(model, "neck", ("FPNIdentity",), _NECK, where)
    return detector, projection, neck, head


def _part(
    model: Settings, key: str, types: tuple[str, ...], settings: Settings, where: str, section: str = "model."
) -> Settings:
    """One part's settings with defaults. Raises: ConfigError if it is of another type."""
    part = as_mapping(model.get(key), section + key, where)
    if part.get("type") not in types:
        raise ConfigError(f"{where}: {section}{key}.type is {part.get('type')!r}, expected {' or '.join(types)}")
    return with_defaults(part, {"type": types[0], **settings}, section + key, where)


def with_defaults(given: Any, settings: Settings, name: str, where: str) -> dict[str, Any]:
    """Settings given over their defaults. Raises: ConfigError for unknown ones, or one that has no default."""
    given = as_mapping(given, name, where)
    check_known(given, settings, name, where)
    full = {**settings, **given}
    missing = [key for key, value in full.items() if value is REQUIRED]
    if missing:
        raise ConfigError(f"{where}: {name} has no {', '.join(missing)}; is a file missing that it builds on?")
    return full


def check_known(given: Settings, settings: Settings, name: str, where: str) -> None:
    """Refuse settings beyond those known. Raises: ConfigError."""
    unknown = sorted(map(str, given.keys() - settings.keys()))
    if unknown:
        raise ConfigError(f"{where}: {name} has unknown settings {', '.join(unknown)}; it has {', '.join(settings)}")


def as_mapping(value: Any, name: str, where: str) -> Settings:
    """The same. Raises: ConfigError if it is no mapping."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {name} is {value!r}, expected a mapping of settings")
    return value
