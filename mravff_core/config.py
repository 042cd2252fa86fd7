"""Typed configuration: YAML in, unknown keys and wrong types refused.

Defaults live in the dataclasses; a YAML file holds one experiment's differences
from them, or from the file it names under `extends`. Numbers that follow from
others are properties. The resolved values are saved with every run.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
import types
import typing
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from mravff_core.errors import ConfigError
from mravff_core.weight_sizes import beyond_memory

Config = TypeVar("Config")
# YAML takes 1e-4, without a dot, for text.
_EXPONENT = re.compile(r"[-+]?\d+e[-+]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class BaseConfig:
    """Visual detector: embedding, pyramid, neck and heads.

    Defaults are ActionFormer's (Zhang et al., ECCV 2022); what only one kind reads is marked so.
    """

    kind: Literal["actionformer", "tridet", "temporalmaxer"] = "actionformer"
    input_channels: int = 2048
    input_groups: tuple[int, ...] = ()
    """Channels of each of several encoders stacked in the input; each is projected on its own first."""
    embed_channels: int = 512
    embed_groups: tuple[int, ...] = ()
    """Channels that each input group is projected to; they add up to `embed_channels`."""
    encoder: Literal["auto", "transformer", "sgp", "maxpool", "conv"] = "auto"
    """Blocks of the pyramid; `auto` for those that the kind is known by: transformer blocks
    (ActionFormer), SGP layers (TriDet), max-pooling (TemporalMaxer)."""
    embed_layers: int = 2
    embed_kernel: int = 3
    embed_norm: bool = True
    stem_layers: int = 2
    """Blocks before the first halving; TemporalMaxer has none, whatever stands here."""
    levels: int = 6
    """Levels of the encoder; the heads read those from `neck_first_level` on."""
    heads: int = 4
    window: tuple[int, ...] = (9,)
    """Transformer: local attention window per level in steps, -1 for full; one value serves all levels."""
    absolute_position: bool = False
    relative_position: bool = False
    sgp_window: tuple[int, ...] = (5,)
    """SGP: steps that each step sees per level, odd; one value serves all levels. The stem sees 1."""
    sgp_ratio: float = 2.0
    """SGP: how much farther its wide convolution sees."""
    sgp_channels: int | None = None
    """SGP: width of its hidden layer; None for twice `embed_channels`."""
    sgp_groups: int = 16
    """SGP: channel groups of its group norm."""
    sgp_spread: float = 0.1
    """SGP: standard deviation that its depthwise weights start with. With 0, as the published
    recipes for THUMOS14 and EPIC-Kitchens have it, their products never get a gradient."""
    pooling: Literal["max", "average"] = "max"
    """SGP: how levels are halved."""
    pool_width: int | None = None
    """Max-pooling: steps that each maximum is taken over, odd; None for `scale_factor`, or one
    more if that is even."""
    max_steps: int = 2304
    """Longest training sequence in steps; absolute position encoding is laid out for it."""
    neck: Literal["identity", "fpn"] = "identity"
    neck_channels: int = 512
    neck_norm: bool = True
    neck_norm_shared: bool = False
    """Identity neck: one norm serves all levels, rather than each level having its own."""
    neck_norm_groups: int | None = None
    """Identity neck: channel groups of a norm over all steps of a clip's level, without weights;
    None for a norm of every step by itself."""
    neck_first_level: int = 0
    head_channels: int = 512
    head_kernel: int = 3
    head_layers: int = 3
    head_norm: bool = True
    trident: bool = True
    """TriDet: boundaries per class as an expectation over bins; otherwise plain distances."""
    bins: int = 16
    """TriDet: steps of the own level from a step to the farthest boundary it can name."""
    boundary_kernel: int = 3
    """TriDet: kernel of the heads that tell starts and ends."""
    scale_factor: int = 2
    dropout: float = 0.0
    drop_path: float = 0.1
    class_prior: float = 0.01
    empty_classes: tuple[int, ...] = ()
    """Classes without training segments; their bias starts far below the prior."""
    official_padding: bool = False
    """Let steps see padding as the published code does. Published weights need it to keep their
    numbers; otherwise padding is never seen."""

    @property
    def blocks(self) -> str:
        """The encoder with `auto` resolved."""
        own = {"actionformer": "transformer", "tridet": "sgp", "temporalmaxer": "maxpool"}
        return own[self.kind] if self.encoder == "auto" else self.encoder

    @property
    def sgp_hidden(self) -> int:
        """Width of the hidden layer in SGP blocks."""
        return 2 * self.embed_channels if self.sgp_channels is None else self.sgp_channels


@dataclass(frozen=True)
class FusionConfig:
    """How audio enters the pyramid (MRAV-FF, arXiv 2310.03456)."""

    kind: Literal["none", "sum", "concat", "cross_attention", "mrav"] = "none"
    audio_channels: int = 128
    audio_kernel: int = 3
    heads: int = 4
    window: int = 9
    """Local cross-attention window in steps of each level, -1 for full."""
    gate: Literal["scalar", "channel", "softmax"] = "scalar"
    gate_source: Literal["visual", "audio", "both"] = "visual"
    mix: Literal["convex", "residual"] = "convex"
    fuse_for: Literal["both", "classes", "boundaries"] = "both"
    shared_levels: bool = False
    audio_dropout: float = 0.0
    """Chance that a training clip goes without sound (fusion bypassed)."""
    dropout: float = 0.0
    gate_opening: float = 1.0
    """Share of each gate that is let through. A training that starts from a visual detector begins
    with 0, where the output is exactly that detector's, and ends with 1."""


