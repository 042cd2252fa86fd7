"""Segments of a report with the picture of their middle and a short film."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mravff_core.errors import CancelledError, MediaError, WorkspaceError
from mravff_core.media.thumbnails import thumbnail
from mravff_core.report.document import Scene
from mravff_core.report.movie import cut
from mravff_core.workspace import Bookmarks, MarkedSegment, Workspace

_AROUND_S = 1.0
# Longer segments are shown by their beginning: the file has to stay small enough to send.
_LONGEST_S = 20.0


def scenes_of(
    workspace: Workspace,
    segments: Sequence[MarkedSegment],
    *,
    films: bool = True,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> tuple[Scene, ...]:
    """Pictures, notes and, if asked for, films of segments; a clip without video has neither.

    Raises: CancelledError between segments.
    """
    marks = Bookmarks(workspace.folder)
    notes = {note.segment.key: note.text for note in marks.notes()}
    scenes = []
    for number, segment in enumerate(segments):
        if cancel is not None and cancel():
            raise CancelledError("the report was stopped")
        picture, film = _seen(workspace, segment, films)
        scenes.append(Scene(segment, notes.get(segment.key, ""), picture, film))
        if progress is not None:
            progress((number + 1) / len(segments))
    return tuple(scenes)


def _seen(workspace: Workspace, segment: MarkedSegment, films: bool) -> tuple[bytes, bytes]:
    try:
        video = workspace.video_path(segment.clip_id)
        picture = thumbnail(video, (segment.start_s + segment.end_s) / 2, height=180)
        if not films:
            return picture, b""
        end_s = min(segment.end_s + _AROUND_S, segment.start_s + _LONGEST_S)
        with tempfile.TemporaryDirectory() as folder:
            film = cut(video, Path(folder) / "scene.mp4", segment.start_s - _AROUND_S, end_s)
            return picture, film.read_bytes()
    except (MediaError, WorkspaceError):
        # A report on features alone, or on a clip whose video has gone, still tells where and what.
        return b"", b""
