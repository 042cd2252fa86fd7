"""True segments and detections as evaluation reads them: checked, numbered and in one fixed order.

Detections stand label by label, best score first. Equal scores are ordered by clip id, start
and end, so a result never depends on the order of a table's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import AnnotationError, ConfigError

Protocol = Literal["epic", "activitynet", "actionformer"]
TRUTH_COLUMNS = ("clip_id", "start_s", "end_s", "label")
FOUND_COLUMNS = (*TRUTH_COLUMNS, "score")
_DUPLICATE_S = 1e-3
_LARGEST = 2**53  # beyond, float64 skips whole numbers

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """What is to be scored, in arrays.

    True segments are ordered by label, clip, start and end; detections by label, score (best
    first), clip, start and end.

    Attributes:
        labels: [classes] labels with true segments, ascending.
        clips: [clips] ids of all clips, ascending.
        truth_row, truth_class, truth_clip: [segments] row in the caller's table, place of the label
            in `labels` and of the clip in `clips`.
        truth_s: [segments, 2] start and end in seconds.
        row, clip, found_s, score: the same of the detections that count, and their scores.
        class_start: [classes + 1] where each label's detections begin.
        first_truth, last_truth: [detections] range of the true segments of a detection's label and clip.
    """

    labels: Integers
    clips: pd.Index
    truth_row: Integers
    truth_class: Integers
    truth_clip: Integers
    truth_s: NDArray[np.float64]
    row: Integers
    clip: Integers
    found_s: NDArray[np.float64]
    score: NDArray[np.float64]
    class_start: Integers
    first_truth: Integers
    last_truth: Integers

    @property
    def found_class(self) -> Integers:
        """[detections] place of each detection's label in `labels`."""
        return np.repeat(np.arange(len(self.labels)), np.diff(self.class_start))

    @property
    def truth_count(self) -> Integers:
        """[classes] true segments of each label."""
        return np.bincount(self.truth_class, minlength=len(self.labels))