@dataclass(frozen=True)
class TestConfig:
    """From logits to detections. Defaults are ActionFormer's for EPIC-Kitchens-100."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    pre_nms_min_score: float = 0.001
    pre_nms_top_k: int = 5000
    min_duration_grid: float = 0.05
    """Shortest candidate, in finest feature steps."""
    nms: Literal["soft", "hard", "none"] = "soft"
    iou_threshold: float = 0.1
    sigma: float = 0.4
    min_score: float = 0.001
    max_segments: int = 2000
    multiclass: bool = True
    voting_threshold: float = 0.75
    vote_weight: Literal["score_iou", "score"] = "score_iou"
    max_buffer_factor: float = 4.0
    """Longest sequence at inference, in multiples of `max_steps`, where the base has such a limit."""
    keep_outside: bool = False
    """Keep detections that lie wholly outside the clip, cut to no length as the published code leaves them."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    seed: int = 0
    epochs: int = 16
    """After the warm-up."""
    warmup_epochs: int = 5
    batch_size: int = 2
    learning_rate: float = 1e-4
    weight_decay: float = 0.05
    schedule: Literal["cosine", "multistep"] = "cosine"
    final_learning_rate: float = 1e-8
    """Where the cosine schedule ends."""
    schedule_steps: tuple[int, ...] = ()
    schedule_gamma: float = 0.1
    clip_gradient_norm: float = 1.0
    """Longest gradient over all weights; 0 or less for any length."""
    ema_decay: float = 0.999
    accumulate_batches: int = 1
    batches_by: Literal["chance", "length"] = "chance"
    """Which clips share a batch: any, or those of like length among a few batches' clips, which
    are then padded less."""
    steps_at_once: int = 2560
    """Padded steps that pass through the model at once; a larger batch is cut into parts, which
    need less memory and padding and give the same losses. 0 for whole batches, which is also what
    `loss_weight: 0` needs."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass; weights, losses and updates are float32 anyway."""
    freeze_base: bool = False
    """Train the fusion alone; embedding, pyramid and heads stay as they started."""
    regression_range: tuple[tuple[float, float], ...] = (
        (0, 4),
        (2, 8),
        (4, 16),
        (8, 32),
        (16, 64),
        (32, 10000),
    )
    """Per level: segments whose larger boundary distance, in finest steps, lies in this range."""
    centre_sampling: Literal["radius", "none"] = "radius"
    centre_radius: float = 1.5
    loss_weight: float = 1.0
    """Weight of the boundary loss; 0 or less balances it against the class loss automatically."""
    initial_loss_norm: float = 100.0
    label_smoothing: float = 0.0
    iou_weight_power: float = 0.0
    """Where boundaries are per class, a true class's loss counts in proportion to its predicted
    boundaries' tIoU to this power; 0 for all alike. TriDet's recipes have 0.2 to 1."""
    input_noise: float = 0.0
    """Standard deviation of normal noise on visual features."""
    crop_ratio: tuple[float, float] | None = (0.9, 1.0)
    truncated_share: float = 0.5
    """A segment cut by cropping stays when at least this share of it remains."""
    store_half: bool = False
    """Store the finished weights as float16, half as large."""


