"""What the published detectors' YAML files may say, and the defaults of what they leave out.

Facts about that code (happyharrycn/actionformer_release, 61ea7eb; dingfengshi/TriDet, 764b816;
TuanTNG/TemporalMaxer, c0f16bf): a file lists only differences from defaults; TriDet's names no
network and leaves no default for `sgp_mlp_dim`, but takes none at all (~) for four times
`embd_dim`; its stem always has window 1; a convolutional encoder has no position encoding.
TemporalMaxer's neck goes by `fpn_norm`, whatever `fpn_with_ln` says, and makes one norm for all
levels; its maxima are taken over 3 steps, whatever `scale_factor` says; its points are assigned as
`model.assigner` says, whatever `train_cfg` says.
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
}
_TRAIN: dict[str, Any] = {
    "init_loss_norm": 2000,
    "clip_grad_l2norm": -1,
    "loss_weight": 1.0,
    "label_smoothing": 0.0,
    "cls_prior_prob": 0.01,
    "head_empty_cls": [],
}
_CENTRES_AND_CHANCE: dict[str, Any] = {
    "center_sample": "radius",
    "center_sample_radius": 1.5,
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
        counts: our name for each number in its `backbone_arch`; the last is of halvings.
        model, train: its defaults of model and training settings.
        optional, optional_train: settings of either that it knows without a default.
        fields: our name for each model setting that is taken as it is.
        own_settings: further fields of `BaseConfig` from the model settings, the number of
            levels and the file's name.
        own_training: further fields of `TrainConfig` from model and training settings.
        vote_weight: see `TestConfig`.
    """

    kind: str
    model_name: str
    title: str
    encoders: Mapping[str, str]
    counts: tuple[str, ...]
    model: Settings
    train: Settings
    optional: frozenset[str]
    optional_train: frozenset[str]
    fields: Mapping[str, str]
    own_settings: Callable[[Settings, int, str], dict[str, Any]]
    own_training: Callable[[Settings, Settings], dict[str, Any]]
    vote_weight: str

    @property
    def known(self) -> frozenset[str]:
        """Its model settings."""
        return self.optional | self.model.keys()

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
            "train_cfg": dict(self.train),
            "test_cfg": _TEST,
            "opt": _OPTIMISER,
        }


def family_of(raw: Settings, where: str) -> Family:
    """The code base that a configuration is for: the one it names, else by the settings that only one has.

    Raises: ConfigError for the name of another network.
    """
    model = raw.get("model")
    name = raw.get("model_name", _likely(model if isinstance(model, Mapping) else {}).model_name)
    for family in FAMILIES:
        if name == family.model_name:
            return family
    *names, last = (f"{family.model_name} for {family.title}" for family in FAMILIES)
    raise ConfigError(f"{where}: model_name is {name!r}, expected {', '.join(names)}, or {last}")


def _likely(model: Settings) -> Family:
    """The code base that knows model settings which no other does; ActionFormer's if none is like that."""
    for family in reversed(FAMILIES):
        others = [other for other in FAMILIES if other is not family]
        only = family.known.difference(*(other.known for other in others))
        backbones = [name for name in family.encoders if not any(name in other.encoders for other in others)]
        if model.keys() & only or model.get("backbone_type") in backbones:
            return family
    return ACTIONFORMER


