"""Visual bases by name. A new base subclasses `Base` and takes its place in `BASES`."""

from __future__ import annotations

from collections.abc import Callable

from mravff_core.config import BaseConfig
from mravff_core.model.bases.actionformer import ActionFormer
from mravff_core.model.bases.base import Base, Pyramid
from mravff_core.model.bases.temporalmaxer import TemporalMaxer
from mravff_core.model.bases.tridet import TriDet

BASES: dict[str, Callable[[BaseConfig, int], Base]] = {
    "actionformer": ActionFormer,
    "tridet": TriDet,
    "temporalmaxer": TemporalMaxer,
}


def build_base(config: BaseConfig, classes: int) -> Base:
    """The base a configuration names, for a number of classes.

    Raises: ConfigError for values that do not fit each other.
    """
    return BASES[config.kind](config, classes)


__all__ = ["BASES", "Base", "Pyramid", "build_base"]
