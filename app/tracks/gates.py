"""Gates of one clip under one audio condition, level by level."""

from __future__ import annotations

import numpy as np

from app.tracks.container import encode
from mravff_core.audio_condition import AudioCondition
from mravff_core.workspace import Workspace


def gates(workspace: Workspace, clip_id: str, *, run: str, condition: AudioCondition) -> bytes:
    """Container with `level_0` (finest) to `level_N`; none where the run has no gates.

    Raises: WorkspaceError for an unknown clip or run.
    """
    workspace.clip(clip_id)
    levels = [level for level in workspace.run(run).gates(condition, clip_id) if len(level.times_s)]
    arrays = {f"level_{number}": level.gates for number, level in enumerate(levels)}
    steps: list[dict[str, float]] = []
    for number, level in enumerate(levels):
        # A level of one step has no spacing of its own; it is twice that of the level below.
        below_s = steps[number - 1]["step_s"] if number else 0.0
        step_s = float(np.diff(level.times_s[:2])[0]) if len(level.times_s) > 1 else 2.0 * below_s
        steps.append({"first_s": float(level.times_s[0]), "step_s": step_s or 1.0})
    return encode(arrays, {"levels": steps})
