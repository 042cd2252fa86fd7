"""What is wrong with a data set's files, clip by clip, before any of it enters a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mravff_core.data.dataset_files import DataSetFiles, SourceVideo
from mravff_core.data.feature_source import FeatureSource
from mravff_core.data.reading import label_index
from mravff_core.errors import FeatureError, MediaError, WorkspaceError
from mravff_core.media.probe import probe
from mravff_core.workspace.clip import Clip, clip_id_from_source

# What each finding leads to, and whether somebody has to agree because something is lost or likely wrong.
KINDS: dict[str, tuple[str, bool]] = {
    "unusable names": ("left out", True),
    "no visual features": ("left out", True),
    "visual features unfit": ("left out", True),
    "unknown lengths": ("taken from the features", False),
    "unknown frame rates": ("left out", True),
    "no audio features": ("kept as silent", True),
    "audio features unfit": ("kept as silent", True),
    "features and length disagree": ("kept, with a warning", False),
    "sound and picture disagree": ("kept, with a warning", False),
    "segments without a clip": ("segments left out", True),
    "segments outside the clip": ("segments kept as they are", True),
    "segments without length": ("segments left out", True),
    "segments that end before they start": ("segments left out", True),
    "unknown labels": ("segments left out", True),
    "classes spelt alike": ("kept apart", False),
    "no video files": ("kept, features only", False),
    "video and clip disagree": ("kept, with a warning", False),
    "videos that may not play": ("kept, with a warning", False),
}
_EXAMPLE_LENGTH, _NAME_LENGTH = 90, 40


@dataclass
class Findings:
    """Everything found, by kind, in the order of `KINDS`: clip and what is wrong with it."""

    by_kind: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, kind: str, clip: str, detail: str) -> None:
        """Note one thing about one clip."""
        self.by_kind.setdefault(kind, []).append((clip, detail))

    def asks(self, kind: str) -> bool:
        """Whether somebody has to agree to findings of a kind."""
        return KINDS[kind][1]

    @property
    def needs_permission(self) -> bool:
        """Whether somebody has to agree to some."""
        return any(self.asks(kind) for kind in self.by_kind)

    def left_out(self) -> dict[str, tuple[int, str]]:
        """Of each kind that leaves whole clips out: how many, and an example in full."""
        return {
            kind: (len(found), ": ".join(found[0]))
            for kind, (effect, _) in KINDS.items()
            if effect == "left out" and (found := self.by_kind.get(kind))
        }

    def listed(self) -> list[dict[str, str]]:
        """One row a finding: its kind, the clip's name, empty where it is of none, and what is the matter."""
        return [
            {"found": kind, "clip": clip, "what": detail}
            for kind in KINDS
            for clip, detail in self.by_kind.get(kind, [])
        ]

    def rows(self) -> list[dict[str, str | int]]:
        """One row a kind: how many, an example, and what happens to them."""
        rows: list[dict[str, str | int]] = []
        for kind, (effect, _) in KINDS.items():
            found = self.by_kind.get(kind, [])
            if not found:
                continue
            clip, detail = found[0]
            short = clip if len(clip) <= _NAME_LENGTH else f"{clip[: _NAME_LENGTH - 1]}…"
            example = ": ".join(part for part in (short, detail) if part)
            if len(example) > _EXAMPLE_LENGTH:
                example = example[: _EXAMPLE_LENGTH - 1] + "…"
            clips = len({clip for clip, _ in found if clip})
            rows.append({"found": kind, "number": len(found), "clips": clips, "then": effect, "for example": example})
        return rows


@dataclass(frozen=True)
class CheckedDataSet:
    """What would enter the workspace: clips, and segments with class indices."""

    clips: list[Clip]
    segments: pd.DataFrame
    findings: Findings


def check_dataset(
    files: DataSetFiles,
    visual: FeatureSource,
    audio: FeatureSource | None,
    *,
    values: bool,
    video_paths: Mapping[str, str] | None,
    progress: Callable[[float], None] | None,
) -> CheckedDataSet:
    """Check every video and segment.

    Args:
        files: what the data set says.
        visual, audio: where features lie; None for audio where there is none.
        values: read all features, to find values that are not finite; otherwise the files' headers alone.
        video_paths: video file by name; None where nobody looked for them.
        progress: called with the share done, 0 to 1.
    """
    findings = Findings()
    clips = []
    for number, video in enumerate(files.videos.values()):
        if (clip := _clip(video, visual, audio, values, video_paths, findings)) is not None:
            clips.append(clip)
        if progress is not None:
            progress((number + 1) / len(files.videos))
    segments = _segments(files, {clip.title: clip for clip in clips}, findings)
    return CheckedDataSet(clips, segments, findings)


