"""Trained detectors that ship with the project, made by the recipes in `configs/kitchen`, with their checks.

The checks are what `verify-explanations --retrain` stored with these very weights in a demo workspace. Training has
changed since in how its sums round and where distances start: the recipes give detectors alike, not the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from mravff_core.errors import WorkspaceError

FOLDER = Path(__file__).parent / "checkpoints"


def shipped_runs() -> list[Path]:
    """Folders of all shipped detectors, ordered by name."""
    return sorted(path.parent for path in FOLDER.glob("*/model.safetensors"))


def shipped_run(name: str) -> Path:
    """Folder of one shipped detector. Raises: WorkspaceError if there is none of that name."""
    for folder in shipped_runs():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in shipped_runs()) or "none"
    raise WorkspaceError(f"no detector {name!r} ships with the project; there are: {known}")