def checked_thresholds(tiou_thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Thresholds as an array. Raises: ConfigError if they are no list, or there is none or one outside (0, 1]."""
    try:
        listed = list(tiou_thresholds)
        thresholds = np.asarray(listed, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"thresholds are {tiou_thresholds!r}, expected a list of numbers such as [0.5]") from None
    if thresholds.ndim != 1 or not thresholds.size or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ConfigError(f"thresholds {listed} must lie in 0 to 1, 0 excluded")
    return thresholds


def scene(ground_truth: pd.DataFrame, detections: pd.DataFrame, protocol: str, clips: pd.Index | None = None) -> Scene:
    """Bring both tables into order, as a protocol counts them.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`.
        detections: the same and `score`.
        protocol: of `mravff_core.evaluation.average_precision`.
        clips: ids to number clips by, ascending, at least those of both tables; None for just those.
    Raises: AnnotationError if a column is missing, a number is not finite, a label not whole or
        there is no true segment; ConfigError for an unknown protocol.
    """
    if protocol not in get_args(Protocol):
        raise ConfigError(f"protocol {protocol!r} is not known; expected one of {', '.join(get_args(Protocol))}")
    truth, found = checked_truth(ground_truth), checked_detections(detections)
    if clips is None:
        clips = clip_index(truth, found)
    if protocol == "actionformer":
        truth = _without_near_duplicates(truth[truth["end_s"] - truth["start_s"] >= _DUPLICATE_S])
    if truth.empty:
        raise AnnotationError("there are no true segments to score against")
    labels, truth_class = np.unique(truth["label"].to_numpy(), return_inverse=True)
    truth_clip = _places(truth["clip_id"], clips)
    truth_s = truth[["start_s", "end_s"]].to_numpy()
    order = np.lexsort((truth_s[:, 1], truth_s[:, 0], truth_clip, truth_class))
    key = (truth_class * len(clips) + truth_clip)[order]

    found_class = _class_of(found["label"].to_numpy(), labels, collide=protocol == "actionformer")
    counts = np.flatnonzero(found_class >= 0)
    found_class, found_clip = found_class[counts], _places(found["clip_id"], clips)[counts]
    found_s, score = found[["start_s", "end_s"]].to_numpy()[counts], found["score"].to_numpy()[counts]
    best = _best_first(found_class, score, found_clip, found_s)
    found_key = (found_class * len(clips) + found_clip)[best]
    return Scene(
        labels=labels,
        clips=clips,
        truth_row=truth.index.to_numpy()[order],
        truth_class=truth_class[order],
        truth_clip=truth_clip[order],
        truth_s=truth_s[order],
        row=counts[best],
        clip=found_clip[best],
        found_s=found_s[best],
        score=score[best],
        class_start=np.searchsorted(found_class[best], np.arange(len(labels) + 1)),
        first_truth=np.searchsorted(key, found_key, side="left"),
        last_truth=np.searchsorted(key, found_key, side="right"),
    )


def clip_index(*tables: pd.DataFrame) -> pd.Index:
    """Ids of all clips of some tables, ascending. Raises: AnnotationError if they are of several types."""
    ids = {clip for table in tables for clip in table["clip_id"].unique()}
    try:
        return pd.Index(sorted(ids))
    except TypeError:
        kinds = sorted({type(clip).__name__ for clip in ids})
        raise AnnotationError(f"clip_id is of types {', '.join(kinds)}, expected one type in all tables") from None


def _places(clip_ids: pd.Series, clips: pd.Index) -> Integers:
    codes, ids = pd.factorize(clip_ids)
    return clips.get_indexer(pd.Index(ids))[codes]


def _best_first(found_class: Integers, score: NDArray[np.float64], clip: Integers, found_s: Any) -> Integers:
    """Order by label and score, best first; only among equal scores by clip, start and end."""
    order = np.argsort(-score)
    # Numbers of 16 bits are sorted by counting.
    compact = found_class.astype(np.int16) if found_class.max(initial=0) < 1 << 15 else found_class
    order = order[np.argsort(compact[order], kind="stable")]
    equal = (np.diff(score[order]) == 0) & (np.diff(found_class[order]) == 0)
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    rows = order[tied]
    inner = np.lexsort((found_s[rows, 1], found_s[rows, 0], clip[rows], -score[rows], found_class[rows]))
    order[tied] = rows[inner]
    return order


def checked_truth(ground_truth: pd.DataFrame) -> pd.DataFrame:
    """True segments' own columns, numbered from 0. Raises: AnnotationError."""
    return checked_table("true segments", ground_truth, TRUTH_COLUMNS)


def checked_detections(detections: pd.DataFrame) -> pd.DataFrame:
    """Detections' own columns, numbered from 0. Raises: AnnotationError."""
    return checked_table("detections", detections, FOUND_COLUMNS)


def checked_table(what: str, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a table, the first of clip ids and the others of numbers, its rows numbered from 0.

    Raises: AnnotationError if it is no table of pandas, or a column is missing, there twice or of other things.
    """
    if not isinstance(table, pd.DataFrame):
        raise AnnotationError(
            f"{what}: found {type(table).__module__}.{type(table).__qualname__}, expected a pandas.DataFrame with "
            f"columns {', '.join(columns)}"
        )
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{what}: lack column {', '.join(missing)}; they have {', '.join(map(str, table.columns))}"
        )
    table = table.loc[:, list(columns)].reset_index(drop=True)
    if table.shape[1] > len(columns):
        raise AnnotationError(f"{what}: found columns {', '.join(table.columns)}, expected each once")
    if table["clip_id"].isna().any():
        raise AnnotationError(f"{what}: clip_id of row {int(table['clip_id'].isna().argmax())} is missing")
    for name in columns[1:]:
        if table[name].dtype.kind in "mMc":
            # Time stamps would be read as nanoseconds.
            raise AnnotationError(f"{what}: {name} is of type {table[name].dtype}, expected numbers")
        numbers = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
        right = np.isfinite(numbers) & (
            (numbers == np.round(numbers)) & (numbers.abs() <= _LARGEST) | (name != "label")
        )
        if not right.all():
            row = int(np.flatnonzero(~right)[0])
            kind = "a whole number" if name == "label" else "a number"
            raise AnnotationError(f"{what}: {name} of row {row} is {table[name].iloc[row]}, expected {kind}")
        table[name] = numbers
    return table.astype({name: np.int64 for name in columns if name == "label"})


def _class_of(found: Integers, labels: Integers, *, collide: bool) -> Integers:
    """Place of each detection's label in `labels`, -1 where it does not count."""
    place = np.minimum(np.searchsorted(labels, found), len(labels) - 1)
    other = np.where((found >= 0) & (found < len(labels)), found, -1) if collide else -1
    return np.where(labels[place] == found, place, other)


def _without_near_duplicates(truth: pd.DataFrame) -> pd.DataFrame:
    """Drop true segments that lie within a millisecond of an earlier one of clip and label.

    Earlier by start and end, so that the order of rows does not matter.
    """
    order = np.lexsort((truth["end_s"], truth["start_s"]))
    times = truth[["start_s", "end_s"]].to_numpy()
    keep = np.ones(len(truth), dtype=bool)
    rank = np.empty(len(truth), dtype=np.int64)
    rank[order] = np.arange(len(truth))
    for group in truth.groupby(["clip_id", "label"], sort=False).indices.values():
        rows = np.asarray(group)
        kept: list[int] = []
        for row in rows[np.argsort(rank[rows])]:
            near = (np.abs(times[kept] - times[row]) <= _DUPLICATE_S).all(axis=1).any()
            keep[row] = not near
            if not near:
                kept.append(int(row))
    return truth[keep]
