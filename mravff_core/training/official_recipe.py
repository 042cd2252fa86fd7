"""Train by the YAML file of an official detector: its model, targets, losses and schedule, on a workspace's clips.

A file of ours may `extends` an official one. Its sections then stand over what the official settings come to, so that
two lines put MRAV-FF on the detector of anyone's configuration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mravff_core.config import DataConfig, Recipe, from_mapping, merge, to_mapping
from mravff_core.data.dataset_files import usual_split
from mravff_core.errors import ConfigError
from mravff_core.model.official_config import convert_config, convert_training
from mravff_core.model.opentad_detectors import is_opentad
from mravff_core.segments import PROPOSAL
from mravff_core.workspace import Workspace
from mravff_core.workspace.feature_record import other_grid

_SECTIONS = frozenset(field.name for field in dataclasses.fields(Recipe))
_OPTIMISER = (
    "type",
    "momentum",
    "weight_decay",
    "learning_rate",
    "epochs",
    "warmup",
    "warmup_epochs",
    "schedule_type",
    "schedule_steps",
    "schedule_gamma",
    "eta_min",
)


def is_official(raw: Mapping[str, Any]) -> bool:
    """Whether settings are those of the published code, beside sections of ours perhaps."""
    return {"dataset", "model"} <= raw.keys()


def training_recipe(raw: Mapping[str, Any], where: Path | str, workspace: Workspace) -> Recipe:
    """A recipe of ours from its settings, or from those of an official configuration.

    Args:
        raw: the mapping of a YAML file.
        where: that file, for messages; its name is the run's where official settings do not say one.
        workspace: tells which label set has as many classes as an official configuration.
    Raises: ConfigError for settings that are not known or cannot be followed here.
    """
    if is_opentad(raw):
        raise ConfigError(
            f"{where}: a configuration of OpenTAD's, whose trainings are not followed, expected a recipe; start from "
            "its checkpoint by --from CHECKPOINT --from-config FILE"
        )
    if not is_official(raw):
        return from_mapping(Recipe, dict(raw), str(where))
    own = {name: value for name, value in raw.items() if name in _SECTIONS}
    official = _without_ours(raw)
    config, train = convert_config(official, str(where)), convert_training(official, str(where))
    _check(official, where)
    names_set = isinstance(own.get("data"), dict) and "label_set" in own["data"]
    converted = Recipe(
        name=Path(where).stem,
        data=DataConfig(
            label_set="" if names_set else _label_set(workspace, len(config.labels), where),
            train_split=_split(official, "train_split", "training", where),
            test_split=_split(official, "val_split", "validation", where),
        ),
        # What was trained elsewhere needs to see padding and keeps what lies outside; what is trained here does not.
        base=dataclasses.replace(config.base, official_padding=False),
        test=dataclasses.replace(config.test, keep_outside=False),
        train=train,
    )
    return from_mapping(Recipe, merge(to_mapping(converted), own), str(where))


def features_caution(raw: Mapping[str, Any], where: Path | str, workspace: Workspace, recipe: Recipe) -> str | None:
    """How a workspace's visual features are other than an official configuration says, if they are.

    Args:
        raw, where: as of `training_recipe`, which gave the recipe.
    Raises: FeatureError if the first clip's features cannot be read.
    """
    if not is_official(raw):
        return None
    feature_set, clip_ids = recipe.data.visual_encoder, workspace.clip_ids(recipe.data.train_split)
    first = next((clip_id for clip_id in clip_ids if workspace.has_features(feature_set, clip_id)), None)
    if first is None:
        return None
    described = convert_config(_without_ours(raw), str(where)).features["visual"]
    found = workspace.features(feature_set, first)
    if found.array.shape[0] != described["channels"]:
        return f"{described['channels']} channels, here {found.array.shape[0]}"
    return other_grid(described, found)


def _without_ours(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in _SECTIONS}


def _label_set(workspace: Workspace, classes: int, where: Path | str) -> str:
    """The workspace's only label set of so many classes."""
    fitting = [name for name, labels in workspace.label_sets.items() if len(labels) == classes]
    if len(fitting) == 1:
        return fitting[0]
    if classes == 1 and not fitting:
        return PROPOSAL
    sizes = ", ".join(f"{name} of {len(labels)}" for name, labels in workspace.label_sets.items())
    raise ConfigError(
        f"{where}: dataset.num_classes is {classes}, the workspace has {sizes or 'no label set'}; import the data set "
        "with --classes if the last of them have no segment, or say which one is meant by 'data: {label_set: NAME}' in "
        "a YAML file that extends this one"
    )


def _split(official: Mapping[str, Any], key: str, usual: str, where: Path | str) -> str:
    given = official.get(key) or usual
    names = [given] if isinstance(given, str) else list(given)
    if len(names) != 1:
        raise ConfigError(f"{where}: {key} is {given!r}, expected one split")
    return usual_split(names[0])


def _check(official: Mapping[str, Any], where: Path | str) -> None:
    """Refuse official settings of the optimiser that training here would not follow."""
    optimiser = official.get("opt") or {}
    unknown = sorted(map(str, optimiser.keys() - _OPTIMISER))
    if unknown:
        raise ConfigError(f"{where}: opt has unknown settings {', '.join(unknown)}; it has {', '.join(_OPTIMISER)}")
    kind = optimiser.get("type", "AdamW")
    if kind != "AdamW":
        raise ConfigError(f"{where}: opt.type is {kind!r}, expected AdamW, the only optimiser that training has here")
