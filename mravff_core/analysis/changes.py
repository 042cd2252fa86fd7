"""What became of each detection between two sides: gained, lost, moved, renamed or the same.

    same      both sides find it under one label, and the two overlap by `moved_tiou` at least
    moved     likewise, but they overlap by less
    renamed   both find something there that overlaps, under two labels
    lost      a finds it; on b nothing that reaches the score threshold overlaps it
    gained    the other way round

Side a is where one comes from and b where one goes to. Which detections are one event is settled
in `mravff_core.analysis.pairs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.analysis.found import Found
from mravff_core.analysis.pairs import Assignment, assign
from mravff_core.errors import ConfigError

KINDS = ("gained", "lost", "moved", "renamed", "same")
MIRRORED = {"gained": "lost", "lost": "gained"}


@dataclass(frozen=True)
class MatchSettings:
    """When detections count, and when two are one event.

    Attributes:
        min_score: detections below it count as not there.
        min_tiou: least overlap of two detections of one event.
        moved_tiou: an event whose two detections overlap by less has moved.
        correct_tiou: least overlap with a true segment to be correct.
    Raises: ConfigError for an impossible value.
    """

    min_score: float = 0.2
    min_tiou: float = 0.3
    moved_tiou: float = 0.75
    correct_tiou: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise ConfigError(f"the score threshold is {self.min_score}, expected 0 to 1")
        for name in ("min_tiou", "moved_tiou", "correct_tiou"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected a number above 0 and up to 1")
        if self.moved_tiou < self.min_tiou:
            raise ConfigError(
                f"moved_tiou is {self.moved_tiou}, below min_tiou {self.min_tiou}: nothing could have moved"
            )


def changes(a: Found, b: Found, settings: MatchSettings) -> pd.DataFrame:
    """One row for every event that at least one side finds.

    Args:
        a, b: of the same clips, looked up with `settings.correct_tiou`.
    Returns: `kind`, `clip_id`, `tiou` of the two detections (not a number where one side has none),
        and for either side, with `a_` or `b_` before it: `place` in the clip's order, from 0, -1
        where that side has nothing; `start_s`, `end_s`, `label` (-1), `score`; `truth`, id of its
        best true segment or none; `truth_tiou`; `correct`. A gained or lost event may have a
        detection below the threshold on the other side, which is given as well; `shown` tells.
        Rows in order of clip, kind and falling score.
    """
    pairs = assign(a, b, min_score=settings.min_score, min_tiou=settings.min_tiou)
    rows_a, rows_b = _rows(pairs)
    left, right = _columns(a, rows_a, pairs.shown_a), _columns(b, rows_b, pairs.shown_b)
    overlap = _overlap(left, right)
    kind = _kinds(left, right, overlap, settings)
    clip = np.where(rows_a >= 0, _at(a.clip, rows_a, -1), _at(b.clip, rows_b, -1))
    best = np.fmax(left["score"], right["score"])
    order = np.lexsort((np.fmin(left["start_s"], right["start_s"]), -best, kind, clip))
    names = np.array(a.clip_ids, object)
    table = {"kind": np.array(KINDS, object)[kind], "clip_id": names[clip] if len(names) else clip, "tiou": overlap}
    table |= {f"a_{name}": column for name, column in left.items()}
    table |= {f"b_{name}": column for name, column in right.items()}
    return pd.DataFrame({name: column[order] for name, column in table.items()})


def count_by(table: pd.DataFrame, column: str, keys: Sequence) -> pd.DataFrame:
    """How many events of each kind, and how many gained and lost ones are correct.

    Args:
        table: of `changes`.
        column: `clip_id` or `label`; by label, an event counts for the label it has, a renamed one
            for both, as `renamed_from` and `renamed_to`.
        keys: rows of the result, in order.
    Returns: a row a key: `gained`, `gained_correct`, `lost`, `lost_correct`, `moved`, `renamed` (or
        those two), `same`.
    """
    by_label = column == "label"
    counts = {}
    for kind in KINDS:
        rows = table[table["kind"] == kind]
        side = "a" if kind == "lost" else "b"
        key = rows[f"{side}_label"] if by_label else rows[column]
        if kind == "renamed" and by_label:
            counts["renamed_from"] = rows["a_label"].value_counts()
            counts["renamed_to"] = key.value_counts()
            continue
        counts[kind] = key.value_counts()
        if kind in MIRRORED:
            counts[f"{kind}_correct"] = key[rows[f"{side}_correct"].to_numpy(bool)].value_counts()
    result = pd.DataFrame({name: found.reindex(list(keys)).fillna(0).astype(int) for name, found in counts.items()})
    return result.rename_axis(column).reset_index()


def kind_table(events: pd.DataFrame) -> pd.DataFrame:
    """How many events of each kind are correct and wrong: on b, or on a for the lost."""
    correct = outcome(events)
    return pd.DataFrame(
        [
            {"kind": kind, "correct": right, "count": int(((events["kind"] == kind) & (correct == right)).sum())}
            for kind in KINDS
            for right in (True, False)
        ]
    )


def outcome(events: pd.DataFrame) -> pd.Series:
    """Whether each event's detection is correct: that of b, or of a where b has lost it."""
    return events["b_correct"].where(events["kind"] != "lost", events["a_correct"]).astype(bool)


def _rows(pairs: Assignment) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of both sides of every event, -1 where a side has nothing."""
    there_a = np.flatnonzero(pairs.shown_a | (pairs.partner_of_a >= 0))
    only_b = np.flatnonzero(pairs.shown_b & (pairs.partner_of_b < 0))
    rows_a = np.concatenate([there_a, np.full(len(only_b), -1)])
    return rows_a, np.concatenate([pairs.partner_of_a[there_a], only_b])


def _columns(found: Found, rows: NDArray[np.int64], shown: NDArray[np.bool_]) -> dict[str, NDArray]:
    return {
        "place": _at(found.place, rows, -1),
        "start_s": _at(found.segments_s[:, 0], rows, np.nan),
        "end_s": _at(found.segments_s[:, 1], rows, np.nan),
        "label": _at(found.label, rows, -1),
        "score": _at(found.score, rows, np.nan),
        "shown": _at(shown, rows, False),
        "truth": _at(found.truth_id, rows, None),
        "truth_tiou": _at(found.truth_tiou, rows, 0.0),
        "correct": _at(found.correct, rows, False),
    }


def _at(values: NDArray, rows: NDArray[np.int64], missing: object) -> NDArray:
    """Values at some rows, `missing` where the row is -1."""
    return np.append(values, np.array([missing], values.dtype))[rows]


def _overlap(left: dict[str, NDArray], right: dict[str, NDArray]) -> NDArray[np.float64]:
    inner = np.minimum(left["end_s"], right["end_s"]) - np.maximum(left["start_s"], right["start_s"])
    inner = np.maximum(inner, 0.0)
    union = (left["end_s"] - left["start_s"]) + (right["end_s"] - right["start_s"]) - inner
    return np.divide(inner, union, out=np.full(len(union), np.nan), where=union > 0)


def _kinds(
    left: dict[str, NDArray], right: dict[str, NDArray], overlap: NDArray[np.float64], settings: MatchSettings
) -> NDArray[np.int64]:
    """Places in `KINDS`."""
    both = left["shown"] & right["shown"]
    renamed, moved = both & (left["label"] != right["label"]), both & (overlap < settings.moved_tiou)
    names = np.select([renamed, moved, both, left["shown"]], [3, 2, 4, 1], 0)
    return names.astype(np.int64)
