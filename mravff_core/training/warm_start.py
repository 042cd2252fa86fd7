"""Start from a trained detector: its weights in the base, and a fusion that changes nothing at first.

With `fused = (1 - gate) * visual + gate * attended`, only a gate of exactly 0 gives vision as
it came, and a sigmoid never gets there with a gradient left. So gates are multiplied by their
opening, which is no weight but a plan: exactly 0 at step 0, rising in a line to 1 over the
warm-up, after which the formula is the plain one. Gates start at a twentieth of sound, so that
opening them disturbs little before attention has learnt anything.

The other ways of mixing need no opening: they add, and what they add starts at exactly 0.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mravff_core.config import Recipe, TrainConfig, read_recipe, read_yaml
from mravff_core.errors import ConfigError
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.level_fusion import LevelFusion
from mravff_core.model.published_config import train_config
from mravff_core.segments import check_order

_GATE_BIAS = -3.0  # a gate of 0.047
# What points learn follows from the pyramid, not from the data.
_TARGET_FIELDS = (
    "regression_range",
    "centre_sampling",
    "centre_radius",
    "loss_weight",
    "initial_loss_norm",
    "label_smoothing",
    "iou_weight_power",
)


@dataclass(frozen=True)
class WarmStart:
    """A trained detector to start from.

    Attributes:
        source: where it came from, for messages.
        detector: on the CPU.
        train: how it was trained, where that is known.
    """

    source: str
    detector: Detector
    train: TrainConfig | None


def read_start(path: Path | str, config: Path | str | None = None) -> WarmStart:
    """Read a detector to start from.

    Args:
        path: folder of a run or detector of ours, or an official checkpoint.
        config: YAML file of an official checkpoint.
    Raises: CheckpointError, ConfigError.
    """
    path = Path(path)
    detector = load_detector(path, config=config, device="cpu")
    train = None
    if config is not None:
        train = train_config(read_yaml(config), str(config))
    elif (path / "recipe.yaml").is_file():
        train = read_recipe(path / "recipe.yaml").train
    return WarmStart(str(path), detector, train)


def adopt(recipe: Recipe, start: WarmStart) -> Recipe:
    """The recipe with what a trained detector brings along: its base, its points' targets, its test settings.

    Its fusion is taken over too where it has one of the recipe's kind. Anything else, learning
    rate and length of the run included, stays the recipe's.
    """
    own = start.detector.config
    changes: dict[str, Any] = {}
    if start.train is not None:
        changes = {name: getattr(start.train, name) for name in _TARGET_FIELDS}
    fusion = recipe.fusion
    if own.fusion.kind == fusion.kind:
        fusion = own.fusion
    elif own.fusion.kind == "none" and fusion.kind == "mrav" and fusion.mix == "convex":
        fusion = dataclasses.replace(fusion, gate_opening=0.0)
    return dataclasses.replace(
        recipe, base=own.base, test=own.test, fusion=fusion, train=dataclasses.replace(recipe.train, **changes)
    )


def warm_started(detector: Detector, start: WarmStart) -> None:
    """Put a trained detector's weights into a fresh one, whose output then equals the trained one's.

    Raises: ConfigError if the two do not fit each other.
    """
    source, target = start.detector.config, detector.config
    sizes = [[len(labels) for labels in config.label_sets.values()] for config in (source, target)]
    if sizes[0] != sizes[1]:
        own, wanted = (" and ".join(map(str, size)) for size in sizes)
        raise ConfigError(
            f"{start.source}: has {own} classes, the label set {' and '.join(target.label_sets)} has {wanted}; "
            "was it trained on other labels?"
        )
    for own_labels, (label_set, labels) in zip(source.label_sets.values(), target.label_sets.items(), strict=True):
        check_order(own_labels, label_set, labels, start.source)
    if source.base != target.base:
        raise ConfigError(f"{start.source}: its base differs from the recipe's; give both the same input features")
    if source.fusion.kind not in ("none", target.fusion.kind):
        raise ConfigError(f"{start.source}: has the fusion {source.fusion.kind}, expected none or {target.fusion.kind}")
    if source.fusion.kind != "none" and source.fusion.audio_channels != target.fusion.audio_channels:
        raise ConfigError(
            f"{start.source}: takes {source.fusion.audio_channels} audio channels, the recipe's features have "
            f"{target.fusion.audio_channels}; name the features that it was trained on"
        )
    detector.base.load_state_dict(start.detector.base.state_dict())
    if start.detector.fusion is not None and detector.fusion is not None:
        detector.fusion.load_state_dict(start.detector.fusion.state_dict())
    elif detector.fusion is not None:
        _change_nothing(detector.fusion)


def gate_opening(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Share of each gate let through at an optimiser step, from what the recipe begins with to 1."""
    first = recipe.fusion.gate_opening
    rise = max(1, recipe.train.warmup_epochs) * steps_per_epoch
    return first + (1 - first) * min(1.0, step / rise)


@torch.no_grad()
def _change_nothing(fusion: MRAVFusion) -> None:
    """Weights with which a fusion adds exactly nothing, once its gates are shut where it is convex."""
    for level in fusion.fusions:
        assert isinstance(level, LevelFusion)
        if level.merge is not None:  # concat: vision passes through, sound has no weight yet
            nn.init.zeros_(level.merge.weight)
            channels = level.merge.out_channels
            level.merge.weight[:, :channels, 0] = torch.eye(channels)
            _zero(level.merge.bias)
        elif level.gate is not None and level.mix == "convex":
            bias = level.gate.score.bias
            assert bias is not None
            bias[-1 if level.gate.kind == "softmax" else slice(None)] = _GATE_BIAS
        elif level.attention is not None:
            nn.init.zeros_(level.attention.out.weight)
            _zero(level.attention.out.bias)
        else:  # sum: what enters is normed; without scale it is nothing
            nn.init.zeros_(fusion.audio_pyramid.norm.weight)
            nn.init.zeros_(fusion.audio_pyramid.norm.bias)


def _zero(bias: torch.Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
