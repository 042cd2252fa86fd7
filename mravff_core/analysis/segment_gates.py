"""The mean gate inside segments: one row a segment, one column a pyramid level.

A segment's gate at a level is the mean over the level's steps whose time lies inside it, ends
included. Where a level is so coarse that no step lies inside, it is the gate of the step
nearest to the segment's centre (the earlier of two equally near ones).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.evaluation.matching import match
from mravff_core.evaluation.tables import scene
from mravff_core.workspace import Run, Workspace
from mravff_core.workspace.cached import cached_table

Kind = Literal["true", "detected", "correct"]
KINDS: tuple[Kind, ...] = ("true", "detected", "correct")
GATE = "gate_"
_LOOSE_TIOU = 0.1


@dataclass(frozen=True)
class SegmentSource:
    """Which segments of which run.

    Attributes:
        run: name of a run with gates.
        label_set: whose classes; empty for the run's first.
        audio: what the detector heard.
        kind: `true` segments, those `detected`, or detections that are `correct` at `tiou`: each
            takes, best score first, the free true segment of its class that it overlaps most.
        tiou: least overlap of a correct detection.
    """

    run: str
    label_set: str = ""
    audio: str = "on"
    kind: Kind = "true"
    tiou: float = 0.5


def segment_gates(workspace: Workspace, source: SegmentSource) -> pd.DataFrame:
    """Segments with their mean gates, kept in the workspace's cache.

    A true segment wholly outside its clip, where no gate was, is left out.

    Returns: `segment_id` (unique), `clip_id`, `start_s`, `end_s`, `label`, `score` and
        `audibility` (not a number where unknown), `player_segment` (id in the player), every
        label set's column for true segments, `gate_0` (finest level) to `gate_L`, and `gate`,
        their mean.
    Raises: WorkspaceError if the run is not there or has no gates; ConfigError for an impossible source.
    """
    if source.kind not in KINDS:
        raise ConfigError(f"segments {source.kind!r} are not known; expected one of {', '.join(KINDS)}")
    if not 0 < source.tiou <= 1:
        raise ConfigError(f"tIoU {source.tiou:g} must lie in 0 to 1, 0 excluded")
    run = workspace.run(source.run)
    label_set = source.label_set or run.info.label_set
    parameters = {**asdict(source), "label_set": label_set, "audio": str(AudioCondition.parse(source.audio))}
    if source.kind != "correct":
        parameters["tiou"] = 0.0

    def make() -> pd.DataFrame:
        gates = gates_of(workspace, source.run, source.audio)
        segments = _segments(workspace, run, label_set, source, set(gates["clip_id"]))
        inside = gates_inside(gates, segments)
        for level in range(inside.shape[1]):
            segments[f"{GATE}{level}"] = inside[:, level]
        segments["gate"] = inside.mean(axis=1)
        return segments

    files = [workspace.folder / "annotations.parquet", *run.stored_files(source.audio)]
    return cached_table(workspace, "segment_gates", make, files=files, parameters=parameters)


def gates_of(workspace: Workspace, run_name: str, audio: AudioCondition | str) -> pd.DataFrame:
    """All gates of a run: `clip_id`, `level`, `step`, `time_s`, `gate`, in that order.

    Returns: a table that others share: do not change it.
    Raises: WorkspaceError if there are none, with the way to get them.
    """
    run = workspace.run(run_name)
    if run.info.fusion != "mrav":
        raise WorkspaceError(
            f"run {run.name!r} has no gates (its fusion is {run.info.fusion!r}); choose a run with MRAV-FF fusion"
        )
    condition = AudioCondition.parse(audio)
    if condition.kind == "off":
        raise WorkspaceError(f"run {run.name!r}: with audio off every gate is 0 by definition; choose another sound")
    gates = run.gate_table(condition)
    if gates is None or gates.empty:
        raise WorkspaceError(
            f"run {run.name!r} has no gates stored for audio {condition}; make them with "
            f"'{workspace.command(f'predict --run {run.name} --audio {condition}')}'"
        )
    return gates


def level_columns(table: pd.DataFrame) -> list[str]:
    """Names of the gate columns, finest level first."""
    names = [name for name in table.columns if name.startswith(GATE) and name[len(GATE) :].isdecimal()]
    return sorted(names, key=lambda name: int(name[len(GATE) :]))


def gates_inside(gates: pd.DataFrame, segments: pd.DataFrame) -> NDArray[np.float64]:
    """Mean gate of every segment at every level, as the module says.

    Args:
        gates: `clip_id`, `level`, `time_s`, `gate`, ordered by clip, level and time.
        segments: `clip_id`, `start_s`, `end_s`.
    Returns: [segments, levels]; not a number where a clip has no steps at a level.
    """
    levels = int(gates["level"].max()) + 1 if len(gates) else 0
    result = np.full((len(segments), levels), np.nan)
    bounds = segments[["start_s", "end_s"]].to_numpy(np.float64)
    for level, rows, times_s, values in _by_clip_and_level(gates, segments):
        start_s, end_s = bounds[rows].T
        first = np.searchsorted(times_s, start_s, side="left")
        last = np.searchsorted(times_s, end_s, side="right")
        sums = np.concatenate([[0.0], np.cumsum(values)])
        count = last - first
        inside = (sums[last] - sums[first]) / np.maximum(count, 1)
        result[rows, level] = np.where(count > 0, inside, values[_nearest(times_s, (start_s + end_s) / 2)])
    return result


def gates_at(gates: pd.DataFrame, segments: pd.DataFrame, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gates at places of each segment's own time: 0 is its start, 1 its end.

    Args:
        gates, segments: as of `gates_inside`.
        positions: [places], may lie before 0 and after 1.
    Returns: [segments, levels, places] gate of the nearest step; not a number beyond the first
        and last step of the clip's finest level, where nothing was heard.
    """
    levels = int(gates["level"].max()) + 1 if len(gates) else 0
    result = np.full((len(segments), levels, len(positions)), np.nan)
    bounds = segments[["start_s", "end_s"]].to_numpy(np.float64)
    heard = np.full((len(segments), 2), np.nan)
    for level, rows, times_s, values in _by_clip_and_level(gates, segments):
        if level == 0:
            heard[rows] = times_s[0], times_s[-1]
        start_s, end_s = bounds[rows].T
        at_s = start_s[:, None] + positions * (end_s - start_s)[:, None]
        taken = values[_nearest(times_s, at_s)]
        outside = (at_s < heard[rows, :1]) | (at_s > heard[rows, 1:])
        result[rows, level] = np.where(outside, np.nan, taken)
    return result


