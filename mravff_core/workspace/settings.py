"""What a workspace says of itself in its settings file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mravff_core.segments import TIOU_THRESHOLDS

SETTINGS_FILE = "workspace.yaml"


@dataclass(frozen=True)
class WorkspaceSettings:
    """What `workspace.yaml` holds.

    Attributes:
        name: for people.
        label_sets: class names by label set; a label is an index into its list.
        media_roots: folders that relative clip paths are looked up in; relative ones lie in the workspace.
        encoders: encoder name by feature set, such as `{"visual": "light_visual"}`.
        feature_sources: by feature set, a `FeatureSource` for features that stay outside the workspace.
        tiou_thresholds: temporal overlaps that `evaluate`, `train` and `sweep` score at.
    """

    name: str = "workspace"
    label_sets: dict[str, list[str]] = field(default_factory=dict)
    media_roots: tuple[str, ...] = ("media",)
    encoders: dict[str, str] = field(default_factory=dict)
    feature_sources: dict[str, Any] = field(default_factory=dict)
    tiou_thresholds: tuple[float, ...] = TIOU_THRESHOLDS
