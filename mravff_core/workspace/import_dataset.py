"""A data set of the field becomes a workspace: clips, true segments, and features that stay where they are."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.data.dataset_files import DataSetFiles
from mravff_core.data.datasets import FeatureKind
from mravff_core.data.feature_source import FeatureSource, Modality
from mravff_core.data.features import HDF5_SUFFIXES, READABLE_SUFFIXES
from mravff_core.errors import FeatureError, MediaError, WorkspaceError
from mravff_core.files import folder_written_aside
from mravff_core.segments import TIOU_THRESHOLDS
from mravff_core.workspace.clip import source_name
from mravff_core.workspace.dataset_check import CheckedDataSet, check_dataset
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.settings import SETTINGS_FILE

_VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")
_LOOKED_AT = 200
_SPLIT_FOLDERS = ("train", "training", "val", "validation", "test", "testing")
_NOT_OF_FEATURES = {"unusable names", "unknown frame rates"}


@dataclass(frozen=True)
class ImportPlan:
    """A data set that was checked and is ready to be made into a workspace."""

    title: str
    label_sets: dict[str, tuple[str, ...]]
    sources: dict[str, tuple[FeatureSource, str]]
    checked: CheckedDataSet
    tiou_thresholds: tuple[float, ...]

    def summary(self) -> dict[str, Any]:
        """Plain values for people and programs."""
        clips = pd.Series([clip.split for clip in self.checked.clips], dtype=str)
        return {
            "data_set": self.title,
            "clips": {str(split): int(number) for split, number in clips.value_counts().sort_index().items()},
            "clips_with_sound": sum(clip.has_audio for clip in self.checked.clips),
            "hours": round(sum(clip.duration_s for clip in self.checked.clips) / 3600, 2),
            "segments": len(self.checked.segments),
            "classes": {name: len(labels) for name, labels in self.label_sets.items()},
            "features": {name: source.location for name, (source, _) in self.sources.items()},
            "findings": self.checked.findings.rows(),
            "each": self.checked.findings.listed(),
        }


def plan_import(
    title: str,
    files: DataSetFiles,
    *,
    visual: tuple[FeatureKind, Path | str],
    audio: tuple[FeatureKind, Path | str] | None = None,
    values: bool = True,
    videos: Path | str | None = None,
    tiou_thresholds: Sequence[float] = TIOU_THRESHOLDS,
    progress: Callable[[float], None] | None = None,
) -> ImportPlan:
    """Look at everything a data set has, and change nothing.

    Args:
        title: of the data set.
        files: see `read_dataset`.
        visual: kind of the visual features, and the folder or `.h5` file where they lie.
        audio: the same of audio features.
        values: read all features, to find values that are not finite; otherwise the files' headers alone.
        videos: folder with the videos at any depth, told by their names.
        tiou_thresholds: temporal overlaps that the data set is scored at.
        progress: called with the share done, 0 to 1.
    Raises: FeatureError, MediaError if a folder is not there; FeatureError if no clip has features.
    """
    names = list(files.videos)
    seen = locate_features(visual[0], visual[1], names, "visual")
    heard = None if audio is None else locate_features(audio[0], audio[1], names, "audio")
    paths = None if videos is None else _videos_by_name(Path(videos))
    checked = check_dataset(files, seen, heard, values=values, video_paths=paths, progress=progress)
    if not checked.clips:
        left_out = checked.findings.left_out()
        likely = "" if left_out.keys() & _NOT_OF_FEATURES else "; another folder, or another kind of features?"
        why = ", ".join(f"{number} {kind} ({example})" for kind, (number, example) in left_out.items())
        raise FeatureError(f"{seen.location}: none of {len(names)} clips can be used: {why}{likely}")
    sources = {"visual": (seen, visual[0].encoder)}
    if heard is not None and audio is not None:
        sources["audio"] = (heard, audio[0].encoder)
    return ImportPlan(title, files.label_sets, sources, checked, tuple(tiou_thresholds))


def make_workspace(plan: ImportPlan, folder: Path | str, *, name: str | None = None) -> Workspace:
    """Make a workspace of a plan, or add its clips to one that has the same label sets.

    Clips that are there already are replaced, with their true segments; others stay.

    Raises: WorkspaceError if the folder holds something else, or clips that would lose their features, or
        cannot be written.
    """
    folder = Path(folder).resolve()
    if (folder / SETTINGS_FILE).is_file():
        workspace = Workspace(folder)
        if workspace.label_sets != plan.label_sets:
            has = ", ".join(f"{key} ({len(labels)})" for key, labels in workspace.label_sets.items())
            raise WorkspaceError(
                f"{folder}: is a workspace with other label sets ({has}); choose another folder, or do some files name "
                "fewer classes? Give all of them at once, or the class names by --classes"
            )
        _check_features_stay(workspace, plan)
        _fill(workspace, plan)
        return workspace
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorkspaceError(f"{folder}: is there already and no workspace; choose another folder")
    try:
        with folder_written_aside(folder) as aside:
            empty = Workspace.create(
                aside, name=name or plan.title, label_sets=plan.label_sets, tiou_thresholds=plan.tiou_thresholds
            )
            _fill(empty, plan)
    except OSError as error:
        raise WorkspaceError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error
    return Workspace(folder)


def locate_features(kind: FeatureKind, location: Path | str, names: Sequence[str], modality: Modality) -> FeatureSource:
    """Where a data set's features lie and how they are saved, from what the folder holds.

    Files are called as the kind says or, where it lets them vary, by the video's name with or
    without `v_`, with any readable suffix. Where none lies there, the folders of the splits are
    looked through. Whether time or channels come first is what most files show.

    Raises: FeatureError if the folder is not there.
    """
    path = Path(location).resolve()
    single = path.is_file() and path.suffix in HDF5_SUFFIXES
    if not single and not path.is_dir():
        found = "is a file that is not called .h5" if path.is_file() else f"no such folder of {modality} features"
        raise FeatureError(f"{path}: {found}; expected a folder, or one .h5 file")
    patterns = [kind.files]
    if kind.files_vary and len(kind.files) == 1:
        stems = ("{name}", "v_{name}")
        suffixes = ("",) if single else (*READABLE_SUFFIXES, ".pkl")
        patterns += [(f"{stem}{suffix}",) for suffix in suffixes for stem in stems]
    own = ("encoder", "files", "files_vary")
    settings = {name: value for name, value in dataclasses.asdict(kind).items() if name not in own}

    def source(files: tuple[str, ...]) -> FeatureSource:
        return FeatureSource(location=str(path), modality=modality, files=files, **settings)

    if single:
        best = source(max(patterns, key=lambda files: sum(map(source(files).has, names[:_LOOKED_AT]))))
    else:
        files, folders = _most_found(path, patterns, names)
        best = dataclasses.replace(source(files), folders=folders)
    return dataclasses.replace(best, time_first=_mostly_time_first(best, names))


def _most_found(
    path: Path, patterns: Sequence[tuple[str, ...]], names: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How most videos' files are called, and the folders below `path` that they lie in; the first of each if none."""
    splits = sorted(entry.name for entry in os.scandir(path) if entry.name.lower() in _SPLIT_FOLDERS and entry.is_dir())
    for folders in filter(None, [("",), tuple(splits)]):
        present = {entry.name for folder in folders for entry in os.scandir(path / folder)}
        hits = [sum(files[0].replace("{name}", name) in present for name in names) for files in patterns]
        if any(hits):
            return patterns[hits.index(max(hits))], folders
    return patterns[0], ("",)


