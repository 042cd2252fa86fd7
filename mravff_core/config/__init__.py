"""Typed configuration: `settings` says what there is, `files` reads and writes it."""

from mravff_core.config.files import from_mapping, merge, read_recipe, read_yaml, to_mapping
from mravff_core.config.settings import (
    BaseConfig,
    DataConfig,
    FusionConfig,
    LabelSet,
    Recipe,
    StartConfig,
    TestConfig,
    TrainConfig,
)

__all__ = [
    "BaseConfig",
    "DataConfig",
    "FusionConfig",
    "LabelSet",
    "Recipe",
    "StartConfig",
    "TestConfig",
    "TrainConfig",
    "from_mapping",
    "merge",
    "read_recipe",
    "read_yaml",
    "to_mapping",
]
