"""One clip of a workspace, and ids that are safe as file names and URLs."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mravff_core.errors import WorkspaceError

if TYPE_CHECKING:
    from mravff_core.media.probe import MediaInfo

_PREFIX = "v_"
CLIP_COLUMNS = (
    "clip_id",
    "title",
    "path",
    "duration_s",
    "frames_per_second",
    "width",
    "height",
    "has_audio",
    "split",
    "warnings",
)


@dataclass(frozen=True)
class Clip:
    """One row of the clip table.

    Attributes:
        clip_id: letters, digits and `._-` only.
        title: what people call it; any text.
        path: video file, relative to a media root or absolute; empty where only features are known.
        duration_s: length of the video.
        frames_per_second: nominal rate, 0 where unknown.
        width, height: picture in pixels, 0 where unknown.
        has_audio: whether there is a sound track.
        split: such as `train`, `validation` or `own`.
        warnings: one sentence a line, for people.
    """

    clip_id: str
    title: str
    path: str
    duration_s: float
    frames_per_second: float = 0.0
    width: int = 0
    height: int = 0
    has_audio: bool = True
    split: str = "own"
    warnings: str = ""

    @classmethod
    def of_video(cls, clip_id: str, info: MediaInfo, *, title: str, path: str, split: str) -> Clip:
        """A clip whose video is known; `path` is where its own copy lies, `info` may be of another."""
        return cls(
            clip_id=clip_id,
            title=title,
            path=path,
            duration_s=info.duration_s,
            frames_per_second=info.frames_per_second,
            width=info.width,
            height=info.height,
            has_audio=info.has_audio,
            split=split,
            warnings="\n".join(info.warnings),
        )


def clip_id_of(title: str) -> str:
    """A readable id for a title: ASCII letters, digits and `._-`, never empty, never hidden."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_title).strip("._-")[:80] or "clip"


def is_clip_id(text: str) -> bool:
    """Whether `text` may be used as a clip id."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", text))


def clip_id_from_source(name: str) -> str:
    """Clip id of a data set's own name for a video, which may begin with `-` or `_` as YouTube's do.

    Names that begin so, whether they have `v_` before that or not, get one `v_` more: no two names share an id.

    Raises: WorkspaceError for a name that is no file name on every system.
    """
    clip_id = f"{_PREFIX}{name}" if _is_hidden(name) else name
    if not name or not is_clip_id(clip_id):
        raise WorkspaceError(
            f"video name {name!r} is not usable as a clip id; expected letters, digits and ._- only, 120 at most"
        )
    return clip_id


def clip_ids_by_name(name: str) -> list[str]:
    """Ids that a clip may have which a file calls so, likeliest first; files may put `v_` before, or leave it out."""
    ids = [name]
    for own in (name.removeprefix(_PREFIX), f"{_PREFIX}{name}", name):
        with contextlib.suppress(WorkspaceError):
            ids.insert(0, clip_id_from_source(own))
    return ids


def clips_by_name(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Which of the known clips each name stands for, as `clip_ids_by_name` finds them; others are left out."""
    clip_of = {}
    for name in names:
        found = next((clip_id for clip_id in clip_ids_by_name(name) if clip_id in known), None)
        if found is not None:
            clip_of[name] = found
    return clip_of


def source_name(clip_id: str) -> str:
    """A data set's own name for a clip: inverse of `clip_id_from_source`."""
    return clip_id.removeprefix(_PREFIX) if _is_hidden(clip_id) else clip_id


def _is_hidden(name: str) -> bool:
    """Whether a name begins with what no clip id may begin with, any `v_` left aside."""
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    return not re.match(r"[A-Za-z0-9]", name)
