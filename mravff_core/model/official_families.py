"""What the published detectors' YAML files may say, and the defaults of what they leave out.

Facts about that code (happyharrycn/actionformer_release, 61ea7eb; dingfengshi/TriDet, 764b816):
a file lists only differences from defaults; TriDet's names no network and leaves no default for
`sgp_mlp_dim`; its stem always has window 1; a convolutional encoder has no position encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mravff_core.errors import ConfigError

Settings = Mapping[str, Any]

_DATASET: dict[str, Any] = {
    "feat_stride": 16,
    "num_frames": 32,
    "default_fps": None,
    "downsample_rate": 1,
    "input_dim": 2304,
    "num_classes": 97,
    "max_seq_len": 2304,
    "force_upsampling": False,
    "crop_ratio": None,
    "trunc_thresh": 0.5,
}
_MODEL: dict[str, Any] = {
    "fpn_type": "identity",
    "backbone_arch": [2, 2, 5],
    "scale_factor": 2,
    "regression_range": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]],
    "embd_kernel_size": 3,
    "embd_dim": 512,
    "embd_with_ln": True,
    "fpn_dim": 512,
    "fpn_with_ln": True,
    "head_dim": 512,
    "head_kernel_size": 3,
    "head_num_layers": 3,
    "head_with_ln": True,
    "max_buffer_len_factor": 6.0,
    "use_abs_pe": False,
}
_TRAIN: dict[str, Any] = {
    "init_loss_norm": 2000,
    "clip_grad_l2norm": -1,
    "center_sample": "radius",
    "center_sample_radius": 1.5,
    "loss_weight": 1.0,
    "label_smoothing": 0.0,
    "cls_prior_prob": 0.01,
    "head_empty_cls": [],
    "dropout": 0.0,
    "droppath": 0.1,
}
_TEST: dict[str, Any] = {
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
}
_OPTIMISER: dict[str, Any] = {
    "weight_decay": 0.0,
    "learning_rate": 1e-3,
    "epochs": 30,
    "warmup": True,
    "warmup_epochs": 5,
    "schedule_type": "cosine",
    "schedule_steps": [],
    "schedule_gamma": 0.1,
}
_COMMON_FIELDS = {
    "embd_kernel_size": "embed_kernel",
    "embd_with_ln": "embed_norm",
    "fpn_type": "neck",
    "fpn_dim": "neck_channels",
    "fpn_with_ln": "neck_norm",
    "head_dim": "head_channels",
    "head_kernel_size": "head_kernel",
    "head_num_layers": "head_layers",
    "head_with_ln": "head_norm",
    "scale_factor": "scale_factor",
}


@dataclass(frozen=True)
class Family:
    """One published code base.

    Attributes:
        kind: of our base.
        model_name: as its YAML files may give it.
        title: for people.
        encoders: our encoder for each of its backbones.
        model: its defaults of model settings.
        optional: model settings that it knows without a default.
        fields: our name for each model setting that is taken as it is.
        own_settings: further fields of `BaseConfig` from the model settings, the number of
            levels and the file's name.
        vote_weight: see `TestConfig`.
    """

    kind: str
    model_name: str
    title: str
    encoders: Mapping[str, str]
    model: Settings
    optional: frozenset[str]
    fields: Mapping[str, str]
    own_settings: Callable[[Settings, int, str], dict[str, Any]]
    vote_weight: str

    @property
    def defaults(self) -> dict[str, Any]:
        """The whole default configuration, as far as we read it."""
        return {
            "dataset_name": "epic",
            "init_rand_seed": 1234567891,
            "model_name": self.model_name,
            "dataset": _DATASET,
            "loader": {"batch_size": 8},
            "model": dict(self.model),
            "train_cfg": _TRAIN,
            "test_cfg": _TEST,
            "opt": _OPTIMISER,
        }


def family_of(raw: Settings, where: str) -> Family:
    """The code base that a configuration is for: the one it names, else by the settings that only one has.

    Raises: ConfigError for the name of another network.
    """
    model = raw.get("model")
    of_tridet = isinstance(model, Mapping) and bool(model.keys() & (_TRIDET_ONLY - ACTIONFORMER.model.keys()))
    fitting = TRIDET if of_tridet else ACTIONFORMER
    name = raw.get("model_name", fitting.model_name)
    for family in (ACTIONFORMER, TRIDET):
        if name == family.model_name:
            return family
    raise ConfigError(
        f"{where}: model_name is {name!r}, expected {ACTIONFORMER.model_name} (ActionFormer) or {TRIDET.model_name}"
    )


def per_level(value: Any, levels: int, name: str, where: str) -> list[Any]:
    """A setting given once or for each level. Raises: ConfigError for a list of another length."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * levels
    if len(values) != levels:
        raise ConfigError(f"{where}: model.{name} lists {len(values)} levels, expected {levels}")
    return values


def _actionformer_settings(model: Settings, levels: int, where: str) -> dict[str, Any]:
    return {"window": per_level(model["n_mha_win_size"], levels, "n_mha_win_size", where)}


def _tridet_settings(model: Settings, levels: int, where: str) -> dict[str, Any]:
    pooling = {"max": "max", "avg": "average"}
    if str(model["downsample_type"]) not in pooling:
        raise ConfigError(f"{where}: model.downsample_type is {model['downsample_type']!r}, expected max or avg")
    settings = {
        "sgp_window": per_level(model["n_sgp_win_size"], levels, "n_sgp_win_size", where),
        "pooling": pooling[str(model["downsample_type"])],
    }
    if model["backbone_type"] == "SGP":
        if "sgp_mlp_dim" not in model:
            raise ConfigError(f"{where}: model.sgp_mlp_dim is missing, which TriDet's code has no default for")
        settings["sgp_channels"] = model["sgp_mlp_dim"]
    return settings


_ACTIONFORMER_FIELDS = {
    "n_head": "heads",
    "use_rel_pe": "relative_position",
    "fpn_start_level": "neck_first_level",
}
ACTIONFORMER = Family(
    kind="actionformer",
    model_name="LocPointTransformer",
    title="ActionFormer",
    encoders={"convTransformer": "transformer", "conv": "conv"},
    model={
        **_MODEL,
        "backbone_type": "convTransformer",
        "n_head": 4,
        "n_mha_win_size": -1,
        "fpn_start_level": 0,
        "use_rel_pe": False,
        "input_noise": 0.0,
    },
    optional=frozenset(),
    fields={**_COMMON_FIELDS, **_ACTIONFORMER_FIELDS},
    own_settings=_actionformer_settings,
    vote_weight="score_iou",
)
_TRIDET_FIELDS = {
    "k": "sgp_ratio",
    "init_conv_vars": "sgp_spread",
    "use_trident_head": "trident",
    "num_bins": "bins",
    "boudary_kernel_size": "boundary_kernel",
}
TRIDET = Family(
    kind="tridet",
    model_name="TriDet",
    title="TriDet",
    encoders={"SGP": "sgp", "conv": "conv"},
    model={
        **_MODEL,
        "backbone_type": "SGP",
        "n_sgp_win_size": -1,
        "boudary_kernel_size": 3,
        "use_trident_head": True,
        "downsample_type": "max",
        "k": 1.5,
        "init_conv_vars": 0,
        "num_bins": 16,
        "iou_weight_power": 1.0,
        "input_noise": 0,
    },
    optional=frozenset({"sgp_mlp_dim"}),
    fields={**_COMMON_FIELDS, **_TRIDET_FIELDS},
    own_settings=_tridet_settings,
    vote_weight="score",
)
_TRIDET_ONLY = TRIDET.model.keys() | TRIDET.optional
