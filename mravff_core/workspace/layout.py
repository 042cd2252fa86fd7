"""A workspace on disk: one folder holds one project.

workspace.yaml           name, label sets, media roots, encoders, features that lie elsewhere
clips.parquet            one row a clip
annotations.parquet      one row a true segment, one column a label set
sound_events.parquet     audible events, where known
media/                   videos that belong to the workspace
features/<set>/<clip>.npz
runs/<run>/              detector, detections, gates, metrics
cache/                   whatever can be made again
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd
import yaml

from mravff_core.config import from_mapping, read_yaml, to_mapping
from mravff_core.data.annotations import SEGMENT_KEYS
from mravff_core.data.feature_source import FeatureSource
from mravff_core.data.features import Features, array_shape, read_features, write_features
from mravff_core.errors import MravffError, WorkspaceError
from mravff_core.files import write_text
from mravff_core.segments import ACTION, PROPOSAL, TIOU_THRESHOLDS, action_labels
from mravff_core.workspace.clip import CLIP_COLUMNS, Clip, clip_id_of, is_clip_id, source_name
from mravff_core.workspace.runs import Run, RunInfo
from mravff_core.workspace.segment_ids import told_apart
from mravff_core.workspace.settings import SETTINGS_FILE, WorkspaceSettings
from mravff_core.workspace.tables import read_table, write_table

_SOUND_EVENT_COLUMNS = ("clip_id", "start_s", "end_s", "sound")


class Workspace:
    """A project folder: clips, annotations, features and runs.

    Tables are read once and again only when their file has changed, so a workspace
    object may be shared by threads and live long.

    Args:
        folder: an existing workspace.
    Raises: WorkspaceError if the folder is none, ConfigError if its settings are malformed.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        if not (self.folder / SETTINGS_FILE).is_file():
            found = "an empty or other folder" if self.folder.is_dir() else "nothing"
            found = "a file" if self.folder.is_file() else found
            raise WorkspaceError(
                f"{self.folder}: found {found}, expected a workspace with {SETTINGS_FILE}; "
                "make the demo with 'python -m mravff_core demo --workspace DIR'"
            )
        self._read_settings()
        self._tables: dict[Path, tuple[int, pd.DataFrame]] = {}
        # The table of clips, and its clips by id.
        self._known_clips: tuple[pd.DataFrame, dict[str, Clip]] | None = None

    def command(self, words: str) -> str:
        """What to type to run a command of ours on this workspace."""
        return f"python -m mravff_core {words} --workspace {shlex.quote(str(self.folder))}"

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        name: str,
        label_sets: Mapping[str, Sequence[str]],
        encoders: Mapping[str, str] | None = None,
        media_roots: Sequence[str] = ("media",),
        tiou_thresholds: Sequence[float] = TIOU_THRESHOLDS,
    ) -> Workspace:
        """Make an empty workspace, or open an existing one that has the same label sets.

        Raises: WorkspaceError if the folder holds a workspace with other label sets, or cannot be made.
        """
        folder = Path(folder)
        settings = WorkspaceSettings(
            name=name,
            label_sets={key: list(names) for key, names in label_sets.items()},
            media_roots=tuple(media_roots),
            encoders=dict(encoders or {}),
            tiou_thresholds=tuple(tiou_thresholds),
        )
        if (folder / SETTINGS_FILE).is_file():
            existing = cls(folder)
            if existing.settings.label_sets != settings.label_sets:
                raise WorkspaceError(
                    f"{folder}: holds the workspace {existing.settings.name!r} with other label sets; choose an empty "
                    "or new folder"
                )
            return existing
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"{folder}: cannot be made ({error.strerror or error}); choose another folder"
            ) from error
        write_table(folder / "clips.parquet", pd.DataFrame(columns=list(CLIP_COLUMNS)))
        columns = [*SEGMENT_KEYS, *label_sets]
        write_table(folder / "annotations.parquet", pd.DataFrame(columns=columns))
        text = yaml.safe_dump(to_mapping(settings), sort_keys=False, allow_unicode=True)
        write_text(folder / SETTINGS_FILE, text)
        return cls(folder)

    # --- clips -----------------------------------------------------------------

    @functools.cached_property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """Class names by label set."""
        return {key: tuple(map(str, names)) for key, names in self.settings.label_sets.items()}

    @property
    def clips(self) -> pd.DataFrame:
        """One row a clip, ordered by id; columns as the fields of `Clip`."""
        return self._table("clips.parquet", CLIP_COLUMNS)

    def clip(self, clip_id: str) -> Clip:
        """One clip. Raises: WorkspaceError if the workspace has no such clip."""
        table = self.clips
        if self._known_clips is None or self._known_clips[0] is not table:
            rows = table[list(CLIP_COLUMNS)].to_dict("records")
            clips = {str(row["clip_id"]): Clip(**{str(name): _plain(row[name]) for name in row}) for row in rows}
            self._known_clips = (table, clips)
        clip = self._known_clips[1].get(clip_id)
        if clip is None:
            raise WorkspaceError(f"{self.folder}: has no clip {clip_id!r}; it has {len(table)} others")
        return clip

    def clip_ids(self, split: str | None = None) -> list[str]:
        """Ids of all clips, or of one split, in order."""
        clips = self.clips
        return list(clips["clip_id"] if split is None else clips.loc[clips["split"] == split, "clip_id"])

    def add_clips(self, clips: Iterable[Clip]) -> None:
        """Add clips; one with an id that is there already replaces it.

        Raises: WorkspaceError if an id is not safe as a file name.
        """
        new = pd.DataFrame([dataclasses.asdict(clip) for clip in clips], columns=list(CLIP_COLUMNS))
        for clip_id in new["clip_id"]:
            if not is_clip_id(clip_id):
                raise WorkspaceError(f"clip id {clip_id!r} is not usable; expected letters, digits and ._- only")
        with self._lock():
            kept = self.clips[~self.clips["clip_id"].isin(new["clip_id"])]
            merged = new if kept.empty else pd.concat([kept, new])
            write_table(self.folder / "clips.parquet", merged.sort_values("clip_id", ignore_index=True))

    def remove_clip(self, clip_id: str) -> None:
        """Forget a clip and its features; its video file stays."""
        with self._lock():
            kept = self.clips[self.clips["clip_id"] != clip_id]
            write_table(self.folder / "clips.parquet", kept.reset_index(drop=True))
        for file in self.folder.glob(f"features/*/{clip_id}.npz"):
            file.unlink()

    @contextmanager
    def reserved_clip_id(self, title: str) -> Iterator[str]:
        """An id made from a title that no clip has, kept free of others until the block ends."""
        folder = self.cache_folder / "reserved"
        folder.mkdir(parents=True, exist_ok=True)
        stem = clip_id_of(title)
        for number in itertools.count(1):
            candidate = stem if number == 1 else f"{stem}_{number}"
            lock = filelock.FileLock(folder / f"{candidate}.lock", blocking=False)
            try:
                lock.acquire()
            except filelock.Timeout:
                continue
            # Asked only now: whoever had it reserved a moment ago may have added their clip.
            if candidate not in set(self.clips["clip_id"]):
                break
            lock.release()
        try:
            yield candidate
        finally:
            lock.release()
            (folder / f"{candidate}.lock").unlink(missing_ok=True)

    def video_path(self, clip_id: str) -> Path:
        """The clip's video file. Raises: WorkspaceError if it is not there."""
        path = Path(self.clip(clip_id).path)
        if not path.name:
            raise WorkspaceError(f"clip {clip_id!r} has no video, only features")
        roots = [Path()] if path.is_absolute() else [self.folder / root for root in self.settings.media_roots]
        for root in roots:
            if (root / path).is_file():
                return root / path
        raise WorkspaceError(f"clip {clip_id!r}: its video {path} is gone; moved or deleted?")

    # --- annotations and features ------------------------------------------------

    def set_annotations(self, table: pd.DataFrame, clip_ids: Collection[str] | None = None) -> None:
        """Replace all true segments, or those of some clips.

        Args:
            table: `clip_id`, `segment_id`, `start_s`, `end_s`, one integer column a label set,
                and any further columns that describe a segment (such as `audibility`). Ids that
                several segments have get those of their clips put before them.
            clip_ids: clips whose segments the table's take the place of.
        """
        self._replace_rows("annotations.parquet", table, (*SEGMENT_KEYS, *self.label_sets), clip_ids)

    def set_sound_events(self, table: pd.DataFrame, clip_ids: Collection[str] | None = None) -> None:
        """Replace all known sound events, or those of some clips: `clip_id`, `start_s`, `end_s`, `sound` and more."""
        self._replace_rows("sound_events.parquet", table, _SOUND_EVENT_COLUMNS, clip_ids)

    @property
    def annotations(self) -> pd.DataFrame:
        """All true segments with every label set's column."""
        return self._table("annotations.parquet", (*SEGMENT_KEYS, *self.label_sets))

    @property
    def sound_events(self) -> pd.DataFrame | None:
        """Audible events with known times, or None where nobody knows them."""
        if not (self.folder / "sound_events.parquet").is_file():
            return None
        return self._table("sound_events.parquet", _SOUND_EVENT_COLUMNS)

    def truth(self, label_set: str, clip_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """True segments of one label set: `clip_id`, `segment_id`, `start_s`, `end_s`, `label`, ….

        Args:
            label_set: `action` gives pairs of verb and noun, labelled verb * number of nouns + noun; `proposal`
                the segments of the first label set, all labelled 0.
        Raises: WorkspaceError if there is no such label set, or a label is none of its classes.
        """
        parts = self.parts(label_set)
        table = self.annotations.dropna(subset=list(parts))
        if clip_ids is not None:
            table = table[table["clip_id"].isin(clip_ids)]
        labels = [table[name].to_numpy().astype("int64") for name in parts]
        for name, label in zip(parts, labels, strict=True):
            known = len(self.label_sets[name])
            if len(label) and not 0 <= label.min() <= label.max() < known:
                wrong = label.min() if label.min() < 0 else label.max()
                raise WorkspaceError(
                    f"{self.folder / 'annotations.parquet'}: found {name} label {wrong}, expected 0 to {known - 1} as "
                    f"{SETTINGS_FILE} names classes; import the annotations again"
                )
        if self._is_classless(label_set):
            labels = [np.zeros_like(labels[0])]
        label = labels[0] if len(labels) == 1 else action_labels(labels[0], labels[1], len(self.label_sets["noun"]))
        table = table.drop(columns=list(self.label_sets))
        table.insert(list(SEGMENT_KEYS).index("end_s") + 1, "label", label)
        return table.reset_index(drop=True)

    def class_names(self, label_set: str, labels: Iterable[int] | None = None) -> list[str]:
        """Names of some classes, or of all in order; an action's is its verb and its noun.

        Raises: WorkspaceError if there is no such label set.
        """
        self.parts(label_set)
        if label_set != ACTION:
            names = (PROPOSAL,) if self._is_classless(label_set) else self.label_sets[label_set]
            return list(names) if labels is None else [names[label] for label in labels]
        verbs, nouns = self.label_sets["verb"], self.label_sets["noun"]
        labels = range(len(verbs) * len(nouns)) if labels is None else labels
        return [f"{verbs[label // len(nouns)]} {nouns[label % len(nouns)]}" for label in labels]

    def classes(self, label_set: str) -> dict[int, str]:
        """Names by label of the classes to choose among: all, but of actions only those with true segments.

        Verbs and nouns make tens of thousands of pairs, most of which mean nothing.
        Raises: WorkspaceError if there is no such label set.
        """
        if label_set != ACTION:
            return dict(enumerate(self.class_names(label_set)))
        labels = sorted(set(self.truth(label_set)["label"].tolist()))
        return dict(zip(labels, self.class_names(label_set, labels), strict=True))

    def parts(self, label_set: str) -> tuple[str, ...]:
        """Columns of annotations that a label set is made of. Raises: WorkspaceError if there is no such label set."""
        parts: tuple[str, ...] = ("verb", "noun") if label_set == ACTION else (label_set,)
        if self._is_classless(label_set):
            parts = tuple(self.label_sets)[:1] or parts
        if not set(parts) <= set(self.label_sets):
            known = ", ".join(self.label_sets) or "none"
            raise WorkspaceError(
                f"{self.folder}: has no label set {label_set!r}; it has {known} (a run of another data set?)"
            )
        return parts

    @property
    def feature_sources(self) -> dict[str, FeatureSource]:
        """Features that lie elsewhere, by feature set; seen at once where an import adds some."""
        if (self.folder / SETTINGS_FILE).stat().st_mtime_ns != self._settings_ns:
            self._read_settings()
        return self._feature_sources

    def feature_path(self, feature_set: str, clip_id: str) -> Path:
        """Where features of a clip lie or would lie in the workspace."""
        return self.folder / "features" / feature_set / f"{clip_id}.npz"

    def has_features(self, feature_set: str, clip_id: str) -> bool:
        """Whether features of a clip are there."""
        source = self.feature_sources.get(feature_set)
        own = self.feature_path(feature_set, clip_id).is_file()
        return own or (source is not None and source.has(source_name(clip_id)))

    def features(self, feature_set: str, clip_id: str) -> Features:
        """Features of a clip, its own before those that lie elsewhere. Raises: FeatureError, WorkspaceError."""
        path, source = self.feature_path(feature_set, clip_id), self.feature_sources.get(feature_set)
        clip = None if path.is_file() else self.clip(clip_id)
        if source is None or clip is None:
            return read_features(path)
        return source.read(source_name(clip_id), clip.duration_s, clip.frames_per_second)

    def feature_steps(self, feature_set: str, clip_id: str) -> int | None:
        """Steps of a clip's features, read without their values; None where there are none. Raises: FeatureError."""
        path, source = self.feature_path(feature_set, clip_id), self.feature_sources.get(feature_set)
        if path.is_file():
            return array_shape(path)[-1]
        if source is None or not self.has_features(feature_set, clip_id):
            return None
        return source.resize_steps or source.size(source_name(clip_id))[1]

    def feature_stamp(self, feature_set: str, clip_id: str) -> str | None:
        """What changes when a clip's features do; None where there are none."""
        path, source = self.feature_path(feature_set, clip_id), self.feature_sources.get(feature_set)
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
        return (
            source.stamp(source_name(clip_id))
            if source is not None and self.has_features(feature_set, clip_id)
            else None
        )

    def set_features(self, feature_set: str, clip_id: str, features: Features) -> None:
        """Store features of a clip."""
        write_features(self.feature_path(feature_set, clip_id), features)

    def set_feature_source(self, feature_set: str, source: FeatureSource, encoder: str) -> None:
        """Point to features outside the workspace, and say what encoder made them."""
        with self._lock():
            self._read_settings()
            settings = dataclasses.replace(
                self.settings,
                encoders={**self.settings.encoders, feature_set: encoder},
                feature_sources={**self.settings.feature_sources, feature_set: to_mapping(source)},
            )
            text = yaml.safe_dump(to_mapping(settings), sort_keys=False, allow_unicode=True)
            write_text(self.folder / SETTINGS_FILE, text)
            self._read_settings()

    # --- runs --------------------------------------------------------------------

    @property
    def runs_folder(self) -> Path:
        """Folder of all runs."""
        return self.folder / "runs"

    def runs(self) -> list[RunInfo]:
        """What each run is, ordered by name; folders without a finished detector are left out."""
        return [Run(folder).info for folder in self._run_folders()]

    def readable_runs(self) -> tuple[list[RunInfo], dict[str, str]]:
        """The runs whose records can be read, as `runs` gives them, and a sentence for each of the others by name."""
        infos, damaged = [], {}
        for folder in self._run_folders():
            try:
                infos.append(Run(folder).info)
            except MravffError as error:
                damaged[folder.name] = str(error)
            except FileNotFoundError:
                # Deleted a moment ago.
                continue
        return infos, damaged

    def new_run_folder(self, name: str) -> Path:
        """Folder of a run that is to be made. Raises: WorkspaceError if the name is no file name on every system."""
        if not is_clip_id(name):
            raise WorkspaceError(f"run name {name!r} is not usable; expected letters, digits and ._- only")
        return self.runs_folder / name

    def has_run(self, name: str) -> bool:
        """Whether there is a run of that name."""
        folder = self.runs_folder / name
        return folder.parent == self.runs_folder and not name.startswith(".") and Run.is_run(folder)

    def run(self, name: str) -> Run:
        """One run. Raises: WorkspaceError if there is none of that name."""
        folder = self.runs_folder / name
        if not self.has_run(name):
            known = ", ".join(folder.name for folder in self._run_folders()) or "none"
            raise WorkspaceError(f"{self.folder}: has no run {name!r}; it has {known}")
        return Run(folder)

    @property
    def cache_folder(self) -> Path:
        """Folder of what can be made again; safe to delete."""
        return self.folder / "cache"

    # --- inner -------------------------------------------------------------------

    def _is_classless(self, label_set: str) -> bool:
        # A data set may have labels of that name, which then mean what it says.
        return label_set == PROPOSAL and PROPOSAL not in self.label_sets

    def _run_folders(self) -> list[Path]:
        # Hidden ones are being written, or were when their process was killed.
        return sorted(path for path in self.runs_folder.glob("[!.]*") if Run.is_run(path))

    def _read_settings(self) -> None:
        where = self.folder / SETTINGS_FILE
        self._settings_ns = where.stat().st_mtime_ns
        self.settings = from_mapping(WorkspaceSettings, read_yaml(where), str(where))
        self._feature_sources = {
            str(name): from_mapping(FeatureSource, raw, f"{where}: feature_sources.{name}")
            for name, raw in self.settings.feature_sources.items()
        }

    def _table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        path = self.folder / name
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            changed = -1
        known = self._tables.get(path)
        if known is None or known[0] != changed:
            known = self._tables[path] = (changed, read_table(path, columns))
        return known[1]

    def _replace_rows(
        self, name: str, table: pd.DataFrame, columns: Sequence[str], clip_ids: Collection[str] | None
    ) -> None:
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise WorkspaceError(f"{name}: lacks column {', '.join(missing)}; it has {', '.join(table.columns)}")
        with self._lock():
            if clip_ids is not None and (self.folder / name).is_file():
                before = self._table(name, columns)
                kept = before[~before["clip_id"].isin(clip_ids)]
                table = table if kept.empty else pd.concat([kept, table], ignore_index=True)
            if "segment_id" in columns:
                table = table.assign(segment_id=told_apart(table))
            write_table(self.folder / name, table.sort_values(["clip_id", "start_s"], ignore_index=True))

    def _lock(self) -> filelock.FileLock:
        return filelock.FileLock(self.folder / ".lock", timeout=30)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
