"""What a detector remembers of the features that it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mravff_core.data.features import Features
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


def other_grid(trained: Mapping[str, Any], found: Features) -> str | None:
    """How features lie in time otherwise than those that an official configuration describes; None if they do not.

    Args:
        trained: what the configuration says of visual features, as `convert_config` keeps it.
    """
    if trained["resized_steps"]:
        steps = found.array.shape[1]
        wanted = trained["resized_steps"]
        if steps != wanted:
            return f"every clip brought to {wanted} steps, here the first has {steps}"
        if trained.get("resized_from_the_start") and found.grid.centre_frames > 0:
            return "steps that stand at the start of their share of the clip, here in its middle"
        return None
    hop, window = trained["stride_frames"] * trained["downsample_rate"], trained["window_frames"]
    if hop <= 0:  # shared out evenly
        return None
    grid, rate = found.grid, trained["frames_per_second"]
    same_rate = not rate or math.isclose(rate, grid.frames_per_second)
    if same_rate and math.isclose(hop, grid.hop_frames) and math.isclose(window, grid.window_frames):
        return None
    at_rate = f" at {rate:g} a second" if rate else ""
    return (
        f"a step every {hop:g} frames of {window:g}{at_rate}, here every {grid.hop_frames:g} "
        f"of {grid.window_frames:g} at {grid.frames_per_second:g}"
    )