def _clip(
    video: SourceVideo,
    visual: FeatureSource,
    audio: FeatureSource | None,
    values: bool,
    video_paths: Mapping[str, str] | None,
    findings: Findings,
) -> Clip | None:
    name, warnings = video.name, []
    try:
        clip_id = clip_id_from_source(name)
    except WorkspaceError:
        findings.add("unusable names", name, "letters, digits and ._- only, 120 at most")
        return None
    if not visual.has(name):
        findings.add("no visual features", name, visual.path(name).name)
        return None
    if (seen_s := _covered_s(visual, video, values, "visual features unfit", findings)) is None:
        return None
    duration_s = video.duration_s or seen_s
    if not video.duration_s:
        findings.add("unknown lengths", name, f"{seen_s:.2f} s")
    elif visual.hop_frames is not None and abs(seen_s - duration_s) > _slack_s(visual, video):
        detail = f"visual features cover {seen_s:.2f} s of {duration_s:.2f} s"
        findings.add("features and length disagree", name, detail)
        warnings.append(f"The {detail}; was the video cut or encoded at another rate?")
    heard_s = None
    if audio is not None:
        if not audio.has(name):
            findings.add("no audio features", name, audio.path(name).name)
        else:
            heard_s = _covered_s(audio, video, values, "audio features unfit", findings)
    if audio is not None and heard_s is not None and abs(heard_s - seen_s) > _hop_s(audio, visual, video):
        detail = f"sound lasts {heard_s:.2f} s, picture {seen_s:.2f} s"
        findings.add("sound and picture disagree", name, detail)
        warnings.append(f"By their features, {detail}: more than a hop apart.")
    path = "" if video_paths is None else video_paths.get(name, "")
    if video_paths is not None and not path:
        findings.add("no video files", name, "")
    sounds = False
    if path:
        slack_s = 1.0 if visual.hop_frames is None else max(0.5, _slack_s(visual, video))
        sounds, doubts = _looked_at(path, name, duration_s, slack_s, findings)
        warnings += doubts
    return Clip(
        clip_id=clip_id,
        title=name,
        path=path,
        duration_s=duration_s,
        frames_per_second=video.frames_per_second,
        has_audio=heard_s is not None if audio is not None else sounds,
        split=video.split,
        warnings="\n".join(warnings),
    )


def _looked_at(path: str, name: str, duration_s: float, slack_s: float, findings: Findings) -> tuple[bool, list[str]]:
    """Whether a clip's video has sound, and what the app should warn of."""
    try:
        info = probe(path)
    except MediaError as error:
        detail = str(error).split(": ", 1)[-1]
        findings.add("videos that may not play", name, detail)
        return False, [f"The video does not play: {detail}."]
    warnings = []
    if not info.browser_playable:
        detail = f"{info.video_codec} in {info.path.suffix} of a form that browsers do not all play"
        findings.add("videos that may not play", name, detail)
        warnings.append(f"The video may not play: it is {detail}.")
    if abs(info.duration_s - duration_s) > slack_s:
        detail = f"video lasts {info.duration_s:.2f} s, the clip {duration_s:.2f} s"
        findings.add("video and clip disagree", name, detail)
        warnings.append(f"The {detail}; is it another cut of it?")
    return info.has_audio, warnings


def _covered_s(source: FeatureSource, video: SourceVideo, values: bool, kind: str, findings: Findings) -> float | None:
    """Seconds that the features of a video cover; None, and a finding, where they are unfit."""
    try:
        steps = source.size(video.name)[1]
        if values:
            source.check_values(video.name)
    except FeatureError as error:
        findings.add(kind, video.name, str(error).split(": ", 1)[-1])
        return None
    if source.hop_frames is None:
        if not video.duration_s:
            findings.add(kind, video.name, "shared out over the clip's length, which is not known")
            return None
        return video.duration_s
    if not (source.frames_per_second or video.frames_per_second):
        findings.add("unknown frame rates", video.name, "the features need the video's rate; say it by --fps")
        return None
    grid = source.grid(steps, video.duration_s, video.frames_per_second)
    last = (source.resize_steps or steps) - 1
    return float(grid.to_seconds(float(last))) + grid.window_frames / 2 / grid.frames_per_second