def _by_clip_and_level(
    gates: pd.DataFrame, segments: pd.DataFrame
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Level, rows of segments, times and gates of every clip and level that has steps and segments."""
    clip, names = pd.factorize(gates["clip_id"])
    level = gates["level"].to_numpy(np.int64)
    times_s, values = gates["time_s"].to_numpy(np.float64), gates["gate"].to_numpy(np.float64)
    changes = np.flatnonzero((np.diff(clip) != 0) | (np.diff(level) != 0)) + 1
    begins = np.concatenate([[0], changes]) if len(gates) else changes
    rows_of = segments.groupby("clip_id", sort=False).indices
    for begin, end in zip(begins, np.append(begins[1:], len(gates)), strict=True):
        rows = rows_of.get(names[clip[begin]])
        if rows is not None:
            yield int(level[begin]), np.asarray(rows, np.int64), times_s[begin:end], values[begin:end]


def _nearest(times_s: NDArray[np.float64], at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    after = np.clip(np.searchsorted(times_s, at_s), 1, max(1, len(times_s) - 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    return np.where(times_s[after] - at_s < at_s - times_s[before], after, before)


def _segments(
    workspace: Workspace, run: Run, label_set: str, source: SegmentSource, clip_ids: set[str]
) -> pd.DataFrame:
    truth = _true_segments(workspace, label_set)
    truth = truth[truth["clip_id"].isin(clip_ids)].reset_index(drop=True)
    if source.kind == "true":
        return truth
    found = run.detections(source.audio, sorted(clip_ids), label_set=label_set)
    if found is None:
        raise WorkspaceError(
            f"run {run.name!r} has no {label_set} detections stored for audio {source.audio}; make them with "
            f"'{workspace.command(f'predict --run {run.name} --audio {source.audio}')}'"
        )
    place = found.groupby("clip_id").cumcount().astype(str)
    found["segment_id"] = found["clip_id"] + " d" + place
    found["player_segment"] = "d" + place
    # A detection is as audible as the true segment of its class that it finds, however loosely.
    finds = _found_rows(truth, found, _LOOSE_TIOU)
    known = np.append(truth["audibility"].to_numpy(np.float64), np.nan)
    found["audibility"] = known[finds]
    if source.kind == "detected":
        return found
    return found[_found_rows(truth, found, source.tiou) >= 0].reset_index(drop=True)


def _found_rows(truth: pd.DataFrame, found: pd.DataFrame, tiou: float) -> NDArray[np.int64]:
    """Row of the true segment that each detection finds, as average precision counts it; -1 for none."""
    rows = np.full(len(found), -1, dtype=np.int64)
    if truth.empty or found.empty:
        return rows
    scored = scene(truth, found, "epic")
    matched = match(scored, np.array([tiou]))[0]
    rows[scored.row] = np.where(matched >= 0, scored.truth_row[matched], -1)
    return rows


def _true_segments(workspace: Workspace, label_set: str) -> pd.DataFrame:
    """True segments with their ids in the player and every label set's column; none wholly outside its clip."""
    truth = workspace.truth(label_set)
    others = [name for name in workspace.label_sets if name != label_set]
    # The same rows in the same order as `truth`.
    truth[others] = workspace.annotations.dropna(subset=list(workspace.parts(label_set)))[others].to_numpy()
    truth["player_segment"] = "t" + truth.groupby("clip_id").cumcount().astype(str)
    truth["score"] = np.nan
    audibility = truth["audibility"] if "audibility" in truth else pd.Series(np.nan, truth.index)
    truth["audibility"] = audibility.astype(np.float64)
    truth["segment_id"] = truth["segment_id"].astype(str)
    kept = ["segment_id", "clip_id", "start_s", "end_s", "label", "score", "audibility", "player_segment", *others]
    # What no row is mapped to keeps the type of what was mapped.
    duration_s = truth["clip_id"].map(workspace.clips.set_index("clip_id")["duration_s"]).astype(np.float64)
    return truth.loc[(truth["end_s"] > 0) & (truth["start_s"] < duration_s), kept]
