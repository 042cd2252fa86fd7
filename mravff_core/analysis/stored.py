"""Answers kept in a workspace's cache under what they were computed from, so that none is stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import mravff_core
from mravff_core.analysis.side import Side
from mravff_core.files import write_json
from mravff_core.workspace import Workspace

# Counts changes of what is stored, so that older answers are not read as newer ones.
_FORMAT = 2


def content_key(workspace: Workspace, sides: Sequence[Side], *settings: Any) -> str:
    """Changes whenever stored detections, gates or true segments change, or a setting does.

    Args:
        sides: whose predictions the answer rests on.
        settings: all else that it rests on; equal values print alike.
    """
    files = [workspace.folder / "annotations.parquet", workspace.folder / "workspace.yaml"]
    for side in sides:
        folder = workspace.run(side.run).predictions_folder(side.audio)
        files += sorted([*folder.glob("*.parquet"), *folder.glob("parts/*.parquet")])
    parts = [f"{path.relative_to(workspace.folder)} {_written(path)}" for path in files]
    text = "\n".join([f"{mravff_core.__version__} {_FORMAT}", *parts, *map(str, settings)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def remembered(workspace: Workspace, kind: str, key: str) -> Any | None:
    """A stored answer, None where there is none or it cannot be read."""
    try:
        return json.loads(_path(workspace, kind, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remember(workspace: Workspace, kind: str, key: str, compute: Callable[[], Any]) -> Any:
    """The stored answer, or what `compute` gives, stored for the next time.

    Args:
        kind: names a folder of the cache.
        key: of `content_key`.
        compute: gives a JSON document.
    """
    known = remembered(workspace, kind, key)
    if known is None:
        known = compute()
        # A workspace that can only be read answers all the same.
        with suppress(OSError):
            write_json(_path(workspace, kind, key), known)
    return known


def _path(workspace: Workspace, kind: str, key: str) -> Path:
    return workspace.cache_folder / kind / f"{key}.json"


def _written(path: Path) -> str:
    state = path.stat() if path.is_file() else None
    return "none" if state is None else f"{state.st_mtime_ns:x} {state.st_size:x}"
