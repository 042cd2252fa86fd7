"""Configurations of others' code, whichever it is, in our terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mravff_core.config import TrainConfig
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.official_config import convert_config, convert_training
from mravff_core.model.opentad_config import convert_opentad, convert_opentad_training
from mravff_core.model.opentad_detectors import is_opentad


def detector_config(raw: Mapping[str, Any], where: str) -> DetectorConfig:
    """See `convert_config` and `convert_opentad`."""
    return convert_opentad(raw, where) if is_opentad(raw) else convert_config(raw, where)


def train_config(raw: Mapping[str, Any], where: str) -> TrainConfig:
    """See `convert_training` and `convert_opentad_training`."""
    return convert_opentad_training(raw, where) if is_opentad(raw) else convert_training(raw, where)


def class_score_file(raw: Mapping[str, Any]) -> str | None:
    """The file that detections take their classes from, whatever classes they have; None if they keep their own.

    Args:
        raw: as `detector_config` has taken it.
    """
    if is_opentad(raw):
        classifier = (raw.get("post_processing") or {}).get("external_cls")
        path = classifier.get("path") if isinstance(classifier, Mapping) else None
        return str(path or "post_processing.external_cls") if classifier else None
    file = (raw.get("test_cfg") or {}).get("ext_score_file")
    return str(file) if file else None