@dataclass(frozen=True)
class LabelSet:
    """One set of classes; a label is an index into `labels`."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class DataConfig:
    """Which label sets are learnt from which features."""

    label_set: str = "verb"
    further_label_sets: tuple[str, ...] = ()
    """Learnt jointly with the first: one detector, its logits are those of each set after another."""
    visual_encoder: str = "visual"
    """Name of a feature set of the workspace."""
    audio_encoder: str | None = "audio"
    train_split: str = "train"
    test_split: str = "validation"


@dataclass(frozen=True)
class StartConfig:
    """A trained detector that a run starts from instead of random weights."""

    checkpoint: str | None = None
    """Run of the workspace, folder of a detector, or official checkpoint; None for random weights."""
    config: str | None = None
    """YAML file of an official checkpoint."""


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a run besides the data itself."""

    name: str = "run"
    data: DataConfig = field(default_factory=DataConfig)
    base: BaseConfig = field(default_factory=BaseConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: TestConfig = field(default_factory=TestConfig)
    start: StartConfig = field(default_factory=StartConfig)


def from_mapping(cls: type[Config], raw: Any, where: str) -> Config:
    """Build a configuration dataclass from plain YAML or JSON values.

    Args:
        cls: a dataclass of this module or any other made of plain fields.
        raw: mapping of field names to values; missing fields keep their defaults.
        where: file and section, for messages.
    Raises: ConfigError for an unknown field, a wrong type, a value not allowed, or a detector that no
        memory of this machine could hold.
    """
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: found {_describe(raw)}, expected a mapping of settings")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in raw.keys() - set(names))
    if unknown:
        likely = ""
        if cls is Recipe and {"dataset", "model"} <= set(unknown):
            likely = "; a configuration of ActionFormer's or TriDet's code? Recipes of ours lie in configs/"
        raise ConfigError(
            f"{where}: {cls.__name__} has no field {', '.join(unknown)}; it has {', '.join(names)}{likely}"
        )
    values = {name: _coerce(hints[name], value, f"{where}.{name}") for name, value in raw.items()}
    config = cls(**values)
    _check_memory(config, where)
    return config


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain values that `from_mapping` reads back to an equal configuration."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return plain(dataclasses.asdict(config))


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping and merge it over the file it `extends`, nearest first.

    Raises: ConfigError if a file is missing, is not YAML, is not a mapping or extends itself.
    """
    return _read_yaml_chain(Path(path), ())


def read_recipe(path: Path | str) -> Recipe:
    """Read a recipe file. Raises: ConfigError, naming the file and the field."""
    return from_mapping(Recipe, read_yaml(path), str(path))


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`: nested mappings merge, everything else is replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _check_memory(config: Any, where: str) -> None:
    """Refuse a base, or what holds one beside its fusion, that is too large. Raises: ConfigError."""
    base = config if isinstance(config, BaseConfig) else getattr(config, "base", None)
    if not isinstance(base, BaseConfig):
        return
    sizes = {"blocks": base.blocks, "sgp_hidden": base.sgp_hidden, **vars(base)}
    fusion = getattr(config, "fusion", None)
    if isinstance(fusion, FusionConfig) and fusion.kind != "none":
        sizes |= {f"fusion.{name}": value for name, value in vars(fusion).items()}
    if problem := beyond_memory(sizes):
        raise ConfigError(f"{where}: {problem}")


def _read_yaml_chain(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path}: extends itself through {' -> '.join(str(p) for p in seen)}")
    if path.suffix == ".py":
        raise ConfigError(f"{path}: is Python code, which is not run for its settings; expected a YAML configuration")
    try:
        raw = _parsed(path.read_text(encoding="utf-8"), path.suffix)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a YAML configuration") from None
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as YAML ({str(error).splitlines()[0]})") from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: found {_describe(raw)}, expected a mapping of settings")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends is {_describe(parent)}, expected a file name")
    return merge(_read_yaml_chain(path.parent / parent, (*seen, path)), raw)


def _parsed(text: str, suffix: str) -> Any:
    """What YAML says, or the plain Python values that published code prints into a `config.txt` beside a checkpoint."""
    if suffix == ".txt":
        with contextlib.suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            return ast.literal_eval(text)
    return yaml.safe_load(text)


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (hint,) = [a for a in arguments if a is not type(None)]
        return _coerce(hint, value, where)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise ConfigError(f"{where}: found {_describe(value)}, expected one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _coerce_items(arguments, value, where)
    if origin is dict:
        return _coerce(dict, value, where)
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, where)
    return _coerce_plain(hint, value, where)


def _coerce_items(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """A tuple of as many values as hints, or of any number where the second hint is `...`."""
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: found {_describe(value)}, expected a list")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(value) != len(hints):
        raise ConfigError(f"{where}: found {len(value)} values, expected {len(hints)}")
    return tuple(_coerce(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _coerce_plain(hint: Any, value: Any, where: str) -> Any:
    """A number, a truth value, text or anything."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and (is_whole or (isinstance(value, str) and _EXPONENT.fullmatch(value))):
        with suppress(OverflowError):
            return float(value)
    is_bool_for_number = isinstance(value, bool) and hint is not bool
    if hint is Any or (isinstance(hint, type) and isinstance(value, hint) and not is_bool_for_number):
        return value
    raise ConfigError(f"{where}: found {_describe(value)}, expected {getattr(hint, '__name__', hint)}")


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:80]
