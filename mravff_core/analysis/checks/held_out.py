"""More clips of the demo kitchen than the workspace has, kept in its cache: enough segments for intervals.

They continue the validation split, so no detector was trained on them. Clips and features that
the workspace has are taken over; the rest is rendered and encoded once.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable

import yaml

from mravff_core.config import read_yaml
from mravff_core.files import write_text
from mravff_core.inference.demo import ENCODERS, SETTINGS, add_split
from mravff_core.kitchen.script import NOUNS, SEGMENTS_PER_CLIP, VERBS
from mravff_core.workspace import Workspace


def held_out_kitchen(
    workspace: Workspace,
    segments: int,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Workspace:
    """A kitchen of the same seed whose validation split has at least `segments` segments.

    Args:
        workspace: a demo kitchen; returned itself where it has enough.
        segments: how many.
    Raises: CancelledError.
    """
    settings = read_yaml(workspace.folder / SETTINGS)
    wanted = math.ceil(segments / SEGMENTS_PER_CLIP)
    if settings["clips"]["validation"] >= wanted:
        return workspace
    folder = workspace.cache_folder / "held_out_kitchen"
    more = Workspace.create(
        folder, name="Held-out kitchen", label_sets={"verb": list(VERBS), "noun": list(NOUNS)}, encoders=ENCODERS
    )
    clips = {**settings["clips"], "validation": wanted}
    write_text(folder / SETTINGS, yaml.safe_dump({"seed": settings["seed"], "clips": clips}, sort_keys=False))
    for clip_id in workspace.clip_ids("validation"):
        video = workspace.video_path(clip_id)
        copies = [(video, folder / "media" / video.name)]
        copies += [(workspace.feature_path(name, clip_id), more.feature_path(name, clip_id)) for name in ENCODERS]
        for source, copy in copies:
            if source.is_file() and not copy.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
    add_split(more, "validation", progress=progress, cancel=cancel)
    return more
