"""What a detector remembers of the features that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mravff_core.workspace.layout import Workspace


def feature_record(workspace: Workspace, feature_sets: Mapping[str, str], clip_id: str) -> dict[str, dict[str, Any]]:
    """By modality: name of the feature set, its encoder, channels and seconds from step to step.

    Args:
        feature_sets: by modality, `visual` and perhaps `audio`.
        clip_id: one that has all of them.
    Raises: FeatureError, WorkspaceError.
    """
    record = {}
    for modality, name in feature_sets.items():
        features = workspace.features(name, clip_id)
        record[modality] = {
            "set": name,
            "encoder": workspace.settings.encoders.get(name, "imported"),
            "channels": int(features.array.shape[0]),
            "hop_s": round(features.grid.hop_s, 9),
        }
    return record