def per_level(value: Any, levels: int, name: str, where: str) -> list[Any]:
    """A setting given once or for each level. Raises: ConfigError for a list of another length."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * levels
    if len(values) != levels:
        raise ConfigError(f"{where}: model.{name} lists {len(values)} levels, expected {levels}")
    return values


def _actionformer_settings(model: Settings, levels: int, where: str) -> dict[str, Any]:
    return {
        "window": per_level(model["n_mha_win_size"], levels, "n_mha_win_size", where),
        "neck_norm": model["fpn_with_ln"],
    }


def _actionformer_training(model: Settings, train: Settings) -> dict[str, Any]:
    return {
        "centre_sampling": train["center_sample"],
        "centre_radius": train["center_sample_radius"],
        "input_noise": model["input_noise"],
    }


def _tridet_settings(model: Settings, levels: int, where: str) -> dict[str, Any]:
    pooling = {"max": "max", "avg": "average"}
    if str(model["downsample_type"]) not in pooling:
        raise ConfigError(f"{where}: model.downsample_type is {model['downsample_type']!r}, expected max or avg")
    settings = {
        "sgp_window": per_level(model["n_sgp_win_size"], levels, "n_sgp_win_size", where),
        "pooling": pooling[str(model["downsample_type"])],
        "neck_norm": model["fpn_with_ln"],
    }
    if model["backbone_type"] == "SGP":
        if "sgp_mlp_dim" not in model:
            raise ConfigError(f"{where}: model.sgp_mlp_dim is missing, which TriDet's code has no default for")
        hidden = model["sgp_mlp_dim"]
        settings["sgp_channels"] = 4 * model["embd_dim"] if hidden is None else hidden
    return settings


def _tridet_training(model: Settings, train: Settings) -> dict[str, Any]:
    # Only what the Trident head predicts is weighed by overlap.
    power = model["iou_weight_power"] if model["use_trident_head"] else 0.0
    return {**_actionformer_training(model, train), "iou_weight_power": power}


def _temporalmaxer_settings(model: Settings, levels: int, where: str) -> dict[str, Any]:
    if model["fpn_type"] != "identity":
        raise ConfigError(f"{where}: model.fpn_type is {model['fpn_type']!r}, expected identity for TemporalMaxer")
    norm, assigner = model["fpn_norm"], model["assigner"]
    if norm not in ("groupnorm", "layernorm", None):
        raise ConfigError(f"{where}: model.fpn_norm is {norm!r}, expected groupnorm, layernorm or none at all (~)")
    if not isinstance(assigner, Mapping) or assigner.keys() - _ASSIGNER.keys():
        raise ConfigError(
            f"{where}: model.assigner is {assigner!r}, expected a mapping with no more than {', '.join(_ASSIGNER)}"
        )
    return {
        "neck_norm": norm is not None,
        "neck_norm_shared": norm == "layernorm",
        "neck_norm_groups": model["num_group"] if norm == "groupnorm" else None,
        "pool_width": 3,
        "stem_layers": 0,
        # Long clips are padded to whole steps of the coarsest level, no window asks for more.
        "window": [-1],
    }


def _temporalmaxer_training(model: Settings, train: Settings) -> dict[str, Any]:
    return {"centre_sampling": "radius", "centre_radius": model["assigner"]["center_radius"]}


_THREE_COUNTS = ("embed_layers", "stem_layers", "halvings")
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
    counts=_THREE_COUNTS,
    model={
        **_MODEL,
        "backbone_type": "convTransformer",
        "n_head": 4,
        "n_mha_win_size": -1,
        "fpn_start_level": 0,
        "use_abs_pe": False,
        "use_rel_pe": False,
        "input_noise": 0.0,
    },
    train={**_TRAIN, **_CENTRES_AND_CHANCE},
    optional=frozenset(),
    optional_train=frozenset(),
    fields={**_COMMON_FIELDS, **_ACTIONFORMER_FIELDS},
    own_settings=_actionformer_settings,
    own_training=_actionformer_training,
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
    counts=_THREE_COUNTS,
    model={
        **_MODEL,
        "backbone_type": "SGP",
        "use_abs_pe": False,
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
    train={**_TRAIN, **_CENTRES_AND_CHANCE},
    optional=frozenset({"sgp_mlp_dim"}),
    optional_train=frozenset(),
    fields={**_COMMON_FIELDS, **_TRIDET_FIELDS},
    own_settings=_tridet_settings,
    own_training=_tridet_training,
    vote_weight="score",
)
# Of these only the radius is read, since points are told apart by ActionFormer's rule here; the others steer
# TemporalMaxer's optimal transport.
_ASSIGNER = {"center_radius": 2.5, "iou_weight": 3.0, "cls_weight": 1.0, "keep_percent": 0.65, "confuse_weight": 0.1}
TEMPORALMAXER = Family(
    kind="temporalmaxer",
    model_name="TemporalMaxerArchitecture",
    title="TemporalMaxer",
    encoders={"convPooler": "maxpool"},
    counts=("embed_layers", "halvings"),
    model={
        **_MODEL,
        "backbone_type": "convPooler",
        "backbone_arch": [2, 5],
        "fpn_start_level": 0,
        "fpn_norm": "groupnorm",
        "num_group": 4,
        "assigner": _ASSIGNER,
    },
    train=_TRAIN,
    optional=frozenset(),
    optional_train=frozenset(_CENTRES_AND_CHANCE),
    fields={**_COMMON_FIELDS, "fpn_start_level": "neck_first_level"},
    own_settings=_temporalmaxer_settings,
    own_training=_temporalmaxer_training,
    vote_weight="score_iou",
)
FAMILIES = (ACTIONFORMER, TEMPORALMAXER, TRIDET)
