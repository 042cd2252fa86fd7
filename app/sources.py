"""Where the player fetches the data of a view; an address changes exactly when its data may have."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app import urls
from app.sides import Side
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
    main = view.main if predicted else None
    chosen = {"run": main.run, "audio": str(main.audio)} if main else {}
    made = _version(workspace, view.clip, main)
    listens = predicted and info is not None and clip.has_audio and view.audio.kind != "off"
    attends = listens and info is not None and info.fusion in _ATTENDS
    gated = listens and info is not None and info.fusion == "mrav"
    return {
        "segments": segments_source(workspace, view.clip, view.label_set, main),
        "signal": urls.tracks(view.clip, "signal", v=_written(_video(workspace, view.clip))) if clip.path else None,
        "gates": urls.tracks(view.clip, "gates", v=made, **chosen) if gated else None,
        "attention": urls.tracks(view.clip, "attention", v=made, **chosen) if attends else None,
    }


def segments_source(workspace: Workspace, clip_id: str, label_set: str, side: Side | None) -> str:
    """Address of a clip's true segments with a side's detections, without any where there is no side."""
    truth = _written(workspace.folder / "annotations.parquet")
    chosen = {"run": side.run, "audio": str(side.audio)} if side else {}
    return urls.tracks(
        clip_id, "segments", labels=label_set, v=f"{truth}{_version(workspace, clip_id, side)}", **chosen
    )


def _version(workspace: Workspace, clip_id: str, side: Side | None) -> str:
    """Changes when other predictions of a clip are stored for a side."""
    if side is None:
        return ""
    folder = workspace.run(side.run).predictions_folder(side.audio)
    files = sorted([*folder.glob("detections.parquet"), *folder.glob(f"parts/{clip_id}.detections.parquet")])
    return hashlib.sha256("".join(_written(path) for path in files).encode()).hexdigest()[:10]


def _video(workspace: Workspace, clip_id: str) -> Path | None:
    try:
        return workspace.video_path(clip_id)
    except WorkspaceError:
        return None


def _written(path: Path | None) -> str:
    return "" if path is None or not path.is_file() else f"{path.stat().st_mtime_ns:x}"
