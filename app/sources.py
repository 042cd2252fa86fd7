"""Where the player fetches the data of a view; an address changes exactly when its data may have."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from pathlib import Path

from app import urls
from app.player import LikelyClip, PlayerClip
from app.sides import Side
from app.view import View, clips_in_order
from mravff_core.errors import WorkspaceError
from mravff_core.segments import ACTION
from mravff_core.workspace import RunInfo, Workspace
from mravff_core.workspace.settings import SETTINGS_FILE

_SHORT_S = 300.0
_ATTENDS = ("mrav", "cross_attention")


def sources(workspace: Workspace, view: View, info: RunInfo | None, *, predicted: bool) -> dict[str, str | None]:
    """Addresses of segments, signal, gates, attention and attribution; None where there is nothing to fetch.

    Args:
        info: of the view's run.
        predicted: whether the run's detections for this clip and sound are stored.
    """
    if view.clip is None:
        raise ValueError("a view without a clip has no sources")
    clip = workspace.clip(view.clip)
    main = view.main if predicted else None
    chosen = {"run": main.run, "audio": str(main.audio)} if main else {}
    made = predictions_version(workspace, view.clip, main)
    listens = predicted and info is not None and clip.has_audio and view.audio.kind != "off"
    attends = listens and info is not None and info.fusion in _ATTENDS
    gated = listens and info is not None and info.fusion == "mrav"
    return {
        "segments": _segments(workspace, view.clip, view.label_set, main, made),
        "signal": urls.tracks(view.clip, "signal", v=video_version(workspace, view.clip)) if clip.path else None,
        "gates": urls.tracks(view.clip, "gates", v=made, **chosen) if gated else None,
        "attention": urls.tracks(view.clip, "attention", v=made, **chosen) if attends else None,
        "attribution": attribution_source(workspace, view.clip, view.label_set, main),
    }


def shown_clip(workspace: Workspace, clip_id: str) -> PlayerClip:
    """A clip as the player takes it. Raises: WorkspaceError for an unknown one."""
    clip = workspace.clip(clip_id)
    return {
        "id": clip.clip_id,
        "title": clip.title,
        "duration_s": clip.duration_s,
        "frames_per_second": clip.frames_per_second,
        "has_audio": clip.has_audio,
        "video_url": urls.video(clip_id) if clip.path else None,
        "poster_url": urls.poster(clip_id, video_version(workspace, clip_id)) if clip.path else None,
    }


def likely_next(workspace: Workspace, view: View, info: RunInfo | None) -> list[LikelyClip]:
    """Addresses of the clips beside the view's in the list, the next one first.

    Those not detected in yet are left out, and long ones, whose sound takes the server seconds.
    """
    ids = clips_in_order(workspace)
    place = ids.index(view.clip or "")
    clips = [replace(view, clip=ids[at]) for at in (place + 1, place - 1) if 0 <= at < len(ids)]
    short = [clip for clip in clips if workspace.clip(clip.clip or "").duration_s <= _SHORT_S]
    return [
        _likely(workspace, clip, info) for clip in short if clip.main is None or _stored(workspace, clip, clip.main)
    ]


def _likely(workspace: Workspace, view: View, info: RunInfo | None) -> LikelyClip:
    clip_id = view.clip or ""
    has_video = bool(workspace.clip(clip_id).path)
    beside = [side for side in view.others if _stored(workspace, view, side)]
    return {
        "sources": sources(workspace, view, info, predicted=view.main is not None),
        "others": [segments_source(workspace, clip_id, view.label_set, side) for side in beside],
        "video_url": urls.video(clip_id) if has_video else None,
        "poster_url": urls.poster(clip_id, video_version(workspace, clip_id)) if has_video else None,
    }


def _stored(workspace: Workspace, view: View, side: Side) -> bool:
    return workspace.run(side.run).has(side.audio, view.clip or "")


def segments_source(workspace: Workspace, clip_id: str, label_set: str, side: Side | None) -> str:
    """Address of a clip's true segments with a side's detections, without any where there is no side."""
    return _segments(workspace, clip_id, label_set, side, predictions_version(workspace, clip_id, side))


def attribution_source(
    workspace: Workspace, clip_id: str, label_set: str, side: Side | None, **asked: str
) -> str | None:
    """Address of what a side's detections rest on; the player adds which one as `&n=`.

    None without a detector, and for actions, for which a detector has no number of its own.

    Args:
        asked: `what`, `sound` and `sight`, where they are not the usual ones.
    """
    if side is None or label_set == ACTION or not workspace.run(side.run).has_detector:
        return None
    made = predictions_version(workspace, clip_id, side)
    where = {"run": side.run, "audio": str(side.audio), "labels": label_set}
    return urls.tracks(clip_id, "attribution", v=made, **where, **asked)


def _segments(workspace: Workspace, clip_id: str, label_set: str, side: Side | None, made: str) -> str:
    truth = "".join(_written(workspace.folder / name) for name in ("annotations.parquet", SETTINGS_FILE))
    chosen = {"run": side.run, "audio": str(side.audio)} if side else {}
    version = hashlib.sha256(f"{_format()} {truth} {made}".encode()).hexdigest()[:12]
    return urls.tracks(clip_id, "segments", labels=label_set, v=version, **chosen)


def predictions_version(workspace: Workspace, clip_id: str, side: Side | None) -> str:
    """Changes when other predictions of a clip are stored for a side."""
    if side is None:
        return ""
    folder = workspace.run(side.run).predictions_folder(side.audio)
    files = [folder / "detections.parquet", folder / "parts" / f"{clip_id}.detections.parquet"]
    return hashlib.sha256(f"{_format()} {' '.join(map(_written, files))}".encode()).hexdigest()[:10]


def video_version(workspace: Workspace, clip_id: str) -> str:
    """Changes with a clip's video file; empty where it is not there."""
    written = _written(_video(workspace, clip_id))
    return f"{_format()}{written}" if written else ""


@functools.cache
def _format() -> str:
    """Changes with the code that makes track data, which browsers keep."""
    files = sorted((Path(__file__).parent / "tracks").glob("*.py"))
    return hashlib.sha256("".join(path.read_text(encoding="utf-8") for path in files).encode()).hexdigest()[:6]


def _video(workspace: Workspace, clip_id: str) -> Path | None:
    try:
        return workspace.video_path(clip_id)
    except WorkspaceError:
        return None


def _written(path: Path | None) -> str:
    try:
        return "" if path is None else f"{path.stat().st_mtime_ns:x}"
    except OSError:
        return ""
