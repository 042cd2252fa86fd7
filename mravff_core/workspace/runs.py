"""One run of a workspace: a detector and what it found under each audio condition.

runs/<run>/config.yaml, model.safetensors      the detector
runs/<run>/recipe.yaml                         how it was trained, where it was trained here
runs/<run>/sweep.txt                           name of the ablation that it belongs to, if any
runs/<run>/imported.yaml                       in place of those where another tool's detections were imported or
                                               a run was made of others' detections
runs/<run>/predictions/<condition>/
    manifest.json          model hash, versions, audio condition, seconds spent
    detections.parquet     clip_id, start_s, end_s, label, score; labels of the run's first label set
    detections.<set>.parquet   the same for each further label set, and for actions where verb and noun are joint
    gates.parquet          clip_id, level, step, time_s, gate
    parts/                 clips not merged into those files yet, each with the hashes of what it was made from
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.config import read_yaml
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.files import folder_written_aside, write_text
from mravff_core.segments import DETECTION_COLUMNS, with_actions
from mravff_core.workspace.stored_tables import (
    FOUND_COLUMNS,
    check_detections,
    order_of,
    read_stored,
    stored_gate_means,
    stored_gates,
    stored_sources,
)
from mravff_core.workspace.tables import query, read_note, read_table, write_table

IMPORTED_NAME = "imported.yaml"
IMPORTED_BASE, MERGED = "imported", "merged"
SWEEP_MARKER = "sweep.txt"
_PART_SUFFIX = ".detections.parquet"
# A further label set's table; ids of clips may hold dots, names of label sets may not.
_FURTHER = re.compile(r"(?:^|\.)(detections\.[A-Za-z0-9_-]+)\.parquet$")


@dataclass(frozen=True)
class RunInfo:
    """What a list of runs shows.

    Attributes:
        run: its name.
        base: visual detector; `imported` for detections of another tool, `merged` for what was made of other runs'.
        fusion: how audio enters.
        label_set: what its classes are; the first of several.
        classes: how many of that label set.
        weights_mb: size of the weights file in megabytes.
        conditions: audio conditions with stored predictions.
        label_sets: all of them, each with a table of detections of its own; `action` is the last where verb and
            noun are joint.
        has_detector: False for imported and merged detections, which cannot be made for another clip or sound.
        sweep: the ablation that it belongs to, "" for a run that stands alone.
    """

    run: str
    base: str
    fusion: str
    label_set: str
    classes: int
    weights_mb: float
    conditions: tuple[str, ...]
    label_sets: tuple[str, ...] = ()
    has_detector: bool = True
    sweep: str = ""

    @property
    def listens(self) -> bool:
        """Whether another sound can change what it finds."""
        return self.fusion != "none"


@dataclass(frozen=True)
class LevelGates:
    """Gates of one clip at one level: [time] seconds and values in [0, 1]."""

    times_s: NDArray[np.float64]
    gates: NDArray[np.float32]


class Run:
    """A trained detector in a workspace with its stored predictions.

    Args:
        folder: `runs/<name>` of a workspace.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    @staticmethod
    def is_run(folder: Path) -> bool:
        """Whether a folder holds a finished detector or imported detections."""
        detector = (folder / "config.yaml").is_file() and (folder / "model.safetensors").is_file()
        return detector or (folder / IMPORTED_NAME).is_file()

    @property
    def has_detector(self) -> bool:
        """Whether there is a detector, rather than detections that another tool made."""
        return not (self.folder / IMPORTED_NAME).is_file()

    @property
    def info(self) -> RunInfo:
        """Summary from the run's own files. Raises: ConfigError, WorkspaceError."""
        path = self.folder / ("config.yaml" if self.has_detector else IMPORTED_NAME)
        config = _read_config(path, path.stat().st_mtime_ns)
        conditions = tuple(str(condition) for condition in self.conditions())
        try:
            if not self.has_detector:
                sets = {str(name): int(classes) for name, classes in config["label_sets"].items()}
                first = next(iter(sets))
                base = MERGED if config.get("format") == MERGED else IMPORTED_BASE
                return RunInfo(self.name, base, "none", first, sets[first], 0.0, conditions, with_actions(sets), False)
            return RunInfo(
                run=self.name,
                base=str(config["base"]["kind"]),
                fusion=str(config["fusion"]["kind"]),
                label_set=str(config["label_set"]),
                classes=len(config["labels"]),
                weights_mb=round((self.folder / "model.safetensors").stat().st_size / 1e6, 3),
                conditions=conditions,
                label_sets=with_actions(
                    [str(config["label_set"]), *(str(other["name"]) for other in config.get("further_label_sets", ()))]
                ),
                sweep=self._sweep(),
            )
        except (KeyError, TypeError, AttributeError, ValueError, StopIteration) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else "its entries are of another kind"
            raise WorkspaceError(f"{path}: is no record of a run ({what}); made by another version?") from error

    def heard(self, condition: AudioCondition) -> AudioCondition:
        """A condition as far as the run can tell: all are `on` to one that never listens."""
        return condition if self.info.listens else AudioCondition("on")

    @property
    def label_sets(self) -> tuple[str, ...]:
        """Label sets with a table of detections each; the first is the usual one."""
        return self.info.label_sets

    def label_set(self, wanted: str = "") -> str:
        """A label set of the run's, its first where none is asked for. Raises: WorkspaceError for one it has not."""
        known = self.label_sets
        if wanted and wanted not in known:
            raise WorkspaceError(f"run {self.name!r} finds {', '.join(known)}, not {wanted}")
        return wanted or known[0]

    def _sweep(self) -> str:
        marker = self.folder / SWEEP_MARKER
        return marker.read_text(encoding="utf-8", errors="replace").strip() if marker.is_file() else ""

    def model_hash(self) -> str:
        """SHA-256 over configuration and weights, or over the record of imported detections."""
        digest = hashlib.sha256()
        for name in ("config.yaml", "model.safetensors") if self.has_detector else (IMPORTED_NAME,):
            with (self.folder / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def predictions_folder(self, condition: AudioCondition | str) -> Path:
        """Folder of what was found under one audio condition."""
        return self.folder / "predictions" / AudioCondition.parse(condition).slug

    def conditions(self) -> list[AudioCondition]:
        """Audio conditions with any stored prediction."""
        found = []
        for folder in sorted((self.folder / "predictions").glob("[!.]*")):
            marker = folder / "condition.txt"
            if marker.is_file() and stored_sources("detections", folder):
                try:
                    found.append(AudioCondition.parse(marker.read_text(encoding="utf-8", errors="replace").strip()))
                except ConfigError as error:
                    raise WorkspaceError(f"{marker}: {error}; delete its folder and predict again") from error
        return found

    def detections(
        self,
        condition: AudioCondition | str = "on",
        clip_ids: Sequence[str] | None = None,
        *,
        label_set: str | None = None,
    ) -> pd.DataFrame | None:
        """Detections `clip_id, start_s, end_s, label, score`, best first in each clip; None where none are stored.

        Args:
            condition: what the detector heard.
            clip_ids: None for all clips.
            label_set: whose labels; None for the run's first. Those of `action` are verb * number of nouns + noun.
        Raises: WorkspaceError if a file is damaged, lacks a column, or holds labels or scores that cannot be.
        """
        info = self.info if self.is_run(self.folder) else None
        first = label_set is None or (info is not None and label_set == info.label_set)
        table = "detections" if first else f"detections.{label_set}"
        found = self._read(table, condition, clip_ids)
        if found is not None:
            check_detections(
                found,
                self.predictions_folder(condition) / f"{table}.parquet",
                info.classes if info is not None and first else None,
            )
        return found

    def gates(self, condition: AudioCondition | str, clip_id: str) -> list[LevelGates]:
        """Gates of one clip, finest level first; empty where the detector has none or none are stored."""
        table = self._read("gates", condition, [clip_id])
        if table is None:
            return []
        return [
            LevelGates(level["time_s"].to_numpy(np.float64), level["gate"].to_numpy(np.float32))
            for _, level in table.groupby("level", sort=True)
        ]

    def mean_gates(self, condition: AudioCondition | str, clip_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Mean gate by clip and level: `clip_id`, `level`, `steps`, `gate`; empty where there are no gates."""
        return stored_gate_means(self.predictions_folder(condition), clip_ids)

    def gate_table(self, condition: AudioCondition | str = "on") -> pd.DataFrame | None:
        """Gates of all clips; see `stored_gates`."""
        return stored_gates(self.predictions_folder(condition))

    def stored_files(self, condition: AudioCondition | str = "on") -> list[Path]:
        """All files that hold what was found under one audio condition."""
        folder = self.predictions_folder(condition)
        return sorted([*folder.glob("*.parquet"), *folder.glob("parts/*.parquet")])

    def predicted_clips(self, condition: AudioCondition | str = "on") -> set[str]:
        """Ids of clips with stored predictions, those without a single detection included."""
        folder = self.predictions_folder(condition)
        merged = folder / "clips.parquet"
        done = set(_merged_clips(merged, merged.stat().st_mtime_ns)) if merged.is_file() else set()
        return done | _parts(folder).keys()

    def has(self, condition: AudioCondition | str, clip_id: str) -> bool:
        """Whether a clip's predictions are stored."""
        folder = self.predictions_folder(condition)
        if (folder / "parts" / f"{clip_id}{_PART_SUFFIX}").is_file():
            return True
        merged = folder / "clips.parquet"
        return merged.is_file() and clip_id in _merged_clips(merged, merged.stat().st_mtime_ns)

    def store(
        self,
        condition: AudioCondition | str,
        clip_id: str,
        detections: pd.DataFrame,
        gates: Sequence[LevelGates],
        further: Mapping[str, pd.DataFrame] | None = None,
        *,
        made_from: Mapping[str, str] | None = None,
    ) -> None:
        """Store one clip's predictions, in place of earlier ones.

        Args:
            condition: what the detector heard.
            clip_id: whose they are.
            detections: `start_s, end_s, label, score` of the first label set.
            gates: finest level first, empty where the detector has none.
            further: detections by each further label set.
            made_from: hashes of the features they were made from, for `made_from`.
        """
        condition = AudioCondition.parse(condition)
        folder = self.predictions_folder(condition)
        with self.writing(condition):
            if self.has(condition, clip_id):
                self._forget(folder, [clip_id])
            write_text(folder / "condition.txt", f"{condition}\n")
            write_table(folder / "parts" / f"{clip_id}.gates.parquet", _gate_table(clip_id, gates))
            for label_set, table in (further or {}).items():
                write_table(folder / "parts" / f"{clip_id}.detections.{label_set}.parquet", _of_clip(clip_id, table))
            # Written last: its presence says that the clip is complete.
            part = folder / "parts" / f"{clip_id}{_PART_SUFFIX}"
            write_table(part, _of_clip(clip_id, detections), note=made_from)

    def made_from(self, condition: AudioCondition | str = "on") -> dict[str, dict[str, str]]:
        """What those clips' predictions were made from that are not merged yet, where it was said when storing."""
        notes = {clip_id: read_note(path) for clip_id, path in _parts(self.predictions_folder(condition)).items()}
        return {clip_id: note for clip_id, note in notes.items() if note is not None}

    def store_all(self, condition: AudioCondition | str, clip_ids: Sequence[str], tables: Mapping[str, Any]) -> None:
        """Store the detections of many clips at once, in place of all that this condition has.

        Args:
            condition: what the detector heard.
            clip_ids: all clips that were looked at, those without a detection included.
            tables: `clip_id, start_s, end_s, label, score` by label set, the run's first one first.
        """
        folder = self.predictions_folder(condition)
        with self.writing(condition), folder_written_aside(folder) as aside:
            (aside / "condition.txt").write_text(f"{AudioCondition.parse(condition)}\n", encoding="utf-8")
            for number, (label_set, table) in enumerate(tables.items()):
                name = "detections" if number == 0 else f"detections.{label_set}"
                ordered = query(f"SELECT {', '.join(FOUND_COLUMNS)} FROM t ORDER BY {order_of(name)}", t=table)
                write_table(aside / f"{name}.parquet", ordered)
            write_table(aside / "clips.parquet", pd.DataFrame({"clip_id": sorted(clip_ids)}))

    def merge(self, condition: AudioCondition | str = "on") -> None:
        """Gather single clips' files into one file a table, so that large data sets stay quick to ask."""
        folder = self.predictions_folder(condition)
        with self.writing(condition):
            parts = sorted(folder.glob("parts/*.parquet"))
            if not parts:
                return
            clip_ids = sorted(self.predicted_clips(condition))
            tables = {name: self._read(name, condition, clip_ids) for name in _tables_in(folder)}
            for name, table in tables.items():
                if table is not None:
                    write_table(folder / f"{name}.parquet", table)
            write_table(folder / "clips.parquet", pd.DataFrame({"clip_id": clip_ids}))
            for part in parts:
                part.unlink()

    def forget(self, condition: AudioCondition | str, clip_ids: Sequence[str]) -> None:
        """Drop the stored predictions of some clips."""
        with self.writing(condition):
            self._forget(self.predictions_folder(condition), clip_ids)

    @contextmanager
    def writing(self, condition: AudioCondition | str) -> Iterator[None]:
        """Inside, no other thread or process changes what is stored under one audio condition; not to be nested."""
        folder = self.predictions_folder(condition)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
            yield

    @staticmethod
    def _forget(folder: Path, clip_ids: Sequence[str]) -> None:
        tables = _tables_in(folder)
        for clip_id in clip_ids:
            for name in tables:
                (folder / "parts" / f"{clip_id}.{name}.parquet").unlink(missing_ok=True)
        for path in (folder / "clips.parquet", *(folder / f"{name}.parquet" for name in tables)):
            if path.is_file():
                table = read_table(path, ("clip_id",))
                write_table(path, table[~table["clip_id"].isin(clip_ids)].reset_index(drop=True))

    def _read(self, table: str, condition: AudioCondition | str, clip_ids: Sequence[str] | None) -> pd.DataFrame | None:
        return read_stored(table, self.predictions_folder(condition), clip_ids)


def _parts(folder: Path) -> dict[str, Path]:
    """Files whose presence says that a clip is complete, by clip, of those that are not merged yet."""
    return {path.name.removesuffix(_PART_SUFFIX): path for path in folder.glob(f"parts/*{_PART_SUFFIX}")}


def _tables_in(folder: Path) -> list[str]:
    """Names of all tables that a folder of predictions holds, merged or in parts."""
    files = [path.name for path in (*folder.glob("*.parquet"), *folder.glob("parts/*.parquet"))]
    further = {found[1] for name in files if (found := _FURTHER.search(name))}
    return ["gates", *sorted(further), "detections"]


def _of_clip(clip_id: str, detections: pd.DataFrame) -> pd.DataFrame:
    """Detections of one clip as stored."""
    table = detections.loc[:, list(DETECTION_COLUMNS)].copy()
    table.insert(0, "clip_id", pd.Series([clip_id] * len(table), dtype="str", index=table.index))
    return table


@functools.lru_cache(maxsize=256)
def _read_config(path: Path, _written_ns: int) -> dict[str, Any]:
    """A run's configuration, parsed once for every time it was written; not to be changed."""
    return read_yaml(path)


@functools.lru_cache(maxsize=256)
def _merged_clips(path: Path, _written_ns: int) -> frozenset[str]:
    return frozenset(read_table(path, ("clip_id",))["clip_id"])


def _gate_table(clip_id: str, gates: Sequence[LevelGates]) -> pd.DataFrame:
    levels = [
        pd.DataFrame(
            {
                "clip_id": pd.Series([clip_id] * len(level.gates), dtype="str"),
                "level": np.full(len(level.gates), number, dtype=np.int16),
                "step": np.arange(len(level.gates), dtype=np.int32),
                "time_s": np.asarray(level.times_s, dtype=np.float64),
                "gate": np.asarray(level.gates, dtype=np.float32),
            }
        )
        for number, level in enumerate(gates or [LevelGates(np.zeros(0), np.zeros(0, np.float32))])
    ]
    return pd.concat(levels, ignore_index=True)