def _slack_s(source: FeatureSource, video: SourceVideo) -> float:
    """How far whole windows may fall short of a video's length, or run over it."""
    rate = source.frames_per_second or video.frames_per_second
    hop = source.read_hop_frames or 0.0
    return ((source.window_frames or hop) + 2 * hop) / rate


def _hop_s(audio: FeatureSource, visual: FeatureSource, video: SourceVideo) -> float:
    """The longer of two hops, in seconds, with room for the window that the last step of either may lack."""
    hops = [
        (source.read_hop_frames or 0.0) / (source.frames_per_second or video.frames_per_second or 1.0)
        for source in (audio, visual)
    ]
    return max(hops) + 1e-6


def _segments(files: DataSetFiles, clip_of: Mapping[str, Clip], findings: Findings) -> pd.DataFrame:
    """Segments of the clips that stay, labels as indices."""
    table = files.segments.copy()
    known = table["clip_id"].isin(clip_of)
    for name, rows in table[~known & ~table["clip_id"].isin(files.videos)].groupby("clip_id"):
        findings.add("segments without a clip", str(name), f"{len(rows)} segments")
    table = table[known]
    keep = np.ones(len(table), dtype=bool)
    for label_set, names in files.label_sets.items():
        table[label_set], unknown = _indices(table[label_set], names)
        for name, value in zip(
            table["clip_id"][unknown], files.segments.loc[table.index[unknown], label_set], strict=True
        ):
            findings.add("unknown labels", name, f"{label_set} {str(value)!r}")
        keep &= ~unknown
        for spellings in _spelt_alike(names):
            findings.add("classes spelt alike", "", f"{label_set} {' and '.join(map(repr, spellings))}")
    lasting = segments_that_last(table, clip_of, findings)
    return lasting[keep[table.index.isin(lasting.index)]].reset_index(drop=True)


def segments_that_last(table: pd.DataFrame, clip_of: Mapping[str, Clip], findings: Findings) -> pd.DataFrame:
    """Segments that last, and a finding for each that does not, or that reaches far out of its clip.

    Even the latter stay as they are, found or missed: published scores count them, such as 26 of THUMOS14's.

    Args:
        table: `clip_id` as `clip_of` names clips, `start_s`, `end_s` and more.
    Returns: rows of the table with the ids of their clips.
    """
    length_s = np.array([clip_of[name].duration_s for name in table["clip_id"]], dtype=np.float64)
    start_s, end_s = table["start_s"].to_numpy(np.float64), table["end_s"].to_numpy(np.float64)
    # A rounded time stamp may lie a moment behind the end.
    outside = (end_s > length_s + np.maximum(0.5, 0.001 * length_s)) | (start_s < -0.5)
    for name, start, end, length in _picked(outside, table["clip_id"], start_s, end_s, length_s):
        findings.add("segments outside the clip", name, f"{start:.2f} to {end:.2f} s of {length:.2f} s")
    wrong = {"segments without length": end_s == start_s, "segments that end before they start": end_s < start_s}
    for kind, rows in wrong.items():
        for name, start, end, _ in _picked(rows, table["clip_id"], start_s, end_s, length_s):
            findings.add(kind, name, f"{start:.2f} to {end:.2f} s")
    kept = table[end_s > start_s]
    return kept.assign(clip_id=[clip_of[name].clip_id for name in kept["clip_id"]])


def _indices(values: pd.Series, names: tuple[str, ...]) -> tuple[pd.Series, np.ndarray]:
    """Class indices, missing where the segment has no such label; and which labels are no class."""
    index_of = {name: index for index, name in enumerate(names)}
    found = values.map({value: label_index(value, index_of) for value in values.dropna().unique()})
    unknown = (found.isna() & values.notna()).to_numpy()
    return found.astype("float64" if found.isna().any() else "int64"), unknown


def _spelt_alike(names: tuple[str, ...]) -> list[list[str]]:
    """Class names that differ in case or blanks alone."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [spellings for spellings in alike.values() if len(spellings) > 1]


def _picked(which: np.ndarray, names: pd.Series, *columns: np.ndarray) -> list[tuple]:
    return list(zip(names[which], *(column[which] for column in columns), strict=True))
