"""Where the player fetches the data of a view; an address changes exactly when its data may have."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app import urls
from app.view import View
from mravff_core.errors import WorkspaceError
from mravff_core.workspace import RunInfo, Workspace

_ATTENDS = ("mrav", "cross_attention")


def sources(workspace: Workspace, view: View, info: RunInfo | None, *, predicted: bool) -> dict[str, str | None]:
    """Addresses of segments, signal, gates and attention; None where there is nothing to fetch.

    Args:
        info: of the view's run.
        predicted: whether the run's detections for this clip and sound are stored.
    """
    if view.clip is None:
        raise ValueError("a view without a clip has no sources")
    clip = workspace.clip(view.clip)
    audio = str(view.audio)
    chosen = {"run": view.run or "", "audio": audio} if predicted else {}
    made = _version(workspace, view) if predicted else ""
    truth = _written(workspace.folder / "annotations.parquet")
    listens = predicted and info is not None and clip.has_audio and view.audio.kind != "off"
    attends = listens and info is not None and info.fusion in _ATTENDS
    gated = listens and info is not None and info.fusion == "mrav"
    return {
        "segments": urls.tracks(view.clip, "segments", labels=view.label_set, v=f"{truth}{made}", **chosen),
        "signal": urls.tracks(view.clip, "signal", v=_written(_video(workspace, view.clip))),
        "gates": urls.tracks(view.clip, "gates", v=made, **chosen) if gated else None,
        "attention": urls.tracks(view.clip, "attention", v=made, **chosen) if attends else None,
    }


def _version(workspace: Workspace, view: View) -> str:
    """Changes when other predictions are stored for the view's run and sound."""
    folder = workspace.run(view.run or "").predictions_folder(view.audio)
    files = sorted([*folder.glob("detections.parquet"), *folder.glob(f"parts/{view.clip}.detections.parquet")])
    return hashlib.sha256("".join(_written(path) for path in files).encode()).hexdigest()[:10]


def _video(workspace: Workspace, clip_id: str) -> Path | None:
    try:
        return workspace.video_path(clip_id)
    except WorkspaceError:
        return None


def _written(path: Path | None) -> str:
    return "" if path is None or not path.is_file() else f"{path.stat().st_mtime_ns:x}"
