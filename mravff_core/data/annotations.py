"""True segments from annotation files, one reader a format.

Conventions: times in seconds from the start of the clip; labels are names, so that any
file can be matched to the label sets of a workspace by `to_workspace_table`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.data.reading import as_numbers, label_index, read_csv, read_json
from mravff_core.errors import AnnotationError, ConfigError, first_line

SEGMENT_KEYS = ("clip_id", "segment_id", "start_s", "end_s")
ABOUT_CLIP = ("split", "duration_s", "frames_per_second")
AUDIBILITY = "audibility"


def read_annotations(path: Path | str, label_set: str = "verb", *, backwards_too: bool = False) -> pd.DataFrame:
    """Read ActivityNet-style JSON, EPIC-Kitchens CSV or a plain CSV, told apart by content.

    Args:
        path: `.json` with `database`, or `.csv` with EPIC's columns, or with `clip_id, start_s,
            end_s` and one column of names or numbers for each label set.
        label_set: column that ActivityNet's single label goes to.
        backwards_too: keep segments that end before they start, unless all do.
    Returns: `clip_id`, `segment_id`, `start_s`, `end_s` and one column a label set.
    Raises: AnnotationError if the file is missing, unreadable, of no known format, or holds
        segments without a clip, or with times or audibilities that are not numbers or out of order;
        ConfigError for a label set that is called like another column.
    """
    path = Path(path)
    if label_set in ("", *SEGMENT_KEYS, *ABOUT_CLIP, AUDIBILITY):
        raise ConfigError(f"a label set cannot be called {label_set!r}, which says something else of a segment")
    if not path.is_file():
        raise AnnotationError(f"{path}: no such annotation file")
    try:
        if path.suffix.lower() == ".json":
            table = _activitynet(path, read_json(path), label_set)
        elif path.suffix.lower() == ".csv":
            table = _csv(path, read_csv(path))
        else:
            raise AnnotationError(f"{path}: suffix {path.suffix!r} is not known; expected .json or .csv annotations")
    except ValueError as error:
        raise AnnotationError(
            f"{path}: not readable as {path.suffix[1:].upper()} ({first_line(error)}); truncated?"
        ) from error
    table = checked_times(path, table, backwards_too=backwards_too)
    if AUDIBILITY in table:
        table[AUDIBILITY] = _shares(path, table[AUDIBILITY])
    return table


def to_workspace_table(table: pd.DataFrame, label_sets: Mapping[str, Sequence[str]], where: Path | str) -> pd.DataFrame:
    """Turn label names, or numbers, into indices of a workspace's label sets; what may be a name counts as one.

    Raises: AnnotationError if a label is not in its label set or no label set is there at all.
    """
    known = [name for name in label_sets if name in table.columns]
    if not known:
        raise AnnotationError(
            f"{where}: has columns {', '.join(table.columns)}, expected one of {', '.join(label_sets)}"
        )
    result = table.copy()
    for name in known:
        index_of = {label: index for index, label in enumerate(label_sets[name])}
        result[name] = [_index(value, index_of, f"{where}: {name}") for value in table[name]]
    for name in label_sets:
        if name not in known:
            result[name] = None
    return result


def _activitynet(path: Path, document: Any, label_set: str) -> pd.DataFrame:
    database = document.get("database") if isinstance(document, dict) else None
    if not isinstance(database, dict):
        raise AnnotationError(
            f"{path}: has no 'database' mapping, expected ActivityNet-style annotations; a result file?"
        )
    rows = []
    for clip_id, entry in database.items():
        annotations = entry.get("annotations", []) if isinstance(entry, dict) else None
        if not isinstance(annotations, list):
            raise AnnotationError(f"{path}: clip {clip_id!r} is no mapping with a list of annotations")
        for number, item in enumerate(annotations):
            try:
                start_s, end_s = item["segment"]
                rows.append((clip_id, f"{clip_id}_{number}", start_s, end_s, _label(item["label"])))
            except (KeyError, TypeError, ValueError):
                raise AnnotationError(
                    f"{path}: annotation {number} of clip {clip_id!r} is {str(item)[:80]}, "
                    "expected a label and a segment of two times"
                ) from None
    return pd.DataFrame(rows, columns=[*SEGMENT_KEYS, label_set])


def _label(value: Any) -> str | int | float:
    """A name or a number. Raises: ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "" or value != value:
        raise ValueError(value)
    return value


def _csv(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    if {"video_id", "start_timestamp", "stop_timestamp", "verb_class", "noun_class"} <= set(table.columns):
        return pd.DataFrame(
            {
                "clip_id": table["video_id"].astype(str),
                "segment_id": table.get("narration_id", pd.Series(table.index.astype(str))).astype(str),
                "start_s": [timestamp_s(path, value) for value in table["start_timestamp"]],
                "end_s": [timestamp_s(path, value) for value in table["stop_timestamp"]],
                "verb": table["verb_class"],
                "noun": table["noun_class"],
            }
        )
    missing = [name for name in ("clip_id", "start_s", "end_s") if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{path}: lacks column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}; "
            "expected clip_id, start_s, end_s and a column a label set, or EPIC-Kitchens' own columns"
        )
    table = table.copy()
    if "segment_id" not in table.columns:
        number = table.groupby("clip_id").cumcount().astype(str)
        table["segment_id"] = table["clip_id"].astype(str) + "_" + number
    table["clip_id"] = table["clip_id"].astype(str)
    return table


def timestamp_s(path: Path, text: object) -> float:
    """Seconds of `hours:minutes:seconds`. Raises: AnnotationError, naming the file."""
    try:
        hours, minutes, seconds = str(text).split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        raise AnnotationError(f"{path}: time {text!r} is not hours:minutes:seconds") from None


def checked_times(path: Path, table: pd.DataFrame, *, backwards_too: bool = False) -> pd.DataFrame:
    """A table whose `start_s` and `end_s` are seconds, in order unless `backwards_too`, which no file is throughout.

    Every segment has a `clip_id`.

    Raises: AnnotationError, naming the file.
    """
    nameless = np.flatnonzero(table["clip_id"].isna())
    if len(nameless):
        raise AnnotationError(f"{path}: {len(nameless)} segments name no clip, the first is segment {nameless[0]}")
    for name in ("start_s", "end_s"):
        numbers = as_numbers(table[name])
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise AnnotationError(
                f"{path}: segment {row} has {name} {str(table[name].iloc[row])[:40]!r}, expected seconds"
            )
        table[name] = numbers
    backwards = table[table["end_s"] < table["start_s"]]
    if len(backwards) and not (backwards_too and len(backwards) < len(table)):
        first = backwards.iloc[0]
        raise AnnotationError(
            f"{path}: {len(backwards)} segments end before they start, the first in clip {first['clip_id']!r} "
            f"from {first['start_s']:g} to {first['end_s']:g} s; columns swapped?"
        )
    return table.reset_index(drop=True)


def _shares(path: Path, column: pd.Series) -> pd.Series:
    """Audibilities, missing where nothing is said. Raises: AnnotationError."""
    numbers = as_numbers(column)
    wrong = np.flatnonzero(~numbers.between(0, 1) & column.notna())
    if len(wrong):
        row = int(wrong[0])
        raise AnnotationError(f"{path}: segment {row} has audibility {str(column.iloc[row])!r}, expected 0 to 1")
    return numbers


def _index(value: Any, index_of: Mapping[str, int], where: str) -> int | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if (index := label_index(value, index_of)) is not None:
        return index
    raise AnnotationError(
        f"{where} has no class {value!r}; it has {len(index_of)}, such as {', '.join(list(index_of)[:3])}"
    )