def _mostly_time_first(source: FeatureSource, names: Sequence[str]) -> bool:
    votes = 0
    for name in [name for name in names if source.has(name)][:_LOOKED_AT]:
        try:
            shapes = source.shapes(name)
        except FeatureError:
            continue
        if all(len(shape) == 2 for shape in shapes):
            votes += (sum(shape[1] for shape in shapes) == source.channels) - (
                sum(shape[0] for shape in shapes) == source.channels
            )
    return votes >= 0


def _fill(workspace: Workspace, plan: ImportPlan) -> None:
    for feature_set, (source, encoder) in plan.sources.items():
        workspace.set_feature_source(feature_set, source, encoder)
    workspace.set_annotations(plan.checked.segments, [clip.clip_id for clip in plan.checked.clips])
    # Last, so that no clip is ever there without its true segments.
    workspace.add_clips(plan.checked.clips)


def _check_features_stay(workspace: Workspace, plan: ImportPlan) -> None:
    """Refuse to point a workspace to features that its other clips do not have. Raises: WorkspaceError."""
    new = {clip.clip_id for clip in plan.checked.clips}
    others = [clip_id for clip_id in workspace.clip_ids() if clip_id not in new]
    for name, (source, _) in plan.sources.items():
        before = workspace.feature_sources.get(name)
        if before is None or before == source:
            continue
        place = {field: getattr(source, field) for field in ("location", "files", "time_first", "folders")}
        alike = dataclasses.replace(before, **place) == source
        lost = [
            clip_id
            for clip_id in others
            if not workspace.feature_path(name, clip_id).is_file()
            and before.has(source_name(clip_id))
            and not (alike and source.has(source_name(clip_id)))
        ]
        if lost:
            raise WorkspaceError(
                f"{workspace.folder}: {len(lost)} of its clips, such as {lost[0]}, have {name} features in "
                f"{before.location}, which {source.location} has not, or of another kind; "
                "put all into one folder, or make another workspace"
            )


def _videos_by_name(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise MediaError(f"{folder}: no such folder of videos; is the name mistyped?")
    found: dict[str, str] = {}
    for path in sorted(folder.resolve().rglob("*")):
        if path.suffix.lower() in _VIDEO_SUFFIXES and path.is_file():
            found[path.stem] = str(path)
            if path.stem.startswith("v_"):
                found.setdefault(path.stem.removeprefix("v_"), str(path))
    return found
